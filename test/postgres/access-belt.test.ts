/** SECURITY AZ-03: the rules stand in the SQL; should they ever be missing there, nothing leaves all the same. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Policy } from '../../src/ports/policy.ts';
import { patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT } from '../support/policy-store.ts';

describe('access › second belt', () => {
  let broken = false;
  /** An engine that forgets its filters, as a fault in compiling them would. */
  const wrap = (policy: Policy): Policy => ({
    ...policy,
    filterFor: (caller, type, letter) => (broken ? { kind: 'everything' } : policy.filterFor(caller, type, letter)),
  });
  let world: PolicyStore;
  const bound: Readonly<Record<string, Caller>> = {
    'a patient’s app': patientApp('a', 'patient/*.rs'),
    'a patient': person('PATIENT', { patients: ['a'], scopes: 'user/*.rs' }),
    'a doctor’s app for one patient': person('DOCTOR', { patient: 'a', scopes: 'patient/*.rs', organizations: ['o'] }),
  };
  before(async () => {
    world = await openPolicyStore({ wrap });
    const managed = { managingOrganization: { reference: 'Organization/o' } };
    await world.put({ resourceType: 'Organization', id: 'o', name: 'One' });
    for (const id of ['a', 'b', 'a2']) {
      await world.put({ resourceType: 'Patient', id, ...managed });
      const subject = { reference: `Patient/${id}` };
      await world.put({ resourceType: 'Observation', id: `obs-${id}`, status: 'final', code: { text: 'x' }, subject });
      await world.put({ resourceType: 'Device', id: `dev-${id}`, patient: subject });
    }
    await world.put({
      resourceType: 'Binary',
      id: 'bin',
      contentType: 'text/plain',
      data: 'AAAA',
      securityContext: { reference: 'Patient/b' },
    });
    await world.put({ resourceType: 'Observation', id: 'gone', status: 'final', code: { text: 'x' } });
    await world.store.delete(ROOT, 'Observation', 'gone');
  });
  after(() => world.stop());
  afterEach(() => {
    broken = false;
  });

  const outcome = (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => 'answered',
      (error: { status?: number; name?: string }) => (error.status === undefined ? 'thrown' : String(error.status)),
    );
  const questions = (caller: Caller): Readonly<Record<string, () => Promise<unknown>>> => ({
    read: () => world.store.read(caller, 'Observation', 'obs-b'),
    'read of one whose id begins alike': () => world.store.read(caller, 'Observation', 'obs-a2'),
    'read of the patient': () => world.store.read(caller, 'Patient', 'b'),
    'read of a device': () => world.store.read(caller, 'Device', 'dev-b'),
    'read of a binary': () => world.store.read(caller, 'Binary', 'bin'),
    vread: () => world.store.vread(caller, 'Observation', 'obs-b', 1),
    search: () => world.store.search(caller, parseQuery('Observation', '')),
    'reverse include': () => world.store.search(caller, parseQuery('Organization', '_revinclude=Patient:organization')),
    'history of one': () => world.store.history(caller, { type: 'Observation', id: 'obs-b', count: 5 }),
    'history of a type': () => world.store.history(caller, { type: 'Observation', count: 50 }),
    'history of all': () => world.store.history(caller, { count: 50 }),
    'read in a transaction': () => world.store.transaction(caller, (tx) => tx.read('Observation', 'obs-b')),
    'vread in a transaction': () => world.store.transaction(caller, (tx) => tx.vread('Observation', 'obs-b', 1)),
    'search in a transaction': () => world.store.transaction(caller, (tx) => tx.search(parseQuery('Observation', ''))),
    'history in a transaction': () => world.store.transaction(caller, (tx) => tx.history({ count: 50 })),
    'look-up in a transaction': () =>
      world.store.transaction(caller, (tx) =>
        tx.findCurrent([{ type: 'Observation', conditions: parseQuery('Observation', 'status=final').conditions }], 50),
      ),
  });

  for (const [who, caller] of Object.entries(bound))
    for (const name of Object.keys(questions(caller)))
      it(`[AZ-03] ${who}, ${name}: without the filter it throws, and tells the log`, async () => {
        const question = questions(caller)[name] as () => Promise<unknown>;
        expect(await outcome(question())).to.be.oneOf(['answered', '404', '403']);
        const before = world.log.lines.length;
        broken = true;
        expect(await outcome(question())).to.equal('thrown');
        const told = world.log.lines.slice(before).filter(({ level }) => level === 'error');
        expect(told).to.have.length.at.least(1);
        expect(JSON.stringify(told)).not.to.match(/obs-b|Patient\/b/);
      });
  it('[AZ-03] what is one’s own passes, in every form', async () => {
    const caller = bound['a patient’s app'] as Caller;
    await world.put({
      resourceType: 'Observation',
      id: 'absolute',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'http://mortar.test/fhir/R4/Patient/a' },
    });
    await world.put({ resourceType: 'Device', id: 'nobody' });
    expect(await world.ids(caller, 'Observation?')).to.have.members(['obs-a', 'absolute']);
    expect(await world.ids(caller, 'Device?')).to.have.members(['dev-a', 'nobody']);
    expect(await world.ids(caller, 'Patient?_revinclude=Observation:subject')).to.deep.equal(['a']);
  });
});
