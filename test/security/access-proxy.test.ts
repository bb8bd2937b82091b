/** SECURITY FA-09: people who act for a patient, over HTTP: each leg there and away, by the injected clock. */
import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { Caller, ProxyRight } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import type { User } from '../../src/ports/users.ts';
import { createProxies } from '../../src/proxies.ts';
import { createRecords } from '../../src/records.ts';
import { patientApp, person } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { openPolicyStore, type PolicyStore, parseQuery, ROOT, START } from '../support/policy-store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const iso = (ms: number): string => new Date(ms).toISOString();
/** Longer than callers are remembered. */
const FORGOTTEN = 6_000;

const PARENT: User = {
  id: 'u-parent',
  name: 'A Parent',
  email: 'parent@example.org',
  roles: ['PATIENT'],
  isDisabled: false,
  patientIds: ['parent'],
  practitionerRoleIds: [],
  organizationIds: [],
  relatedPersonIds: ['rel'],
  securityVersion: 1,
};

const related = (more: object = {}): Resource => ({
  resourceType: 'RelatedPerson',
  id: 'rel',
  active: true,
  patient: { reference: 'Patient/child' },
  relationship: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-RoleCode', code: 'MTH' }] }],
  ...more,
});
const child = (birthDate?: string): Resource => ({
  resourceType: 'Patient',
  id: 'child',
  ...(birthDate !== undefined && { birthDate }),
});
const names = { actor: [{ role: { coding: [{ code: 'DELEGATEE' }] }, reference: { reference: 'RelatedPerson/rel' } }] };
const consent = (provision: object, more: object = {}): Resource =>
  privacyConsent('child', provision, { id: 'yes', ...more });
const YES = consent({ type: 'permit', ...names });
const OWN = { performer: [{ reference: 'Patient/child' }] };
const EIGHT = '2018-06-15';
const SEVENTEEN = '2009-06-15';

interface Case {
  readonly what: string;
  readonly related?: Resource;
  readonly child?: Resource;
  readonly consents?: readonly Resource[];
  /** Who writes them: what somebody writes of themselves is their own word. */
  readonly writer?: Caller;
  /** What is read of the child's record. */
  readonly reads: string;
}
const ALL = 'Patient/child Observation/plain Condition/c Task/t';
const CODE = (code: string) => ({ relationship: [{ coding: [{ code }] }] });

const CASES: readonly Case[] = [
  { what: 'a mother of a child, with a Consent', reads: ALL },
  { what: 'no Consent', consents: [], reads: '' },
  {
    what: 'a Consent that is over',
    consents: [consent({ type: 'permit', ...names, period: { end: iso(START - DAY) } })],
    reads: '',
  },
  { what: 'a Consent that is not in force', consents: [{ ...YES, status: 'inactive' }], reads: '' },
  { what: 'a Consent that names nobody', consents: [consent({ type: 'permit' })], reads: '' },
  {
    what: 'a Consent for somebody else',
    consents: [consent({ type: 'permit', actor: [{ reference: { reference: 'RelatedPerson/other' } }] })],
    reads: '',
  },
  {
    what: 'a Consent for one type',
    consents: [
      consent({
        type: 'permit',
        ...names,
        class: [{ system: 'http://hl7.org/fhir/resource-types', code: 'Condition' }],
      }),
    ],
    reads: 'Condition/c',
  },
  {
    what: 'a Consent that names a sensitivity',
    consents: [consent({ type: 'permit', ...names, securityLabel: [{ code: 'N' }, { code: 'SEX' }] })],
    reads: `Patient/child Observation/plain Observation/sex Condition/c Task/t`,
  },
  {
    what: 'a Consent that denies it them all the same',
    consents: [YES, { ...consent({ type: 'deny', ...names }), id: 'no' }],
    reads: '',
  },
  {
    what: 'a denial to the parent as a patient',
    consents: [
      YES,
      { ...consent({ type: 'deny', actor: [{ reference: { reference: 'Patient/parent' } }] }), id: 'no' },
    ],
    reads: '',
  },
  {
    what: 'a denial to others',
    consents: [
      YES,
      { ...consent({ type: 'deny', actor: [{ reference: { reference: 'Practitioner/d' } }] }), id: 'no' },
    ],
    reads: ALL,
  },
  { what: 'a relation that is no longer active', related: related({ active: false }), reads: '' },
  { what: 'a relation of unknown activity', related: related({ active: undefined }), reads: ALL },
  { what: 'a relation that is over', related: related({ period: { end: iso(START - DAY) } }), reads: '' },
  { what: 'a relation that begins tomorrow', related: related({ period: { start: iso(START + DAY) } }), reads: '' },
  { what: 'a relation in its period', related: related({ period: { start: '2020', end: '2027' } }), reads: ALL },
  {
    what: 'a relation to another patient',
    related: related({ patient: { reference: 'Patient/stranger' } }),
    reads: '',
  },
  { what: 'a parent of somebody of seventeen', child: child(SEVENTEEN), reads: '' },
  {
    what: 'a parent of somebody of seventeen who has consented',
    child: child(SEVENTEEN),
    consents: [YES],
    writer: patientApp('child'),
    reads: ALL,
  },
  {
    what: 'a parent of somebody of seventeen, of whom another writes that they have consented',
    child: child(SEVENTEEN),
    consents: [{ ...YES, ...OWN }],
    reads: '',
  },
  { what: 'a parent of somebody whose age is not known', child: child(), reads: '' },
  { what: 'a parent of somebody of whom the year is known', child: child('2010'), reads: '' },
  {
    what: 'somebody whose relationship is not said',
    child: child(SEVENTEEN),
    related: related({ relationship: undefined }),
    reads: '',
  },
  { what: 'a next of kin of a young person', child: child(SEVENTEEN), related: related(CODE('N')), reads: '' },
  { what: 'a husband', child: child('1990-01-01'), related: related(CODE('HUSB')), reads: ALL },
  {
    what: 'a daughter with a power of attorney',
    child: child('1940-01-01'),
    related: related(CODE('HPOWATT')),
    reads: ALL,
  },
];

