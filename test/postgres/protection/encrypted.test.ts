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

describe('protection › what is said of a patient in sealed texts of others', function () {
  this.timeout(120_000);
  let world: ProtectionWorld;
  const NHS = { system: 'https://fhir.nhs.uk/Id/nhs-number', value: '9434765919' };
  const gone = { reference: 'Patient/gone', display: 'PlantedDisplay' };
  const condition = (id: string, note: readonly object[]): Resource => ({
    resourceType: 'Condition',
    id,
    subject: { reference: 'Patient/stays' },
    note: note.map((one) => ({ text: 'StaysHere', ...one })),
  });
  const document = (id: string, of: string, binary: string): Resource => ({
    resourceType: 'DocumentReference',
    id,
    status: 'current',
    subject: { reference: `Patient/${of}` },
    content: [{ attachment: { url: `Binary/${binary}` } }],
  });
  before(async () => {
    world = await openProtectionWorld({ encrypted: 'uk-protected,Condition.note,DocumentReference.content' });
    await world.put({ resourceType: 'Patient', id: 'gone', identifier: [NHS], name: [{ family: 'PlantedFamily' }] });
    await world.put({
      resourceType: 'Patient',
      id: 'stays',
      name: [{ family: 'StaysHere', extension: [{ url: 'https://example.org/named-by', valueReference: gone }] }],
    });
    for (const id of ['shared', 'own', 'earlier'])
      await world.put({ resourceType: 'Binary', id, contentType: 'text/plain', data: 'UGxhbnRlZA==' });
    await world.put(condition('now', [{ authorReference: gone }]));
    await world.put(condition('before', [{ authorReference: gone }]));
    await world.put(condition('before', [{}]));
    await world.put(condition('large', [{ text: `StaysHere ${'x'.repeat(1_200_000)}`, authorReference: gone }]));
    await world.put(condition('by-number', [{ authorReference: { identifier: NHS, display: 'PlantedNumber' } }]));
    await world.put(condition('deleted', [{ authorReference: gone }]));
    await world.remove({ resourceType: 'Condition', id: 'deleted' });
    await world.put(condition('other', [{ authorReference: { reference: 'Patient/gone-too' } }]));
    await world.put(document('theirs', 'gone', 'earlier'));
    await world.put({ ...document('theirs', 'gone', 'own'), description: 'x' });
    await world.put(document('both', 'gone', 'shared'));
    await world.put(document('other', 'stays', 'shared'));
    await world.store.removal.remove(['gone']);
  });
  after(() => world.stop());
  const read = async (type: string, id: string, version: number): Promise<Resource> =>
    JSON.parse((await world.store.vread(ROOT, type, id, version)).content) as Resource;

  for (const [title, type, id, versions] of [
    ['the current version, and the one it replaces', 'Condition', 'now', [1, 2]],
    ['one that was replaced long ago', 'Condition', 'before', [1, 2]],
    ['by an identifier', 'Condition', 'by-number', [1, 2]],
    ['one that is larger than what is opened at a time', 'Condition', 'large', [1, 2]],
    ['one of a resource that is deleted', 'Condition', 'deleted', [1]],
    ['another patient', 'Patient', 'stays', [1, 2]],
  ] as const)
    it(`[DP-04] [KS-07] goes: ${title}`, async () => {
      for (const version of versions) {
        const text = JSON.stringify(await read(type, id, version));
        expect(text.includes('StaysHere')).to.equal(true);
        expect(/Planted|Patient\/gone"|9434765919/.test(text)).to.equal(false);
      }
    });

  it('[DP-04] what says nothing of them stays as it was, and what is sealed stays sealed', async () => {
    expect((await world.store.read(ROOT, 'Condition', 'other')).versionId).to.equal(1);
    expect((await world.store.read(ROOT, 'Condition', 'before')).versionId).to.equal(2);
    const rows = await everyRow(world);
    expect(rows).not.to.match(/StaysHere|Planted|gone-too/);
    expect(rows).to.match(/"+~"+:"+v1\./);
  });

  it('[DP-04] files that only their sealed documents name go, and those that others name stay', async () => {
    expect((await world.ids(ROOT, 'Binary')).sort()).to.deep.equal(['shared']);
    expect((await read('DocumentReference', 'other', 1))['content']).to.deep.equal([
      { attachment: { url: 'Binary/shared' } },
    ]);
  });
});
