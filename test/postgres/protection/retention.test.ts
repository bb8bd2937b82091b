import { expect } from 'chai';
import { readConfig } from '../../../src/config.ts';
import type { PurgeCounts } from '../../../src/ports/protection.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { addYears } from '../../../src/postgres/protection/retention.ts';
import { withClient } from '../../support/database.ts';
import { ROOT } from '../../support/policy-store.ts';
import { everyRow, openProtectionWorld, type ProtectionWorld } from './world.ts';

const DAY_MS = 24 * 60 * 60 * 1000;
const subject = (id: string) => ({ reference: `Patient/${id}` });
const observation = (id: string, of: string): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'seen' },
  subject: subject(of),
});

/** What a patient's record has beside the Patient, and what becomes of it eight years and a day later. */
const RECORDS: readonly (readonly [
  title: string,
  resource: (id: string) => Resource,
  fate: 'stays' | 'in doubt' | 'goes',
])[] = [
  [
    'an encounter that ended later',
    (id) => encounter(id, 'finished', { start: '2026-01-01', end: '2031-05-01' }),
    'stays',
  ],
  ['an encounter that ended long ago', (id) => encounter(id, 'finished', { start: '2025-01-01' }), 'goes'],
  ['an encounter that is open', (id) => encounter(id, 'in-progress', { start: '2026-01-01' }), 'in doubt'],
  ['an appointment to come', (id) => appointment(id, '2035-01-01T09:00:00Z'), 'stays'],
  ['an appointment of long ago', (id) => appointment(id, '2020-01-01T09:00:00Z'), 'goes'],
  ['an open prescription', (id) => prescription(id, 'active'), 'in doubt'],
  ['a prescription that is done with', (id) => prescription(id, 'completed'), 'goes'],
  ['a later death', (id) => ({ resourceType: 'Patient', id, deceasedDateTime: '2030' }), 'stays'],
  ['a death that was long ago', (id) => ({ resourceType: 'Patient', id, deceasedDateTime: '2020-01-01' }), 'goes'],
];
const encounter = (of: string, status: string, period: object): Resource => ({
  resourceType: 'Encounter',
  id: `e-${of}`,
  status,
  class: { code: 'AMB' },
  subject: subject(of),
  period,
});
const appointment = (of: string, start: string): Resource => ({
  resourceType: 'Appointment',
  id: `a-${of}`,
  status: 'booked',
  start,
  participant: [{ actor: subject(of), status: 'accepted' }],
});
const prescription = (of: string, status: string): Resource => ({
  resourceType: 'MedicationRequest',
  id: `m-${of}`,
  status,
  intent: 'order',
  medicationCodeableConcept: { text: 'x' },
  subject: subject(of),
});

for (const [how, options] of [
  ['in clear', {}],
  [
    'encrypted',
    {
      encrypted:
        'MedicationRequest.status,Encounter.status,Encounter.period,Appointment.start,Appointment.status,Patient.deceased',
    },
  ],
] as const)
  describe(`protection › what keeps a record, ${how}`, function () {
    this.timeout(120_000);
    let world: ProtectionWorld;
    let counts: PurgeCounts;
    let left: readonly string[];
    before(async () => {
      world = await openProtectionWorld(options);
      for (const [n, [, resource]] of RECORDS.entries()) {
        await world.put({ resourceType: 'Patient', id: `p${n}` });
        await world.put(resource(`p${n}`));
      }
      world.clock.pass(addYears(world.clock.now(), 8) + DAY_MS - world.clock.now());
      ({ counts } = await world.retention('on').run());
      left = await world.ids(ROOT, 'Patient');
    });
    after(() => world.stop());
    const number = (fate: string): number => RECORDS.filter(([, , one]) => one === fate).length;

    for (const [n, [title, , fate]] of RECORDS.entries())
      it(`[DP-01] ${title}: it ${fate === 'in doubt' ? 'stays, in doubt' : fate}`, () => {
        expect(left.includes(`p${n}`)).to.equal(fate !== 'goes');
      });

    it('[DP-01] the counts say so', () => {
      expect(counts).to.include({ patients: RECORDS.length, due: number('goes'), removed: number('goes') });
      expect(counts).to.include({ inDoubt: number('in doubt'), held: 0 });
    });

    if ('encrypted' in options)
      it('[DP-01] [KS-06] one whose state nobody can open stays, in doubt', async () => {
        const lost = `p${RECORDS.findIndex(([title]) => title === 'an encounter that ended later')}`;
        await world.sql('delete from mortar.data_key where pat = $1', [
          String(world.store.contacts.keys.rids.rid(lost)),
        ]);
        world.clock.pass(20 * 365 * DAY_MS);
        const run = await world.retention('on').run();
        expect(run.counts.inDoubt).to.equal(number('in doubt') + 1);
        expect(await world.sql('select id from fhir.patient where id = $1', [lost])).to.deep.equal([[lost]]);
      });
  });

