/** The whole authorisation server on one port: sign-in, pages, endpoints; apps, people and records to try it with. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createAuthorize, interactiveOf } from '../../../src/auth/authorize/create-authorize.ts';
import type {
  AuthorizeOptions,
  EncounterSummary,
  PatientSummary,
  Records,
} from '../../../src/auth/authorize/options.ts';
import { createOAuth, type OAuth } from '../../../src/auth/oauth/oauth.ts';
import { createPeople, type PeopleAuth } from '../../../src/auth/people/create-people.ts';
import { createHashing } from '../../../src/auth/people/hashing.ts';
import { totpCode, totpStep } from '../../../src/auth/people/totp.ts';
import { createCipher } from '../../../src/pki/key-file.ts';
import type { AuditEvent } from '../../../src/ports/audit.ts';
import type { AuthorizationRequests } from '../../../src/ports/authorization-requests.ts';
import type { Role } from '../../../src/ports/caller.ts';
import type { Client, NewClient } from '../../../src/ports/clients.ts';
import type { NewPerson } from '../../../src/ports/people.ts';
import type { User } from '../../../src/ports/users.ts';
import { createAuthorizationRequests } from '../../../src/postgres/identity/authorization-requests.ts';
import { createIdentity } from '../../../src/postgres/identity/people.ts';
import { type IdentityStore, newClient, openIdentityStore } from '../../support/identity-store.ts';
import { createMemoryLog } from '../../support/log.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';
import { type Browser, createBrowser } from './browser.ts';

export const PASSWORD = 'correct-horse-battery';
export const REDIRECT = 'https://app.example.org/cb';
export const SCOPE = 'openid fhirUser offline_access launch/patient patient/Patient.rs patient/Observation.rs';

export interface World {
  readonly url: string;
  readonly fhirBaseUrl: string;
  readonly store: IdentityStore;
  readonly people: PeopleAuth;
  readonly oauth: OAuth;
  readonly audit: AuditEvent[];
  readonly log: ReturnType<typeof createMemoryLog>;
  readonly records: TestRecords;
  readonly requests: AuthorizationRequests;
  addClient(more?: Partial<NewClient>): Promise<Client>;
  addPerson(details?: Partial<NewPerson> & { readonly role?: Role }): Promise<Added>;
  browser(): Browser;
  /** A browser in which the person has signed in. */
  signedIn(user: Added): Promise<Browser>;
  signIn(browser: Browser, user: Added): Promise<void>;
  /** A right request of the client; `undefined` leaves a parameter out. */
  ask(client: Client, more?: Readonly<Record<string, string | undefined>>): Asked;
  /** Code to token answer. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at, not trusted
  exchange(client: Client, asked: Asked, code: string, headers?: Record<string, string>): Promise<any>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly path: string;
  readonly form: URLSearchParams;
  readonly verifier: string;
}

export interface Added extends User {
  code(): string;
}

export interface TestRecords extends Records {
  readonly patients: Map<string, PatientSummary>;
  readonly encounters: Map<string, readonly EncounterSummary[]>;
  /** Users' ids to the patients they may see; a patient's own are theirs. */
  readonly visible: Map<string, readonly string[]>;
}

let sequence = 0;
let hashing: ReturnType<typeof createHashing> | undefined;

