import { expect } from 'chai';
import { monthOf } from '../../../src/postgres/audit/partitions.ts';
import { isMonthHeld } from '../../../src/postgres/protection/held-months.ts';
import { withClient } from '../../support/database.ts';
import { openProtectionWorld, type ProtectionWorld } from './world.ts';

describe('protection › months of the trail', () => {
  let world: ProtectionWorld;
  let month: string;
  before(async () => {
    world = await openProtectionWorld();
    month = monthOf(world.clock.now()).name;
    const rid = (id: string): string => String(world.store.contacts.keys.rids.rid(id));
    for (const [n, values] of [
      [1, { pat: rid('alone'), pats: null, rid: null }],
      [2, { pat: null, pats: [rid('several'), rid('x')], rid: null }],
      [3, { pat: null, pats: null, rid: rid('o') }],
    ] as const)
      await world.sql(
        `insert into audit.entry (at, id, pat, pats, rid, agent, shard, kind, outcome, mac)
values ($1, $2, $3, $4, $5, gen_random_uuid(), 0, 1, 0, '')`,
        [world.clock.now(), n, values.pat, values.pats, values.rid],
      );
  });
  after(() => world.stop());
  const isHeld = (name: string): Promise<boolean> =>
    withClient(world.database.connection('owner'), (client) => isMonthHeld(client, name));

  for (const [title, target, held] of [
    ['a patient with entries', { kind: 'patient', id: 'alone' }, true],
    ['a patient of an entry about several', { kind: 'patient', id: 'several' }, true],
    ['a resource with entries', { kind: 'resource', type: 'Observation', id: 'o' }, true],
    ['a query, whatever it finds', { kind: 'query', type: 'Observation', query: 'code=1' }, true],
    ['a patient without entries', { kind: 'patient', id: 'nobody' }, false],
  ] as const)
    it(`[AU-12] [DP-02] a hold on ${title} ${held ? 'keeps' : 'does not keep'} the month`, async () => {
      expect(await isHeld(month)).to.equal(false);
      const id = await world.hold(target);
      expect(await isHeld(month)).to.equal(held);
      await world.liftHold(id);
      expect(await isHeld(month)).to.equal(false);
    });
});
