/** The real server with a local Spine over mutual TLS, and the people of a surgery, a pharmacy and a patient. */
import { randomUUID } from 'node:crypto';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { startServer } from '../../src/server.ts';
import { formatJson } from '../../src/standards/fhir/json.ts';
import { createDatabase } from './database.ts';
import { NHS_NUMBER, PHARMACY, type V3Document } from './eps-messages.ts';
import { createFhirClient, type FhirClient, type Json, type Reply } from './fhir-client.ts';
import { operatorToken, type TestServer, testConfig, testLog } from './server.ts';
import { startTestSpine, type TestSpine } from './spine.ts';
import { makeTempFolder } from './temp-folder.ts';

export type Person = 'prescriber' | 'pharmacist' | 'receptionist' | 'patient';
type Headers = Readonly<Record<string, string>>;

export interface EpsGateway {
  readonly spine: TestSpine;
  readonly server: Omit<TestServer, 'stop'>;
  readonly fhir: FhirClient;
  readonly now: () => number;
  /** Ends the server and starts another on the same database and data folder. */
  restart(): Promise<void>;
  as(person: Person): Headers;
  /** The FHIR of a document to where its kind goes. */
  send(person: Person, document: V3Document, headers?: Headers): Promise<Reply>;
  /** What the patient's app sees. */
  mine(query: string): Promise<readonly Json[]>;
  stop(): Promise<void>;
}

/** SDS ids of the people, and of their roles. */
const SDS = {
  prescriber: { user: '555254239201', role: '555254240201' },
  pharmacist: { user: '555254239202', role: '555254240202' },
} as const;
const sessionOf = (person: Person): Headers =>
  person === 'prescriber' || person === 'pharmacist'
    ? { 'NHSD-Identity-UUID': SDS[person].user, 'NHSD-Session-URID': SDS[person].role }
    : {};
const PEOPLE: Readonly<Record<Person, Json>> = {
  prescriber: {
    roles: ['PRESCRIBER'],
    practitioner_id: 'gp',
    practitioner_role_ids: ['gp-role'],
    organization_ids: ['surgery'],
  },
  pharmacist: {
    roles: ['PHARMACIST'],
    practitioner_id: 'chemist',
    practitioner_role_ids: ['chemist-role'],
    organization_ids: ['pharmacy'],
  },
  receptionist: { roles: ['RECEPTIONIST'], organization_ids: ['surgery'] },
  patient: { roles: ['PATIENT'], patient_ids: ['p34'] },
};

/** What their apps were granted: as much as it takes. */
const SCOPES: Readonly<Record<Person, string>> = {
  prescriber: 'user/MedicationRequest.cu',
  pharmacist: 'user/MedicationDispense.c user/MedicationRequest.u user/Task.us',
  receptionist: 'user/*.cruds',
  patient: 'patient/*.rs user/Task.rs', // R4 has Task in no patient's compartment
};

export async function startEpsGateway(env: Headers = {}): Promise<EpsGateway> {
  const folder = makeTempFolder();
  const spine = await startTestSpine({ folder });
  const { client } = spine.certificates;
  const database = await createDatabase();
  const config = testConfig(database, {
    SPINE_URL: spine.url,
    SPINE_CERT_FILE: client.certFile,
    SPINE_KEY_FILE: client.keyFile,
    SPINE_CA_FILE: client.caFile,
    EPS_FROM_ASID: '200000001285',
    EPS_FROM_PARTY_KEY: 'T9991-800001',
    EPS_SIGNER_CA_FILE: join(folder, 'certificates', 'signing-ca.crt'),
    REVOCATION: 'off',
    ...env,
  });
  const start = async () => {
    const running = await startServer(config, testLog());
    const token = await operatorToken(running);
    return { ...running, database, token, bearer: { authorization: `Bearer ${token}` } };
  };
  let server = await start();
  let fhir = createFhirClient(server);
  symlinkSync(folder, join(server.dataDir, 'spine')); // where programs look for it
  const put = async (type: string, id: string, more: Json): Promise<void> => {
    const reply = await fhir.put(`${type}/${id}`, { resourceType: type, id, ...more });
    if (reply.status !== 201) throw new Error(reply.text);
  };
  const ods = 'https://fhir.nhs.uk/Id/ods-organization-code';
  await put('Organization', 'surgery', { identifier: [{ system: ods, value: 'Z99911' }], name: 'Surgery' });
  await put('Organization', 'pharmacy', { identifier: [{ system: ods, value: PHARMACY }], name: 'Pharmacy' });
  await put('Patient', 'p34', {
    identifier: [{ system: 'https://fhir.nhs.uk/Id/nhs-number', value: NHS_NUMBER }],
    managingOrganization: { reference: 'Organization/surgery' },
  });
  for (const [id, { user, role }] of [
    ['gp', SDS.prescriber],
    ['chemist', SDS.pharmacist],
  ] as const) {
    const named = (system: string, value: string): Json => ({
      identifier: [{ system: `https://fhir.nhs.uk/Id/${system}`, value }],
    });
    await put('Practitioner', id, { ...named('sds-user-id', user), name: [{ family: id }] });
    const practitioner = { reference: `Practitioner/${id}` };
    await put('PractitionerRole', `${id}-role`, { ...named('sds-role-profile-id', role), practitioner });
  }
  const tokens = new Map<Person, string>();
  for (const [name, more] of Object.entries(PEOPLE) as [Person, Json][]) {
    const email = `${name}@example.org`;
    const added = await fetch(`${server.url}/api/v2/admin/users`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': 'application/json' },
      body: JSON.stringify({ name, email, ...more }),
    });
    if (added.status !== 201) throw new Error(await added.text());
  }
  const signIn = async (): Promise<void> => {
    for (const name of Object.keys(PEOPLE) as Person[])
      tokens.set(name, await operatorToken(server, { user: `${name}@example.org`, scope: SCOPES[name] }));
  };
  await signIn();
  const as = (person: Person): Headers => ({
    authorization: `Bearer ${tokens.get(person)}`,
    ...sessionOf(person),
  });
  return {
    spine,
    get server() {
      return server;
    },
    get fhir() {
      return fhir;
    },
    async restart() {
      await server.stop();
      server = await start();
      fhir = createFhirClient(server);
      await signIn();
    },
    now: () => spine.clock.now,
    as,
    send(person, { payload }, headers = {}) {
      const text = formatJson(withoutEmptyLists(payload));
      const { resourceType } = payload as { resourceType: string };
      const path = PATHS[resourceType] ?? '$process-message';
      return fhir.post(path, text, { ...as(person), 'X-Request-ID': randomUUID(), ...headers });
    },
    async mine(query) {
      const reply = await fhir.get(query, as('patient'));
      const { entry = [] } = reply.json<{ entry?: { resource: Json }[] }>();
      return entry.map(({ resource }) => resource);
    },
    async stop() {
      await server.stop();
      await database.drop();
      await spine.stop();
    },
  };
}

const PATHS: Readonly<Record<string, string>> = { Parameters: 'Task/$release', Task: 'Task', Claim: 'Claim' };

/** Builders of messages leave out parts of lists, which may leave none. */
export function withoutEmptyLists(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmptyLists);
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const members = Object.entries(value).filter(([, member]) => !(Array.isArray(member) && member.length === 0));
  return Object.fromEntries(members.map(([name, member]) => [name, withoutEmptyLists(member)]));
}
