/**
 * `npm run -s bench:access -- [--size N] [--rounds N] [--seconds S] [--connections N] [--only NAME] [--json FILE]`
 * What rights and the audit trail cost, each as a ratio against the same work without them, interleaved in one process
 * on one Postgres: a search by a patient's app against the same by the system, and an audited store against one that is
 * not, alone and behind the FHIR door, and a patient whose elements are encrypted against one that is not. Goals: searches at most 1.3 times as dear, reads and creates at least 0.9 of the throughput (AU-07).
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import pg from 'pg';
import { publishedCapability } from '../src/capability.ts';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { createCipher } from '../src/pki/key-file.ts';
import { createPolicy } from '../src/policy/policy.ts';
import { serviceCaller } from '../src/policy/service-caller.ts';
import type { Caller } from '../src/ports/caller.ts';
import type { Resource, ResourceStore } from '../src/ports/resource-store.ts';
import { auditedStore } from '../src/postgres/audit/audited-store.ts';
import { createChainer } from '../src/postgres/audit/chainer.ts';
import { openAuditLog } from '../src/postgres/audit/log.ts';
import { startEmbeddedPostgres } from '../src/postgres/embedded.ts';
import { createPools } from '../src/postgres/pools.ts';
import { type OpenStore, openStore } from '../src/postgres/store.ts';
import type { Door } from '../src/rest/door.ts';
import { createFhirHandler } from '../src/rest/fhir-handler.ts';
import { createRateLimits } from '../src/rest/rate-limit.ts';
import { createRefusals } from '../src/rest/refusals.ts';
import type { RestSettings, Services } from '../src/rest/services.ts';
import { createSubsetter } from '../src/standards/fhir/elements.ts';
import { compileProtectedElements, parseProtectedPaths } from '../src/standards/fhir/encryption/protected-elements.ts';
import { createPathPatch } from '../src/standards/fhir/path-patch/apply.ts';
import { createReferenceRewriter } from '../src/standards/fhir/reference-rewrite.ts';
import { createExtractors } from '../src/standards/fhir/search/extract.ts';
import { createSearchParameters } from '../src/standards/fhir/search/parameters.ts';
import { parseSearch } from '../src/standards/fhir/search/parse.ts';
import { patientParametersBeside } from '../src/standards/fhir/search/patient-parameters.ts';
import { createValidation } from '../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../src/standards/fhir/xml/write.ts';
import { loadRecords } from './import.ts';
import type { Sample } from './load.ts';
import type { LoadOrder } from './load-worker.ts';
import { startMortar } from './processes.ts';
import { MEASURE_CODES } from './records.ts';

const { values: flags } = parseArgs({
  options: {
    size: { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '32' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
});
const size = Number(flags.size);
const rounds = Number(flags.rounds);
const roundMs = Number(flags.seconds) * 1000;
const concurrency = Number(flags.connections);
const BASE_URL = 'http://mortar.bench/fhir/R4';
const SAMPLE = 500;
/** Enough that the processors are what limits, not the wait for the disk. */
const HTTP_CONNECTIONS = 128;
const SETTINGS: RestSettings = {
  baseUrl: BASE_URL,
  searchHandling: 'strict',
  conditionalDeleteMax: 1,
  pageSizeDefault: 20,
  pageSizeMax: 1000,
  bodyBytesMax: 2 ** 20,
  bundleBytesMax: 2 ** 25,
  importBytesMax: 2 ** 25,
  bundleEntriesMax: 10_000,
  messageTimeZone: 'Europe/London',
  epsToAsid: '000000000000',
  isProduction: false,
  softwareVersion: 'bench',
};
const silent = { debug() {}, info() {}, warn() {}, error() {} };

interface Work {
  readonly name: string;
  readonly against?: string;
  readonly goal?: string;
  /** Operations a second. */
  rate(ms: number): Promise<number>;
}

