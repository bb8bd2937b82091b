import { createSecretKey } from 'node:crypto';
import { expect } from 'chai';
import type { StoredVersion, WriteResult } from '../../../src/ports/resource-store.ts';
import { type EntryRow, isGenuine } from '../../../src/postgres/audit/entry.ts';
import { ENTRY_COLUMNS, toEntry } from '../../../src/postgres/audit/entry-sql.ts';
import { findKind } from '../../../src/postgres/audit/kinds.ts';
import { toBigInt } from '../../../src/postgres/hash.ts';
import { STORED_TYPES } from '../../../src/postgres/tables.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { hasRoles } from '../../support/database.ts';
import { type AuditedDatabase, doctor, observation, openAuditedDatabase, patient } from './audited-database.ts';

describe('audit › entries of writes', () => {
  let db: AuditedDatabase;
  before(async () => {
    db = await openAuditedDatabase();
  });
  after(() => db.stop());
  beforeEach(() => db.asSuperuser('delete from audit.entry'));

  const entries = async (): Promise<EntryRow[]> => {
    const rows = await db.pools.reads.query({
      text: `select ${ENTRY_COLUMNS} from audit.entry e order by e.at, e.id`,
      values: [],
    });
    return rows.map((row) => toEntry(row));
  };
  const told = (entry: EntryRow) => ({
    kind: findKind(entry.kind),
    type: STORED_TYPES[entry.type ?? -1],
    ver: entry.ver,
    pat: entry.pat && String(toBigInt(entry.pat.hi, entry.pat.lo)),
    outcome: entry.outcome,
  });
  const create = async (resource = patient()): Promise<StoredVersion> =>
    (await db.store.create(doctor, resource, db.store.newId())).version;

  it('[AU-06] a create, an update, a patch and a delete each leave the one entry of their version', async () => {
    const made = await create();
    const pat = db.trail.patientRidOf(made.id);
    await db.store.update(doctor, 'Patient', made.id, () => patient('Ash'));
    await db.store.update(doctor, 'Patient', made.id, () => patient('Elm'), { operation: 'patch' });
    await db.store.delete(doctor, 'Patient', made.id);
    await db.store.update(doctor, 'Patient', made.id, () => patient('Yew'));
    const all = await entries();
    expect(all.map(told)).deep.equal(
      ['create', 'update', 'patch', 'delete', 'update'].map((kind, n) => ({
        kind,
        type: 'Patient',
        ver: n + 1,
        pat,
        outcome: 0,
      })),
    );
    for (const entry of all) {
      expect(isGenuine([createSecretKey(db.macKey)], entry), 'its MAC').equal(true);
      expect(entry).include({
        correlation: 'request-1',
        address: '192.0.2.7',
        token: 'token-1',
        purpose: 'TREAT',
      });
    }
  });

  it('[AU-06] the entry names the patient of what is written, and the id that a client chose', async () => {
    await db.store.update(doctor, 'Patient', 'oak', () => patient());
    const { version } = await db.store.create(doctor, observation('oak'), db.store.newId());
    await db.store.delete(doctor, 'Observation', version.id);
    const all = await entries();
    const pat = db.trail.patientRidOf('oak');
    expect(all.map((entry) => [told(entry).type, told(entry).pat, entry.ref])).deep.equal([
      ['Patient', pat, 'oak'],
      ['Observation', pat, undefined],
      ['Observation', pat, undefined],
    ]);
    for (const entry of all) expect(isGenuine([createSecretKey(db.macKey)], entry)).equal(true);
  });

  it('[AU-06] creates that are written together have an entry each', async () => {
    const made = await Promise.all(Array.from({ length: 60 }, (_, n) => create(n % 2 ? patient() : observation('x'))));
    const all = await entries();
    expect(all).length(60);
    const key = [createSecretKey(db.macKey)];
    expect(all.every((entry) => isGenuine(key, entry))).equal(true);
    expect(new Set(all.map((entry) => String(toBigInt(entry.rid?.hi ?? 0, entry.rid?.lo ?? 0)))).size).equal(60);
    expect(made).length(60);
  });

  it('[AU-06] a transaction writes its entries with its versions, and none when it is undone', async () => {
    const kept = await create();
    await db.asSuperuser('delete from audit.entry');
    const work = (fails: boolean) =>
      db.store.transaction(doctor, async (tx): Promise<readonly WriteResult[]> => {
        const results = await tx.write([
          { kind: 'create', resource: patient(), id: db.store.newId() },
          { kind: 'update', operation: 'update', type: 'Patient', id: kept.id, change: () => patient(`New ${fails}`) },
          { kind: 'update', operation: 'update', type: 'Patient', id: `fresh-${fails}`, change: () => patient() },
          { kind: 'delete', type: 'Patient', id: 'never' },
        ]);
        if (fails) throw new Error('undone');
        return results;
      });
    const undone = await work(true).catch((error: Error) => error);
    expect(undone).instanceOf(Error).property('message', 'undone');
    expect(await entries(), 'undone').deep.equal([]);
    await work(false);
    const all = await entries();
    expect(all.map((entry) => [told(entry).kind, told(entry).ver]).toSorted()).deep.equal([
      ['create', 1],
      ['update', 1],
      ['update', 2],
    ]);
    expect(all.every((entry) => isGenuine([createSecretKey(db.macKey)], entry))).equal(true);
  });

  it('[AU-06] a refused write leaves no entry', async () => {
    const made = await create();
    await db.asSuperuser('delete from audit.entry');
    const taken = await db.store.create(doctor, patient(), made.id).catch((error: unknown) => error);
    expect(taken).instanceOf(Error);
    const stale = await db.store
      .update(doctor, 'Patient', made.id, () => patient('Late'), { ifMatch: 7 })
      .catch((error: unknown) => error);
    expect(stale).instanceOf(FhirError).property('status', 412);
    expect(await entries()).deep.equal([]);
  });

  it('[AU-10] the application may add entries and links, and neither change nor remove them', async function () {
    if (!hasRoles()) this.skip();
    await create();
    const tables = ['entry', 'link', 'checkpoint', 'agent', 'tombstone'];
    const partitions = await db.asSuperuser<{ name: string }>(
      "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'audit' and c.relkind = 'r'",
    );
    expect(partitions.length).greaterThan(6);
    for (const table of [...tables, ...partitions.map(({ name }) => name)])
      for (const attempt of [
        `update audit.${table} set at = at`,
        `delete from audit.${table}`,
        `truncate audit.${table}`,
        `drop table audit.${table}`,
        `alter table audit.${table} disable trigger all`,
      ]) {
        const error = await db.as('app', attempt).catch((e: unknown) => e);
        expect(error, attempt).instanceOf(Error).property('code', '42501');
      }
    const triggers = await db.asSuperuser(
      "select 1 from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'audit'",
    );
    expect(triggers, 'no trigger').length(0);
  });
});