describe('access › proxies', () => {
  let world: PolicyStore;
  let base: string;
  let scopes = 'user/*.cruds';
  let patient: string | undefined;
  let proxiesOf: (user: User) => Promise<readonly ProxyRight[]>;
  before(async () => {
    world = await openPolicyStore();
    proxiesOf = createProxies({ store: world.store, ageMax: 16, now: world.clock.now });
    base = await world.serve(async (): Promise<Caller> => {
      const proxies = await proxiesOf(PARENT);
      return person('PATIENT', { patients: ['parent'], proxies, scopes, ...(patient !== undefined && { patient }) });
    });
    const subject = { reference: 'Patient/child' };
    const observation = { resourceType: 'Observation', status: 'final', code: { text: 'x' }, subject };
    await world.put({ resourceType: 'Patient', id: 'parent' });
    await world.put({ resourceType: 'Patient', id: 'stranger' });
    await world.put({ ...observation, id: 'plain' });
    await world.put({ ...observation, id: 'sex', meta: { security: [{ code: 'SEX' }] } });
    await world.put({ ...observation, id: 'mine', subject: { reference: 'Patient/parent' } });
    await world.put({ resourceType: 'Condition', id: 'c', subject });
    await world.put({ resourceType: 'Task', id: 't', status: 'requested', intent: 'proposal', for: subject });
  });
  after(() => world.stop());
  beforeEach(() => {
    scopes = 'user/*.cruds';
    patient = undefined;
  });

  const RECORD = ['Patient/child', 'Observation/plain', 'Observation/sex', 'Condition/c', 'Task/t'];
  const readable = async (): Promise<string> => {
    const found: string[] = [];
    for (const path of RECORD) if ((await fetch(`${base}/${path}`)).status === 200) found.push(path);
    return found.join(' ');
  };
  const findable = async (): Promise<string> => {
    const found: string[] = [];
    for (const type of ['Patient', 'Observation', 'Condition', 'Task']) {
      const answer = await fetch(`${base}/${type}?_sort=_id&_total=accurate`);
      const { entry = [], total } = (await answer.json()) as { entry?: { resource: { id: string } }[]; total: number };
      expect(total).to.equal(entry.length);
      found.push(...entry.map(({ resource }) => `${type}/${resource.id}`));
    }
    expect(found).to.include.members(['Patient/parent', 'Observation/mine']);
    return found.filter((one) => RECORD.includes(one)).join(' ');
  };
  const written: string[] = [];
  const withdraw = async (): Promise<void> => {
    for (const id of written.splice(0)) await world.store.delete(ROOT, 'Consent', id);
  };
  const setUp = async ({
    related: relation = related(),
    child: one = child(EIGHT),
    consents = [YES],
    writer = ROOT,
  }: Partial<Case>) => {
    await withdraw();
    for (const resource of [one, relation]) await world.put(resource);
    world.clock.pass(1000);
    for (const resource of consents) {
      const id = randomUUID();
      await world.store.create(writer, { ...resource, id }, id);
      written.push(id);
    }
    world.clock.pass(FORGOTTEN);
  };

  for (const one of CASES)
    it(`[FA-09] ${one.what}: ${one.reads || 'nothing'}`, async () => {
      await setUp(one);
      expect(await readable()).to.equal(one.reads);
      expect(await findable()).to.equal(one.reads);
    });

  it('[FA-09] it ends with the birthday, the period and the Consent, at their moments', async () => {
    await setUp({ child: child('2010-06-18') });
    world.clock.pass(Date.parse('2026-06-17T23:59:50Z') - world.clock.now());
    expect(await readable()).to.equal(ALL);
    world.clock.pass(10_000);
    expect(await readable(), 'on the sixteenth birthday').to.equal('');

    const end = iso(world.clock.now() + DAY);
    await setUp({ related: related({ period: { end } }) });
    world.clock.pass(Date.parse(end) - world.clock.now());
    expect(await readable()).to.equal(ALL);
    world.clock.pass(1001);
    expect(await readable(), 'after the period').to.equal('');

    const over = iso(world.clock.now() + DAY);
    await setUp({ consents: [consent({ type: 'permit', ...names, period: { end: over } })] });
    world.clock.pass(Date.parse(over) - world.clock.now());
    expect(await readable()).to.equal(ALL);
    world.clock.pass(1001);
    expect(await readable(), 'after the Consent').to.equal('');
    await setUp({});
    expect(await readable()).to.equal(ALL);
    const [id = ''] = written;
    await world.put({ ...YES, id, status: 'rejected' });
    expect(await readable(), 'as soon as it is withdrawn').to.equal('');
  });

  it('[FA-09] a proxy does what the patient may do, but consents to nothing for them', async () => {
    await setUp({});
    const post = async (body: object): Promise<number> =>
      (
        await fetch(`${base}/${(body as Resource).resourceType}`, {
          method: 'POST',
          headers: { 'content-type': 'application/fhir+json' },
          body: JSON.stringify(body),
        })
      ).status;
    const appointment = (reference: string) => ({
      resourceType: 'Appointment',
      status: 'proposed',
      participant: [{ actor: { reference }, status: 'accepted' }],
    });
    expect(await post(appointment('Patient/child'))).to.equal(201);
    expect(await post(appointment('Patient/stranger'))).to.equal(403);
    expect(await post({ resourceType: 'Condition', subject: { reference: 'Patient/child' } })).to.equal(403);
    const { id: _id, ...given } = YES;
    expect(await post(given)).to.equal(403);
    expect(await post({ ...given, patient: { reference: 'Patient/parent' } }), 'for oneself').to.equal(201);
    await withdraw();
    expect(await post(appointment('Patient/child'))).to.equal(403);
  });

  it('[FA-09] [SL-08] an app for the child sees the child alone, while the proxy may', async () => {
    await setUp({});
    scopes = 'patient/*.rs';
    patient = 'child';
    expect(await readable()).to.equal(ALL.replace(' Task/t', ''));
    expect((await fetch(`${base}/Observation/mine`)).status).to.equal(404);
    await withdraw();
    expect(await readable()).to.equal('');
  });

  it('[FA-09] [SL-08] the picker offers one’s own record and those that one sees to', async () => {
    const organizationsBelow = async (ids: readonly string[]) => ids;
    const records = createRecords({ store: world.store, searchOf: parseQuery, organizationsBelow, proxiesOf });
    const offered = async () => (await records.searchPatients(PARENT, '')).patients.map(({ id }) => id).sort();
    await setUp({});
    expect(await offered()).to.deep.equal(['child', 'parent']);
    expect(await records.findPatient(PARENT, 'child')).to.have.property('id', 'child');
    await setUp({ consents: [] });
    expect(await offered()).to.deep.equal(['parent']);
    expect(await records.findPatient(PARENT, 'child')).to.equal(undefined);
  });
});
