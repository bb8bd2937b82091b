/** SECURITY FA-06, KS-07: what refers to something, however the reference is written, and where it is stored encrypted. */
import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { createCipher } from '../../src/pki/key-file.ts';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { client, person } from '../support/callers.ts';
import { privacyConsent } from '../support/consents.ts';
import { BASE_URL, openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const ref = (reference: string) => ({ reference });
const subject = ref('Patient/p');
const consent = (meaning: string, reference: string): Resource =>
  privacyConsent('p', { type: 'deny', data: [{ meaning, reference: ref(reference) }] }, { id: 'k' });
const observation = (id: string, by: string): Resource => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { text: 'x' },
  subject,
  performer: [ref(by)],
});
const condition = (id: string, by?: string): Resource => ({
  resourceType: 'Condition',
  id,
  subject,
  note: [{ text: 'x', ...(by !== undefined && { authorReference: ref(by) }) }],
});
const doctor = person('DOCTOR', { practitioner: 'd1', organizations: ['o1'] });
const program = client('system/*.rs');

const reading = ({ store }: PolicyStore) =>
  async function read(caller: Caller, type: string, ids: readonly string[]): Promise<string> {
    const found: string[] = [];
    for (const id of ids)
      await store.read(caller, type, id).then(
        () => found.push(id),
        () => undefined,
      );
    return found.join(' ');
  };

const wrapping = createCipher([{ number: 1, key: randomBytes(32) }]);

async function openRecord(encrypted?: string): Promise<PolicyStore> {
  const world = await openPolicyStore(encrypted === undefined ? {} : { encrypted, wrapping });
  await world.put({
    resourceType: 'Patient',
    id: 'p',
    managingOrganization: ref('Organization/o1'),
    name: [{ family: 'Adams' }],
    identifier: [{ value: '1', assigner: ref('Organization/o1') }],
  });
  return world;
}

