import { expect } from 'chai';
import type { Resource } from '../../../src/ports/resource-store.ts';
import { ROOT } from '../../support/policy-store.ts';
import { everyRow, openProtectionWorld, type ProtectionWorld } from './world.ts';

describe('protection › encrypted records', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  const elements = 'Patient.name,Observation.value';
  const subject = (id: string) => ({ reference: `Patient/${id}` });
  const observation = (of: string, valueString: string): Resource => ({
    resourceType: 'Observation',
    id: 'moved',
    status: 'final',
    code: { text: 'seen' },
    subject: subject(of),
    valueString,
  });
  beforeEach(async () => {
    world = await openProtectionWorld({ encrypted: elements });
    for (const id of ['gone', 'stays'])
      await world.put({ resourceType: 'Patient', id, name: [{ family: `Family${id}` }] });
  });
  afterEach(() => world.stop());
  const keysOf = (id: string): Promise<unknown[]> =>
    world.sql('select id from mortar.data_key where pat = $1', [String(world.store.contacts.keys.rids.rid(id))]);

  it('[KS-06] [DP-04] the data keys of the patient are destroyed, and those of others are not', async () => {
    expect(await keysOf('gone')).to.have.length(1);
    const [before] = (await world.sql('select content from fhir.patient where id = $1', ['gone'])) as unknown[][];
    expect(before?.[0]).to.contain('"v1.').and.not.to.contain('Familygone');
    await world.store.removal.remove(['gone']);
    expect(await keysOf('gone')).to.deep.equal([]);
    expect(await keysOf('stays')).to.have.length(1);
    expect((await world.store.read(ROOT, 'Patient', 'stays')).content).to.contain('Familystays');
    // The row of a copy that was made before: nothing opens it any more.
    const [type, id, content] = ['Patient', 'gone', before?.[0]];
    await world.sql(
      `insert into fhir.patient (rid, lu, pm, ver, op, id, tok, content) values ($1, 1, 0, 1, 'C', $2, '{}', $3)`,
      [String(world.store.contacts.keys.rids.rid(id)), id, content],
    );
    const error = await world.store.read(ROOT, type, id).catch((failed: Error) => failed);
    expect(error).to.have.property('status', 503);
    expect((error as Error).cause)
      .to.be.an('error')
      .with.property('message')
      .that.contains('is gone');
  });

  it('[KS-06] [DP-04] what stays and was sealed for the patient is sealed for its own', async () => {
    await world.put(observation('gone', 'WordOfGone'));
    await world.put(observation('stays', 'WordOfStays'));
    await world.put({
      resourceType: 'Observation',
      id: 'about',
      status: 'final',
      code: { text: 'seen' },
      subject: subject('stays'),
      performer: [subject('gone')],
      valueString: 'WordThatStays',
    });
    await world.store.removal.remove(['gone']);
    const read = async (id: string, version: number): Promise<string> =>
      (await world.store.vread(ROOT, 'Observation', id, version)).content;
    expect(await read('moved', 2)).to.contain('WordOfStays');
    expect(await read('moved', 1))
      .to.contain('REDACTED')
      .and.not.to.contain('WordOfGone');
    for (const version of [1, 2])
      expect(await read('about', version))
        .to.contain('WordThatStays')
        .and.to.contain('"performer":[{"display":"erased"}]');
    expect(await everyRow(world)).not.to.match(/WordThatStays|WordOfStays/);
    expect(await world.ids(ROOT, 'Observation?performer=Patient/gone')).to.deep.equal([]);
  });
});
