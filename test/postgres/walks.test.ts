/**
 * Walks over the pages of a search while others write: what matches throughout and is not changed is met exactly once,
 * what is changed at most once, whatever the order. MISSION M1, paging.
 */
import { expect } from 'chai';
import type { SearchRequest } from '../../src/standards/fhir/search/request.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';
import { testSeed } from '../support/seed.ts';

const COUNT = 60;
const TAG = { system: 'urn:walk', code: 'in' };
const SORTS = [
  ...[
    '',
    'name',
    '-name',
    'birthdate',
    '-birthdate',
    'gender',
    '-gender',
    '_id',
    '-_id',
    '_lastUpdated',
    '-_lastUpdated',
  ],
  ...['gender,-name', '-birthdate,_id', 'organization', 'address-city,-_lastUpdated'],
];

describe('search › walks under writes', function () {
  this.timeout(120_000);
  let world: PolicyStore;
  let stirs = 0;
  let state = testSeed();
  /** From 0 to below 1; a linear congruence is random enough to stir. */
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;

  /** Names and cities repeat, are several, or are missing. */
  const person = (id: string) => ({
    resourceType: 'Patient',
    id,
    meta: { tag: [TAG] },
    name: Array.from({ length: Math.floor(random() * 4) }, () => ({
      family: pick(['Ash', 'Beech', 'Elm', 'Oak', 'Yew']),
    })),
    ...(random() < 0.7 && { birthDate: pick(['1980', '1980-05', '1980-05-06', '1991-02-03']) }),
    ...(random() < 0.7 && { gender: pick(['male', 'female', 'other']) }),
    ...(random() < 0.5 && { address: [{ city: pick(['Leeds', 'York']) }, { city: pick(['Bath', 'Ely']) }] }),
    // So that no write is one that changes nothing.
    extension: [{ url: 'urn:stir', valueInteger: ++stirs }],
  });

  before(async () => {
    world = await openPolicyStore();
    for (let n = 0; n < COUNT; n++) await world.put(person(`keep${n}`));
    for (let n = 0; n < COUNT / 2; n++) await world.put(person(`stir${n}`));
  });
  after(() => world.stop());

  /** Changes, creates, and deletes around those that stay. */
  async function stir(): Promise<void> {
    const id = `stir${Math.floor(random() * COUNT)}`;
    if (random() < 0.25) await world.store.delete(ROOT, 'Patient', id);
    else await world.put(person(id));
  }

  async function walk(query: string, between: () => Promise<void>): Promise<string[]> {
    const found: string[] = [];
    let request: SearchRequest = parseQuery('Patient', query);
    for (;;) {
      const page = await world.store.search(ROOT, request);
      found.push(...page.matches.map(({ id }) => id));
      if (page.next === undefined) return found;
      request = { ...request, cursor: page.next };
      await between();
    }
  }

  for (const sort of SORTS)
    it(`_sort=${sort}`, async () => {
      for (const count of [1, 7, 20])
        for (const more of ['_tag=in', `_id=${Array.from({ length: COUNT }, (_, n) => `keep${n},stir${n}`).join()}`]) {
          // Time stands still at first: what is written in the instant of the first page is told by the snapshot alone.
          let pages = 0;
          const found = await walk(`${more}&_count=${count}${sort && `&_sort=${sort}`}`, async () => {
            if (++pages % 3 === 0) world.clock.pass(5);
            await Promise.all([stir(), stir(), stir()]);
          });
          expect(new Set(found).size, `twice: ${found.filter((id, i) => found.indexOf(id) !== i).join()}`).equal(
            found.length,
          );
          const kept = found.filter((id) => id.startsWith('keep'));
          expect(kept, `${sort} by ${count}`).length(COUNT);
        }
    });

  it('a write that began before the first page and ended after it does not bring its resource back', async () => {
    const named = (family: string) => ({
      resourceType: 'Patient',
      id: 'slow',
      meta: { tag: [TAG] },
      name: [{ family }],
    });
    for (const sort of ['name', '_lastUpdated', '-_lastUpdated,_id']) {
      await world.put(named('Aaron'));
      world.clock.pass(5);
      const release = Promise.withResolvers<void>();
      const written = Promise.withResolvers<void>();
      // It bears a time from before the walk.
      const writing = world.store.transaction(ROOT, async (tx) => {
        await tx.write([
          { kind: 'update', operation: 'update', type: 'Patient', id: 'slow', change: () => named('Zygmunt') },
        ]);
        written.resolve();
        await release.promise;
      });
      await written.promise;
      world.clock.pass(5);
      const found = await walk(`_tag=in&_count=3&_sort=${sort}`, async () => {
        release.resolve();
        await writing;
      });
      expect(found.filter((id) => id === 'slow').length, sort).most(1);
      expect(found.filter((id) => id.startsWith('keep'))).length(COUNT);
    }
  });

  it('with _sort=_lastUpdated what is changed after the start is left to the next walk', async () => {
    for (const sort of ['_lastUpdated', '-_lastUpdated']) {
      let changed: string | undefined;
      const found = await walk(`_tag=in&_count=10&_sort=${sort}`, async () => {
        if (changed !== undefined) return;
        changed = `fresh${sort}`.replace(/\W|_/g, '-');
        world.clock.pass(10);
        await world.put(person(changed));
      });
      expect(found).not.include(changed);
      expect(await walk(`_tag=in&_count=50&_sort=${sort}`, async () => undefined)).include(changed);
    }
  });
});
