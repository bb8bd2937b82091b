import { expect } from 'chai';
import type { AuditRow, TrailQuery } from '../../../src/ports/audit.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { ResourceStore } from '../../../src/ports/resource-store.ts';
import { auditedStore } from '../../../src/postgres/audit/audited-store.ts';
import { createChainer } from '../../../src/postgres/audit/chainer.ts';
import { openTrail, type TrailView } from '../../../src/postgres/audit/trail.ts';
import { type Verdict, verifyAudit } from '../../../src/postgres/audit/verify.ts';
import type { SearchParameter } from '../../../src/standards/fhir/search/parameter.ts';
import { parseSearch } from '../../../src/standards/fhir/search/parse.ts';
import type { SearchRequest } from '../../../src/standards/fhir/search/request.ts';
import { withClient } from '../../support/database.ts';
import { testDefinitions } from '../../support/definitions.ts';
import { silentLog } from '../../support/log.ts';
import {
  type AuditedDatabase,
  doctor,
  observation,
  openAuditedDatabase,
  parameters,
  patient,
} from './audited-database.ts';

/** Reads and searches that come together share a row; nobody who reads the trail can tell. SECURITY AU-07 */
describe('audit › sheets', () => {
  const PATIENTS = ['a', 'b', 'c', 'd', 'e'];
  const callers = ['1', '2', '3'].map((n): Caller => {
    const user = { ...doctor.user!, id: `user-${n}`, name: `Dr. ${n}`, fhirUser: `Practitioner/p${n}` };
    return { ...doctor, name: `app-${n}`, clientId: `app-${n}`, correlationId: `request-${n}`, user };
  });
  const admin: Caller = {
    ...doctor,
    name: 'admin',
    user: { ...doctor.user!, id: 'admin', fhirUser: 'Practitioner/ad' },
  };
  let db: AuditedDatabase;
  let view: TrailView;
  let store: ResourceStore;
  let clock = Date.UTC(2026, 4, 1, 9);
  /** What was read: by whom, of whom, what. */
  const reads: { readonly caller: string; readonly patient: string; readonly target: string }[] = [];

  /** What was searched for and done: by whom, with what, whom it showed. */
  const asked: { readonly caller: string; readonly said: string; readonly patients: readonly string[] }[] = [];
  const SEARCHES: readonly (readonly [query: string, patients: readonly string[]])[] = [
    ['Observation?_count=50', PATIENTS],
    ['Patient?_id=b', ['b']],
    ['Patient?_id=nobody', []],
    ['Patient?_id=a,d', ['a', 'd']],
    [`Patient?_id=e,${'x'.repeat(60)}&identifier=${'long'.repeat(600)},0`, []],
  ];

  const requestOf = (query: string): SearchRequest => {
    const [type, text] = query.split('?') as [string, string];
    return parseSearch({
      definitions: testDefinitions(),
      parameters,
      type,
      query: text,
      handling: 'strict',
      baseUrl: 'http://test.example/fhir/R4',
    });
  };

  async function ask(n: number, caller: Caller): Promise<void> {
    const by = { ...caller, correlationId: `search-${n}` };
    if (n % 6 === 5) {
      const patients = n % 4 === 1 ? ['c'] : ['b', 'c'];
      asked.push({ caller: caller.name, said: `everything {"pharmacy":"p${n}"}`, patients });
      const detail = { pharmacy: `p${n}` };
      return db.trail.record({
        kind: 'operation',
        operation: 'everything',
        caller: by,
        outcome: 0,
        patientIds: patients,
        detail,
      });
    }
    const [query, patients] = SEARCHES[n % 6] as (typeof SEARCHES)[number];
    asked.push({ caller: caller.name, said: query, patients });
    await store.search(by, requestOf(query));
  }

  before(async () => {
    db = await openAuditedDatabase({ now: () => clock });
    view = await openTrail({
      pools: db.pools,
      trail: db.trail,
      cipher: db.cipher,
      server: { name: 'Mortar', baseUrl: 'http://test.example/fhir/R4' },
      pageSizeDefault: 20,
      dateParameter: parameters.get('AuditEvent')?.parameters.get('date') as SearchParameter,
      mayRead: () => true,
      now: () => clock,
    });
    store = auditedStore(db.store, db.trail, view.events);
    for (const id of PATIENTS) {
      await store.update(doctor, 'Patient', id, () => patient());
      await store.update(doctor, 'Observation', `o-${id}`, () => observation(id));
    }
    // Bursts of very different sizes, and single reads between them.
    for (const [burst, size] of [1, 100, 3, 4, 70, 1, 25].entries()) {
      clock += 1000;
      await Promise.all([
        ...Array.from({ length: Math.ceil(size / 2) }, (_, n) => ask(n, callers[n % callers.length] as Caller)),
        ...Array.from({ length: size }, async (_, n) => {
          const id = PATIENTS[(burst + n) % PATIENTS.length] as string;
          const caller = callers[n % callers.length] as Caller;
          const [type, own] = n % 2 === 0 ? ['Patient', id] : ['Observation', `o-${id}`];
          reads.push({ caller: caller.name, patient: id, target: `${type}/${own}` });
          await store.read({ ...caller, correlationId: `request-${burst}-${n}` }, type as string, own as string);
        }),
      ]);
    }
    clock += 1000;
  });
  after(() => db.stop());

  const rowsOf = async (query: TrailQuery, count = 1000): Promise<AuditRow[]> => {
    const found: AuditRow[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await view.list(query, count, cursor);
      expect(page.rows.length).lessThan(count + 1);
      found.push(...page.rows);
      cursor = page.next;
      if (cursor === undefined) return found;
    }
  };
  const told = (rows: readonly AuditRow[]): string[] =>
    rows.map((row) => `${row.caller} ${row.patientIds.join()} ${row.target?.replace(/\/_history.*/, '')}`).sort();
  const expected = (matches: (read: (typeof reads)[number]) => boolean): string[] =>
    reads
      .filter(matches)
      .map(({ caller, patient: of, target }) => `${caller} ${of} ${target}`)
      .sort();
  const kinds = ['read'];

  it('many reads are few rows', async () => {
    const [row] = await db.asSuperuser(
      'select count(*) filter (where kind = 1000)::int as sheets, sum(ver) filter (where kind = 1000)::int as events from audit.entry',
    );
    expect(row?.['events']).greaterThan(150);
    expect(row?.['sheets']).lessThan(30);
  });

  const CASES: readonly (readonly [string, TrailQuery, (read: (typeof reads)[number]) => boolean])[] = [
    ['all', { kinds }, () => true],
    ['of a patient', { kinds, patientId: 'c' }, ({ patient: of }) => of === 'c'],
    ['of a resource', { kinds, type: 'Observation', id: 'o-d' }, ({ target }) => target === 'Observation/o-d'],
    ['of a type', { kinds, type: 'Patient' }, ({ target }) => target.startsWith('Patient/')],
    ['of a person', { kinds, userId: 'user-2' }, ({ caller }) => caller === 'app-2'],
    ['of an app', { kinds, clientId: 'app-3' }, ({ caller }) => caller === 'app-3'],
    [
      'of a person, of a patient',
      { kinds, fhirUser: 'Practitioner/p1', patientId: 'a' },
      (r) => r.caller === 'app-1' && r.patient === 'a',
    ],
    ['of another kind', { kinds: ['vread'] }, () => false],
    ['that failed', { kinds, outcome: 4 }, () => false],
  ];
  for (const [what, query, matches] of CASES)
    it(`[AU-13] finds what was read ${what}, whole and page by page`, async () => {
      expect(told(await rowsOf(query))).deep.equal(expected(matches));
      const paged = await rowsOf(query, 7);
      expect(told(paged)).deep.equal(expected(matches));
      expect(new Set(paged.map(({ id }) => id)).size, 'each event once').equal(paged.length);
      const order = paged.map(({ at }) => at);
      expect(order).deep.equal(order.toSorted((x, y) => y - x));
    });

  const saidBy = ({ caller, query, operation, patientIds }: AuditRow): string =>
    `${caller} ${decodeURIComponent(query ?? operation ?? '')} ${[...patientIds].sort().join()}`;
  const expectedSaid = (matches: (one: (typeof asked)[number]) => boolean): string[] =>
    asked
      .filter(matches)
      .map(({ caller, said, patients }) => `${caller} ${said.replace(/ .*/, '')} ${[...patients].sort().join()}`)
      .sort();
  const OTHERS = ['search', 'operation'];
  for (const [what, query, matches] of [
    ['all', { kinds: OTHERS }, () => true],
    ['of a patient', { kinds: OTHERS, patientId: 'd' }, ({ patients }) => patients.includes('d')],
    ['of a type', { kinds: OTHERS, type: 'Observation' }, ({ said }) => said.startsWith('Observation?')],
    ['of a person', { kinds: OTHERS, userId: 'user-1' }, ({ caller }) => caller === 'app-1'],
    ['operations', { kinds: ['operation'] }, ({ said }) => said.startsWith('everything ')],
  ] as readonly (readonly [string, TrailQuery, (one: (typeof asked)[number]) => boolean])[])
    it(`[AU-13] finds what was asked ${what}, with its query and its patients, whole and page by page`, async () => {
      expect(expectedSaid(matches).length).greaterThan(0);
      expect((await rowsOf(query)).map(saidBy).sort()).deep.equal(expectedSaid(matches));
      const paged = await rowsOf(query, 3);
      expect(paged.map(saidBy).sort()).deep.equal(expectedSaid(matches));
      expect(new Set(paged.map(({ id }) => id)).size, 'each event once').equal(paged.length);
    });

  it('[AU-02] a search that shares a row tells the query, an operation its details, and each of their patients', async () => {
    const { found } = await search('subtype=search-type&_count=1000');
    const events = await Promise.all(
      found.map(async (id) => JSON.parse((await store.read(admin, 'AuditEvent', id)).content)),
    );
    const queries = events.map(({ entity }) => {
      const { query = '' } = entity.find((one: { query?: string }) => one.query !== undefined) ?? {};
      return decodeURIComponent(Buffer.from(query, 'base64').toString());
    });
    const counts = new Map<string, number>();
    for (const one of queries) counts.set(one, (counts.get(one) ?? 0) + 1);
    const expectedCounts = new Map<string, number>();
    for (const { said, patients } of asked)
      if (!said.startsWith('everything'))
        expectedCounts.set(said, (expectedCounts.get(said) ?? 0) + Math.max(1, patients.length));
    expect([...counts].sort()).deep.equal([...expectedCounts].sort());
  });

  const search = async (query: string) => {
    const found: string[] = [];
    let total: number | undefined;
    let cursor: string | undefined;
    do {
      const request = requestOf(`AuditEvent?${query}`);
      const page = await store.search(admin, { ...request, ...(cursor !== undefined && { cursor }) });
      found.push(...page.matches.map(({ id }) => id));
      total ??= page.total;
      cursor = page.next;
    } while (cursor !== undefined);
    return { found, total };
  };

  for (const query of ['', 'patient=b&', 'date=lt2026-05-01T09:00:04Z&'])
    it(`[AU-02] AuditEvent?${query}subtype=search-type: every event once, and as many as the total says`, async () => {
      const { found, total } = await search(`${query}subtype=search-type&_count=9&_total=accurate`);
      expect(found.length).greaterThan(10);
      expect(new Set(found).size).equal(found.length);
      expect(total).equal(found.length);
    });

  it('[AU-02] every AuditEvent of the time is counted without opening what shares a row', async () => {
    const until = 'date=lt2026-05-01T09:00:07Z';
    const { found, total } = await search(`${until}&_count=50&_total=accurate`);
    expect(total).equal(found.length);
  });

  for (const [query, matches] of [
    ['entity=Observation/o-b', ({ target }) => target === 'Observation/o-b'],
    ['agent=Practitioner/p3', ({ caller }) => caller === 'app-3'],
    ['patient=e&agent=Practitioner/p2', (r) => r.patient === 'e' && r.caller === 'app-2'],
    ['date=lt2026-05-01T09:00:04Z', undefined],
  ] as readonly (readonly [string, ((read: (typeof reads)[number]) => boolean) | undefined])[])
    for (const sort of ['_sort=-date', '_sort=date'])
      it(`[AU-02] AuditEvent?action=R&${query}&${sort}: every event once, and as many as the total says`, async () => {
        const { found, total } = await search(`action=R&subtype=read&${query}&${sort}&_count=9&_total=accurate`);
        expect(found.length).greaterThan(0);
        expect(new Set(found).size).equal(found.length);
        if (matches) expect(found.length).equal(expected(matches).length);
        expect(total).equal(found.length);
        const other = await search(`action=R&subtype=read&${query}&_count=1000`);
        expect([...found].sort()).deep.equal([...other.found].sort());
      });

  it('[AU-02] an event of a sheet is read by its id, and others are not made up', async () => {
    const { found } = await search('action=R&subtype=read&_count=100');
    for (const id of found.slice(40, 60)) {
      const { content } = await store.read(admin, 'AuditEvent', id);
      expect(JSON.parse(content)).property('id', id);
    }
    const last = found[50] as string;
    const far = last.replace(/[0-9a-f]{16}$/, (hex) => (BigInt(`0x${hex}`) + 500n).toString(16).padStart(16, '0'));
    const error = await store.read(admin, 'AuditEvent', far).catch((e: unknown) => e);
    expect(error).property('status', 404);
  });

  it('[AU-13] a patient is told who looked', async () => {
    const { visits } = await view.entriesOfPatient('b', 1000);
    expect(visits.filter(({ action }) => action === 'R')).length(expected(({ patient: of }) => of === 'b').length);
  });

  describe('[AU-09] are proved like every entry', () => {
    const verify = (): Promise<Verdict> =>
      withClient(db.database.connection('superuser'), (client) =>
        verifyAudit({
          client,
          macKeys: [db.macKey],
          cipher: db.cipher,
          checkpointKey: db.checkpointKey,
          elsewhere: [],
        }),
      );
    before(async () => {
      const chainer = createChainer({
        pools: db.pools,
        macKeys: [db.macKey],
        checkpointKey: db.checkpointKey,
        emit: async () => undefined,
        holder: 'test',
        now: () => clock,
        log: silentLog,
      });
      while ((await verify()).waiting > 0) await chainer.step();
      await chainer.stop();
      expect((await verify()).fault).equal(undefined);
    });

    for (const [what, change, back] of [
      ['its patients', 'pats = pats || 5::bigint', 'pats = pats[1:cardinality(pats) - 1]'],
      [
        'its content',
        'detail = set_byte(detail, 40, get_byte(detail, 40) # 1)',
        'detail = set_byte(detail, 40, get_byte(detail, 40) # 1)',
      ],
      ['its number of events', 'ver = ver + 1', 'ver = ver - 1'],
    ])
      it(`${what} cannot be changed`, async () => {
        await db.asSuperuser(`update audit.entry set ${change} where kind = 1000 and pats is not null`);
        expect((await verify()).fault?.problem).equal('its entry was changed, or was not made by us');
        await db.asSuperuser(`update audit.entry set ${back} where kind = 1000 and pats is not null`);
        expect((await verify()).fault).equal(undefined);
      });

    it('nor who acted in one of its events', async () => {
      await db.asSuperuser("update audit.agent set name = 'nobody' where client_id = 'app-3'");
      expect((await verify()).fault?.problem).equal('who acted was changed or deleted');
    });
  });
});
