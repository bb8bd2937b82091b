/** Posted search parameters of several processes, stopped in the middle, written to meanwhile. */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import type { Resource } from '../../src/ports/resource-store.ts';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const parameter = (id: string, more: object = {}): Resource => ({
  resourceType: 'SearchParameter',
  id,
  url: `http://example.org/SearchParameter/${id}`,
  name: 'test',
  status: 'active',
  description: 'test',
  code: id,
  base: ['Patient'],
  type: 'string',
  expression: 'Patient.contact.name',
  ...more,
});
const patient = (n: number, family: string): Resource => ({
  resourceType: 'Patient',
  id: `p${n}`,
  name: [{ family }],
  contact: [{ name: { family } }],
});
const COUNT = 1500;

describe('custom parameters › several processes', function () {
  this.timeout(120_000);
  let database: TestDatabase;
  let one: PolicyStore;
  let two: PolicyStore;
  before(async () => {
    database = await createDatabase();
    one = await openPolicyStore({ custom: true, database });
    two = await openPolicyStore({ custom: true, database });
    await one.store.transaction(ROOT, async (tx) => {
      await tx.write(
        Array.from({ length: COUNT }, (_, n) => ({
          kind: 'update' as const,
          operation: 'update' as const,
          type: 'Patient',
          id: `p${n}`,
          change: () => patient(n, n % 3 === 0 ? 'Third' : 'Other'),
        })),
      );
    });
  });
  after(async () => {
    await two?.stop();
    await one?.stop();
    await database?.drop();
  });

  const why = (world: PolicyStore, code: string): string => {
    try {
      world.parse('Patient', `${code}:missing=true`);
      return 'ready';
    } catch (error) {
      return (error as Error).message;
    }
  };
  async function ready(world: PolicyStore, code: string): Promise<string[]> {
    const said: string[] = [];
    for (let turn = 0; turn < 3000; turn++) {
      const now = why(world, code);
      if (now === 'ready') return said;
      if (said.at(-1) !== now) said.push(now);
      await setTimeout(10);
    }
    throw new Error(`not ready: ${said.at(-1)}`);
  }
  const sql = (text: string): Promise<readonly unknown[][]> =>
    withClient(database.connection('owner'), async (db) => {
      const { rows } = await db.query<unknown[]>({ text, rowMode: 'array' });
      return rows;
    });
  const total = async (world: PolicyStore, query: string): Promise<number> =>
    (await world.store.search(ROOT, world.parse('Patient', `${query}&_count=0`))).total ?? -1;

  it('[RL-64] one that has not heard of it yet loses nothing of what it writes meanwhile', async () => {
    await one.put(parameter('kin'));
    // The second learns of it some seconds later; until then nothing is searched by it.
    expect(why(two, 'kin')).match(/Unknown parameter/);
    expect(why(one, 'kin')).match(/is being indexed/);
    let n = 0;
    while (why(two, 'kin') !== 'ready') {
      await two.put(patient(n, 'Meanwhile'));
      await one.put(patient(n + 500, 'Meanwhile'));
      n++;
      await setTimeout(20);
    }
    await ready(one, 'kin');
    expect(n).above(10);
    for (const world of [one, two]) {
      expect(await total(world, 'kin=meanwhile')).equal(2 * n);
      expect(await total(world, 'kin:missing=false')).equal(COUNT);
      expect(await total(world, 'kin=third')).equal(await total(world, 'family=third'));
    }
  });

  it('[RL-64] says how far it is, stops with its process and goes on with the next: the same as made anew', async () => {
    await one.put(parameter('kin-two', { expression: 'Patient.contact.name.family' }));
    let third: PolicyStore | undefined;
    const said: string[] = [];
    for (let turn = 0; turn < 3000 && !said.some((one) => /[1-9]\d* resources done/.test(one)); turn++) {
      said.push(why(one, 'kin-two'));
      await setTimeout(2);
    }
    await Promise.all([one.stop(), two.stop()]);
    const states = await sql("select state from mortar.custom_parameter where id = 'kin-two'");
    expect(states).deep.equal([['indexing']]);
    third = await openPolicyStore({ custom: true, database });
    await third.put(patient(7, 'Later'));
    await ready(third, 'kin-two');
    expect(await total(third, 'kin-two=later')).equal(1);
    expect(await total(third, 'kin-two=third')).equal(await total(third, 'family=third'));
    const values = () =>
      sql(`select m.id, (select array_agg(t order by t) from unnest(m.tok) t), m.pm, m.ver, m.lu,
  (select array_agg(s.h || s.v order by s.h, s.v) from fhir.patient_s s where s.rid = m.rid) from fhir.patient m order by m.id`);
    const made = await values();
    const never = new AbortController().signal;
    for (let after: string | undefined; ; ) {
      const { last } = await third.store.reindex.batch('Patient', after, never);
      if (last === undefined) break;
      after = last;
    }
    expect(await values()).deep.equal(made);
    expect(await sql('select 1 from mortar.index_pass')).deep.equal([]);
    one = third;
    two = await openPolicyStore({ custom: true, database });
  });

  it('many that come together share a pass, and one that is retired is gone everywhere', async () => {
    const passes = async () => Number((await sql('select last_value from mortar.index_pass_id_seq'))[0]?.[0]);
    const before = await passes();
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        one.put(parameter(`many-${n}`, { expression: `Patient.contact[${n}].name` })),
      ),
    );
    for (let n = 0; n < 8; n++) await ready(one, `many-${n}`);
    expect((await passes()) - before).within(1, 7);
    expect(await total(one, 'many-0=third')).equal(await total(one, 'family=third'));
    await ready(two, 'many-0');
    await two.put(parameter('many-0', { status: 'retired' }));
    expect(why(two, 'many-0')).match(/Unknown parameter/);
    for (let turn = 0; turn < 1000 && why(one, 'many-0') === 'ready'; turn++) await setTimeout(20);
    expect(why(one, 'many-0')).match(/Unknown parameter/);
    expect(why(one, 'many-1')).equal('ready');
  });

  it('[RL-64] a composite goes with a component everywhere, and misses nothing when that is back', async () => {
    const gone = async (world: PolicyStore, code: string): Promise<void> => {
      for (let turn = 0; turn < 1000 && !/Unknown parameter/.test(why(world, code)); turn++) await setTimeout(20);
      expect(why(world, code)).match(/Unknown parameter/);
    };
    const kin = parameter('kin-name', { expression: 'Patient.contact.name.family' });
    await one.put(kin);
    await one.put(
      parameter('sex-kin', {
        type: 'composite',
        expression: 'Patient.contact',
        component: [
          { definition: 'http://hl7.org/fhir/SearchParameter/individual-gender', expression: 'gender' },
          { definition: 'http://example.org/SearchParameter/kin-name', expression: 'name.family' },
        ],
      }),
    );
    const contact = (n: number): Resource => ({
      ...patient(n, 'Composed'),
      contact: [{ gender: 'female', name: { family: 'Composed' } }],
    });
    await two.put(contact(1));
    await ready(one, 'sex-kin');
    await ready(two, 'sex-kin');
    for (const world of [one, two]) expect(await total(world, 'sex-kin=female$composed')).equal(1);
    await two.put({ ...kin, status: 'retired' });
    await gone(two, 'sex-kin');
    await gone(one, 'sex-kin');
    await one.put(contact(2));
    await two.put(contact(3));
    await one.put({ ...kin, description: 'again' });
    await ready(one, 'sex-kin');
    await ready(two, 'sex-kin');
    for (const world of [one, two]) expect(await total(world, 'sex-kin=female$composed')).equal(3);
  });
});
