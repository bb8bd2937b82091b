/** SECURITY SC-07, SC-08: scopes with search parameters, in everything that reads and writes. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, patientApp } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, parseQuery } from '../support/policy-store.ts';

const LAB = 'http://terminology.hl7.org/CodeSystem/observation-category|laboratory';

describe('access › constraints of scopes', () => {
  let world: PolicyStore;
  const lab = patientApp('a', `patient/Observation.rs?category=${LAB} patient/Patient.rs patient/DiagnosticReport.rs`);
  const writer = client(`system/Observation.cruds?category=${LAB} system/Patient.rs`);
  const observation = (id: string, category: string, patient = 'a'): Resource => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    category: [{ coding: [{ system: LAB.split('|')[0] as string, code: category }] }],
    code: { text: 'x' },
    subject: { reference: `Patient/${patient}` },
  });
  before(async () => {
    world = await openPolicyStore();
    for (const id of ['a', 'b']) await world.put({ resourceType: 'Patient', id });
    await world.put(observation('lab', 'laboratory'));
    await world.put(observation('vital', 'vital-signs'));
    await world.put(observation('lab-b', 'laboratory', 'b'));
    await world.put(observation('was-lab', 'laboratory'));
    await world.put(observation('was-lab', 'vital-signs'));
    await world.put(observation('is-lab', 'vital-signs'));
    await world.put(observation('is-lab', 'laboratory'));
    await world.put({
      resourceType: 'DiagnosticReport',
      id: 'rep',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/a' },
      result: [{ reference: 'Observation/lab' }, { reference: 'Observation/vital' }],
    });
  });
  after(() => world.stop());

  const status = (work: Promise<unknown>): Promise<number | undefined> =>
    work.then(
      () => 200,
      (error: { status?: number }) => error.status,
    );
  const read = (caller: Caller, id: string) => status(world.store.read(caller, 'Observation', id));
  const put = (caller: Caller, resource: Resource) =>
    status(world.store.update(caller, 'Observation', String(resource['id']), () => resource));

  it('[SC-07] only what matches is found and read; the rest is not there', async () => {
    expect((await world.ids(lab, 'Observation?')).sort()).to.deep.equal(['is-lab', 'lab']);
    expect(await read(lab, 'lab')).to.equal(200);
    expect(await read(lab, 'vital')).to.equal(404);
    expect(await read(lab, 'lab-b')).to.equal(404);
  });
  it('[SC-07] all parameters of one scope must match, one of several scopes', async () => {
    const scopes = (...list: string[]) => patientApp('a', list.map((c) => `patient/Observation.rs?${c}`).join(' '));
    expect(await world.ids(scopes('category=laboratory&_id=lab'), 'Observation?')).to.deep.equal(['lab']);
    expect((await world.ids(scopes('category=laboratory', '_id=vital'), 'Observation?')).sort()).to.deep.equal([
      'is-lab',
      'lab',
      'vital',
    ]);
    const plain = patientApp('a', `patient/Observation.rs?category=${LAB} patient/Observation.rs`);
    expect(await world.ids(plain, 'Observation?')).to.have.length(4);
  });
  it('[SC-08] includes, chains and _has follow the constraint', async () => {
    const included = async (query: string): Promise<string[]> => {
      const [type = '', rest = ''] = query.split('?');
      const page = await world.store.search(lab, parseQuery(type, rest));
      return page.included.map(({ id }) => id).sort();
    };
    expect(await included('DiagnosticReport?_include=DiagnosticReport:result')).to.deep.equal(['lab']);
    expect(await included('Patient?_revinclude=Observation:subject')).to.deep.equal(['is-lab', 'lab']);
    expect(await world.ids(lab, 'DiagnosticReport?result._id=vital')).to.deep.equal([]);
    expect(await world.ids(lab, 'DiagnosticReport?result._id=lab')).to.deep.equal(['rep']);
    expect(await world.ids(lab, 'Patient?_has:Observation:patient:category=vital-signs')).to.deep.equal([]);
    expect(await world.ids(lab, 'Patient?_has:Observation:patient:category=laboratory')).to.deep.equal(['a']);
  });
  it('[SC-08] of the past a version shows that matches by itself, when the current one does', async () => {
    expect(await status(world.store.vread(lab, 'Observation', 'was-lab', 1))).to.equal(404);
    expect(await status(world.store.vread(lab, 'Observation', 'is-lab', 1))).to.equal(404);
    expect(await status(world.store.vread(lab, 'Observation', 'is-lab', 2))).to.equal(200);
    const { versions } = await world.store.history(lab, { type: 'Observation', count: 50 });
    expect(versions.map(({ id, versionId }) => `${id}/${versionId}`).sort()).to.deep.equal(['is-lab/2', 'lab/1']);
  });
  it('[SC-08] what is written must match before and after', async () => {
    expect(await put(writer, { ...observation('lab-b', 'laboratory', 'b'), status: 'amended' })).to.equal(200);
    expect(await put(writer, observation('lab-b', 'vital-signs', 'b')), 'after').to.equal(403);
    expect(await put(writer, observation('vital', 'laboratory')), 'before').to.equal(403);
    const create = (category: string) =>
      status(world.store.create(writer, observation('', category), world.store.newId()));
    expect(await create('laboratory')).to.equal(200);
    expect(await create('vital-signs')).to.equal(403);
    expect(await status(world.store.delete(writer, 'Observation', 'vital'))).to.equal(403);
  });
  it('[SC-08] a constraint that constrains nothing opens nothing', async () => {
    for (const constraint of ['_format=json', '_count=10', '_sort=date', '_contained=false'])
      for (const level of ['patient', 'system'] as const) {
        const scope = { level, type: 'Observation', letters: ['r', 's'], constraint } as const;
        const caller = { ...(level === 'system' ? client('') : patientApp('a', '')), scopes: [scope] };
        expect(await read(caller, 'lab'), `${level} ${constraint}`).to.equal(403);
      }
  });
});