await main();

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mortar-bench-'));
  chmodSync(folder, 0o711); // Postgres may run as another user
  const postgres = await startEmbeddedPostgres({ dataDir: folder, log: silent });
  try {
    const owner = postgres.connection('owner');
    const mortar = await startMortar(urlOf(owner), join(folder, 'server'));
    process.stderr.write(`loading ${size} resources …\n`);
    await loadRecords(mortar, size);
    await mortar.stop();
    const admin = new pg.Client(owner);
    await admin.connect();
    await admin.query('vacuum analyze');
    const ids = async (table: string): Promise<string[]> =>
      (await admin.query(`select id from fhir.${table} order by md5(id) limit ${SAMPLE}`)).rows.map(({ id }) => id);
    const sample = { patients: await ids('patient'), observations: await ids('observation') };
    await admin.end();
    const { works: all, close } = await prepare(owner, join(folder, 'cache'), sample);
    const works = all.filter(({ name }) => flags.only === undefined || name.includes(flags.only));
    const rates = await measure(works);
    await close();
    print(works, rates);
    if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(Object.fromEntries(rates), undefined, 2));
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function prepare(
  owner: pg.ClientConfig,
  cache: string,
  { patients, observations }: { readonly patients: readonly string[]; readonly observations: readonly string[] },
): Promise<{ readonly works: readonly Work[]; close(): Promise<void> }> {
  const definitions = await loadDefinitions(cache);
  const parameters = createSearchParameters(definitions);
  const types = new Set(['Patient', ...Object.keys(definitions.compartments.Patient)]);
  const beside = patientParametersBeside(definitions, parameters, 'any');
  const policy = createPolicy({
    isPatientType: (type) => types.has(type),
    mayNamePatients: (type) => beside.has(type),
    now: Date.now,
  });
  const searchOf = (type: string, query: string) =>
    parseSearch({ type, query, parameters, definitions, handling: 'strict', baseUrl: BASE_URL });
  const sizes = { readConnections: 4, writeConnections: 4, transactionConnections: 8 };
  const pools = createPools({ ...sizes, connection: owner, log: silent });
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const macKey = randomBytes(32);
  const trail = await openAuditLog({ pools, macKey, cipher, now: Date.now, log: silent });
  const system = serviceCaller('test');
  const { privateKey } = generateKeyPairSync('ed25519');
  const chainer = createChainer({
    pools,
    macKeys: [macKey],
    checkpointKey: { keyId: 'bench', sign: (bytes) => sign(null, bytes, privateKey), verify: () => true },
    emit: async () => undefined,
    holder: 'bench',
    now: Date.now,
    log: silent,
  });
  chainer.start();
  const options = {
    pools,
    policy,
    parameters,
    beside,
    conditionsOf: (type: string, query: string) => searchOf(type, query).conditions,
    extractorOf: createExtractors(definitions, parameters),
    baseUrl: BASE_URL,
    pageSizeDefault: 20,
    cipher,
    now: Date.now,
    log: silent,
  };
  const plain = await openStore({ ...options, holder: 'plain' });
  const inner = await openStore({ ...options, holder: 'audited', audit: trail });
  const audited = auditedStore(inner, trail);
  const patientAt = (n: number): string => patients[n % patients.length] as string;
  const searches = (name: string, queryOf: (n: number) => readonly [type: string, query: string]): Work[] => {
    const ask = (callerOf: (n: number) => Caller) => (n: number) => {
      const [type, query] = queryOf(n);
      return plain.search(callerOf(n), searchOf(type, query));
    };
    return [
      { name: `${name}, system`, rate: inProcess(ask(() => system)) },
      {
        name: `${name}, patient`,
        against: `${name}, system`,
        goal: '≥ 0.77',
        rate: inProcess(ask((n) => appOf(patientAt(n)))),
      },
    ];
  };
  const code = (n: number): string => `http://loinc.org|${MEASURE_CODES[n % MEASURE_CODES.length]}`;
  const elements = compileProtectedElements(parseProtectedPaths('uk-protected') ?? [], definitions, parameters);
  const wrapping = createCipher([{ number: 1, key: randomBytes(32) }]);
  const sealed = await openStore({
    ...options,
    holder: 'sealed',
    encryption: { elements, keyFile: 'bench', openWrapping: () => wrapping },
  });
  // The same patients once more, encrypted.
  const sealedPatients = await Promise.all(
    patients.map(async (id) => {
      const { content } = await plain.read(system, 'Patient', id);
      const again = sealed.newId();
      await sealed.create(system, JSON.parse(content) as Resource, again);
      return again;
    }),
  );
  const services = (store: ResourceStore): Services => ({
    store,
    unaudited: store,
    audit: { record: async () => {} },
    messages: plain.messages,
    policy,
    definitions,
    parameters,
    ...createValidation(definitions),
    subset: createSubsetter(definitions),
    terminology: { find: async () => undefined, conceptMaps: async () => [] },
    xml: { read: createXmlReader(definitions), write: createXmlWriter(definitions) },
    applyPathPatch: createPathPatch(definitions),
    rewriteReferences: createReferenceRewriter(definitions),
    capability: () => publishedCapability(parameters),
    settings: SETTINGS,
    now: Date.now,
    log: silent,
  });
  const door: Door = {
    authenticate: async (_req, correlationId) => ({ ...system, correlationId, address: '192.0.2.1' }),
    policy,
    addressOf: () => '192.0.2.1',
    limits: createRateLimits({ now: Date.now }),
    refusals: createRefusals({ audit: trail, now: Date.now, log: silent }),
    audit: trail,
  };
  const doors = {
    plain: await listen(createFhirHandler(services(plain), door)),
    audited: await listen(createFhirHandler(services(audited), door)),
    sealed: await listen(createFhirHandler(services(sealed), door)),
  };
  const pathsOf = (type: string, ids: readonly string[]): string[] => ids.map((id) => `/fhir/R4/${type}/${id}`);
  const overHttp = ({ port }: Listening, paths: readonly string[]) => {
    return async (durationMs: number): Promise<number> => {
      const workerData: LoadOrder = { port, connections: HTTP_CONNECTIONS, durationMs, paths };
      const worker = new Worker(join(import.meta.dirname, 'load-worker.ts'), { workerData });
      const [{ rate, failed }] = (await once(worker, 'message')) as [Sample];
      if (failed > 0) throw new Error(`${failed} reads over HTTP failed`);
      return rate;
    };
  };
  const works: Work[] = [
    ...searches('observations of a patient', (n) => ['Observation', `patient=${patientAt(n)}&_count=20`]),
    ...searches('one kind of them', (n) => ['Observation', `patient=${patientAt(n)}&code=${code(n)}&_count=20`]),
    ...searches('the same, newest first', (n) => [
      'Observation',
      `patient=${patientAt(n)}&code=${code(n)}&_sort=-date&_count=20`,
    ]),
    ...searches('with the patient included', (n) => [
      'MedicationRequest',
      `patient=${patientAt(n)}&_include=MedicationRequest:patient&_count=20`,
    ]),
    ...audits('read', plain, audited, (store, n) =>
      store.read(system, 'Observation', observations[n % observations.length] as string),
    ),
    { name: 'read a patient over HTTP, plain', rate: overHttp(doors.plain, pathsOf('Patient', patients)) },
    {
      name: 'read a patient over HTTP, uk-protected',
      against: 'read a patient over HTTP, plain',
      goal: '≥ 0.70',
      rate: overHttp(doors.sealed, pathsOf('Patient', sealedPatients)),
    },
    { name: 'read over HTTP, not audited', rate: overHttp(doors.plain, pathsOf('Observation', observations)) },
    {
      name: 'read over HTTP, audited',
      against: 'read over HTTP, not audited',
      goal: '≥ 0.90',
      rate: overHttp(doors.audited, pathsOf('Observation', observations)),
    },
    ...audits('create', plain, audited, (store, n) => store.create(system, observation(patientAt(n)), store.newId())),
  ];
  return {
    works,
    async close() {
      await doors.plain.close();
      await doors.audited.close();
      await doors.sealed.close();
      await chainer.stop();
      await plain.close();
      await sealed.close();
      await inner.close();
      await pools.end();
    },
  };
}

