/** SECURITY CP-22: Binaries by what points to them and by what they name; each way there and away. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const ref = (reference: string) => ({ reference });
const HERE = 'http://mortar.test/fhir/R4';
const CALLERS: Readonly<Record<string, Caller>> = {
  doctor: person('DOCTOR', { practitioner: 'd1', organizations: ['o1'] }),
  stranger: person('DOCTOR', { practitioner: 'd2', organizations: ['o2'] }),
  patient: patientApp('p'),
  account: person('PATIENT', { patients: ['p'] }),
  other: patientApp('q'),
  desk: person('RECEPTIONIST', { organizations: ['o1'] }),
  pharmacist: person('PHARMACIST', { organizations: ['o1'] }),
  program: client('system/*.rs'),
};
const document = (url: string, more: object = {}): Resource => ({
  resourceType: 'DocumentReference',
  id: 'doc',
  status: 'current',
  subject: ref('Patient/p'),
  content: [{ attachment: { contentType: 'text/plain', url } }],
  ...more,
});

interface Case {
  readonly what: string;
  readonly context?: string;
  readonly also?: Resource;
  readonly seenBy: string;
}
const OURS = 'doctor patient account program';
const CASES: readonly Case[] = [
  { what: 'nothing points to it', seenBy: 'program' },
  { what: 'the patient is its context', context: 'Patient/p', seenBy: OURS },
  { what: 'the patient is its context, by the whole address', context: `${HERE}/Patient/p`, seenBy: OURS },
  { what: 'an Observation is its context', context: 'Observation/o', seenBy: OURS },
  { what: 'a hidden Observation is its context', context: 'Observation/psy', seenBy: 'patient account program' },
  { what: 'another patient is its context', context: 'Patient/q', seenBy: 'other program' },
  { what: 'its context is no longer there', context: 'Observation/gone', seenBy: 'program' },
  { what: 'its context is of a kind that says nothing', context: 'Organization/o1', seenBy: 'program' },
  { what: 'a document points to it', also: document('Binary/b'), seenBy: OURS },
  { what: 'a document points to it by the whole address', also: document(`${HERE}/Binary/b`), seenBy: OURS },
  { what: 'a document points to a version of it', also: document('Binary/b/_history/1'), seenBy: OURS },
  { what: 'a document points to another', also: document('Binary/c'), seenBy: 'program' },
  { what: 'a document points to one elsewhere', also: document('http://elsewhere.test/Binary/b'), seenBy: 'program' },
  {
    what: 'a restricted document points to it',
    also: document('Binary/b', { meta: { security: [{ code: 'R' }] } }),
    seenBy: 'patient account program',
  },
  {
    what: 'another patient’s document points to it',
    also: document('Binary/b', { subject: ref('Patient/q') }),
    seenBy: 'other program',
  },
  {
    what: 'another patient is its context, whatever document points to it',
    context: 'Patient/q',
    also: document('Binary/b'),
    seenBy: 'other program',
  },
  {
    what: 'its context is not known, whatever document points to it',
    context: 'Condition/c',
    also: document('Binary/b'),
    seenBy: '',
  },
  {
    what: 'Media hold it',
    also: {
      resourceType: 'Media',
      id: 'doc',
      status: 'completed',
      subject: ref('Patient/p'),
      content: { url: 'Binary/b' },
    },
    seenBy: OURS,
  },
  {
    what: 'a DiagnosticReport presents it',
    also: {
      resourceType: 'DiagnosticReport',
      id: 'doc',
      status: 'final',
      code: { text: 'x' },
      subject: ref('Patient/p'),
      presentedForm: [{ url: 'Binary/b' }],
    },
    seenBy: OURS,
  },
  {
    what: 'something else mentions it',
    also: {
      resourceType: 'Communication',
      id: 'doc',
      status: 'completed',
      subject: ref('Patient/p'),
      payload: [{ contentAttachment: { url: 'Binary/b' } }],
    },
    seenBy: 'program',
  },
];

describe('access › Binaries', () => {
  let world: PolicyStore;
  let base: string;
  let now: Caller = ROOT;
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async () => now);
    const observation = {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
      subject: ref('Patient/p'),
    };
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: ref('Organization/o1') });
    await world.put({ resourceType: 'Patient', id: 'q' });
    for (const id of ['o', 'gone']) await world.put({ ...observation, id });
    await world.put({ ...observation, id: 'psy', meta: { security: [{ code: 'PSY' }] } });
    await world.store.delete(ROOT, 'Observation', 'gone');
  });
  after(() => world.stop());

  const ask = async (caller: Caller, path: string, method = 'GET', body?: object) => {
    now = caller;
    // The resource, not its content.
    const headers = { 'content-type': 'application/fhir+json', accept: 'application/fhir+json' };
    const answer = await fetch(`${base}/${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const binary = (context?: string) => ({
    resourceType: 'Binary',
    id: 'b',
    contentType: 'text/plain',
    data: 'AAAA',
    ...(context !== undefined && { securityContext: ref(context) }),
  });

  for (const { what, context, also, seenBy } of CASES)
    it(`[CP-22] ${what}`, async () => {
      for (const type of ['DocumentReference', 'Media', 'DiagnosticReport', 'Communication'])
        await world.store.delete(ROOT, type, 'doc').catch(() => undefined);
      await world.put(binary(context));
      if (also) await world.put(also);
      for (const [name, caller] of Object.entries(CALLERS)) {
        const isSeen = seenBy.split(' ').includes(name);
        const { status } = await ask(caller, 'Binary/b');
        if (isSeen) expect(status, name).to.equal(200);
        else expect(status, name).to.be.oneOf([403, 404]);
        const found = await ask(caller, 'Binary?_id=b&_total=accurate');
        if (found.status === 200) expect(found.body['total'], name).to.equal(isSeen ? 1 : 0);
        else expect([found.status, isSeen], name).to.deep.equal([403, false]);
      }
    });

  it('[CP-22] what a version said of its context counts for it', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    await world.store.delete(ROOT, 'Communication', 'doc').catch(() => undefined);
    const before = await world.put({ ...binary('Patient/q'), data: 'AAAB' });
    const after = await world.put({ ...binary('Patient/p'), data: 'AAAC' });
    expect((await ask(doctor, `Binary/b/_history/${after.versionId}`)).status).to.equal(200);
    expect((await ask(doctor, `Binary/b/_history/${before.versionId}`)).status).to.equal(404);
  });

  it('[CP-22] [CP-11] a clinician makes Binaries in a record of theirs, and points to none that they do not see', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    await world.put({ ...binary('Patient/q'), id: 'theirs' });
    await world.put({ ...binary('Patient/p'), id: 'ours' });
    const make = (context?: string) => {
      const { id: _id, ...made } = binary(context);
      return ask(doctor, 'Binary', 'POST', made);
    };
    const point = async (url: string): Promise<number> => {
      const { id: _id, ...made } = document(url);
      return (await ask(doctor, 'DocumentReference', 'POST', made)).status;
    };
    expect((await make()).status, 'of nobody').to.equal(403);
    expect((await make('Patient/q')).status).to.equal(403);
    expect((await make('Patient/p')).status).to.equal(201);
    expect(await point('Binary/ours')).to.equal(201);
    for (const url of ['Binary/theirs', `${HERE}/Binary/theirs`, 'Binary/never-was'])
      expect(await point(url), url).to.equal(403);
    expect(await point('http://elsewhere.test/file.pdf')).to.equal(201);
    expect((await ask(doctor, 'Binary/ours', 'PUT', { ...binary('Patient/q'), id: 'ours' })).status, 'moved').to.equal(
      403,
    );
    expect(
      (await ask(doctor, 'Binary/theirs', 'PUT', { ...binary('Patient/p'), id: 'theirs' })).status,
      'taken',
    ).to.equal(403);
    for (const name of ['patient', 'account', 'desk', 'pharmacist'])
      expect((await ask(CALLERS[name] as Caller, 'Binary', 'POST', binary('Patient/p'))).status, name).to.equal(403);
  });
});
