/** SECURITY CP-08, FA-06: Consents as thick as they come, asked by many, answered as a slow second reading says. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, person } from '../support/callers.ts';
import { sees } from '../support/naive-policy.ts';
import type { Current, Json } from '../support/naive-search.ts';
import { openPolicyStore } from '../support/policy-store.ts';
import { createMaker, createRandom } from '../support/policy-world.ts';
import { testSeed } from '../support/seed.ts';

const ROUNDS = { quick: 60, ci: 150, long: 6_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 60;
const SEED = testSeed();
const TYPES = [
  'Patient',
  'Observation',
  'Encounter',
  'MedicationRequest',
  'Task',
  'Appointment',
  'DocumentReference',
  'Binary',
];

const n1 = { practitioner: 'n1', practitionerRoles: ['n2'], organizations: ['n1'] };
const CALLERS: readonly Caller[] = [
  person('DOCTOR', n1),
  { ...person('DOCTOR', n1), purpose: 'ETREAT' },
  { ...person('DOCTOR', { practitioner: 'n3', organizations: ['n1'] }), purpose: 'CLINTRCH' },
  person('PRESCRIBER', { practitioner: 'n2', organizations: ['n3'] }),
  person('DOCTOR', { practitioner: 'n4', organizations: ['n4'], emergency: ['n1'] }),
  person('DOCTOR', { practitioner: 'n4', organizations: ['n4'], lawful: ['n1'] }),
  person('RECEPTIONIST', { organizations: ['n1', 'n2'] }),
  person(['PATIENT', 'DOCTOR'], { patients: ['n2'], practitioner: 'n2' }),
  client('system/*.rs'),
  { ...client('system/*.rs'), purpose: 'HRESCH' },
];

describe('access › Consents, thickly', () => {
  it(`[CP-08] [FA-06] ${ROUNDS} records with two Consents each, seed ${SEED}`, async function () {
    this.timeout(600_000);
    const world = await openPolicyStore();
    const { make, pick, chance } = createMaker(createRandom(SEED));
    const current = new Map<string, Current>();
    const put = async (resource: Resource): Promise<void> => {
      const { type, id, lastUpdated, content } = await world.put(resource);
      current.set(`${type}/${id}`, { type, id, lastUpdated, resource: JSON.parse(content) as Json });
    };
    const subject = { reference: 'Patient/n1' };
    const status = { status: 'in-progress' };
    const label = (): object =>
      chance(60) ? { meta: { security: [{ code: pick(['N', 'R', 'PSY', 'V', 'L']) }] } } : {};
    const own: Readonly<Record<string, () => object>> = {
      Patient: () => ({ managingOrganization: { reference: 'Organization/n1' } }),
      Observation: () => ({ subject, ...label() }),
      Encounter: () => ({ subject, ...status, ...label() }),
      MedicationRequest: () => ({ subject, encounter: { reference: 'Encounter/n1' }, ...label() }),
      Task: () => ({ for: subject, status: 'requested', owner: { reference: 'Organization/n1' } }),
      DocumentReference: () => ({ subject, ...label() }),
      Binary: () => ({
        ...(chance(50) && { securityContext: { reference: `${pick(['Patient', 'Observation'])}/n1` } }),
        ...label(),
      }),
      Appointment: () => ({ participant: [{ actor: subject }, { actor: { reference: 'Patient/n2' } }] }),
    };
    try {
      await put({ resourceType: 'Patient', id: 'n2' });
      for (let round = 0; round < ROUNDS; round++) {
        for (const [type, more] of Object.entries(own))
          if (round === 0 || chance(30))
            for (const id of type === 'Patient' ? ['n1'] : ['n1', 'n2'])
              await put({ ...make(type, id), meta: {}, ...more() });
        for (const id of ['n1', 'n2']) {
          const scope = { coding: [{ code: 'patient-privacy' }] };
          await put({ ...make('Consent', id), status: 'active', scope, patient: subject });
        }
        const facts = { current: [...current.values()], deletedPatientIds: [], now: world.clock.now() };
        for (const [i, caller] of CALLERS.entries())
          for (const type of TYPES) {
            // A search for Binaries asks of all that may point to them.
            if (type === 'Binary' && round % 6 > 0) continue;
            const expected = facts.current.filter(
              (one) => one.type === type && sees(caller, 's', type, one.resource, facts),
            );
            const found = await world.ids(caller, `${type}?_sort=_id`).catch(() => []);
            const consents = facts.current.filter((one) => one.type === 'Consent').map(({ resource }) => resource);
            const what = `${type} to caller ${i} in round ${round}: ${JSON.stringify(consents)}`;
            expect(found, what).to.deep.equal(expected.map(({ id }) => id).sort());
            if (round % 3 > 0) continue;
            // Named one by one they are asked about together.
            const named = await world.ids(caller, `${type}?_id=n1,n2,n9&_sort=_id`).catch(() => []);
            expect(named, `named, ${what}`).to.deep.equal(found);
          }
      }
    } finally {
      await world.stop();
    }
  });
});
