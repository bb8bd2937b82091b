/** What every door of the FHIR API stands on: store, rights, audit trail and validation; a piece of the composition root. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type pg from 'pg';
import { type Audit, openAudit } from './audit.ts';
import type { CardOptions } from './auth/people/card-sign-in.ts';
import { createCloseness } from './closeness.ts';
import type { Config } from './config.ts';
import { openCustomParameters } from './custom-parameters.ts';
import type { PartnerDoors } from './gateway.ts';
import { encryptionOptions, openCipher } from './keys.ts';
import type { ContextLog } from './log.ts';
import { createPolicy } from './policy/policy.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { CustomParameterDesk } from './ports/custom-parameters.ts';
import type { Policy } from './ports/policy.ts';
import { auditedStore } from './postgres/audit/audited-store.ts';
import { withElementRights } from './postgres/element-rights.ts';
import { checkKey } from './postgres/key-check.ts';
import { withKnownProfiles } from './postgres/known-profiles.ts';
import type { Pools } from './postgres/pools.ts';
import { type OpenStore, openStore, type StoreOptions } from './postgres/store.ts';
import { requiredOf } from './profiles.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import { withSharedTransactions } from './shared-transactions.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { isProtectedAtom } from './standards/fhir/encryption/protected-elements.ts';
import { createCustomCompiler } from './standards/fhir/search/custom-parameter.ts';
import { type CustomRegistry, createCustomRegistry } from './standards/fhir/search/custom-registry.ts';
import { createExtractors } from './standards/fhir/search/extract.ts';
import type { SearchParameter, SearchParameters } from './standards/fhir/search/parameter.ts';
import { createSearchParameters } from './standards/fhir/search/parameters.ts';
import { parseSearch } from './standards/fhir/search/parse.ts';
import { patientParametersBeside } from './standards/fhir/search/patient-parameters.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { createValidation, type Validation, type ValidationOptions } from './standards/fhir/validation/validator.ts';
import { keepPartitions } from './upkeep.ts';

/** What the FHIR API is built from. */
export interface FhirParts {
  readonly config: Config;
  readonly log: ContextLog;
  readonly definitions: Definitions;
  readonly pools: Pools;
  /** Connects as the role that may make tables. */
  readonly owner: pg.ClientConfig;
  /** Base of every link, `Location` and `fullUrl`: PUBLIC_URL and `/fhir/R4`. */
  readonly baseUrl: string;
  readonly now: Clock;
  /** The peer's address, behind trusted proxies as well. */
  readonly addressOf: (req: IncomingMessage) => string;
  readonly limits: RateLimits;
  /** Told of every message that was answered. */
  readonly observeMessage?: (dialect: string, verdict: string, ms: number) => void;
  /** Decides between the access paths of a search; the database's own statistics unless given. */
  readonly frequencies?: StoreOptions['frequencies'];
  /** What resources are checked for on writes; everything unless given. */
  readonly checks?: ValidationOptions['checks'];
  /** Where people sign in with smart cards. */
  readonly card?: CardOptions | undefined;
  /** Whom certificates name; absent where no table of partners is given. */
  readonly partners?: Pick<PartnerDoors, 'partnerOf' | 'createServer'>;
}

export interface FhirStore {
  readonly dataDir: string;
  readonly cipher: Cipher;
  /** Of R4, and those that were posted. */
  readonly parameters: CustomRegistry;
  /** Of R4 alone: rights are asked for in these. */
  readonly official: SearchParameters;
  /** Parameters by which types outside the Patient compartment name patients. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  /** Who watches and asks for the values that are searched by. */
  readonly customParameters: CustomParameterDesk;
  readonly policy: Policy;
  readonly audit: Audit;
  /** Leaves no entries in the trail. */
  readonly plain: OpenStore;
  /** The same with what a caller may see of each element. */
  readonly visible: OpenStore;
  /** The same with an entry in the trail for each use. */
  readonly audited: OpenStore;
  readonly validation: Validation;
  /** Profiles that the operator asks of a type. */
  readonly required: ReturnType<typeof requiredOf>;
  stop(): Promise<void>;
}

/** Where it rejects, nothing of what was begun goes on. */
export async function openFhirStore(parts: FhirParts): Promise<FhirStore> {
  await using stack = new AsyncDisposableStack();
  const { config, log, definitions, pools, owner, baseUrl, now } = parts;
  const dataDir = resolve(config.dataDir);
  stack.defer(await keepPartitions(parts));
  const { cipher, path } = openCipher(config);
  await checkKey(pools.writes, 'messages', cipher, path);
  const official = createSearchParameters(definitions, config.fullText);
  const encryption = encryptionOptions(config, definitions, official);
  const parameters = createCustomRegistry(
    official,
    createExtractors(definitions, official),
    createCustomCompiler({
      definitions,
      official,
      isSealed: (type, atom) => isProtectedAtom(encryption.elements, type, atom),
    }),
  );
  const beside = patientParametersBeside(definitions, official, 'any');
  const patientTypes = new Set(['Patient', ...Object.keys(definitions.compartments.Patient)]);
  const policy = createPolicy({
    isPatientType: (type) => patientTypes.has(type),
    mayNamePatients: (type) => beside.has(type),
    now,
    closedEncounterDays: config.closedEncounterDays,
  });
  const holder = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const { pageSizeDefault } = config;
  const officialSearch = (type: string, query: string): SearchRequest =>
    parseSearch({ type, query, parameters: official, definitions, handling: 'strict', baseUrl });
  const audit = await openAudit({
    owner,
    years: config.auditRetentionYears,
    dataDir,
    fhirBaseUrl: baseUrl,
    policy,
    dateParameter: dateOfAuditEvent(official),
    pageSizeDefault,
    pools,
    holder,
    now,
    log,
  });
  stack.defer(audit.stop);
  const opened = await openStore({
    pools,
    policy,
    parameters,
    beside,
    // What decides about rights is asked in the words of R4 alone: posted parameters come and go.
    conditionsOf: (type, query) => officialSearch(type, query).conditions,
    extractorOf: parameters.extractorOf,
    baseUrl,
    pageSizeDefault,
    holder,
    audit: audit.trail,
    cipher,
    encryption,
    now,
    log,
    ...(parts.frequencies && { frequencies: parts.frequencies }),
  });
  stack.defer(opened.close);
  const custom = await openCustomParameters({ store: opened, parameters, searchOf: officialSearch, now, log });
  stack.defer(custom.stop);
  const plain = custom.store;
  audit.lookWith(createCloseness({ store: plain, now }));
  const required = requiredOf(config.requiredProfiles, definitions);
  const validation = createValidation(definitions, { now, required, ...(parts.checks && { checks: parts.checks }) });
  const sharing = withSharedTransactions(plain);
  const visible = withElementRights(withKnownProfiles(sharing, validation.profiles), policy, parameters);
  const audited = auditedStore(visible, audit.trail, audit.view.events);
  const kept = stack.move();
  return {
    dataDir,
    cipher,
    parameters,
    official,
    customParameters: custom.desk,
    beside,
    policy,
    audit,
    plain,
    visible,
    audited,
    validation,
    required,
    stop: () => kept.disposeAsync(),
  };
}

function dateOfAuditEvent(parameters: SearchParameters): SearchParameter {
  const date = parameters.get('AuditEvent')?.parameters.get('date');
  if (!date) throw new Error('AuditEvent has no search parameter date');
  return date;
}
