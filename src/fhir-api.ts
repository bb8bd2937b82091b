/** The FHIR API put together from its parts; a piece of the composition root. */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type pg from 'pg';
import packageJson from '../package.json' with { type: 'json' };
import { openAudit } from './audit.ts';
import { interactiveOf } from './auth/authorize/create-authorize.ts';
import { oauthUris } from './auth/oauth/discovery.ts';
import type { CardOptions } from './auth/people/card-sign-in.ts';
import { openBulk } from './bulk.ts';
import { publishedCapability } from './capability.ts';
import { openClaims } from './claims.ts';
import { createCloseness } from './closeness.ts';
import type { Config } from './config.ts';
import { createDataSubjects } from './data-subjects.ts';
import { loadDemo } from './demo.ts';
import { openEps, openSignerTrust } from './eps.ts';
import { createGateway, type Gateway, type PartnerDoors } from './gateway.ts';
import { createIdentityDoors, type Identity } from './identity.ts';
import { asyncJob, createAsyncJobs } from './jobs/async-jobs.ts';
import { encryptionOptions, openArchive, openCipher } from './keys.ts';
import { openTrySigner } from './local-spine.ts';
import type { ContextLog } from './log.ts';
import { openPharmacy } from './pharmacy.ts';
import { createCipher } from './pki/key-file.ts';
import { createPolicy } from './policy/policy.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog } from './ports/audit.ts';
import type { Clock } from './ports/clock.ts';
import { createAsyncRequests } from './postgres/async-requests.ts';
import { auditedStore } from './postgres/audit/audited-store.ts';
import { withElementRights } from './postgres/element-rights.ts';
import { withProtectedParameters } from './postgres/encryption/protected-search.ts';
import { createEpcsArchive } from './postgres/epcs-archive.ts';
import { checkKey } from './postgres/key-check.ts';
import { withKnownProfiles } from './postgres/known-profiles.ts';
import type { Pools } from './postgres/pools.ts';
import { createRequestAnswerPurge } from './postgres/request-answers.ts';
import { type OpenStore, openStore, type StoreOptions } from './postgres/store.ts';
import { openProfiles, requiredOf } from './profiles.ts';
import { openProtection } from './protection.ts';
import { createAsyncDesk } from './rest/async-desk.ts';
import { createInteractionWorker } from './rest/async-interaction.ts';
import { createAuditApi } from './rest/audit-api.ts';
import { criteriaOf, searchOf } from './rest/criteria.ts';
import type { Door } from './rest/door.ts';
import { createFhirDoor } from './rest/fhir-handler.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { reprocessMessage } from './rest/interactions/process-message.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import { createRefusals } from './rest/refusals.ts';
import type { Services } from './rest/services.ts';
import type { SubscriptionSockets } from './rest/subscription-sockets.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { createSubsetter } from './standards/fhir/elements.ts';
import { createPathPatch } from './standards/fhir/path-patch/apply.ts';
import { createReferenceRewriter } from './standards/fhir/reference-rewrite.ts';
import { createExtractors } from './standards/fhir/search/extract.ts';
import type { SearchParameter } from './standards/fhir/search/parameter.ts';
import { createSearchParameters } from './standards/fhir/search/parameters.ts';
import { parseSearch } from './standards/fhir/search/parse.ts';
import { patientParametersBeside } from './standards/fhir/search/patient-parameters.ts';
import { createValidation, type ValidationOptions } from './standards/fhir/validation/validator.ts';
import { createXmlReader } from './standards/fhir/xml/read.ts';
import { createXmlWriter } from './standards/fhir/xml/write.ts';
import { openSubscriptions } from './subscriptions.ts';
import { createOfficialTerminology } from './terminology-cache.ts';
import { keepIndexed, keepPartitions, keepSealed } from './upkeep.ts';
import type { EpsOrders } from './workflow/prescribing/eps-orders.ts';
import { createWorkflowDoors } from './workflow-doors.ts';

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

