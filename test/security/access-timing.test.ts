/** SECURITY CP-20: how long an answer takes does not tell what is hidden from what is not there. */
import { expect } from 'chai';
import { patientApp } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

const SIZE = process.env['TEST_SIZE'] ?? 'quick';
const RUNS = { ci: 400, long: 2_000 }[SIZE] ?? 0;
/** Tolerant: a busy machine is not a leak. A look-up more or less would show as a multiple. */
const FACTOR = 1.5;
const SLACK_MS = 0.5;

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] as number;

(RUNS > 0 ? describe : describe.skip)('access › timing', () => {
  let world: PolicyStore;
  const alice = patientApp('a');
  before(async () => {
    world = await openPolicyStore();
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' } };
    for (const id of ['a', 'b']) {
      await world.put({ resourceType: 'Patient', id, name: [{ family: `Name-${id}` }] });
      for (let i = 0; i < 30; i++)
        await world.put({ ...observation, id: `obs-${id}${i}`, subject: { reference: `Patient/${id}` } });
    }
    await world.put({ ...observation, id: 'gone-b', subject: { reference: 'Patient/b' } });
    await world.store.delete(ROOT, 'Observation', 'gone-b');
  });
  after(() => world.stop());

  const compare = async (questions: Readonly<Record<string, () => Promise<unknown>>>): Promise<void> => {
    const names = Object.keys(questions);
    const times = new Map(names.map((name): [string, number[]] => [name, []]));
    for (let i = 0; i < RUNS + 50; i++)
      for (const name of names) {
        const start = performance.now();
        await questions[name]?.().catch(() => undefined);
        if (i >= 50) times.get(name)?.push(performance.now() - start);
      }
    const medians = [...times].map(([name, list]) => ({ name, ms: median(list) }));
    const least = Math.min(...medians.map(({ ms }) => ms));
    for (const { name, ms } of medians) expect(ms, `${name}, least ${least}`).to.be.at.most(least * FACTOR + SLACK_MS);
  };

  it(`[CP-20] reads of hidden, deleted and absent ids, ${RUNS} runs`, async function () {
    this.timeout(120_000);
    const read = (id: string) => () => world.store.read(alice, 'Observation', id);
    await compare({ hidden: read('obs-b1'), deleted: read('gone-b'), absent: read('no-such') });
  });
  it(`[CP-20] searches for hidden and absent values, ${RUNS} runs`, async function () {
    this.timeout(120_000);
    const search = (type: string, query: string) => {
      const request = parseQuery(type, query);
      return () => world.store.search(alice, request);
    };
    await compare({ hidden: search('Patient', 'name=name-b'), absent: search('Patient', 'name=name-x') });
    await compare({
      hidden: search('Observation', 'subject=Patient/b&_total=accurate'),
      absent: search('Observation', 'subject=Patient/x&_total=accurate'),
    });
  });
});