describe('access › Consents about what refers to something', () => {
  describe('as it is written', () => {
    let world: PolicyStore;
    const WRITTEN: Readonly<Record<string, string>> = {
      plain: 'Practitioner/a1',
      version: 'Practitioner/a1/_history/1',
      address: `${BASE_URL}/Practitioner/a1`,
      both: `${BASE_URL}/Practitioner/a1/_history/12`,
    };
    const OTHERS: Readonly<Record<string, string>> = {
      longer: 'Practitioner/a12',
      longer2: 'Practitioner/a12/_history/1',
      role: 'PractitionerRole/a1',
    };
    before(async () => {
      world = await openRecord();
      for (const [id, by] of Object.entries({ ...WRITTEN, ...OTHERS })) await world.put(observation(id, by));
    });
    after(() => world.stop());
    const all = [...Object.keys(WRITTEN), ...Object.keys(OTHERS)];
    const others = Object.keys(OTHERS).join(' ');

    for (const meaning of ['authoredby', 'dependents'])
      for (const [form, reference] of Object.entries(WRITTEN))
        it(`[FA-06] ${meaning}, the Consent names it as ${form}: each way to refer to it is seen`, async () => {
          await world.store.delete(ROOT, 'Consent', 'k').catch(() => undefined);
          const read = reading(world);
          expect(await read(doctor, 'Observation', all)).to.equal(all.join(' '));
          await world.put(consent(meaning, reference));
          for (const caller of [doctor, program]) expect(await read(caller, 'Observation', all)).to.equal(others);
          expect((await world.ids(doctor, 'Observation?_count=50')).sort()).to.deep.equal(Object.keys(OTHERS).sort());
        });

    it('[FA-06] related is not looked at, and so denies everything', async () => {
      await world.put(consent('related', 'Practitioner/a1'));
      expect(await reading(world)(doctor, 'Observation', all)).to.equal('');
    });
  });

  describe('where it is encrypted', () => {
    let world: PolicyStore;
    before(async () => {
      world = await openRecord('uk-protected,Condition.note,DiagnosticReport.extension,MedicationRequest.status');
      await world.put(condition('by', 'Practitioner/a1'));
      await world.put(condition('by-another', 'Practitioner/a2'));
      await world.put({ resourceType: 'Condition', id: 'open', subject });
      await world.put(observation('by', 'Practitioner/a1'));
      await world.put(observation('by-another', 'Practitioner/a2'));
      const report = { resourceType: 'DiagnosticReport', status: 'final', code: { text: 'x' }, subject };
      await world.put({ ...report, id: 'x', extension: [{ url: 'urn:x', valueReference: ref('Device/v') }] });
      await world.put({
        resourceType: 'MedicationRequest',
        id: 'x',
        status: 'active',
        intent: 'order',
        subject,
        medicationCodeableConcept: { text: 'x' },
      });
    });
    after(() => world.stop());
    const RECORD: readonly (readonly [type: string, ids: readonly string[]])[] = [
      ['Patient', ['p']],
      ['Condition', ['by', 'by-another', 'open']],
      ['Observation', ['by', 'by-another']],
      ['DiagnosticReport', ['x']],
      ['MedicationRequest', ['x']],
    ];
    const record = async (caller: Caller): Promise<readonly string[]> => {
      const read = reading(world);
      const found: string[] = [];
      for (const [type, ids] of RECORD) found.push(`${type}: ${await read(caller, type, ids)}`);
      for (const [type] of RECORD)
        expect((await world.ids(caller, `${type}?_count=50`)).sort().join(' '), type).to.equal(
          (await reading(world)(caller, type, RECORD.find(([name]) => name === type)?.[1] ?? []))
            .split(' ')
            .sort()
            .join(' '),
        );
      return found;
    };
    const ALL = RECORD.map(([type, ids]) => `${type}: ${ids.join(' ')}`);

    it('[FA-06] [KS-07] what may hide a reference of that type is kept back whole, and nothing else', async () => {
      for (const caller of [doctor, program]) {
        await world.store.delete(ROOT, 'Consent', 'k').catch(() => undefined);
        expect(await record(caller)).to.deep.equal(ALL);
        await world.put(consent('authoredby', 'Practitioner/a1'));
        expect(await record(caller)).to.deep.equal([
          'Patient: p',
          'Condition: open',
          'Observation: by-another',
          'DiagnosticReport: ',
          'MedicationRequest: x',
        ]);
        await world.put(consent('authoredby', 'Organization/o7'));
        expect(await record(caller), 'who gave an identifier').to.deep.equal([
          'Patient: ',
          'Condition: open',
          'Observation: by by-another',
          'DiagnosticReport: ',
          'MedicationRequest: x',
        ]);
        await world.put(consent('dependents', 'Encounter/e'));
        expect(await record(caller), 'what no note refers to').to.deep.equal([
          ...ALL.slice(0, 3),
          'DiagnosticReport: ',
          'MedicationRequest: x',
        ]);
      }
    });

    it('[FA-06] [KS-07] of an old version, and of one that is about to be written, the text itself is looked at', async () => {
      await world.store.delete(ROOT, 'Consent', 'k').catch(() => undefined);
      await world.put({ ...condition('old', 'Practitioner/a1') });
      await world.put({ resourceType: 'Condition', id: 'old', subject });
      await world.put(consent('authoredby', 'Practitioner/a1'));
      const status = (version: number) =>
        world.store.vread(doctor, 'Condition', 'old', version).then(
          () => 200,
          () => 404,
        );
      expect([await status(1), await status(2)]).to.deep.equal([404, 200]);
      const make = (by: string) =>
        world.store.create(doctor, condition('x', by), world.store.newId()).then(
          () => 201,
          (error: { status: number }) => error.status,
        );
      await world.put({
        ...consent('authoredby', 'Practitioner/a1'),
        provision: {
          type: 'deny',
          action: [{ coding: [{ code: 'collect' }] }],
          data: [{ meaning: 'authoredby', reference: ref('Practitioner/a1') }],
        },
      });
      await world.put({ resourceType: 'Practitioner', id: 'a1' });
      await world.put({ resourceType: 'Practitioner', id: 'a2' });
      expect([await make('Practitioner/a1'), await make('Practitioner/a2')]).to.deep.equal([403, 201]);
    });

    it('[FA-06] [KS-07] what is still encrypted from an earlier setting may be anything', async () => {
      await world.put(consent('authoredby', 'Practitioner/a1'));
      const second = await openPolicyStore({ database: world.database, encrypted: 'Patient.name', wrapping });
      try {
        expect(await reading(second)(doctor, 'Condition', ['by', 'by-another', 'open'])).to.equal('open');
      } finally {
        await second.stop();
      }
    });
  });
});
