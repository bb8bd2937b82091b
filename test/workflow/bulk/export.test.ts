/** The worker of $export between its steps: what changes meanwhile, and what is done again. SECURITY CP-15, DP-05 */
import { expect } from 'chai';
import type { AsyncStep, AsyncValue, AsyncWorker } from '../../../src/ports/async-requests.ts';
import type { Caller } from '../../../src/ports/caller.ts';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { createExportWorker, type ExportOrder } from '../../../src/workflow/bulk/export.ts';
import { client } from '../../support/callers.ts';
import { privacyConsent } from '../../support/consents.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../../support/policy-store.ts';

const ORDER: ExportOrder = {
  owner: { kind: 'client', clientId: 'c', scope: '' },
  types: ['Patient', 'Observation'],
  level: 'system',
  typeFilters: [],
  request: 'http://mortar.test/fhir/R4/$export',
  baseUrl: 'http://mortar.test/fhir/R4',
};
const SIGNAL = new AbortController().signal;

describe('$export › between its steps', function () {
  this.timeout(60_000);
  let world: PolicyStore;
  let caller: Caller | undefined;
  let restricted = new Set<string>();
  let worker: AsyncWorker;
  beforeEach(async () => {
    world = await openPolicyStore();
    caller = client('system/Patient.rs system/Observation.rs');
    restricted = new Set();
    worker = createExportWorker({
      scan: world.store.scan,
      store: world.store,
      searchOf: parseQuery,
      findCaller: async () => caller,
      book: { pack: async (piece) => piece },
      stop: {
        restrictedAmong: async (ids) => new Set(ids.filter((id) => restricted.has(id))),
        isAnyRestricted: async () => restricted.size > 0,
      },
      subset: (content) => content,
      audit: { record: async () => {} },
      now: world.clock.now,
      pageSize: 2,
      stepSize: 2,
    });
    for (let i = 0; i < 6; i++) await world.put({ resourceType: 'Patient', id: `p${i}`, name: [{ family: 'old' }] });
    for (let i = 0; i < 6; i++) await world.put(observation(i));
    world.clock.pass(1000);
  });
  afterEach(() => world.stop());

  const observation = (i: number): Resource => ({
    resourceType: 'Observation',
    id: `o${i}`,
    status: 'final',
    code: { text: 'x' },
    subject: { reference: `Patient/p${i}` },
  });
  const make = (step: number, checkpoint?: AsyncValue): Promise<AsyncStep> =>
    worker.step(
      {
        id: '1',
        kind: 'export',
        owner: 'c',
        payload: { ...ORDER },
        askedAt: 0,
        step,
        isInterrupted: false,
        ...(checkpoint && { checkpoint }),
      },
      SIGNAL,
    );
  /** Every step, `between` called before each but the first. */
  async function run(between: (step: number) => Promise<void> = async () => {}): Promise<Resource[]> {
    const found: Resource[] = [];
    let checkpoint: AsyncValue | undefined;
    for (let n = 0; ; n++) {
      if (n > 0) await between(n);
      const step = await make(n, checkpoint);
      for (const { bytes } of step.pieces)
        found.push(
          ...bytes
            .toString()
            .trimEnd()
            .split('\n')
            .map((line) => JSON.parse(line) as Resource),
        );
      if (step.result) return found;
      checkpoint = step.checkpoint;
    }
  }
  const ids = (resources: readonly Resource[]): string[] => resources.map(({ id }) => String(id)).sort();
  const ALL = ['o0', 'o1', 'o2', 'o3', 'o4', 'o5', 'p0', 'p1', 'p2', 'p3', 'p4', 'p5'];

  it('tells of one instant: what is changed or made meanwhile is as it was, each once', async () => {
    const found = await run(async (n) => {
      world.clock.pass(1000);
      if (n > 6) return;
      for (let i = 0; i < 6; i++)
        await world.put({ resourceType: 'Patient', id: `p${i}`, name: [{ family: `new ${n}` }] });
      await world.put({ ...observation(0), id: `made${n}` });
    });
    expect(ids(found)).deep.equal(ALL);
    for (const one of found.filter(({ resourceType }) => resourceType === 'Patient'))
      expect(one['name']).deep.equal([{ family: 'old' }]);
  });

  it('a step that was interrupted is made again to the same', async () => {
    const first = await make(0);
    const one = await make(1, first.checkpoint);
    const again = await make(1, first.checkpoint);
    expect(again.pieces.map(({ bytes }) => bytes.toString())).deep.equal(
      one.pieces.map(({ bytes }) => bytes.toString()),
    );
    expect(again.checkpoint).deep.equal(one.checkpoint);
  });

  it('[CP-15] consent that is withdrawn meanwhile takes effect from the next step on', async () => {
    const found = await run(async (n) => {
      if (n === 1) for (const i of [2, 5]) await world.put(privacyConsent(`p${i}`, { type: 'deny' }, { id: `c${i}` }));
    });
    expect(ids(found)).deep.equal(ALL.filter((id) => !/[25]$/.test(id)));
  });

  it('[CP-15] a client whose rights end or shrink is given nothing more', async () => {
    for (const left of [undefined, client('system/Patient.rs?active=true system/Observation.rs')]) {
      caller = client('system/Patient.rs system/Observation.rs');
      const error = await run(async () => {
        caller = left;
      }).catch((thrown: unknown) => thrown);
      expect(error).instanceOf(FhirError);
      expect((error as FhirError).status).equal(403);
    }
  });

  it('[DP-05] patients whose data may only be stored are left out', async () => {
    restricted.add('p3');
    expect(ids(await run())).deep.equal(ALL.filter((id) => !id.endsWith('3')));
  });

  it('nothing is met twice, nothing passed over, whoever deletes', async () => {
    const found = await run(async (n) => {
      if (n === 1) await world.store.delete(ROOT, 'Observation', 'o4');
    });
    expect(ids(found)).deep.equal(ALL.filter((id) => id !== 'o4'));
  });
});
