/** SECURITY FA-06: who may not read something learns nothing of it by changing it, over HTTP. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, person } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const JSON_PATCH = 'application/json-patch+json';
const ME = { practitioner: 'd1', organizations: ['o1'] };
const subject = { reference: 'Patient/p' };
const SECRET = 'PlantedSecret';
const observation = (more: object = {}): Resource => ({
  resourceType: 'Observation',
  id: 'o',
  status: 'final',
  code: { text: 'x' },
  subject,
  identifier: [{ system: 'urn:x', value: '1' }],
  note: [{ text: SECRET }],
  ...more,
});
const denial = (...actions: readonly string[]): Resource =>
  privacyConsent('p', {
    type: 'deny',
    class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Observation' }],
    action: actions.map((code) => ({ coding: [{ code }] })),
  });
const CALLERS: Readonly<Record<string, Caller>> = {
  doctor: person('DOCTOR', ME),
  program: client('system/*.crus'),
  narrow: client('system/Observation.u'),
};
const FREE: Readonly<Record<string, Caller>> = { operator: client('system/*.cruds'), itself: ROOT };

describe('access › Consents and updates', () => {
  let world: PolicyStore;
  let base: string;
  let now: Caller = ROOT;
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async () => now);
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o1' } });
  });
  after(() => world.stop());
  beforeEach(async () => {
    await world.put(observation());
    await world.put({ ...denial(), status: 'inactive' });
  });

  const send = async (caller: Caller, method: string, path: string, body?: unknown, more: object = {}) => {
    now = caller;
    const type = method === 'PATCH' ? JSON_PATCH : 'application/fhir+json';
    const headers = { 'content-type': type, prefer: 'return=representation', ...more };
    const answer = await fetch(`${base}/${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };
  const bundle = (...request: readonly object[]) => ({ resourceType: 'Bundle', type: 'transaction', entry: request });
  const binary = (operations: object) => ({
    resourceType: 'Binary',
    contentType: JSON_PATCH,
    data: Buffer.from(JSON.stringify(operations)).toString('base64'),
  });
  const note = [{ op: 'add', path: '/note/-', value: { text: 'a' } }];
  const guess = (value: string) => [{ op: 'test', path: '/note/0/text', value }];
  const byIdentifier = 'Observation?identifier=urn:x|1';

  type Try = (caller: Caller) => ReturnType<typeof send>;
  /** Each does something with what is there. */
  const TRIES: Readonly<Record<string, Try>> = {
    'a PATCH': (caller) => send(caller, 'PATCH', 'Observation/o', note),
    'a PATCH that tests rightly': (caller) => send(caller, 'PATCH', 'Observation/o', guess(SECRET)),
    'a PUT': (caller) => send(caller, 'PUT', 'Observation/o', observation({ note: [{ text: 'mine' }] })),
    'a PUT of the same': (caller) => send(caller, 'PUT', 'Observation/o', observation()),
    'a PATCH in a transaction': (caller) =>
      send(
        caller,
        'POST',
        '',
        bundle({ request: { method: 'PATCH', url: 'Observation/o' }, resource: binary(guess(SECRET)) }),
      ),
    'a PUT in a transaction': (caller) =>
      send(caller, 'POST', '', bundle({ request: { method: 'PUT', url: 'Observation/o' }, resource: observation() })),
  };
  const WRONG: Readonly<Record<string, Try>> = {
    'a PATCH that tests wrongly': (caller) => send(caller, 'PATCH', 'Observation/o', guess('wrong')),
    'a PATCH of what is not there': (caller) =>
      send(caller, 'PATCH', 'Observation/o', [{ op: 'remove', path: '/bodySite' }]),
    'a PATCH of another version': (caller) => send(caller, 'PATCH', 'Observation/o', note, { 'if-match': 'W/"999"' }),
    'a PUT of another version': (caller) =>
      send(caller, 'PUT', 'Observation/o', observation(), { 'if-match': 'W/"999"' }),
    'a PATCH in a transaction that tests wrongly': (caller) =>
      send(
        caller,
        'POST',
        '',
        bundle({ request: { method: 'PATCH', url: 'Observation/o' }, resource: binary(guess('wrong')) }),
      ),
  };

  for (const [what, run] of Object.entries(TRIES))
    it(`[FA-06] [AZ-05] ${what} on what one may not read is refused, and nothing is changed`, async () => {
      for (const [name, caller] of Object.entries({ ...CALLERS, ...FREE }))
        expect((await run(caller)).status, `${name}, undenied`).to.equal(200);
      await world.put(observation());
      await world.put(denial('access'));
      const before = await world.store.read(ROOT, 'Observation', 'o');
      for (const [name, caller] of Object.entries(CALLERS)) {
        const { status, text } = await run(caller);
        expect(status, name).to.equal(403);
        expect(text, name).not.to.contain(SECRET);
      }
      expect(await world.store.read(ROOT, 'Observation', 'o')).to.deep.equal(before);
      for (const [name, caller] of Object.entries(FREE)) expect((await run(caller)).status, name).to.equal(200);
    });

  it('[FA-06] what fails and what succeeds are told apart only by those who may read', async () => {
    /** Different answers, to single requests and to those in a transaction. */
    const answers = async (caller: Caller): Promise<readonly (readonly string[])[]> => {
      const found = { single: new Set<string>(), bundled: new Set<string>() };
      for (const [what, run] of Object.entries({ ...TRIES, ...WRONG })) {
        const { status, text, headers } = await run(caller);
        const answer = [status, text, headers.get('etag'), headers.get('location')].join(' ');
        found[what.includes('transaction') ? 'bundled' : 'single'].add(answer);
      }
      return [[...found.single], [...found.bundled]];
    };
    const open = await answers(CALLERS['doctor'] as Caller);
    expect(open[0]?.length).to.be.greaterThan(4);
    expect(open[1]?.length).to.be.greaterThan(1);
    await world.put(denial('access'));
    for (const [name, caller] of Object.entries(CALLERS))
      for (const found of await answers(caller)) {
        expect(found, `${name}: ${found.join('\n')}`).to.have.length(1);
        expect(found[0]).to.match(/^403 /);
      }
  });

  it('[FA-06] conditional writes find nothing of what one may not read', async () => {
    await world.put(denial('access'));
    for (const caller of [CALLERS['doctor'] as Caller, CALLERS['program'] as Caller]) {
      const patched = await send(caller, 'PATCH', byIdentifier, guess(SECRET));
      const elsewhere = await send(caller, 'PATCH', 'Observation?identifier=urn:x|none', guess(SECRET));
      expect([patched.status, patched.text]).to.deep.equal([elsewhere.status, elsewhere.text]);
      const { id: _id, ...nameless } = observation({ note: [{ text: 'another' }] });
      const put = await send(caller, 'PUT', byIdentifier, nameless);
      expect(put.status, 'made, as nothing was found').to.equal(201);
      expect(put.text).not.to.contain(SECRET);
      const posted = await send(caller, 'POST', 'Observation', nameless, { 'if-none-exist': 'identifier=urn:x|1' });
      expect(posted.status).to.equal(201);
      const named = await send(caller, 'PUT', byIdentifier, observation());
      expect(named.status, 'its own id').to.equal(403);
    }
    const deleting = client('system/Observation.ds');
    expect((await send(deleting, 'DELETE', byIdentifier)).status).to.equal(204);
    expect((await world.store.read(ROOT, 'Observation', 'o')).content).to.contain(SECRET);
  });

  it('[FA-06] an update needs both: to read and to correct', async () => {
    const change = async (name: string): Promise<number> =>
      (await send(CALLERS[name] as Caller, 'PATCH', 'Observation/o', note)).status;
    await world.put(denial('correct'));
    expect([await change('doctor'), await change('program')]).to.deep.equal([403, 200]);
    await world.put(denial('collect'));
    expect([await change('doctor'), await change('program')]).to.deep.equal([200, 200]);
    await world.put(denial('access', 'correct'));
    expect([await change('doctor'), await change('program')]).to.deep.equal([403, 403]);
    await world.put({
      ...denial('access', 'correct'),
      provision: {
        type: 'deny',
        provision: [
          {
            type: 'permit',
            actor: [{ role: { coding: [{ code: 'PRCP' }] }, reference: { reference: 'Practitioner/d1' } }],
            action: [{ coding: [{ code: 'correct' }] }],
          },
        ],
      },
    });
    expect(await change('doctor'), 'only correcting is excepted').to.equal(403);
  });

  it('[FA-06] [CP-10] a program makes what is not there, whatever is denied, and refers to what it does not read', async () => {
    await world.put(denial('access'));
    const program = client('system/Observation.cu');
    for (const id of ['new-1', 'new-2'])
      expect((await send(program, 'PUT', `Observation/${id}`, observation({ id }))).status).to.equal(201);
    expect((await send(program, 'PUT', 'Observation/new-1', observation({ id: 'new-1' }))).status).to.equal(403);
    await world.store.delete(ROOT, 'Observation', 'new-1');
    expect((await send(program, 'PUT', 'Observation/new-1', observation({ id: 'new-1' }))).status, 'again').to.equal(
      201,
    );
    const doctor = CALLERS['doctor'] as Caller;
    expect((await send(doctor, 'PUT', 'Observation/new-3', observation({ id: 'new-3' }))).status).to.equal(403);
  });

  it('[FA-06] [FA-09] who acts for a patient changes only what they may read as well', async () => {
    const actor = { role: { coding: [{ code: 'PRCP' }] }, reference: { reference: 'RelatedPerson/rp' } };
    const opened = (...codes: readonly string[]): Resource => ({
      ...denial(),
      id: 'k',
      provision: { type: 'permit', actor: [actor], action: codes.map((code) => ({ coding: [{ code }] })) },
    });
    const proxy = { relatedPersonId: 'rp', patientId: 'p', from: 0, until: Number.POSITIVE_INFINITY };
    const parent = person('PATIENT', { proxies: [proxy] });
    await world.put({ resourceType: 'RelatedPerson', id: 'rp', patient: subject });
    const participant = [{ actor: subject, status: 'accepted' }];
    await world.put({ resourceType: 'Appointment', id: 'a', status: 'proposed', participant, comment: SECRET });
    const change = () =>
      send(parent, 'PATCH', 'Appointment/a', [{ op: 'add', path: '/description', value: String(Math.random()) }]);
    const answers = async (...codes: readonly string[]): Promise<readonly number[]> => {
      await world.put(opened(...codes));
      return [(await send(parent, 'GET', 'Appointment/a')).status, (await change()).status];
    };
    expect(await answers('access', 'correct')).to.deep.equal([200, 200]);
    expect(await answers('correct')).to.deep.equal([404, 403]);
    expect(await answers('access')).to.deep.equal([200, 403]);
    await world.store.delete(ROOT, 'Consent', 'k');
  });
});
