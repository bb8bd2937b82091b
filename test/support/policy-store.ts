/** A store with the policy engine, on a database of its own, with a clock that the test moves; and the HTTP door on request. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { publishedCapability } from '../../src/capability.ts';
import { openCustomParameters } from '../../src/custom-parameters.ts';
import { createCipher } from '../../src/pki/key-file.ts';
import { createPolicy } from '../../src/policy/policy.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { Authenticate } from '../../src/ports/authenticate.ts';
import type { Caller } from '../../src/ports/caller.ts';
import type { Cipher } from '../../src/ports/cipher.ts';
import type { Policy } from '../../src/ports/policy.ts';
import type { Resource, StoredVersion } from '../../src/ports/resource-store.ts';
import { createPools } from '../../src/postgres/pools.ts';
import type { Frequencies } from '../../src/postgres/search/frequencies.ts';
import { type OpenStore, openStore } from '../../src/postgres/store.ts';
import { createFhirHandler } from '../../src/rest/fhir-handler.ts';
import { createRateLimits, RATES } from '../../src/rest/rate-limit.ts';
import type { Services } from '../../src/rest/services.ts';
import { createSubsetter } from '../../src/standards/fhir/elements.ts';
import {
  compileProtectedElements,
  isProtectedAtom,
  parseProtectedPaths,
} from '../../src/standards/fhir/encryption/protected-elements.ts';
import { createPathPatch } from '../../src/standards/fhir/path-patch/apply.ts';
import { createReferenceRewriter } from '../../src/standards/fhir/reference-rewrite.ts';
import { createCustomCompiler } from '../../src/standards/fhir/search/custom-parameter.ts';
import { createCustomRegistry } from '../../src/standards/fhir/search/custom-registry.ts';
import { createExtractors } from '../../src/standards/fhir/search/extract.ts';
import type { Atom, SearchParameters } from '../../src/standards/fhir/search/parameter.ts';
import { createSearchParameters } from '../../src/standards/fhir/search/parameters.ts';
import { parseSearch } from '../../src/standards/fhir/search/parse.ts';
import { patientParametersBeside } from '../../src/standards/fhir/search/patient-parameters.ts';
import type { SearchRequest } from '../../src/standards/fhir/search/request.ts';
import { createValidation } from '../../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../src/standards/fhir/xml/write.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { testDefinitions } from './definitions.ts';
import { createClock, type TestClock } from './identity-store.ts';
import { createMemoryLog } from './log.ts';

const UNLIMITED = new Map(Object.keys(RATES).map((name) => [name, 'off'] as const));

export const BASE_URL = 'http://mortar.test/fhir/R4';
/** Sees and does everything. */
export const ROOT: Caller = serviceCaller('test');

/** Compiled once a run: the types, their parameters and rules. */
const definitions = testDefinitions();
export const parameters = createSearchParameters(definitions);
/** The same where every text is searched. */
export const parametersOfAll: SearchParameters = { ...parameters, fullText: 'all' };
const extractorOf = createExtractors(definitions, parameters);
const capability = publishedCapability(parameters);
const patientTypes = new Set(['Patient', ...Object.keys(definitions.compartments.Patient)]);

/** Types of the official Patient compartment, Patient included. */
export const isPatientType = (type: string): boolean => patientTypes.has(type);

const beside = patientParametersBeside(definitions, parameters, 'any');
export const mayNamePatients = (type: string): boolean => beside.has(type);

export const parseQuery = (type: string, query: string): SearchRequest =>
  parseSearch({ type, query, parameters: parametersOfAll, definitions, handling: 'strict', baseUrl: BASE_URL });

export interface PolicyStore {
  readonly store: OpenStore;
  readonly policy: Policy;
  readonly database: TestDatabase;
  readonly clock: TestClock;
  readonly services: Services;
  readonly log: ReturnType<typeof createMemoryLog>;
  /** Stores a resource under its own id, as root. */
  put(resource: Resource): Promise<StoredVersion>;
  /** Ids of the matches of a search, in order, over all pages. */
  ids(caller: Caller, query: string): Promise<string[]>;
  /** A search in the words of this store. */
  parse(type: string, query: string): SearchRequest;
  /** Serves the FHIR API with callers of the test's own; resolves to its base URL. */
  serve(authenticate: Authenticate): Promise<string>;
  stop(): Promise<void>;
}

export interface PolicyStoreOptions {
  /** Something between the engine and the store. */
  readonly wrap?: (policy: Policy) => Policy;
  readonly frequencies?: Frequencies;
  /** What is searched by words; narratives unless given. */
  readonly parameters?: SearchParameters;
  /** Elements that are stored encrypted, as `ENCRYPTED_ELEMENTS` names them. */
  readonly encrypted?: string;
  /** Wraps their keys. */
  readonly wrapping?: Cipher;
  /** Seals messages; another each time unless given. */
  readonly cipher?: Cipher;
  /** Takes parameters that are posted. */
  readonly custom?: boolean;
  /** An existing one, which is left when the store stops. */
  readonly database?: TestDatabase;
}

