/** Clients, grants and signing keys on a database of their own, with a clock that the test moves. */
import { randomBytes } from 'node:crypto';
import { createCipher } from '../../src/pki/key-file.ts';
import type { Clients, NewClient } from '../../src/ports/clients.ts';
import type { Grants, UserGrant } from '../../src/ports/grants.ts';
import type { SigningKeys } from '../../src/ports/signing-keys.ts';
import { createClients } from '../../src/postgres/identity/clients.ts';
import { createGrants } from '../../src/postgres/identity/grants.ts';
import { createSigningKeys } from '../../src/postgres/identity/keys.ts';
import { createPools, type Pools } from '../../src/postgres/pools.ts';
import { createDatabase } from './database.ts';
import { silentLog } from './log.ts';

export interface TestClock {
  readonly now: () => number;
  /** Moves it on. */
  pass(ms: number): void;
}

export interface IdentityStore {
  readonly clock: TestClock;
  readonly pools: Pools;
  readonly clients: Clients;
  readonly grants: Grants;
  readonly keys: SigningKeys;
  /** The same tables once more, with nothing remembered: as another process has them. */
  again(): Pick<IdentityStore, 'clients' | 'grants' | 'keys'>;
  /** All that lies in the schema `auth`, as text, to look for what must not. */
  dump(): Promise<string>;
  stop(): Promise<void>;
}

export function createClock(start = Date.parse('2026-05-01T09:00:00Z')): TestClock {
  let at = start;
  return {
    now: () => at,
    pass(ms) {
      at += ms;
    },
  };
}

export async function openIdentityStore(): Promise<IdentityStore> {
  const database = await createDatabase();
  const pools = createPools({
    connection: database.connection('app'),
    readConnections: 1,
    writeConnections: 4,
    transactionConnections: 1,
    log: silentLog,
  });
  const clock = createClock();
  const parts = { ...pools, now: clock.now };
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const open = () => ({
    clients: createClients(parts),
    grants: createGrants(parts),
    keys: createSigningKeys({ ...parts, cipher }),
  });
  return {
    clock,
    pools,
    ...open(),
    again: open,
    async dump() {
      const tables = await pools.writes.query({
        text: "select table_name from information_schema.tables where table_schema = 'auth'",
        values: [],
      });
      const texts = await Promise.all(
        tables.map(([name]) => pools.writes.query({ text: `select t::text from auth.${name} t`, values: [] })),
      );
      return texts.flat(2).join('\n');
    },
    async stop() {
      await pools.end();
      await database.drop();
    },
  };
}

/** What a registration holds when it says no more. */
export const newClient = (more: Partial<NewClient> = {}): NewClient => ({
  name: 'App',
  kind: 'public',
  redirectUris: [],
  postLogoutUris: [],
  scope: 'openid fhirUser launch launch/patient offline_access patient/*.rs user/*.rs',
  mayIntrospect: false,
  isLegacyAudience: false,
  isVerified: true,
  needsPushedRequests: false,
  ...more,
});

export const userGrant = (clientId: string, more: Partial<UserGrant> = {}): UserGrant => ({
  clientId,
  scope: 'openid patient/*.rs',
  audience: 'https://fhir.example.org/fhir/R4',
  patientId: 'p1',
  user: {
    id: 'u1',
    securityVersion: 1,
    sessionId: 's1',
    authTime: 1_777_000_000_000,
    amr: ['pwd'],
    acr: 'urn:mortar:aal1',
  },
  ...more,
});
