/** SECURITY FA-06: what patients say in Consents decides, over HTTP, from the transaction that writes it. */
import { expect } from 'chai';
import pg from 'pg';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { openPolicyStore, type PolicyStore, ROOT, START } from '../support/policy-store.ts';

const DAY = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const PURPOSE = 'http://terminology.hl7.org/CodeSystem/v3-ActReason';
const TYPES = 'http://hl7.org/fhir/resource-types';

const actor = (reference: string, role = 'PRCP') => ({ role: { coding: [{ code: role }] }, reference: { reference } });
const purpose = (code: string) => ({ system: PURPOSE, code });
const type = (code: string) => ({ system: TYPES, code });
const data = (meaning: string, reference: string) => ({ meaning, reference: { reference } });
const action = (code: string) => ({ coding: [{ code }] });
const deny = (more: object = {}) => ({ type: 'deny', ...more });
const permit = (more: object = {}) => ({ type: 'permit', ...more });

const consent = (provision: object | undefined, more: object = {}): Resource => privacyConsent('p', provision, more);

const ME = { practitioner: 'd1', practitionerRoles: ['r1'], organizations: ['o1'] };
const CALLERS: Readonly<Record<string, Caller>> = {
  doctor: person('DOCTOR', ME),
  researching: { ...person('DOCTOR', ME), purpose: 'CLINTRCH' },
  emergency: person('DOCTOR', { practitioner: 'd9', emergency: ['p'] }),
  lawful: person('DOCTOR', { practitioner: 'd9', emergency: ['p'], lawful: ['p'] }),
  stranger: person('DOCTOR', { practitioner: 'd2', organizations: ['o2'] }),
  desk: person('RECEPTIONIST', { organizations: ['o1'] }),
  patient: patientApp('p'),
  program: client('system/*.rs'),
  operator: client('system/*.cruds'),
};
/** What there is of the patient: by its label, its type or what it says. */
const RECORD = ['Patient/p', 'Observation/plain', 'Observation/psy', 'Observation/r', 'Condition/plain', 'Task/t'];
const ALL = RECORD.join(' ');
const PLAIN = 'Patient/p Observation/plain Condition/plain Task/t';

interface Case {
  readonly what: string;
  readonly provision?: object;
  readonly more?: object;
  /** What each caller reads then; those not named read what they did before. */
  readonly reads: Readonly<Record<string, string>>;
}

/** Without any Consent. */
const BEFORE: Readonly<Record<string, string>> = {
  doctor: PLAIN,
  researching: PLAIN,
  emergency: ALL.replace(' Task/t', ''),
  lawful: ALL.replace(' Task/t', ''),
  stranger: '',
  desk: 'Patient/p Task/t',
  patient: ALL.replace(' Task/t', ''),
  program: ALL,
  operator: ALL,
};
const nobody = { doctor: '', researching: '', emergency: '', desk: '', program: '' };
const withoutObservation = {
  doctor: 'Patient/p Condition/plain Task/t',
  researching: 'Patient/p Condition/plain Task/t',
  emergency: 'Patient/p Condition/plain',
  program: 'Patient/p Condition/plain Task/t',
};
const onlyDoctor = { doctor: '', researching: '' };

