import { expect } from 'chai';
import { cleanUp, tablesOf } from '../../../src/postgres/protection/clean-up.ts';
import { withClient } from '../../support/database.ts';
import { everyRow, openProtectionWorld, type ProtectionWorld } from './world.ts';

describe('protection › cleaning up', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  before(async () => {
    world = await openProtectionWorld();
  });
  after(() => world.stop());

  it('[DP-04] the planner’s statistics hold no value of what is gone, also of tables that are empty now', async () => {
    await world.put({ resourceType: 'Patient', id: 'kept', name: [{ family: 'Keptqz' }] });
    for (const id of ['gone', 'also'])
      await world.put({ resourceType: 'Patient', id, name: [{ family: `Planted${id}qz` }], birthDate: '1970-01-02' });
    for (let n = 0; n < 20; n++)
      await world.put({
        resourceType: 'Observation',
        id: `o${n}`,
        status: 'final',
        code: { text: `Planted${n}qz` },
        subject: { reference: `Patient/${n % 2 === 0 ? 'gone' : 'also'}` },
      });
    await world.sql('analyze');
    expect(await everyRow(world)).to.match(/fhir\.observation|planted/i);
    await world.store.removal.remove(['gone', 'also']);
    const errors: string[] = [];
    const tables = tablesOf({ resources: { Patient: 2, Observation: 20 }, rewritten: {} });
    await withClient(world.database.connection('owner'), (client) =>
      cleanUp(client, tables, (table, { message }) => errors.push(`${table}: ${message}`)),
    );
    expect(errors).to.deep.equal([]);
    const left = (await everyRow(world)).split('\n');
    expect(left.filter((line) => /planted/i.test(line)).map((line) => line.slice(0, 200))).to.deep.equal([]);
    expect(left.join('\n')).to.contain('Keptqz');
    expect(await world.sql('select count(*)::int from pg_stats where tablename = $1', ['observation'])).to.deep.equal([
      [0],
    ]);
    expect(
      (await world.put({ resourceType: 'Observation', id: 'new', status: 'final', code: { text: 'x' } })).versionId,
    ).to.equal(1);
  });
});