describe('protection › retention', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  let end: number;
  beforeEach(async () => {
    world = await openProtectionWorld();
    await world.put({ resourceType: 'Patient', id: 'old' });
    await world.put(observation('o', 'old'));
    end = addYears(world.clock.now(), 8);
  });
  afterEach(() => world.stop());
  const passTo = (at: number): void => world.clock.pass(at - world.clock.now());
  const run = async (mode: 'on' | 'dry-run' = 'on'): Promise<PurgeCounts> => (await world.retention(mode).run()).counts;
  const patients = (): Promise<string[]> => world.ids(ROOT, 'Patient');

  it('[DP-01] nothing goes before eight years after the last contact; then the whole record does', async () => {
    passTo(end - 1);
    expect(await run()).to.include({ patients: 1, due: 0, removed: 0 });
    expect(await patients()).to.deep.equal(['old']);
    passTo(end);
    expect(await run()).to.deep.include({ due: 1, removed: 1, resources: { Observation: 1, Patient: 1 } });
    expect(await everyRow(world)).not.to.match(/"old"|Patient\/old/);
    expect(await run()).to.include({ patients: 0, due: 0 });
  });

  it('[DP-01] a run that only counts takes nothing away', async () => {
    passTo(end);
    expect(await run('dry-run')).to.deep.include({ due: 1, removed: 0, resources: { Observation: 1, Patient: 1 } });
    expect(await patients()).to.deep.equal(['old']);
    const [last] = await world.retention('on').runs(5);
    expect(last).to.include({ mode: 'dry-run', startedAt: end, endedAt: end });
  });

  for (const [title, resource, keeps] of [
    ['something written later', observation('later', 'old'), true],
    ['something written about somebody else', observation('later', 'other'), false],
  ] as const)
    it(`[DP-01] ${title} is ${keeps ? 'a' : 'no'} contact`, async () => {
      world.clock.pass(3 * DAY_MS);
      await world.put({ resourceType: 'Patient', id: 'other' });
      await world.put(resource);
      passTo(end);
      await run();
      expect(await patients()).to.have.members(keeps ? ['old', 'other'] : ['other']);
    });

  it('[DP-01] a deletion is a contact: the trail tells of it', async () => {
    const rid = String(world.store.contacts.keys.rids.rid('old'));
    await world.sql(
      `insert into audit.entry (at, id, pat, agent, shard, kind, outcome, mac) values ($1, 1, $2, gen_random_uuid(), 0, 5, 0, '')`,
      [world.clock.now() + 30 * DAY_MS, rid],
    );
    passTo(end + DAY_MS);
    expect(await run()).to.include({ due: 0 });
    passTo(end + 31 * DAY_MS);
    expect(await run()).to.include({ due: 1, removed: 1 });
  });

  it('[DP-02] a hold keeps the record; lifted, it goes', async () => {
    passTo(end);
    const hold = await world.hold({ kind: 'query', type: 'Observation', query: 'status=final' });
    expect(await run()).to.include({ due: 1, held: 1, removed: 0 });
    expect(await patients()).to.deep.equal(['old']);
    await world.liftHold(hold);
    expect(await run()).to.include({ due: 1, held: 0, removed: 1 });
  });

  it('[DP-01] [DP-02] a hold that only reading finds keeps one record, and not those that go with it', async () => {
    for (const id of ['a', 'b', 'c', 'd']) await world.put({ resourceType: 'Patient', id });
    passTo(addYears(world.clock.now(), 8));
    await world.put({ resourceType: 'Patient', id: 'stays' });
    await world.put({
      ...observation('seen', 'stays'),
      extension: [{ url: 'https://example.org/seen-with', valueReference: subject('b') }],
    });
    const hold = await world.hold({ kind: 'patient', id: 'stays' });
    expect(await run()).to.include({ due: 5, held: 1, removed: 4 });
    expect((await patients()).sort()).to.deep.equal(['b', 'stays']);
    await world.liftHold(hold);
    expect(await run()).to.include({ due: 0 });
    world.clock.pass(7 * DAY_MS);
    expect(await run()).to.include({ due: 1, held: 0, removed: 1 });
    expect(await patients()).to.deep.equal(['stays']);
  });

  it('[DP-01] [DP-02] dead letters go after a year, and not while a hold stands', async () => {
    const dead = async (n: number): Promise<void> => {
      await world.sql(
        `insert into mortar.message (id, direction, dialect, kind, hash, state, raw, received_at, updated_at)
values ($1, 'in', 'hl7v2', 'ADT', '', 'dead', '', $2, $2)`,
        [`00000000-0000-4000-8000-00000000000${n}`, new Date(world.clock.now())],
      );
      await world.sql(`insert into mortar.job (id, kind, payload, state, done_at) values ($1, 'x', '{}', 'dead', $2)`, [
        `00000000-0000-4000-8000-00000000000${n}`,
        new Date(world.clock.now()),
      ]);
    };
    await dead(1);
    world.clock.pass(DAY_MS);
    await dead(2);
    world.clock.pass(364 * DAY_MS + 1);
    const hold = await world.hold({ kind: 'patient', id: 'old' });
    expect(await run()).to.include({ deadMessages: 0, deadJobs: 0 });
    await world.liftHold(hold);
    expect(await run()).to.include({ deadMessages: 1, deadJobs: 1 });
    expect(await world.sql('select count(*)::int from mortar.message')).to.deep.equal([[1]]);
  });

  const rows = { quick: 2_000, ci: 5_000, long: 100_000 }[readConfig(process.env).testSize];
  it(`[DP-01] ${rows} rows, killed in the middle, come to the same end; reads and writes of others go on`, async function () {
    this.timeout(rows * 10 + 60_000);
    const count = rows / 100;
    for (let n = 0; n < count; n++) {
      const resources = [
        { resourceType: 'Patient', id: `p${n}` },
        ...Array.from({ length: 99 }, (_, i) => observation(`o${n}-${i}`, `p${n}`)),
      ];
      await Promise.all(resources.map((resource) => world.store.create(ROOT, resource, resource.id as string)));
    }
    world.clock.pass(9 * 365 * DAY_MS);
    await world.put({ resourceType: 'Patient', id: 'new' });
    await world.put(observation('fresh', 'new'));
    const total = async (): Promise<number> =>
      Number((await world.sql('select count(*)::int from fhir.observation'))[0]?.[0 as never]);
    let writes = 0;
    // It stands in the middle, before a row that somebody holds, when it is killed.
    await withClient(world.database.connection('superuser'), async (holder) => {
      await holder.query('begin');
      await holder.query(
        `select from fhir.observation where rid = (select rid from fhir.observation where id <> 'fresh' order by rid offset ${rows / 2} limit 1) for update`,
      );
      const stopping = new AbortController();
      const killed = world
        .retention('on')
        .run(stopping.signal)
        .then(
          () => 'ran through',
          () => 'killed',
        );
      const isWaiting = async (): Promise<boolean> =>
        (
          await world.sql(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and state = 'active'",
          )
        ).length > 0;
      do {
        expect((await world.store.read(ROOT, 'Observation', 'fresh')).content).to.contain('seen');
        await world.put({ ...observation('fresh', 'new'), valueInteger: ++writes });
      } while (!(await isWaiting()));
      stopping.abort(new Error('killed'));
      await holder.query('rollback');
      expect(await killed).to.equal('killed');
    });
    expect(await total()).to.be.within(2, rows);
    const counts = await run();
    expect(counts.removed).to.equal(count + 1);
    expect(await patients()).to.deep.equal(['new']);
    expect(await total()).to.equal(1);
    expect(await world.sql('select count(*)::int from fhir.observation_h')).to.deep.equal([[writes]]);
  });
});
