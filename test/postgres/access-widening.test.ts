/**
 * SECURITY AZ-05, as a property: whatever people write, and whether or not they may, they see nothing afterwards that
 * they did not see before, but for what they wrote. `TEST_SEED` repeats a run.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { person } from '../support/callers.ts';
import { createMaker, createRandom, createWorld, IDS, type World } from '../support/policy-world.ts';
import { testSeed } from '../support/seed.ts';

const CASES = { quick: 200, ci: 1_500, long: 10_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 150;
const WORLDS = 4;
const SEED = testSeed();
/** Types by which a record would show. */
const WATCHED = ['Patient', 'Observation', 'Encounter', 'MedicationRequest', 'Task', 'Appointment', 'Device', 'List'];
/** Types that say who has to do with whom, and some that do not. */
const WRITTEN = [
  'Encounter',
  'Encounter',
  'CareTeam',
  'Task',
  'MedicationRequest',
  'MedicationDispense',
  'Patient',
  'Observation',
  'Appointment',
  'Provenance',
  'RelatedPerson',
  'Consent',
];

const callers = fc
  .record({
    roles: fc.constantFrom(
      ['DOCTOR'] as const,
      ['DOCTOR'] as const,
      ['PRESCRIBER'] as const,
      ['PHARMACIST'] as const,
      ['RECEPTIONIST'] as const,
      ['PATIENT'] as const,
      ['DOCTOR', 'PHARMACIST', 'RECEPTIONIST', 'PATIENT'] as const,
    ),
    practitioner: fc.constantFrom(...IDS.slice(0, 4)),
    organizations: fc.subarray(IDS.slice(0, 4), { minLength: 1, maxLength: 2 }),
    patients: fc.subarray(IDS.slice(0, 4), { maxLength: 1 }),
  })
  .map(({ roles, ...options }) => person(roles, options));
const writes = fc.array(
  fc.record({
    type: fc.constantFrom(...WRITTEN),
    id: fc.constantFrom(undefined, ...IDS, ...IDS),
    seed: fc.integer(),
  }),
  { minLength: 1, maxLength: 2 },
);

/** The same resource with one of its references to another one of that type, and perhaps open again. */
function altered(current: Resource, random: (below: number) => number): Resource {
  const next = structuredClone(current) as Record<string, unknown> & Resource;
  const places: { reference: string }[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('reference' in value && typeof value.reference === 'string') places.push(value as { reference: string });
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(next);
  const place = places[random(places.length + 1)];
  if (place) place.reference = `${place.reference.split('/').at(-2)}/${IDS[random(4)]}`;
  if (next['resourceType'] === 'Encounter' && random(2) === 0) return { ...next, status: 'in-progress' };
  return next;
}

describe('access › what a write opens', () => {
  /** In one there may be hardly anybody who has to do with anybody. */
  const worlds: World[] = [];
  before(async function () {
    this.timeout(180_000);
    for (let i = 0; i < WORLDS; i++) worlds.push(await createWorld(SEED + i));
  });
  after(() => Promise.all(worlds.map((world) => world.stop())));

  const sight = async (world: World, caller: Caller): Promise<Set<string>> => {
    const seen = await Promise.all(
      WATCHED.map((type) =>
        world.store.ids(caller, `${type}?_count=200`).then(
          (ids) => ids.map((id) => `${type}/${id}`),
          () => [],
        ),
      ),
    );
    return new Set(seen.flat());
  };

  it(`[AZ-05] ${CASES} times what somebody writes, seed ${SEED}`, async function () {
    this.timeout(300_000);
    let written = 0;
    const propertyOf = (world: World) =>
      fc.asyncProperty(callers, writes, fc.boolean(), async (caller, list, together) => {
        const { store } = world.store;
        const before = await sight(world, caller);
        const asked = list.map(({ type, id = store.newId(), seed }, i) => {
          const made = createMaker(createRandom(seed)).make(type, id);
          const { meta: _labels, ...resource } = made as Resource & { meta?: unknown };
          const isNew = list[i]?.id === undefined;
          return isNew
            ? ({ kind: 'create', resource: resource as Resource, id } as const)
            : ({
                kind: 'update',
                operation: 'update',
                type,
                id,
                change: (current: Resource | undefined) =>
                  current && seed % 8 !== 0 ? altered(current, createRandom(seed)) : (resource as Resource),
              } as const);
        });
        const own = new Set(asked.map((w) => `${w.kind === 'create' ? w.resource.resourceType : w.type}/${w.id}`));
        // A transaction writes a resource once.
        if (own.size < asked.length) return;
        for (const part of together ? [asked] : asked.map((one) => [one]))
          try {
            await store.transaction(caller, (tx) => tx.write(part));
            written += part.length;
          } catch (error) {
            if (!(error instanceof FhirError)) throw error;
            expect(error.status).to.equal(403);
          }
        const after = await sight(world, caller);
        expect([...after.difference(before).difference(own)]).to.deep.equal([]);
      });
    for (const world of worlds)
      await fc.assert(propertyOf(world), { seed: SEED, numRuns: CASES / WORLDS, endOnFailure: true });
    expect(written, 'some writes were allowed').to.be.greaterThan(CASES / 40);
  });
});
