import { createSecretKey } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import type { AuditEvent } from '../../../src/ports/audit.ts';
import type { ResourceStore } from '../../../src/ports/resource-store.ts';
import { auditedStore } from '../../../src/postgres/audit/audited-store.ts';
import { isGenuine } from '../../../src/postgres/audit/entry.ts';
import { ENTRY_COLUMNS, toEntry } from '../../../src/postgres/audit/entry-sql.ts';
import { findKind } from '../../../src/postgres/audit/kinds.ts';
import { detailContext } from '../../../src/postgres/audit/log.ts';
import { openSheet, SHEET } from '../../../src/postgres/audit/sheet.ts';
import { toBigInt } from '../../../src/postgres/hash.ts';
import { STORED_TYPES } from '../../../src/postgres/tables.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import type { SearchRequest } from '../../../src/standards/fhir/search/request.ts';
import { type AuditedDatabase, doctor, observation, openAuditedDatabase, patient } from './audited-database.ts';

interface Told {
  readonly kind: string | undefined;
  readonly type: string | undefined;
  readonly outcome: number;
  readonly patients: readonly string[];
  readonly ver?: number;
  readonly rule?: string;
  readonly detail?: unknown;
}

describe('audit › reads, searches and refusals', () => {
  let db: AuditedDatabase;
  let store: ResourceStore;
  before(async () => {
    db = await openAuditedDatabase();
    store = auditedStore(db.store, db.trail);
    for (const id of ['a', 'b', 'c']) await store.update(doctor, 'Patient', id, () => patient('Oak'));
    await store.update(doctor, 'Observation', 'o', () => observation('a'));
    await store.update(doctor, 'Organization', 'org', () => ({ resourceType: 'Organization', name: 'Mill' }));
  });
  after(() => db.stop());
  beforeEach(() => db.asSuperuser('delete from audit.entry'));

  const told = async (): Promise<Told[]> => {
    const rows = await db.pools.reads.query({
      text: `select ${ENTRY_COLUMNS} from audit.entry e order by e.at, e.id`,
      values: [],
    });
    const entries = rows.flatMap((row) => {
      const entry = toEntry(row);
      expect(isGenuine([createSecretKey(db.macKey)], entry), 'its MAC').equal(true);
      return entry.kind === SHEET ? (openSheet(entry, db.cipher, detailContext) ?? []) : [entry];
    });
    return entries.map((entry) => {
      const { pat, pats, detail } = entry;
      return {
        kind: findKind(entry.kind),
        type: STORED_TYPES[entry.type ?? -1],
        outcome: entry.outcome,
        patients: [...(pats ?? (pat ? [pat] : []))].map(({ hi, lo }) => String(toBigInt(hi, lo))).toSorted(),
        ...(entry.ver !== undefined && { ver: entry.ver }),
        ...(entry.rule !== undefined && { rule: entry.rule }),
        ...(detail && {
          detail: JSON.parse(db.cipher.open(detail, detailContext(entry.at, entry.id)).toString()) as unknown,
        }),
      };
    });
  };
  const rid = (...ids: readonly string[]): string[] => ids.map((id) => db.trail.patientRidOf(id)).toSorted();
  const search = (type: string, more: Partial<SearchRequest> = {}): SearchRequest => ({
    type,
    conditions: [],
    sort: [],
    total: 'none',
    includes: [],
    revincludes: [],
    offset: 0,
    applied: [],
    ignored: [],
    ...more,
  });
  const failing = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => error);

  it('[AU-01] read and vread leave one entry each, with the patient and the version', async () => {
    await store.read(doctor, 'Patient', 'a');
    await store.vread(doctor, 'Observation', 'o', 1);
    await store.read(doctor, 'Organization', 'org');
    expect(await told()).deep.equal([
      { kind: 'read', type: 'Patient', outcome: 0, patients: rid('a'), ver: 1 },
      { kind: 'vread', type: 'Observation', outcome: 0, patients: rid('a'), ver: 1 },
      { kind: 'read', type: 'Organization', outcome: 0, patients: [], ver: 1 },
    ]);
  });

  it('[AU-03] a search leaves one entry that names every patient on the page, and its query sealed', async () => {
    const page = await store.search(doctor, search('Patient', { applied: [['family', 'Oak & Ash']] }));
    expect(page.matches).length(3);
    await store.search(doctor, search('Organization'));
    expect(await told()).deep.equal([
      {
        kind: 'search',
        type: 'Patient',
        outcome: 0,
        patients: rid('a', 'b', 'c'),
        detail: { query: 'Patient?family=Oak%20%26%20Ash' },
      },
      { kind: 'search', type: 'Organization', outcome: 0, patients: [], detail: { query: 'Organization' } },
    ]);
    const rows = await db.asSuperuser<{ all: string }>('select string_agg(e::text, $1) as all from audit.entry e', [
      '',
    ]);
    expect(rows[0]?.all, 'nothing of it in clear').not.include('Oak');
  });

  it('[AU-01] histories of an instance, a type and the system leave one entry each', async () => {
    await store.history(doctor, { type: 'Patient', id: 'b', count: 10 });
    await store.history(doctor, { type: 'Observation', count: 10 });
    await store.history(doctor, { count: 10 });
    expect((await told()).map(({ kind, type, patients }) => [kind, type, patients])).deep.equal([
      ['history', 'Patient', rid('b')],
      ['history', 'Observation', rid('a')],
      ['history', undefined, rid('a', 'b', 'c')],
    ]);
  });

  it('[AU-01] what is read inside a transaction is recorded before it ends', async () => {
    await store.transaction(doctor, async (tx) => {
      await tx.read('Patient', 'a');
      await tx.search(search('Patient'));
      const { type, conditions, contained: _contained, ...rest } = search('Patient');
      await tx.searchSystem({ ...rest, parts: [{ type, conditions }], isNamed: true });
      await tx.history({ type: 'Patient', id: 'c', count: 5 });
      await failing(tx.vread('Patient', 'a', 9));
    });
    expect((await told()).map(({ kind, outcome, patients }) => [kind, outcome, patients])).deep.equal([
      ['read', 0, rid('a')],
      ['search', 0, rid('a', 'b', 'c')],
      ['search', 0, rid('a', 'b', 'c')],
      ['history', 0, rid('c')],
      ['vread', 4, []],
    ]);
  });

  it('[AU-01] a write that changed nothing showed the resource all the same', async () => {
    await store.update(doctor, 'Patient', 'a', (current) => current as ReturnType<typeof patient>);
    await store.transaction(doctor, (tx) =>
      tx.write([
        {
          kind: 'update',
          operation: 'patch',
          type: 'Patient',
          id: 'a',
          change: (c) => c as ReturnType<typeof patient>,
        },
      ]),
    );
    expect(await told()).deep.equal([
      { kind: 'update', type: 'Patient', outcome: 0, patients: rid('a'), ver: 1 },
      { kind: 'patch', type: 'Patient', outcome: 0, patients: rid('a'), ver: 1 },
    ]);
  });

  it("[AU-04] a refusal is recorded as the client's fault, with the rule and without a text", async () => {
    expect(await failing(store.read(doctor, 'Patient', 'nobody')))
      .instanceOf(FhirError)
      .property('status', 404);
    expect(await failing(store.update(doctor, 'Patient', 'a', () => patient('New'), { ifMatch: 5 })))
      .instanceOf(FhirError)
      .property('status', 412);
    expect(await failing(store.search(doctor, search('Patient', { offset: 99_999 })))).property('status', 400);
    expect(await told()).deep.equal([
      { kind: 'read', type: 'Patient', outcome: 4, patients: [], rule: 'not-found' },
      { kind: 'update', type: 'Patient', outcome: 4, patients: [], rule: 'conflict' },
      { kind: 'search', type: 'Patient', outcome: 4, patients: [], rule: 'too-costly', detail: { query: 'Patient' } },
    ]);
  });

  it('[AU-06] reads that arrive together are recorded together, each before it is answered', async () => {
    const reads = 300;
    let statements = 0;
    const { query } = db.pools.writes;
    (db.pools.writes as { query: typeof query }).query = (statement) => {
      if (statement.name === 'audit-entries') statements += 1;
      return query(statement);
    };
    try {
      const durable = await Promise.all(
        Array.from({ length: reads }, async () => {
          await store.read(doctor, 'Patient', 'a');
          const [row] = await db.pools.reads.query({ text: 'select count(*)::int from audit.entry', values: [] });
          return row?.[0] as number;
        }),
      );
      expect(Math.min(...durable)).greaterThan(0);
      expect(await told()).length(reads);
      expect(statements, 'statements').lessThan(reads / 4);
    } finally {
      (db.pools.writes as { query: typeof query }).query = query;
    }
  });

  it('[AU-06] when the trail cannot be written, reads, searches and writes fail with 503, and nothing is written', async () => {
    await db.asSuperuser('alter table audit.entry rename to gone');
    try {
      for (const work of [
        () => store.read(doctor, 'Patient', 'a'),
        () => store.read(doctor, 'Patient', 'nobody'),
        () => store.search(doctor, search('Patient')),
        () => store.history(doctor, { type: 'Patient', id: 'a', count: 1 }),
        () => store.create(doctor, patient('Unseen'), db.store.newId()),
        () => store.update(doctor, 'Patient', 'a', () => patient('Unseen')),
        () => store.delete(doctor, 'Patient', 'a'),
        () =>
          store.transaction(doctor, (tx) =>
            tx.write([{ kind: 'create', resource: patient('Unseen'), id: db.store.newId() }]),
          ),
        () => store.transaction(doctor, (tx) => tx.read('Patient', 'a')),
      ])
        expect(await failing(work()), work.toString())
          .instanceOf(FhirError)
          .property('status', 503);
      const rows = await db.asSuperuser("select 1 from fhir.patient where content like '%Unseen%'");
      expect(rows).length(0);
    } finally {
      await db.asSuperuser('alter table audit.gone rename to entry');
    }
    await store.read(doctor, 'Patient', 'a');
    expect(await told()).length(1);
  });

  it('[AU-15] what a caller says of itself cannot forge a line or turn text around', async () => {
    const caller = { ...doctor, correlationId: 'a\nb\u001b[31m', address: '\u202e1.2.3.4', purpose: 'TREAT\u0000' };
    await store.read(caller, 'Patient', 'a');
    const [row] = await db.asSuperuser<Record<string, string>>('select correlation, address, purpose from audit.entry');
    expect(row).deep.equal({
      correlation: 'a\\u000ab\\u001b[31m',
      address: '\\u202e1.2.3.4',
      purpose: 'TREAT\\u0000',
    });
  });

  it('[AU-05] an entry holds no content of a resource and no token', async () => {
    const event: AuditEvent = { kind: 'token', caller: doctor, outcome: 0, detail: { grant: 'refresh_token' } };
    await db.trail.record(event);
    await store.create(doctor, patient('Xylophone'), db.store.newId());
    const [row] = await db.asSuperuser<{ all: string }>(
      "select (select string_agg(e::text, '') from audit.entry e) || (select string_agg(a::text, '') from audit.agent a) as all",
    );
    expect(row?.all).not.match(/Xylophone|Ada Elm/);
  });

  it('[AU-01] [RL-09] the entries of a transaction wait for nothing that waits for its rows', async () => {
    const others: Promise<unknown>[] = [];
    await store.transaction(doctor, async (tx) => {
      await tx.read('Patient', 'b');
      const change = () => patient('Within');
      await tx.write([{ kind: 'update', operation: 'update', type: 'Patient', id: 'a', change }]);
      // As many as there are connections for writes, each until this transaction has ended.
      for (const name of ['First', 'Second', 'Third'])
        others.push(store.update(doctor, 'Patient', 'a', () => patient(name)));
      await sleep(300);
    });
    await Promise.all(others);
    expect((await told()).filter(({ kind }) => kind === 'read')).to.have.lengthOf(1);
  }).timeout(180_000);
});
