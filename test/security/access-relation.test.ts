/** SECURITY FA-01 … FA-03: which patients staff have to do with. Each leg is there and away. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import { person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT, START } from '../support/policy-store.ts';

const DAY = 86_400_000;
const iso = (ms: number): string => new Date(ms).toISOString();
const ORG = { reference: 'Organization/o1' };
const ME = { reference: 'Practitioner/d1' };
const OTHER_ORG = { reference: 'Organization/o2' };
const SUBJECT = { reference: 'Patient/p' };

/** A patient with an observation; what else there is, and whether the doctor of o1 reaches them by it. */
interface Leg {
  readonly what: string;
  readonly patient?: object;
  readonly also?: { readonly resourceType: string } & Record<string, unknown>;
  readonly reached: boolean;
}

const encounter = (more: object) => ({ resourceType: 'Encounter', class: { code: 'AMB' }, subject: SUBJECT, ...more });
const closed = (period: object, more: object = { serviceProvider: ORG }) =>
  encounter({ status: 'finished', period, ...more });
const team = (status: string, member: object) => ({
  resourceType: 'CareTeam',
  status,
  subject: SUBJECT,
  participant: [{ member }],
});
const task = (status: string, owner: object) => ({
  resourceType: 'Task',
  status,
  intent: 'order',
  for: SUBJECT,
  owner,
});

const LEGS: readonly Leg[] = [
  { what: 'nothing', reached: false },
  { what: 'managed by the facility', patient: { managingOrganization: ORG }, reached: true },
  { what: 'managed by another', patient: { managingOrganization: OTHER_ORG }, reached: false },
  { what: 'general practitioner at the facility', patient: { generalPractitioner: [ORG] }, reached: true },
  { what: 'general practitioner: themselves', patient: { generalPractitioner: [ME] }, reached: true },
  {
    what: 'general practitioner: their role',
    patient: { generalPractitioner: [{ reference: 'PractitionerRole/r1' }] },
    reached: true,
  },
  {
    what: 'general practitioner: a colleague',
    patient: { generalPractitioner: [{ reference: 'Practitioner/d2' }] },
    reached: false,
  },
  ...['arrived', 'triaged', 'in-progress', 'onleave'].map((status) => ({
    what: `an Encounter that is ${status}, at the facility`,
    also: encounter({ status, serviceProvider: ORG }),
    reached: true,
  })),
  ...['planned', 'cancelled', 'entered-in-error', 'unknown'].map((status) => ({
    what: `an Encounter that is ${status}`,
    also: encounter({ status, serviceProvider: ORG, period: { start: iso(START) } }),
    reached: false,
  })),
  {
    what: 'an open Encounter with them',
    also: encounter({ status: 'in-progress', participant: [{ individual: ME }] }),
    reached: true,
  },
  {
    what: 'an open Encounter with somebody else elsewhere',
    also: encounter({
      status: 'in-progress',
      participant: [{ individual: { reference: 'Practitioner/d2' } }],
      serviceProvider: OTHER_ORG,
    }),
    reached: false,
  },
  {
    what: 'an Encounter of many months, closed 29 days ago',
    also: closed({ start: '2025-01-01', end: iso(START - 29 * DAY) }),
    reached: true,
  },
  {
    what: 'an Encounter closed a minute less than 30 days ago',
    also: closed({ start: '2025-01-01', end: iso(START - 30 * DAY + 60_000) }),
    reached: true,
  },
  {
    what: 'an Encounter closed a minute more than 30 days ago',
    also: closed({ start: iso(START - 30 * DAY - 3_600_000), end: iso(START - 30 * DAY - 60_000) }),
    reached: false,
  },
  {
    what: 'an Encounter closed on the day before yesterday, in whole days',
    also: closed({ start: '2026-06-12', end: '2026-06-13' }),
    reached: true,
  },
  { what: 'a closed Encounter without an end, begun this week', also: closed({ start: '2026-06-12' }), reached: true },
  { what: 'a closed Encounter without an end, begun last year', also: closed({ start: '2025-06-12' }), reached: false },
  {
    what: 'a closed Encounter without a period',
    also: encounter({ status: 'finished', serviceProvider: ORG }),
    reached: false,
  },
  { what: 'a CareTeam with them', also: team('active', ME), reached: true },
  { what: 'a CareTeam with the facility', also: team('active', ORG), reached: true },
  { what: 'a CareTeam with others', also: team('active', OTHER_ORG), reached: false },
  { what: 'a CareTeam that is no more', also: team('inactive', ME), reached: false },
  { what: 'an open Task for the facility', also: task('requested', ORG), reached: true },
  { what: 'a Task of the facility that is done', also: task('completed', ORG), reached: false },
  { what: 'an open Task for another', also: task('requested', OTHER_ORG), reached: false },
];

