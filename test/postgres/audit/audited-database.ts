/** A store on a database of its own whose writes are audited, and the trail below it. */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto';
import type pg from 'pg';
import { createCipher } from '../../../src/pki/key-file.ts';
import { serviceCaller } from '../../../src/policy/service-caller.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Cipher } from '../../../src/ports/cipher.ts';
import type { Policy } from '../../../src/ports/policy.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { type AuditTrail, type AuditWatch, openAuditLog } from '../../../src/postgres/audit/log.ts';
import { ensureAuditPartitions } from '../../../src/postgres/audit/partitions.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { type OpenStore, openStore } from '../../../src/postgres/store.ts';
import { createExtractors } from '../../../src/standards/fhir/search/extract.ts';
import { createSearchParameters } from '../../../src/standards/fhir/search/parameters.ts';
import { createDatabase, type TestDatabase, withClient } from '../../support/database.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { silentLog } from '../../support/log.ts';

/** The policy is tested elsewhere: here everybody may do everything. */
export const openPolicy: Policy = {
  decide: () => ({ allowed: true }),
  filterFor: () => ({ kind: 'everything' }),
  referenceFilter: () => ({ kind: 'everything' }),
  mayReferToFound: () => true,
  elementsFor: () => undefined,
  allows: () => ({ allowed: true }),
};

export interface AuditedDatabase {
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly trail: AuditTrail;
  readonly store: OpenStore;
  readonly macKey: Buffer;
  readonly cipher: Cipher;
  readonly checkpointKey: TestCheckpointKey;
  /** Rows of a query as the superuser. */
  asSuperuser<R extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<R[]>;
  as<R extends pg.QueryResultRow>(
    role: 'owner' | 'app' | 'superuser',
    text: string,
    values?: readonly unknown[],
  ): Promise<R[]>;
  stop(): Promise<void>;
}

export interface TestCheckpointKey {
  readonly keyId: string;
  sign(bytes: Buffer): Buffer;
  verify(keyId: string, bytes: Buffer, signature: Buffer): boolean;
}

/** Another key each time. */
export function makeCheckpointKey(keyId = 'test'): TestCheckpointKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = createPublicKey(privateKey);
  return {
    keyId,
    sign: (bytes) => sign(null, bytes, privateKey),
    verify: (id, bytes, signature) => id === keyId && verify(null, bytes, publicKey, signature),
  };
}

export const parameters = createSearchParameters(testDefinitions());

export async function openAuditedDatabase(
  options: { readonly now?: () => number; readonly watch?: AuditWatch } = {},
): Promise<AuditedDatabase> {
  const now = options.now ?? Date.now;
  const database = await createDatabase();
  await withClient(database.connection('owner'), (client) =>
    ensureAuditPartitions((text) => client.query(text), now()),
  );
  const pools = createPools({
    connection: database.connection('app'),
    readConnections: 2,
    writeConnections: 2,
    transactionConnections: 4,
    log: silentLog,
  });
  const macKey = randomBytes(32);
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const trail = await openAuditLog({
    pools,
    macKey,
    cipher,
    now,
    log: silentLog,
    ...(options.watch && { watch: options.watch }),
  });
  const store = await openStore({
    pools,
    policy: openPolicy,
    parameters,
    beside: new Map(),
    conditionsOf: () => [],
    extractorOf: createExtractors(testDefinitions(), parameters),
    baseUrl: 'http://test.example/fhir/R4',
    pageSizeDefault: 20,
    holder: 'test',
    cipher,
    audit: trail,
    now,
    log: silentLog,
  });
  const as: AuditedDatabase['as'] = (role, text, values = []) =>
    withClient(database.connection(role), async (client) => (await client.query(text, [...values])).rows);
  return {
    database,
    pools,
    trail,
    store,
    macKey,
    cipher,
    checkpointKey: makeCheckpointKey(),
    as,
    asSuperuser: (text, values) => as('superuser', text, values),
    async stop() {
      await store.close();
      await pools.end();
      await database.drop();
    },
  };
}

/** A doctor at an app. */
export const doctor: Caller = {
  kind: 'user',
  name: 'app-1',
  correlationId: 'request-1',
  scopes: serviceCaller('test').scopes,
  otherScopes: [],
  user: {
    id: 'user-1',
    name: 'Dr. Ada Elm',
    roles: ['DOCTOR'],
    fhirUser: 'Practitioner/p1',
    practitionerId: 'p1',
    practitionerRoleIds: [],
    organizationIds: ['org-1'],
    patientIds: [],
    authTime: 0,
    amr: ['pwd', 'otp'],
  },
  clientId: 'app-1',
  tokenId: 'token-1',
  purpose: 'TREAT',
  address: '192.0.2.7',
};

export const patient = (family = 'Oak'): Resource => ({ resourceType: 'Patient', name: [{ family }] });

export const observation = (patientId: string): Resource => ({
  resourceType: 'Observation',
  status: 'final',
  code: { coding: [{ system: 'http://loinc.org', code: '8867-4' }] },
  subject: { reference: `Patient/${patientId}` },
});