export interface FhirApi {
  readonly handle: RequestHandler;
  /** Websockets. */
  readonly upgrade?: SubscriptionSockets['upgrade'];
  readonly store?: OpenStore;
  readonly gateway?: Gateway;
  readonly identity?: Identity;
  readonly audit?: AuditLog;
  /** Ends what runs in the background (leases, timers, queues); the pools still work. */
  stop?(): Promise<void>;
  /** Loads the demo data; resolves to a line that says what there is now. */
  loadDemo?(): Promise<string>;
}

const FHIR_PATH = '/fhir/R4';

/** Where it rejects, nothing of what was begun goes on. */
export async function createFhirApi(parts: FhirParts): Promise<FhirApi> {
  await using stack = new AsyncDisposableStack();
  const { config, log, definitions, pools, baseUrl, now } = parts;
  const url = baseUrl.slice(0, baseUrl.lastIndexOf(FHIR_PATH));
  const dataDir = resolve(config.dataDir);
  stack.defer(await keepPartitions(parts));
  const cipher = openCipher(config);
  await checkKey(pools.writes, 'messages', cipher.cipher, cipher.path);
  const parameters = createSearchParameters(definitions, config.fullText);
  const extractorOf = createExtractors(definitions, parameters);
  const patientTypes = new Set(['Patient', ...Object.keys(definitions.compartments.Patient)]);
  const beside = patientParametersBeside(definitions, parameters, 'any');
  const policy = createPolicy({
    isPatientType: (type) => patientTypes.has(type),
    mayNamePatients: (type) => beside.has(type),
    now,
    closedEncounterDays: config.closedEncounterDays,
  });
  const holder = `${hostname()}:${process.pid}:${randomBytes(4).toString('hex')}`;
  const audit = await openAudit({
    owner: parts.owner,
    years: config.auditRetentionYears,
    dataDir,
    fhirBaseUrl: baseUrl,
    policy,
    dateParameter: dateOfAuditEvent(parameters),
    pageSizeDefault: config.pageSizeDefault,
    pools,
    holder,
    now,
    log,
  });
  stack.defer(audit.stop);
  const plain = await openStore({
    pools,
    policy,
    parameters,
    beside,
    conditionsOf: (type, query) =>
      parseSearch({ type, query, parameters, definitions, handling: 'strict', baseUrl }).conditions,
    extractorOf,
    baseUrl,
    pageSizeDefault: config.pageSizeDefault,
    holder,
    audit: audit.trail,
    cipher: cipher.cipher,
    encryption: encryptionOptions(config, definitions, parameters),
    now,
    log,
    ...(parts.frequencies && { frequencies: parts.frequencies }),
  });
  stack.defer(plain.close);
  audit.lookWith(createCloseness({ store: plain, now }));
  const required = requiredOf(config.requiredProfiles, definitions);
  const validation = createValidation(definitions, { now, required, ...(parts.checks && { checks: parts.checks }) });
  const visible = withElementRights(withKnownProfiles(plain, validation.profiles), policy, parameters);
  const audited = auditedStore(visible, audit.trail, audit.view.events);
  let identity: Identity | undefined;
  const subscriptions = openSubscriptions({
    config,
    pools,
    audited,
    plain,
    searchOf: (type, query) => searchOf(services, type, query),
    subscribers() {
      if (!identity) throw new Error('nobody is known yet');
      return identity;
    },
    cipher: cipher.cipher,
    baseUrl,
    now,
    log,
  });
  const store = subscriptions.own(audited);
  const services: Services = {
    store,
    unaudited: visible,
    audit: audit.trail,
    messages: store.messages,
    policy,
    definitions,
    parameters,
    ...validation,
    subset: createSubsetter(definitions),
    xml: { read: createXmlReader(definitions), write: createXmlWriter(definitions) },
    terminology: createOfficialTerminology(join(dataDir, 'cache')),
    applyPathPatch: createPathPatch(definitions),
    rewriteReferences: createReferenceRewriter(definitions),
    capability: plain.protection
      ? withProtectedParameters(publishedCapability(parameters), plain.protection, (type, code) =>
          parameters.get(type)?.parameters.get(code),
        )
      : publishedCapability(parameters),
    settings: {
      baseUrl,
      searchHandling: config.searchHandling,
      conditionalDeleteMax: config.conditionalDelete === 'multiple' ? config.conditionalDeleteMax : 1,
      pageSizeDefault: config.pageSizeDefault,
      pageSizeMax: config.pageSizeMax,
      bodyBytesMax: config.bodyBytesMax,
      bundleBytesMax: config.bundleBytesMax,
      importBytesMax: config.importBytesMax,
      bundleEntriesMax: config.bundleEntriesMax,
      messageTimeZone: config.messageTimeZone,
      epsToAsid: config.epsToAsid,
      isProduction: config.nodeEnv === 'production',
      softwareVersion: packageJson.version,
      oauthUris: oauthUris({ issuer: url, interactive: interactiveOf(url) }),
    },
    now,
    log,
  };
  stack.defer(
    await openProfiles({
      profiles: validation.profiles,
      store: plain,
      searchOf: (type, query) => searchOf(services, type, query),
      packagesDir: join(dataDir, 'packages'),
      profileBase: config.profileBase,
      required,
      now,
      log,
    }),
  );
  const refusals = createRefusals({ audit: audit.trail, now, log });
  let gateway: Gateway | undefined;
  const subjects = createDataSubjects({
    pools,
    store: plain,
    audited: store,
    searchOf: (type, query) => searchOf(services, type, query),
    definitions,
    beside,
    baseUrl,
    rids: audit.trail.rids,
    translate: (message) => gateway?.translate(message),
    visits: audit.view,
    policy,
    audit: audit.trail,
    cipher: cipher.cipher,
    now,
    log,
  });
  const book = createAsyncRequests({
    ...pools,
    cipher: cipher.cipher,
    cipherOf: (key) => createCipher([{ number: 1, key }]),
  });
  const bulk = openBulk({
    book,
    plain,
    searchOf: (type, query) => searchOf(services, type, query),
    store,
    validate: services.validate,
    isType: (type) => parameters.get(type) !== undefined,
    lineBytesMax: config.bodyBytesMax,
    subset: services.subset,
    subscribers() {
      if (!identity) throw new Error('nobody is known yet');
      return identity;
    },
    stop: subjects.stop,
    audit: audit.trail,
    now,
  });
  const protection = await openProtection({
    config,
    dataDir,
    pools,
    owner: parts.owner,
    cipher: cipher.cipher,
    store: plain,
    policy,
    audit: audit.trail,
    checkQuery: (type, query) => void criteriaOf(services, type, query),
    now,
    log,
  });
  stack.defer(protection.stop);
  let epsOrders: EpsOrders | undefined;
  const pharmacy = openPharmacy({
    config,
    dataDir,
    pools,
    cipher: cipher.cipher,
    url,
    store,
    plain,
    searchOf: (type, query) => searchOf(services, type, query),
    limits: parts.limits,
    audit: audit.trail,
    now,
    log,
  });
  stack.defer(pharmacy.stop);
  const workflow = createWorkflowDoors({
    pharmacy,
    url,
    store,
    plain,
    answers: plain.answers,
    eps: () => epsOrders,
    searchOf: (type, query) => searchOf(services, type, query),
    policy,
    audit: audit.trail,
    limits: parts.limits,
    addressOf: parts.addressOf,
    now,
    log,
  });
  stack.defer(workflow.stop);
  identity = await createIdentityDoors({
    config,
    dataDir,
    url,
    fhirBaseUrl: baseUrl,
    pools,
    store,
    searchOf: (type, query) => searchOf(services, type, query),
    policy,
    audit: audit.trail,
    auditApi: (authenticate) =>
      createAuditApi({
        audit: audit.trail,
        trail: audit.view,
        policy,
        authenticate,
        onError: (error) => log.error('a request failed', { error }),
      }),
    moreDoors: (authenticate) => [
      ...subjects.doors(authenticate),
      ...protection.doors(authenticate),
      ...workflow.doors(authenticate),
    ],
    cipher: cipher.cipher,
    vocabulary: {
      isType: (type) => parameters.get(type) !== undefined,
      isParameter: (type, name) => parameters.get(type)?.parameters.has(name) === true,
    },
    addressOf: parts.addressOf,
    limits: parts.limits,
    refusals,
    card: parts.card,
    now,
    log,
  });
  stack.defer(identity.stop);
  const { authenticate } = identity;
  const { addressOf, limits } = parts;
  const door: Door = { authenticate, policy, addressOf, limits, refusals, audit: audit.trail };
  const judge = openSignerTrust(config, now, log);
  const eps = openEps({
    config,
    messages: store.messages,
    store,
    policy,
    audit: audit.trail,
    judge,
    signer: openTrySigner(config, dataDir),
    validate: services.validate,
    rewriteReferences: services.rewriteReferences,
    criteriaOf: (type, query) => criteriaOf(services, type, query),
    baseUrl,
    now,
    log,
  });
  if (eps) stack.defer(eps.stop);
  epsOrders = eps?.orders;
  const claims = openClaims({
    config,
    messages: store.messages,
    store,
    audit: audit.trail,
    validate: services.validate,
    rewriteReferences: services.rewriteReferences,
    criteriaOf: (type, query) => criteriaOf(services, type, query),
    now,
    log,
  });
  if (claims) stack.defer(claims.stop);
  const later = createAsyncDesk({
    book,
    begin: (id) => plain.jobs.add([asyncJob(id)]),
    audit: audit.trail,
    baseUrl,
    now,
  });
  const fhir = createFhirDoor(
    {
      ...services,
      later,
      subscriptions: subscriptions.desk,
      bulk: bulk.desk,
      ...(eps && { eps: eps.desk }),
      ...(claims && { claims: claims.desk }),
      ...(judge && { judgePrescriptions: judge }),
    },
    door,
  );
  const asyncJobs = createAsyncJobs({
    book,
    jobs: plain.jobs,
    answers: createRequestAnswerPurge(pools),
    workers: [createInteractionWorker(fhir.dispatch, now), ...bulk.workers],
    concurrency: 2,
    now,
    log,
  });
  gateway = createGateway({
    config,
    store,
    epcsArchive: createEpcsArchive({ ...pools, cipher: cipher.cipher, key: openArchive(config) }),
    door,
    validate: services.validate,
    rewriteReferences: services.rewriteReferences,
    criteriaOf: (type, query) => criteriaOf(services, type, query),
    searchOf: (type, query) => searchOf(services, type, query),
    reprocessFhir: (id, raw) => reprocessMessage(services, id, raw),
    queueName: await queueNameOf(pools),
    moreJobs: [
      subscriptions.jobs,
      asyncJobs,
      identity.jobs,
      pharmacy.jobs,
      asyncJobs,
      ...subjects.jobs,
      ...(eps ? [eps.jobs] : []),
      ...(claims ? [claims.jobs] : []),
    ],
    stop: subjects.stop,
    observeMessage: parts.observeMessage,
    partners: parts.partners && {
      ...parts.partners,
      authenticate: identity.authenticatePartner(parts.partners.partnerOf),
    },
    now,
    log,
  });
  await subscriptions.start();
  stack.defer(subscriptions.stop);
  const sockets = subscriptions.openSockets(authenticate);
  stack.defer(sockets.stop);
  const resealing = keepSealed(plain, log);
  if (resealing) stack.defer(resealing.stop);
  stack.defer(keepIndexed(plain, log).stop);
  const everything = stack.move();
  return {
    audit: audit.trail,
    store,
    gateway,
    identity,
    upgrade: sockets.upgrade,
    handle: fhir.handle,
    stop: () => everything.disposeAsync(),
    async loadDemo() {
      const text = await loadDemo(store, services.validate, serviceCaller('demo'), now);
      const users = await identity.loadDemoUsers();
      return [text, ...users.map(({ role, email, password }) => `${role.padEnd(13)}${email}   ${password}`)].join(
        '\n             ',
      );
    },
  };
}

function dateOfAuditEvent(parameters: Services['parameters']): SearchParameter {
  const date = parameters.get('AuditEvent')?.parameters.get('date');
  if (!date) throw new Error('AuditEvent has no search parameter date');
  return date;
}

/** Processes of one database share a queue in Redis, and no others do. */
async function queueNameOf({ reads }: Pools): Promise<string> {
  const [row] = await reads.query({
    text: "select encode(sha256(convert_to(value, 'UTF8')), 'hex') from mortar.meta where name = 'link-key'",
    values: [],
  });
  return `jobs-${String(row?.[0]).slice(0, 12)}`;
}