describe('access › relation of staff', () => {
  const doctor = person('DOCTOR', { practitioner: 'd1', practitionerRoles: ['r1'], organizations: ['o1'] });
  let world: PolicyStore;
  before(async () => {
    world = await openPolicyStore();
  });
  after(() => world.stop());

  const reads = (caller: Caller, type: string, id: string): Promise<boolean> =>
    world.store.read(caller, type, id).then(
      () => true,
      (error: { status?: number }) => {
        expect(error.status).to.equal(404);
        return false;
      },
    );
  const place = async ({ patient, also }: Leg): Promise<void> => {
    await world.put({ resourceType: 'Patient', id: 'p', name: [{ family: 'Sought' }], ...patient });
    await world.put({ resourceType: 'Observation', id: 'o', status: 'final', code: { text: 'x' }, subject: SUBJECT });
    for (const type of ['Encounter', 'CareTeam', 'Task'])
      if (also?.resourceType === type) await world.put({ ...also, id: 'leg' });
      else await world.store.delete(ROOT, type, 'leg');
  };

  for (const leg of LEGS)
    it(`[FA-01] [FA-03] ${leg.what}: ${leg.reached ? 'reached' : 'not reached'}`, async () => {
      await place(leg);
      world.clock.pass(START - world.clock.now()); // back to the time that the legs are told by
      const wanted = leg.reached ? ['p'] : [];
      expect(await reads(doctor, 'Patient', 'p')).to.equal(leg.reached);
      expect(await world.ids(doctor, 'Patient?')).to.deep.equal(wanted);
      expect(await world.ids(doctor, 'Patient?name=sought')).to.deep.equal(wanted);
      expect(await reads(doctor, 'Observation', 'o')).to.equal(leg.reached);
      expect(await world.ids(doctor, 'Observation?patient=Patient/p')).to.have.length(wanted.length);
      expect(await world.ids(doctor, 'Observation?patient.name=sought')).to.have.length(wanted.length);
    });

  it('[FA-01] access by a closed Encounter ends while time passes', async () => {
    await place({ what: '', also: closed({ start: '2025-01-01', end: iso(START - 29 * DAY) }), reached: true });
    world.clock.pass(START - world.clock.now());
    expect(await reads(doctor, 'Patient', 'p')).to.equal(true);
    world.clock.pass(DAY + 1000);
    expect(await reads(doctor, 'Patient', 'p')).to.equal(false);
    expect(await world.ids(doctor, 'Observation?')).to.deep.equal([]);
  });

  it('[FA-02] the facility is that of the role: what the query or another role names adds nothing', async () => {
    await place({ what: '', patient: { managingOrganization: OTHER_ORG }, reached: false });
    expect(await world.ids(doctor, 'Patient?organization=Organization/o2')).to.deep.equal([]);
    const elsewhere = person('DOCTOR', { practitioner: 'd1', organizations: ['o2'] });
    expect(await world.ids(elsewhere, 'Patient?')).to.deep.equal(['p']);
    const nowhere = person('DOCTOR', { practitioner: 'd1' });
    expect(await world.ids(nowhere, 'Patient?')).to.deep.equal([]);
  });

  it('[FA-07] what is labelled is not for whom has only the relation', async () => {
    await place({ what: '', patient: { managingOrganization: ORG }, reached: true });
    for (const code of ['R', 'V', 'L', 'SEX', 'HIV', 'PSY', 'ETH']) {
      const label = { meta: { security: [{ code }] } };
      await world.put({
        resourceType: 'Observation',
        id: 'o',
        ...label,
        status: 'final',
        code: { text: 'x' },
        subject: SUBJECT,
      });
      expect(await reads(doctor, 'Observation', 'o'), code).to.equal(false);
      expect(await world.ids(doctor, 'Observation?'), code).to.deep.equal([]);
    }
  });

  it('[FA-05] the broken glass opens one record, but not what the law seals', async () => {
    const hurried = person('DOCTOR', { practitioner: 'd1', organizations: ['o1'], emergency: ['p'] });
    await place({ what: '', reached: false });
    expect(await reads(hurried, 'Patient', 'p')).to.equal(true);
    expect(await world.ids(hurried, 'Observation?')).to.deep.equal(['o']);
    for (const code of ['L', '_LEGAL']) {
      const label = { meta: { security: [{ code }] } };
      await world.put({
        resourceType: 'Observation',
        id: 'o',
        ...label,
        status: 'final',
        code: { text: 'x' },
        subject: SUBJECT,
      });
      expect(await reads(hurried, 'Observation', 'o'), code).to.equal(false);
    }
  });
});
