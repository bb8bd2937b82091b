/** SECURITY AZ-05, CP-09 … CP-11: what may be written, and what a write may not be used for. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import { client, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore } from '../support/policy-store.ts';

const status = (work: Promise<unknown>): Promise<number> =>
  work.then(
    () => 200,
    (error: unknown) => {
      if (error instanceof FhirError) return error.status;
      throw error;
    },
  );

const of = (id: string) => ({ reference: `Patient/${id}` });

describe('access › writes', () => {
  let world: PolicyStore;
  const doctor = person('DOCTOR', { practitioner: 'd1', organizations: ['o1'] });
  const pharmacist = person('PHARMACIST', { practitioner: 'd3', organizations: ['o3'] });

  before(async () => {
    world = await openPolicyStore();
    await world.put({ resourceType: 'Organization', id: 'o1', name: 'One' });
    await world.put({ resourceType: 'Organization', id: 'o2', name: 'Two' });
    await world.put({ resourceType: 'Practitioner', id: 'd1' });
    await world.put({ resourceType: 'Patient', id: 'a', managingOrganization: { reference: 'Organization/o1' } });
    await world.put({ resourceType: 'Patient', id: 'b', managingOrganization: { reference: 'Organization/o2' } });
    for (const id of ['a', 'b']) {
      await world.put(observation(`obs-${id}`, id));
      await world.put({ ...task(`task-${id}`, id), owner: { reference: 'Organization/o3' } });
    }
  });
  after(() => world.stop());

  const observation = (id: string, patient: string): Resource => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { coding: [{ code: 'x' }] },
    subject: of(patient),
  });
  const task = (id: string, patient: string): Resource => ({
    resourceType: 'Task',
    id,
    status: 'requested',
    intent: 'order',
    for: of(patient),
  });
  const create = (caller: Caller, resource: Resource): Promise<number> =>
    status(world.store.create(caller, resource, world.store.newId()));
  const put = (caller: Caller, resource: Resource): Promise<number> =>
    status(world.store.update(caller, resource.resourceType, String(resource['id']), () => resource));

  describe('a relation cannot be made by the one who would have it', () => {
    const encounter = {
      resourceType: 'Encounter',
      status: 'in-progress',
      class: { code: 'AMB' },
      participant: [{ individual: { reference: 'Practitioner/d1' } }],
      serviceProvider: { reference: 'Organization/o1' },
    };
    it('[AZ-05] an Encounter with a stranger, in which the doctor takes part, is refused', async () => {
      expect(await create(doctor, { ...encounter, subject: of('b') })).to.equal(403);
      expect(await status(world.store.read(doctor, 'Patient', 'b'))).to.equal(404);
    });
    it('[AZ-05] nor is a CareTeam with oneself in it, nor a Task for oneself', async () => {
      const team = {
        resourceType: 'CareTeam',
        status: 'active',
        subject: of('b'),
        participant: [{ member: { reference: 'Practitioner/d1' } }],
      };
      expect(await create(doctor, team)).to.equal(403);
      expect(await create(doctor, { ...task('', 'b'), owner: { reference: 'Organization/o1' } })).to.equal(403);
      expect(await status(world.store.read(doctor, 'Patient', 'b'))).to.equal(404);
    });
    it('[AZ-05] a known Encounter cannot be moved to a stranger', async () => {
      await world.put({ ...encounter, id: 'enc-a', subject: of('a') });
      expect(await put(doctor, { ...encounter, id: 'enc-a', subject: of('b') })).to.equal(403);
      expect(await status(world.store.read(doctor, 'Patient', 'b'))).to.equal(404);
    });
    it('[AZ-05] nor in one transaction, in whatever order', async () => {
      const writes = [
        { kind: 'create', resource: { ...encounter, subject: of('b') }, id: world.store.newId() },
        { kind: 'create', resource: observation('', 'b'), id: world.store.newId() },
      ] as const;
      for (const order of [writes, writes.toReversed()])
        expect(await status(world.store.transaction(doctor, (tx) => tx.write(order)))).to.equal(403);
    });
    it('[AZ-05] a pharmacy cannot move its Task or prescription to a stranger', async () => {
      await world.put({ resourceType: 'Patient', id: 'c' });
      const mine = { ...task('task-a', 'a'), owner: { reference: 'Organization/o3' } };
      expect(await put(pharmacist, { ...mine, description: 'seen' })).to.equal(200);
      expect(await put(pharmacist, { ...mine, for: of('c') })).to.equal(403);
      expect(await status(world.store.read(pharmacist, 'Patient', 'c'))).to.equal(404);
    });
    it('[FA-04] [AZ-05] emergency access leaves no relation behind', async () => {
      const hurried = person('DOCTOR', { practitioner: 'd1', organizations: ['o1'], emergency: ['b'] });
      const team = {
        resourceType: 'CareTeam',
        status: 'active',
        subject: of('b'),
        participant: [{ member: { reference: 'Practitioner/d1' } }],
      };
      const owned = { ...task('', 'b'), owner: { reference: 'Organization/o1' } };
      expect(await status(world.store.read(hurried, 'Patient', 'b'))).to.equal(200);
      for (const resource of [{ ...encounter, subject: of('b') }, team, owned])
        expect(await create(hurried, resource), resource.resourceType).to.equal(403);
      const patient = world.store.newId();
      const made = { resourceType: 'Patient', managingOrganization: { reference: 'Organization/o1' } };
      const beside = { ...team, extension: [{ url: 'http://example.org/x', valueReference: of(patient) }] };
      const writes = [
        { kind: 'create', resource: made, id: patient },
        { kind: 'create', resource: beside, id: world.store.newId() },
      ] as const;
      expect(await status(world.store.transaction(hurried, (tx) => tx.write(writes)))).to.equal(403);
      expect(await status(world.store.read(doctor, 'Patient', 'b')), 'when the hour is over').to.equal(404);
      const note = { resourceType: 'ClinicalImpression', status: 'completed', subject: of('b') };
      expect(await create(hurried, note), 'a note').to.equal(200);
    });
    it('[AZ-05] who closes the last thing that joined them to a patient may do so', async () => {
      await world.put({ resourceType: 'Patient', id: 'passing' });
      await world.put({ ...encounter, id: 'visit', subject: of('passing') });
      expect(await put(doctor, { ...encounter, id: 'visit', subject: of('passing'), status: 'cancelled' })).to.equal(
        200,
      );
      expect(await status(world.store.read(doctor, 'Patient', 'passing'))).to.equal(404);
    });
    it('[AZ-05] a new patient may come with everything that is about them', async () => {
      const patient = world.store.newId();
      const writes = [
        {
          kind: 'create',
          resource: { resourceType: 'Patient', managingOrganization: { reference: 'Organization/o1' } },
          id: patient,
        },
        { kind: 'create', resource: { ...encounter, subject: of(patient) }, id: world.store.newId() },
      ] as const;
      expect(await status(world.store.transaction(doctor, (tx) => tx.write(writes)))).to.equal(200);
    });
  });

  describe('labels and versions', () => {
    const labelled = (codes: readonly string[], patient = 'a') => ({
      ...observation('labelled', patient),
      meta: { security: codes.map((code) => ({ code })) },
    });
    it('[AZ-06] a person cannot set a label, in whatever way they write', async () => {
      expect(await create(doctor, observation('', 'a'))).to.equal(200);
      expect(await create(doctor, labelled(['N']))).to.equal(403);
      await world.put(observation('labelled', 'a'));
      expect(await put(doctor, labelled(['N']))).to.equal(403);
      const writes = [{ kind: 'create', resource: labelled(['N']), id: world.store.newId() }] as const;
      expect(await status(world.store.transaction(doctor, (tx) => tx.write(writes)))).to.equal(403);
      const clerk = person('STAFF', { organizations: ['o1'] });
      const slot = { resourceType: 'Slot', meta: { security: [{ code: 'R' }] } };
      expect(await create(clerk, slot), 'nor where every resource is in reach').to.equal(403);
    });
    it('[AZ-06] nor take one away, nor change one; what stays as it was may stay', async () => {
      await world.put(labelled(['N']));
      expect(await put(doctor, observation('labelled', 'a'))).to.equal(403);
      expect(await put(doctor, labelled(['N', 'U']))).to.equal(403);
      expect(await put(doctor, labelled([]))).to.equal(403);
      expect(await put(doctor, { ...labelled(['N']), status: 'amended' })).to.equal(200);
    });
    it('[AZ-06] who has a system scope may, and so may an administrator', async () => {
      expect(await put(client('system/Observation.cruds'), labelled(['R']))).to.equal(200);
      const admin = person('ADMIN', {});
      const place = { resourceType: 'Location', id: 'ward', meta: { security: [{ code: 'R' }] } };
      expect(await put(admin, place)).to.equal(200);
    });
    it('[AZ-06] version and time are the server’s, whatever is sent', async () => {
      const meta = { versionId: '99', lastUpdated: '1999-01-01T00:00:00Z' };
      const { version } = await world.store.create(doctor, { ...observation('', 'a'), meta }, world.store.newId());
      expect(version.versionId).to.equal(1);
      expect(JSON.parse(version.content).meta).to.deep.equal({
        versionId: '1',
        lastUpdated: new Date(version.lastUpdated).toISOString(),
      });
    });
    it('[AZ-06] a Provenance, with its signature, is changed by nobody but a system', async () => {
      const provenance = {
        resourceType: 'Provenance',
        id: 'signed',
        target: [{ reference: 'Observation/obs-a' }, of('a')],
        recorded: '2026-01-01T00:00:00Z',
        agent: [{ who: { reference: 'Practitioner/d1' } }],
      };
      await world.put(provenance);
      expect(await status(world.store.read(doctor, 'Provenance', 'signed'))).to.equal(200);
      expect(await put(doctor, { ...provenance, recorded: '2026-01-02T00:00:00Z' })).to.equal(403);
      expect(await status(world.store.delete(doctor, 'Provenance', 'signed'))).to.equal(403);
    });
  });

  describe('segregation', () => {
    const order = (id: string, requester: string) => ({
      resourceType: 'MedicationRequest',
      id,
      status: 'active',
      intent: 'order',
      subject: of('a'),
      requester: { reference: requester },
      dispenseRequest: { performer: { reference: 'Organization/o1' } },
    });
    const dispense = (prescription?: string, id = '') => ({
      resourceType: 'MedicationDispense',
      id,
      status: 'completed',
      subject: of('a'),
      performer: [{ actor: { reference: 'Organization/o1' } }],
      ...(prescription !== undefined && { authorizingPrescription: [{ reference: prescription }] }),
    });
    const both = person(['PRESCRIBER', 'PHARMACIST'], {
      practitioner: 'd1',
      practitionerRoles: ['r1'],
      organizations: ['o1'],
    });
    before(async () => {
      await world.put({ resourceType: 'PractitionerRole', id: 'r1' });
      await world.put({ resourceType: 'Practitioner', id: 'd2' });
      await world.put(order('mine', 'Practitioner/d1'));
      await world.put(order('by-my-role', 'PractitionerRole/r1'));
      await world.put(order('theirs', 'Practitioner/d2'));
    });
    it('[AZ-08] who signed a prescription does not dispense it, whatever roles they have', async () => {
      for (const caller of [both, doctor, person('PHARMACIST', { practitioner: 'd1', organizations: ['o1'] })]) {
        expect(await create(caller, dispense('MedicationRequest/mine'))).to.equal(403);
        expect(await create(caller, dispense('http://mortar.test/fhir/R4/MedicationRequest/mine'))).to.equal(403);
        expect(await create(caller, dispense('MedicationRequest/theirs'))).to.equal(200);
      }
      expect(await create(both, dispense('MedicationRequest/by-my-role'))).to.equal(403);
    });
    it('[AZ-08] nor by a later change, nor in one transaction with the prescription', async () => {
      await world.put(dispense(undefined, 'open'));
      expect(await put(both, dispense('MedicationRequest/mine', 'open'))).to.equal(403);
      expect(await put(both, dispense('MedicationRequest/theirs', 'open'))).to.equal(200);
      const id = world.store.newId();
      const { id: _id, ...made } = order('', 'Practitioner/d1');
      const writes = [
        { kind: 'create', resource: made, id },
        { kind: 'create', resource: dispense(`MedicationRequest/${id}`), id: world.store.newId() },
      ] as const;
      expect(await status(world.store.transaction(both, (tx) => tx.write(writes)))).to.equal(403);
    });
  });
});