export async function openWorld(more: Partial<AuthorizeOptions> = {}): Promise<World> {
  const store = await openIdentityStore();
  const http = createServer();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', () => resolve()));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const fhirBaseUrl = `${url}/fhir/R4`;
  const { clock, pools } = store;
  const { now } = clock;
  const log = createMemoryLog();
  const events: AuditEvent[] = [];
  const audit = { record: async (event: AuditEvent) => void events.push(event) };
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const identity = createIdentity({ ...pools, now });
  const policy: AuthorizeOptions['policy'] = {
    allows: ({ user }, right) =>
      right.startsWith('admin:') && user?.roles.includes('ADMIN')
        ? { allowed: true }
        : { allowed: false, rule: 'test' },
  };
  const oauth = await createOAuth({
    issuer: url,
    fhirBaseUrl,
    otherFhirBaseUrls: [`${url}/FHIR/R4`],
    ...store,
    now,
    log,
    audit,
    policy,
    users: identity.people,
    findUserByName: async () => undefined,
    organizationsBelow: async (ids) => ids,
    vocabulary: {
      isType: (type) => ['Patient', 'Observation', 'Condition', 'Encounter'].includes(type),
      isParameter: (_type, name) => name === 'category',
    },
    operatorKeys: async () => ({ keys: [] }),
    areOperatorTokensAllowed: false,
    isRegistrationOpen: false,
    interactive: interactiveOf(url),
  });
  const people = await createPeople({
    identity,
    cipher,
    audit,
    authenticate: oauth.authenticate,
    policy,
    issueTokens: async () => ({ accessToken: '', refreshToken: '', expiresIn: 1 }),
    refreshTokens: async () => undefined,
    url,
    dataDir: makeTempFolder(),
    patientMfa: 'optional',
    isProduction: false,
    now,
    log,
    limits: { perAddress: 10_000, perNeighbourhood: 10_000, everywhere: 10_000 },
  });
  const records = createTestRecords();
  const requests = createAuthorizationRequests({ ...pools, now });
  const { app } = createAuthorize({
    issuer: url,
    fhirBaseUrl,
    otherFhirBaseUrls: [`${url}/FHIR/R4`],
    ...store,
    requests,
    sessions: people.sessions,
    users: people.users,
    oauth,
    policy,
    records,
    cipher,
    now,
    log,
    ...more,
  });
  const shell = express();
  shell.use(app, oauth.app, people.app);
  http.on('request', shell);

  const world: World = {
    url,
    fhirBaseUrl,
    store,
    people,
    oauth,
    audit: events,
    log,
    records,
    requests,
    addClient: (of = {}) =>
      store.clients.add(
        newClient({
          name: 'Growth Chart',
          publisher: 'Example Health Ltd',
          redirectUris: [REDIRECT],
          scope: `${SCOPE} launch launch/encounter online_access user/Patient.rs patient/Condition.rs patient/Encounter.rs`,
          ...of,
        }),
      ),
    async addPerson({ role = 'PATIENT', ...details } = {}) {
      sequence += 1;
      hashing ??= createHashing();
      const secret = randomBytes(20);
      const user = await identity.people.add(
        {
          name: `Person ${sequence}`,
          email: `person${sequence}@example.org`,
          roles: [role],
          patientIds: role === 'PATIENT' ? ['p1'] : [],
          practitionerRoleIds: [],
          organizationIds: [],
          passwordHash: await (await hashing).hash(PASSWORD),
          isEmailVerified: true,
          ...details,
        },
        role === 'PATIENT' ? undefined : (id) => ({ totp: cipher.seal(secret, `totp ${id}`), recoveryHashes: [] }),
      );
      return {
        ...user,
        code() {
          clock.pass(30_000);
          return totpCode(secret, totpStep(now()));
        },
      };
    },
    browser: () => createBrowser(url),
    async signedIn(user) {
      const browser = createBrowser(url);
      await world.signIn(browser, user);
      return browser;
    },
    async signIn(browser, user) {
      await browser.get('/sign-in');
      const page = await browser.submit({ email: user.email, password: PASSWORD });
      if (page.path.startsWith('/sign-in/second-step')) await browser.submit({ code: user.code() });
    },
    ask(client, of = {}) {
      const verifier = randomBytes(32).toString('base64url');
      const parameters = {
        response_type: 'code',
        client_id: client.id,
        redirect_uri: client.redirectUris[0],
        scope: SCOPE,
        state: 'st4te & more',
        aud: fhirBaseUrl,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        ...of,
      };
      const given = Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined);
      const form = new URLSearchParams(given);
      return { path: `/oauth2/authorize?${form}`, form, verifier };
    },
    async exchange(client, { form, verifier }, code, headers = {}) {
      const response = await fetch(`${url}/oauth2/token`, {
        method: 'POST',
        headers,
        body: new URLSearchParams({
          grant_type: 'authorization_code',
          client_id: client.id,
          redirect_uri: form.get('redirect_uri') ?? client.redirectUris[0] ?? '',
          code,
          code_verifier: verifier,
        }),
      });
      return response.json();
    },
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
      await store.stop();
    },
  };
  return world;
}

/** Records as a store would show them to each person. */
function createTestRecords(): TestRecords {
  const patients = new Map<string, PatientSummary>();
  const encounters = new Map<string, readonly EncounterSummary[]>();
  const visible = new Map<string, readonly string[]>();
  for (const [id, name] of [
    ['p1', 'Nell Ashworth'],
    ['p2', 'Omar Idris'],
    ['p3', 'Nell Byrne'],
  ] as const)
    patients.set(id, { id, name, birthDate: '1980-05-01', nhsNumber: '9990000018' });
  const idsOf = (user: User): readonly string[] => [...user.patientIds, ...(visible.get(user.id) ?? [])];
  const findPatient: Records['findPatient'] = async (user, id) =>
    idsOf(user).includes(id) ? patients.get(id) : undefined;
  return {
    patients,
    encounters,
    visible,
    findPatient,
    async searchPatients(user, text) {
      const own = idsOf(user).flatMap((id) => patients.get(id) ?? []);
      return { patients: own.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase())) };
    },
    findEncounters: async (user, id) => ((await findPatient(user, id)) ? (encounters.get(id) ?? []) : []),
    findEncounter: async (user, patientId, id) =>
      (await findPatient(user, patientId)) && encounters.get(patientId)?.find((encounter) => encounter.id === id),
  };
}