function audits(
  name: string,
  plain: OpenStore,
  audited: OpenStore,
  work: (store: ResourceStore, n: number) => Promise<unknown>,
): Work[] {
  return [
    { name: `${name}, not audited`, rate: inProcess((n) => work(plain, n)) },
    {
      name: `${name}, audited`,
      against: `${name}, not audited`,
      goal: '≥ 0.90',
      rate: inProcess((n) => work(audited, n)),
    },
  ];
}

/** A patient's own app. */
function appOf(patientId: string): Caller {
  return {
    kind: 'user',
    name: 'app',
    correlationId: 'bench',
    scopes: [{ level: 'patient', type: '*', letters: ['r', 's'] }],
    otherScopes: [],
    patientId,
    user: {
      id: 'user',
      name: 'A Person',
      roles: ['PATIENT'],
      practitionerRoleIds: [],
      organizationIds: [],
      patientIds: [patientId],
      authTime: 0,
      amr: ['pwd'],
    },
  };
}

function observation(patientId: string): Resource {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '8867-4', display: 'Heart rate' }], text: 'Heart rate' },
    subject: { reference: `Patient/${patientId}` },
    effectiveDateTime: '2026-05-01T10:00:00Z',
    valueQuantity: { value: 70, unit: '/min', system: 'http://unitsofmeasure.org', code: '/min' },
  };
}

/** Operations a second of each, the median of the rounds; the order changes from round to round. */
async function measure(works: readonly Work[]): Promise<ReadonlyMap<string, number>> {
  const found = new Map(works.map(({ name }) => [name, [] as number[]]));
  for (const work of works) await work.rate(roundMs / 2); // statements are prepared, caches filled
  for (let round = 0; round < rounds; round++)
    for (const work of round % 2 === 0 ? works : [...works].reverse())
      found.get(work.name)?.push(await work.rate(roundMs));
  return new Map([...found].map(([name, list]) => [name, median(list)]));
}

function inProcess(run: (n: number) => Promise<unknown>) {
  return async (ms: number): Promise<number> => {
    const started = performance.now();
    let done = 0;
    let next = 0;
    const worker = async (): Promise<void> => {
      while (performance.now() - started < ms) {
        await run(next++);
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    return done / ((performance.now() - started) / 1000);
  };
}

interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(handler: RequestListener): Promise<Listening> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

function median(list: readonly number[]): number {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

function print(works: readonly Work[], rates: ReadonlyMap<string, number>): void {
  for (const { name, against, goal } of works) {
    const rate = rates.get(name) ?? 0;
    const ratio = against === undefined ? '' : `${(rate / (rates.get(against) ?? 1)).toFixed(2)} of it (goal ${goal})`;
    console.log(`${name.padEnd(40)} ${Math.round(rate).toString().padStart(7)}/s  ${ratio}`);
  }
}

function urlOf({ user, password, host, port, database }: pg.ClientConfig): string {
  const url = new URL(`postgresql://${user}:${encodeURIComponent(String(password))}@localhost/${database}`);
  url.searchParams.set('host', host ?? '127.0.0.1');
  url.searchParams.set('port', String(port));
  return url.href;
}