const CASES: readonly Case[] = [
  { what: 'no provision', reads: {} },
  { what: 'a denial of everything', provision: deny(), reads: nobody },
  { what: 'a denial that is only proposed', provision: deny(), more: { status: 'proposed' }, reads: {} },
  {
    what: 'a denial about treatment',
    provision: deny(),
    more: { scope: { coding: [{ code: 'treatment' }] } },
    reads: {},
  },
  // period
  { what: 'a denial that begins tomorrow', provision: deny({ period: { start: iso(START + DAY) } }), reads: {} },
  { what: 'a denial that ended yesterday', provision: deny({ period: { end: iso(START - DAY) } }), reads: {} },
  {
    what: 'a denial in its period',
    provision: deny({ period: { start: '2026-06-01', end: '2026-06-30' } }),
    reads: nobody,
  },
  { what: 'a denial up to today', provision: deny({ period: { end: '2026-06-15' } }), reads: nobody },
  // actor
  { what: 'a denial of the doctor', provision: deny({ actor: [actor('Practitioner/d1')] }), reads: onlyDoctor },
  { what: 'a denial of their role', provision: deny({ actor: [actor('PractitionerRole/r1')] }), reads: onlyDoctor },
  {
    what: 'a denial of the facility, by its whole address',
    provision: deny({ actor: [actor('http://mortar.test/fhir/R4/Organization/o1')] }),
    reads: { ...onlyDoctor, desk: '' },
  },
  {
    what: 'a denial of somebody else',
    provision: deny({ actor: [actor('Practitioner/d2'), actor('Organization/o2')] }),
    reads: {},
  },
  { what: 'a denial of programs', provision: deny({ actor: [actor('Device/x')] }), reads: { program: '' } },
  { what: 'a denial of a group, which may be anybody', provision: deny({ actor: [actor('Group/g')] }), reads: nobody },
  {
    what: 'a denial of what somebody wrote, which is not understood',
    provision: deny({ actor: [actor('Practitioner/d2', 'AUT')] }),
    reads: nobody,
  },
  {
    what: 'a denial of programs but for one, as none is known by its Device',
    provision: deny({ actor: [actor('Device/x')], provision: [permit({ actor: [actor('Device/y')] })] }),
    reads: { program: '' },
  },
  // purpose
  {
    what: 'a denial of research',
    provision: deny({ purpose: [purpose('HRESCH')] }),
    reads: { researching: '', program: '' },
  },
  {
    what: 'a denial of treatment',
    provision: deny({ purpose: [purpose('TREAT')] }),
    reads: { doctor: '', emergency: '', desk: '', program: '' },
  },
  {
    what: 'a denial of a purpose of another system',
    provision: deny({ purpose: [{ system: 'urn:x', code: 'TREAT' }] }),
    reads: nobody,
  },
  // class
  { what: 'a denial of a type', provision: deny({ class: [type('Observation')] }), reads: withoutObservation },
  {
    what: 'a denial of a kind of document, which is not understood',
    provision: deny({ class: [type('Observation'), { system: 'urn:ietf:bcp:13', code: 'application/pdf' }] }),
    reads: nobody,
  },
  {
    what: 'a denial by clinical code, which is not understood',
    provision: deny({ code: [{ text: 'x' }] }),
    reads: nobody,
  },
  // label
  {
    what: 'a denial of a sensitivity',
    provision: deny({ securityLabel: [{ code: 'PSY' }] }),
    reads: Object.fromEntries(
      ['emergency', 'program'].map((name) => [name, BEFORE[name]?.replace(' Observation/psy', '') ?? '']),
    ),
  },
  {
    what: 'a denial of what is normal, and so of all that is above it',
    provision: deny({ securityLabel: [{ code: 'N' }] }),
    reads: nobody,
  },
  {
    what: 'a denial of what is restricted',
    provision: deny({ securityLabel: [{ code: 'R' }] }),
    reads: Object.fromEntries(
      ['emergency', 'program'].map((name) => [name, BEFORE[name]?.replace(' Observation/r', '') ?? '']),
    ),
  },
  // data
  {
    what: 'a denial of one resource',
    provision: deny({ data: [data('instance', 'Condition/plain')] }),
    reads: Object.fromEntries(
      ['doctor', 'researching', 'emergency', 'program'].map((name) => [
        name,
        BEFORE[name]?.replace(' Condition/plain', '') ?? '',
      ]),
    ),
  },
  {
    what: 'a denial of one resource and what refers to it',
    provision: deny({ data: [data('dependents', 'Condition/plain')] }),
    reads: Object.fromEntries(
      ['doctor', 'researching', 'emergency', 'desk', 'program'].map((name) => [
        name,
        BEFORE[name]?.replace(' Condition/plain', '').replace(' Task/t', '') ?? '',
      ]),
    ),
  },
  {
    what: 'a denial of what one resource refers to, which is not looked at',
    provision: deny({ data: [data('related', 'Condition/plain')] }),
    reads: nobody,
  },
  // action
  { what: 'a denial of use', provision: deny({ action: [action('use')] }), reads: nobody },
  { what: 'a denial of collecting alone', provision: deny({ action: [action('collect')] }), reads: {} },
  { what: 'a denial of an unheard action', provision: deny({ action: [action('sell')] }), reads: nobody },
  // exceptions
  {
    what: 'a denial but for the doctor',
    provision: deny({ provision: [permit({ actor: [actor('Practitioner/d1')] })] }),
    reads: { emergency: '', desk: '', program: '' },
  },
  {
    what: 'a denial but for emergencies',
    provision: deny({ provision: [permit({ purpose: [purpose('ETREAT')] })] }),
    reads: { doctor: '', researching: '', desk: '', program: '' },
  },
  {
    what: 'a denial but for one type, of which one resource is an exception again',
    provision: deny({
      provision: [
        permit({ class: [type('Observation')], provision: [deny({ data: [data('instance', 'Observation/plain')] })] }),
      ],
    }),
    reads: {
      doctor: '',
      researching: '',
      emergency: 'Observation/psy Observation/r',
      desk: '',
      program: 'Observation/psy Observation/r',
    },
  },
  {
    what: 'a denial with an exception that is not understood',
    provision: deny({ provision: [permit({ actor: [actor('Group/g')] })] }),
    reads: nobody,
  },
  {
    what: 'a permission with a denial in it',
    provision: permit({ provision: [deny({ class: [type('Observation')] })] }),
    reads: withoutObservation,
  },
  {
    what: 'a denial within the frame of the doctor',
    provision: { actor: [actor('Practitioner/d1')], provision: [deny({ class: [type('Observation')] })] },
    reads: { doctor: 'Patient/p Condition/plain Task/t', researching: 'Patient/p Condition/plain Task/t' },
  },
  {
    what: 'a denial in a denial, of which alone the doctor is excepted',
    provision: deny({
      provision: [deny({ class: [type('Condition')], provision: [permit({ actor: [actor('Practitioner/d1')] })] })],
    }),
    reads: nobody,
  },
  {
    what: 'a permission for a stranger within the frame of a type',
    provision: { class: [type('Condition')], provision: [permit({ actor: [actor('Practitioner/d2')] })] },
    reads: { stranger: 'Condition/plain' },
  },
  // policy
  { what: 'an opting out', more: { policyRule: { coding: [{ code: 'OPTOUT' }] } }, reads: nobody },
  {
    what: 'an opting out but for the doctor',
    provision: { actor: [actor('Practitioner/d1')] },
    more: { policyRule: { coding: [{ code: 'OPTOUT' }] } },
    reads: { emergency: '', desk: '', program: '' },
  },
  {
    what: 'an opting in but for the doctor',
    provision: { actor: [actor('Practitioner/d1')] },
    more: { policyRule: { coding: [{ code: 'OPTIN' }] } },
    reads: onlyDoctor,
  },
  { what: 'a policy that is not understood', more: { policyRule: { text: 'house rules' } }, reads: {} },
  // permissions
  {
    what: 'a permission for a stranger by name',
    provision: permit({ actor: [actor('Practitioner/d2')] }),
    reads: { stranger: 'Patient/p Observation/plain Condition/plain' },
  },
  {
    what: 'a permission for another facility, for one type',
    provision: permit({ actor: [actor('Organization/o2')], class: [type('Condition')] }),
    reads: { stranger: 'Condition/plain' },
  },
  { what: 'a permission that names nobody', provision: permit(), reads: {} },
  {
    what: 'a permission for research',
    provision: permit({ actor: [actor('Practitioner/d2')], purpose: [purpose('HRESCH')] }),
    reads: {},
  },
  {
    what: 'a permission that names a sensitivity',
    provision: permit({ actor: [actor('Practitioner/d1')], securityLabel: [{ code: 'PSY' }] }),
    reads: {
      doctor: 'Patient/p Observation/plain Observation/psy Condition/plain Task/t',
      researching: 'Patient/p Observation/plain Observation/psy Condition/plain Task/t',
    },
  },
  {
    what: 'a permission up to what is restricted',
    provision: permit({ actor: [actor('Practitioner/d2')], securityLabel: [{ code: 'R' }] }),
    reads: { stranger: 'Patient/p Observation/plain Observation/r Condition/plain' },
  },
  {
    what: 'a permission in a language of its own',
    provision: permit({ actor: [actor('Practitioner/d2')], code: [{ text: 'x' }] }),
    reads: {},
  },
];