/** What a store is searched by: R4, or also what is posted to it. */
function tablesOf({ custom, encrypted = '', parameters: given }: PolicyStoreOptions) {
  if (!custom) return { table: given ?? parameters, registry: undefined, extractor: extractorOf };
  const elements = compileProtectedElements(parseProtectedPaths(encrypted) ?? [], definitions, parameters);
  const isSealed = (type: string, atom: Atom): boolean => isProtectedAtom(elements, type, atom);
  const compiler = createCustomCompiler({ definitions, official: parameters, isSealed });
  const registry = createCustomRegistry(parameters, extractorOf, compiler);
  return { table: registry, registry, extractor: registry.extractorOf };
}

const encryptionOf = (setting: string, wrapping = createCipher([{ number: 1, key: randomBytes(32) }])) => ({
  elements: compileProtectedElements(parseProtectedPaths(setting) ?? [], definitions, parameters),
  openWrapping: () => wrapping,
  keyFile: 'data.key',
});

export const START = Date.parse('2026-06-15T12:00:00Z');

export async function openPolicyStore(options: PolicyStoreOptions = {}): Promise<PolicyStore> {
  const database = options.database ?? (await createDatabase());
  const clock = createClock(START);
  const log = createMemoryLog();
  const pools = createPools({
    connection: database.connection('app'),
    readConnections: 2,
    writeConnections: 2,
    transactionConnections: 4,
    log,
  });
  const engine = createPolicy({ isPatientType, mayNamePatients, now: clock.now });
  const policy = options.wrap ? options.wrap(engine) : engine;
  const { table, registry, extractor } = tablesOf(options);
  const parse: PolicyStore['parse'] = (type, query) =>
    parseSearch({ type, query, parameters: table, definitions, handling: 'strict', baseUrl: BASE_URL });
  const opened = await openStore({
    pools,
    policy,
    parameters: table,
    beside,
    conditionsOf: (type, query) => parseQuery(type, query).conditions,
    extractorOf: extractor,
    baseUrl: BASE_URL,
    pageSizeDefault: 20,
    holder: `test ${randomBytes(4).toString('hex')}`,
    cipher: options.cipher ?? createCipher([{ number: 1, key: randomBytes(32) }]),
    now: clock.now,
    log,
    ...(options.frequencies && { frequencies: options.frequencies }),
    ...(options.encrypted !== undefined && { encryption: encryptionOf(options.encrypted, options.wrapping) }),
  });
  const custom =
    registry &&
    (await openCustomParameters({ store: opened, parameters: registry, searchOf: parseQuery, now: clock.now, log }));
  const store = custom?.store ?? opened;
  const services: Services = {
    store,
    unaudited: store,
    audit: { record: async () => {} },
    messages: store.messages,
    policy,
    definitions,
    parameters: table,
    ...(custom && { customParameters: custom.desk }),
    ...createValidation(definitions),
    subset: createSubsetter(definitions),
    terminology: { find: async () => undefined, conceptMaps: async () => [] },
    xml: { read: createXmlReader(definitions), write: createXmlWriter(definitions) },
    applyPathPatch: createPathPatch(definitions),
    rewriteReferences: createReferenceRewriter(definitions),
    capability: () => capability,
    settings: {
      baseUrl: BASE_URL,
      searchHandling: 'strict',
      conditionalDeleteMax: 5,
      pageSizeDefault: 20,
      pageSizeMax: 200,
      bodyBytesMax: 1e6,
      bundleBytesMax: 1e6,
      importBytesMax: 1e6,
      bundleEntriesMax: 100,
      messageTimeZone: 'Europe/London',
      epsToAsid: '1',
      isProduction: false,
      softwareVersion: '0',
    },
    now: clock.now,
    log,
  };
  const closing: (() => Promise<unknown>)[] = [];
  return {
    store,
    policy,
    database,
    clock,
    services,
    log,
    parse,
    async put(resource) {
      clock.pass(1000);
      return (await store.update(ROOT, resource.resourceType, String(resource['id']), () => resource)).version;
    },
    async ids(caller, query) {
      const [type = '', search = ''] = query.split('?');
      const found: string[] = [];
      let request = parse(type, search);
      for (;;) {
        const page = await store.search(caller, request);
        found.push(...page.matches.map(({ id }) => id));
        if (page.next === undefined) return found;
        request = { ...request, cursor: page.next };
      }
    },
    async serve(authenticate) {
      const server = createServer(
        createFhirHandler(services, {
          authenticate,
          policy,
          addressOf: () => '127.0.0.1',
          limits: createRateLimits({ now: clock.now, rates: UNLIMITED }),
          refusals: { note: async () => {} },
          audit: { record: async () => {} },
        }),
      );
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closing.push(
        () =>
          new Promise((resolve) => {
            server.close(resolve);
            server.closeAllConnections();
          }),
      );
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/fhir/R4`;
    },
    async stop() {
      for (const close of closing) await close();
      await custom?.stop();
      await store.close();
      await pools.end();
      if (!options.database) await database.drop();
    },
  };
}
