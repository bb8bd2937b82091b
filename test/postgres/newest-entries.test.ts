/**
 * Pages by ranges and by beginnings of strings, in whichever way they are made: the newest entries first, counted first,
 * known to be few, or walked to. Against plain code over the same resources: which are found, and in one order.
 */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import { client, patientApp } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';
import { testSeed } from '../support/seed.ts';

const PEOPLE = 70;
const MEASURED = 90;
const NAMES = ['Ann', 'Anna', 'Annabel', 'Bo', 'Bob', 'Zo\u00eb', 'zoe', 'An'];
const UCUM = 'http://unitsofmeasure.org';
/** So many values of one row that those of two rows are more than are looked at first, for pages of one. */
const VALUES_MAX = 9;
const COUNTS = [1, 2, 7, 20, 200];
/** What the table is taken to hold: the index is used at once; it is counted first; the same, of a large one. */
const SIZES = [1, 20_000, 50_000_000];

interface Human {
  readonly id: string;
  readonly gender: string;
  readonly names: readonly string[];
}
interface Measured {
  readonly id: string;
  readonly patient: string;
  readonly values: readonly number[];
}

describe('search \u203a the newest of many entries', function () {
  this.timeout(240_000);
  let state = testSeed();
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pick = <T>(list: readonly T[]): T => list[random(list.length)] as T;
  const some = <T>(make: () => T): T[] => Array.from({ length: random(VALUES_MAX) }, make);

  const humanOf = (id: string): Human => ({
    id,
    gender: pick(['female', 'male']),
    names: some(() => pick(NAMES)),
  });
  const measuredOf = (id: string): Measured => ({
    id,
    patient: `p${random(4)}`,
    values: some(() => random(6)),
  });
  const people = new Map<string, Human>();
  const measured = new Map<string, Measured>();

  let size = 1;
  let world: PolicyStore;
  async function putHuman(human: Human): Promise<void> {
    people.set(human.id, human);
    const { id, gender, names } = human;
    await world.put({ resourceType: 'Patient', id, gender, name: names.map((family) => ({ family })) });
  }
  async function putMeasured(one: Measured): Promise<void> {
    measured.set(one.id, one);
    await world.put({
      resourceType: 'Observation',
      id: one.id,
      status: 'final',
      code: { text: 'several' },
      subject: { reference: `Patient/${one.patient}` },
      component: one.values.map((value) => ({
        code: { coding: [{ system: 'urn:test', code: 'part' }] },
        valueQuantity: { value, system: UCUM, code: 'mg' },
      })),
    });
  }

  before(async () => {
    const rows = (): number => size;
    world = await openPolicyStore({ frequencies: { rows, tokenRows: rows, refresh: async () => {}, stop() {} } });
    for (let n = 0; n < PEOPLE; n++) await putHuman(humanOf(`p${n}`));
    for (let n = 0; n < MEASURED; n++) await putMeasured(measuredOf(`o${n}`));
    // Entries of what was changed or deleted are gone, and those of what was changed are new.
    for (let n = 0; n < PEOPLE; n += 5) await putHuman(humanOf(`p${n}`));
    for (let n = 0; n < MEASURED; n += 5) await putMeasured(measuredOf(`o${n}`));
    for (let n = 7; n < PEOPLE; n += 9) {
      await world.store.delete(ROOT, 'Patient', `p${n}`);
      people.delete(`p${n}`);
    }
    for (let n = 7; n < MEASURED; n += 9) {
      await world.store.delete(ROOT, 'Observation', `o${n}`);
      measured.delete(`o${n}`);
    }
  });
  after(() => world.stop());

  const folded = (text: string): string => text.toLowerCase().replace('\u00eb', 'e');
  const named = (...starts: readonly string[]) =>
    [...people.values()].filter(({ names }) =>
      names.some((name) => starts.some((start) => folded(name).startsWith(start))),
    );
  const holding = (test: (value: number) => boolean) =>
    [...measured.values()].filter(({ values }) => values.some(test));
  const idsOf = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id).toSorted();

  /** Who asks, what, and what is to be found; asked for again and again, so that what was counted is known. */
  const part = 'Observation?component-code-value-quantity=urn:test|part$';
  const cases: readonly (readonly [Caller, string, () => readonly { readonly id: string }[]])[] = [
    [ROOT, 'Patient?name=an', () => named('an')],
    [ROOT, 'Patient?name=ann', () => named('ann')],
    [ROOT, 'Patient?family=zoe,bob', () => named('zoe', 'bob')],
    [ROOT, 'Patient?family=q', () => []],
    [ROOT, 'Patient?name=an&gender=female', () => named('an').filter(({ gender }) => gender === 'female')],
    [ROOT, 'Patient?name=an&name=b', () => named('an').filter((one) => named('b').includes(one))],
    [ROOT, `${part}gt0`, () => holding((value) => value > 0)],
    [ROOT, `${part}gt2`, () => holding((value) => value > 2)],
    [ROOT, `${part}ge5`, () => holding((value) => value >= 5)],
    [ROOT, `${part}lt1`, () => holding((value) => value < 1)],
    [ROOT, `${part}3`, () => holding((value) => value === 3)],
    [ROOT, `${part}gt5`, () => []],
    [ROOT, `${part}gt0.002|${UCUM}|g`, () => holding((value) => value > 2)],
    [ROOT, 'Observation?component-value-quantity=ge4', () => holding((value) => value >= 4)],
    [client('system/*.rs'), `${part}gt1`, () => holding((value) => value > 1)],
    [client('system/*.rs'), 'Patient?name=an', () => named('an')],
    [patientApp('p1'), `${part}ge1`, () => holding((value) => value >= 1).filter(({ patient }) => patient === 'p1')],
    [patientApp('p1'), 'Patient?name=a,b,z', () => named('a', 'b', 'z').filter(({ id }) => id === 'p1')],
  ];

  for (const [caller, query, expected] of cases)
    it(`[CP-08] ${query} of ${caller.kind} ${caller.name}: the same whichever way, on every page`, async () => {
      const orders: string[][] = [];
      for (size of SIZES)
        for (let time = 0; time < 2; time++)
          for (const count of COUNTS) {
            const found = await world.ids(caller, `${query}&_count=${count}`);
            expect(found.toSorted(), `${size} rows, pages of ${count}`).deep.equal(idsOf(expected()));
            orders.push(found);
          }
      for (const order of orders) expect(order).deep.equal(orders[0]);
    });

  it('an offset passes over rows, not over entries', async () => {
    for (size of SIZES) {
      const all = await world.ids(ROOT, 'Patient?name=an&_count=200');
      for (const offset of [0, 1, 5, all.length - 1, all.length]) {
        const request = world.parse('Patient', `name=an&_count=3&_offset=${offset}`);
        const { matches } = await world.store.search(ROOT, request);
        expect(matches.map(({ id }) => id)).deep.equal(all.slice(offset, offset + 3));
      }
    }
  });
});