async function queried({ database }: PolicyStore, text: string): Promise<void> {
  const connection = new pg.Client(database.connection('app'));
  await connection.connect();
  await connection.query(text);
  await connection.end();
}

describe('access › Consents', () => {
  let world: PolicyStore;
  let base: string;
  let now: Caller = ROOT;
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async () => now);
    const subject = { reference: 'Patient/p' };
    const labelled = (code: string) => ({ meta: { security: [{ code }] } });
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject };
    await world.put({ resourceType: 'Patient', id: 'p', managingOrganization: { reference: 'Organization/o1' } });
    await world.put({ ...observation, id: 'plain' });
    await world.put({ ...observation, id: 'psy', ...labelled('PSY') });
    await world.put({ ...observation, id: 'r', ...labelled('R') });
    await world.put({ resourceType: 'Condition', id: 'plain', subject });
    await world.put({
      resourceType: 'Task',
      id: 't',
      status: 'requested',
      intent: 'order',
      for: subject,
      owner: { reference: 'Organization/o1' },
      focus: { reference: 'Condition/plain' },
    });
  });
  after(() => world.stop());

  const get = async (caller: Caller, path: string) => {
    now = caller;
    const answer = await fetch(`${base}/${path}`);
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  const readable = async (caller: Caller): Promise<string> => {
    const found: string[] = [];
    for (const path of RECORD) if ((await get(caller, path)).status === 200) found.push(path);
    return found.join(' ');
  };
  /** The same by searches, whose totals must be those of what they show. */
  const findable = async (caller: Caller): Promise<string> => {
    const found: string[] = [];
    for (const name of ['Patient', 'Observation', 'Condition', 'Task']) {
      const { status, body } = await get(caller, `${name}?_total=accurate&_sort=_id`);
      if (status === 403) continue;
      const entries = (body['entry'] ?? []) as { resource: { id: string } }[];
      expect(body['total'], name).to.equal(entries.length);
      found.push(...entries.map(({ resource }) => `${name}/${resource.id}`));
    }
    return found.join(' ');
  };

  for (const { what, provision, more = {}, reads } of CASES)
    it(`[FA-06] ${what}`, async () => {
      await world.put(consent(provision, more));
      for (const [name, caller] of Object.entries(CALLERS)) {
        const expected = reads[name] ?? BEFORE[name];
        expect(await readable(caller), `${name} reads`).to.equal(expected);
        expect(await findable(caller), `${name} finds`).to.equal(expected);
      }
    });

  it('[FA-06] a Consent acts from the write that makes, changes or deletes it, and not before', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    await world.store.delete(ROOT, 'Consent', 'c');
    expect(await readable(doctor)).to.equal(PLAIN);
    await world.store.create(ROOT, { ...consent(deny()), id: 'c2' }, 'c2');
    expect(await readable(doctor)).to.equal('');
    await world.put({ ...consent(deny()), id: 'c2', status: 'inactive' });
    expect(await readable(doctor)).to.equal(PLAIN);
    await world.put({ ...consent(deny({ class: [type('Observation')] })), id: 'c2' });
    expect(await readable(doctor)).to.equal(withoutObservation.doctor);
    const broken = world.store.transaction(ROOT, async (tx) => {
      await tx.write([{ kind: 'delete', type: 'Consent', id: 'c2' }]);
      throw new Error('never mind');
    });
    await broken.catch(() => undefined);
    expect(await readable(doctor), 'rolled back').to.equal(withoutObservation.doctor);
    await world.store.delete(ROOT, 'Consent', 'c2');
    expect(await readable(doctor)).to.equal(PLAIN);
  });

  it('[FA-06] of two Consents the one that denies wins, and another patient’s says nothing', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    await world.put({ ...consent(permit({ actor: [actor('Practitioner/d1')] })), id: 'c3' });
    await world.put({ ...consent(deny({ actor: [actor('Organization/o1')] })), id: 'c4' });
    expect(await readable(doctor)).to.equal('');
    await world.put({ resourceType: 'Patient', id: 'q' });
    await world.put({ ...consent(deny()), id: 'c4', patient: { reference: 'Patient/q' } });
    expect(await readable(doctor)).to.equal(PLAIN);
    for (const id of ['c3', 'c4']) await world.store.delete(ROOT, 'Consent', id);
  });

  it('[FA-06] it holds in chains, `_has`, includes, counts, versions and history', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    const entries = async (path: string): Promise<number> =>
      ((await get(doctor, path)).body['entry'] as unknown[] | undefined)?.length ?? 0;
    const counted = async (): Promise<readonly (number | unknown)[]> => [
      await entries('Patient?_has:Observation:patient:status=final'),
      await entries('Task?patient.organization=o1'),
      await entries('Task?_include=Task:focus'),
      await entries('Patient?_revinclude=Observation:patient'),
      (await get(doctor, 'Observation?_summary=count')).body['total'],
      (await get(doctor, 'Observation?_total=estimate&_count=1')).body['total'],
      (await get(doctor, 'Observation/plain/_history')).status,
      (await get(doctor, 'Observation/plain/_history/1')).status,
      await entries('Observation/_history'),
    ];
    expect(await counted()).to.deep.equal([1, 1, 2, 2, 1, 1, 200, 200, 1]);
    await world.put(consent(deny({ class: [type('Observation')], actor: [actor('Practitioner/d1')] })));
    expect(await counted()).to.deep.equal([0, 1, 2, 1, 0, 0, 404, 404, 0]);
    await world.put(consent(deny({ class: [type('Patient')], actor: [actor('Practitioner/d1')] })));
    expect(await counted()).to.deep.equal([0, 0, 2, 0, 1, 1, 200, 200, 1]);
  });

  it('[FA-06] [AZ-05] what is denied is neither changed nor written about', async () => {
    const doctor = CALLERS['doctor'] as Caller;
    const send = async (method: string, path: string, body: object): Promise<number> => {
      now = doctor;
      const headers = { 'content-type': 'application/fhir+json' };
      return (await fetch(`${base}/${path}`, { method, headers, body: JSON.stringify(body) })).status;
    };
    const condition = { resourceType: 'Condition', subject: { reference: 'Patient/p' } };
    const change = () =>
      send('PUT', 'Condition/plain', { ...condition, id: 'plain', note: [{ text: String(Math.random()) }] });
    const create = () => send('POST', 'Condition', condition);
    await world.put(consent(undefined));
    expect([await change(), await create()]).to.deep.equal([200, 201]);
    await world.put(consent(deny({ class: [type('Condition')] })));
    expect([await change(), await create()]).to.deep.equal([403, 403]);
    await world.put(consent(deny({ action: [action('collect')] })));
    expect([await change(), await create()]).to.deep.equal([200, 403]);
    await world.put(consent(deny({ action: [action('correct')] })));
    expect([await change(), await create()]).to.deep.equal([403, 201]);
    await world.put(consent(deny({ class: [type('Patient')] })));
    expect([await change(), await create()], 'the patient may not be named').to.deep.equal([200, 403]);
    await world.store.delete(ROOT, 'Consent', 'c');
  });

  describe('who may write them', () => {
    before(async () => {
      for (const id of await world.ids(ROOT, 'Consent?_count=100')) await world.store.delete(ROOT, 'Consent', id);
    });
    const psy = { securityLabel: [{ code: 'PSY' }] };
    const desk = person('RECEPTIONIST', { practitioner: 'd4', practitionerRoles: ['r4'], organizations: ['o1'] });
    const both = person(['DOCTOR', 'RECEPTIONIST'], ME);
    const own = patientApp('p');
    const send = async (caller: Caller, method: string, path: string, body: Resource): Promise<number> => {
      now = caller;
      const headers = { 'content-type': 'application/fhir+json' };
      const answer = await fetch(`${base}/${path}`, { method, headers, body: JSON.stringify(body) });
      const { id } = (await answer.json()) as { id?: string };
      // What one writes must not decide on the next.
      if (answer.status === 201) await world.store.delete(ROOT, 'Consent', String(id));
      return answer.status;
    };
    const opening = permit({ actor: [actor('Organization/o1')] });
    const closing = deny({ actor: [actor('Practitioner/d1')] });
    const TABLE: readonly [caller: Caller, provision: object, status: number, what: string][] = [
      [own, opening, 201, 'a patient what opens'],
      [own, closing, 201, 'a patient what denies'],
      [CALLERS['doctor'] as Caller, closing, 201, 'a clinician what denies'],
      [CALLERS['doctor'] as Caller, deny(), 201, 'a clinician a denial of everything'],
      [CALLERS['doctor'] as Caller, opening, 403, 'a clinician what opens to their facility'],
      [CALLERS['doctor'] as Caller, permit({ actor: [actor('Practitioner/d1')] }), 403, 'a clinician to themselves'],
      [CALLERS['doctor'] as Caller, permit({ actor: [actor('Practitioner/d2')], ...psy }), 403, 'to a colleague'],
      [CALLERS['doctor'] as Caller, deny({ provision: [opening] }), 403, 'an exception to a denial'],
      [both, opening, 403, 'a clinician who is at the desk as well'],
      [desk, opening, 201, 'the desk what opens to the facility'],
      [desk, permit({ actor: [actor('Practitioner/d1')], ...psy }), 201, 'the desk what opens to a clinician'],
      [desk, permit({ actor: [actor('PractitionerRole/r4')], ...psy }), 403, 'the desk to itself'],
      [CALLERS['stranger'] as Caller, closing, 403, 'somebody who does not know the patient'],
      [client('system/*.crus'), opening, 403, 'a program by a wildcard'],
      [client('system/Consent.crus'), opening, 201, 'a program that was granted it by name'],
    ];
    for (const [caller, provision, status, what] of TABLE)
      it(`[FA-06] [AZ-08] ${what}: ${status}`, async () => {
        const { id: _id, ...body } = consent(provision);
        expect(await send(caller, 'POST', 'Consent', body as Resource)).to.equal(status);
      });

    const GONE: readonly [caller: Caller, status: number, what: string][] = [
      [CALLERS['doctor'] as Caller, 403, 'a clinician'],
      [both, 403, 'a clinician who is at the desk as well'],
      [desk, 200, 'the desk'],
      [own, 200, 'the patient'],
    ];
    for (const [caller, status, what] of GONE)
      it(`[FA-06] a denial taken back by ${what}: ${status}`, async () => {
        // What is denied is another's, so that the writer still sees the patient.
        await world.put(consent(deny({ actor: [actor('Practitioner/d7')] })));
        const body = { ...consent(undefined), status: 'inactive' };
        const patch = [{ op: 'replace', path: '/status', value: 'inactive' }];
        now = caller;
        const patched = await fetch(`${base}/Consent/c`, {
          method: 'PATCH',
          headers: { 'content-type': 'application/json-patch+json' },
          body: JSON.stringify(patch),
        });
        expect(patched.status).to.equal(status);
        expect(await send(caller, 'PUT', 'Consent/c', body)).to.equal(status);
      });
  });

  it('[FA-06] Consents that were stored before they were understood are read when a store opens', async () => {
    await world.put(consent(deny({ actor: [actor('Practitioner/d1')] })));
    await queried(
      world,
      "delete from mortar.consent_rule; update mortar.meta set value = '0' where name = 'consent-rules'",
    );
    expect(await readable(CALLERS['doctor'] as Caller)).to.equal(PLAIN);
    const second = await openPolicyStore({ database: world.database });
    await second.stop();
    expect(await readable(CALLERS['doctor'] as Caller)).to.equal('');
  });
});
