/** SECURITY CP-01, CP-09, CP-13, AZ-06: operations and interactions on records, with somebody else's data beside one's own. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import type { Resource } from '../../src/ports/resource-store.ts';
import { FhirError, issue } from '../../src/standards/fhir/outcome.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

describe('access › operations', () => {
  let world: PolicyStore;
  let base: string;
  const callers = new Map<string, Caller>([
    ['root', ROOT],
    ['alice', patientApp('a')],
    ['alice-observations', patientApp('a', 'patient/Observation.rs patient/Patient.rs')],
    ['stranger', person('DOCTOR', { practitioner: 'x', organizations: ['nowhere'] })],
    ['of-a', client('system/Observation.cruds?subject=Patient/a')],
    ['nothing', client('')],
  ]);
  const observation = (id: string, patient: string, more: object = {}): Resource => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { coding: [{ system: 'urn:codes', code: 'x' }] },
    subject: { reference: `Patient/${patient}` },
    ...more,
  });
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async (req) => {
      const caller = callers.get(String(req.headers['authorization'] ?? '').replace('Bearer ', ''));
      if (!caller) throw new FhirError(401, [issue('login', 'who?')]);
      return caller;
    });
    for (const id of ['a', 'b'])
      await world.put({ resourceType: 'Patient', id, meta: { tag: [{ system: 'urn:t', code: `patient-${id}` }] } });
    await world.put(observation('obs-a', 'a', { meta: { tag: [{ system: 'urn:t', code: 'of-a' }] } }));
    await world.put(observation('obs-b', 'b', { meta: { tag: [{ system: 'urn:t', code: 'of-b' }] } }));
  });
  after(() => world.stop());

  const ask = async (
    who: string,
    method: string,
    path: string,
    body?: object,
  ): Promise<{ readonly status: number; readonly text: string }> => {
    const response = await fetch(`${base}/${path}`, {
      method,
      headers: { authorization: `Bearer ${who}`, ...(body && { 'content-type': 'application/fhir+json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };
  const meta = (valueMeta: object) => ({ resourceType: 'Parameters', parameter: [{ name: 'meta', valueMeta }] });

  describe('$meta', () => {
    it('[CP-01] of a hidden resource is as of none', async () => {
      const hidden = await ask('alice', 'GET', 'Observation/obs-b/$meta');
      const absent = await ask('alice', 'GET', 'Observation/nowhere/$meta');
      expect(hidden.status).equal(404);
      expect(hidden.text.replace('obs-b', 'nowhere')).equal(absent.text);
    });
    for (const path of ['Observation/$meta', '$meta'])
      it(`[CP-03] ${path} is of what the caller may see`, async () => {
        const { status, text } = await ask('alice', 'GET', path);
        expect(status).equal(200);
        expect(text).contain('of-a').and.not.contain('of-b').and.not.contain('patient-b');
        expect((await ask('root', 'GET', path)).text).contain('of-b');
        expect((await ask('stranger', 'GET', path)).text).not.contain('of-a');
        expect((await ask('nothing', 'GET', path)).status).equal(403);
      });
    it('[CP-02] $meta of the base is of the types in scope', async () => {
      const { text } = await ask('alice-observations', 'GET', '$meta');
      expect(text).contain('of-a').and.contain('patient-a');
    });
    for (const name of ['meta-add', 'meta-delete'])
      it(`[CP-10] $${name} of a hidden resource is as of none, whatever is sent`, async () => {
        for (const body of [meta({ tag: [{ code: 'z' }] }), { resourceType: 'Patient' }]) {
          const hidden = await ask('alice', 'POST', `Observation/obs-b/$${name}`, body);
          const absent = await ask('alice', 'POST', `Observation/nowhere/$${name}`, body);
          expect(hidden.status).equal(absent.status).and.to.be.oneOf([403, 404]);
          expect(hidden.text.replace('obs-b', 'nowhere')).equal(absent.text);
        }
        expect((await world.store.read(ROOT, 'Observation', 'obs-b')).versionId).equal(1);
      });
    it('[AZ-06] labels are set by who manages rights alone', async () => {
      const secret = { system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code: 'V' };
      const reply = await ask('alice', 'POST', 'Observation/obs-a/$meta-add', meta({ security: [secret] }));
      expect(reply.status).equal(403);
      expect((await world.store.read(ROOT, 'Observation', 'obs-a')).content).not.contain('Confidentiality');
    });
  });

  describe('delete of several', () => {
    it('[CP-09] hidden ones are as if there were none: neither deleted nor counted', async () => {
      for (const id of ['one', 'two']) await world.put(observation(`mine-${id}`, 'a', { status: 'cancelled' }));
      const others = ['1', '2', '3', '4'].map((id) => `others-${id}`);
      for (const id of others) await world.put(observation(id, 'b', { status: 'cancelled' }));
      const reply = await ask('of-a', 'DELETE', 'Observation?status=cancelled');
      expect(reply.status, reply.text).equal(200);
      expect(reply.text).contain('2 Observation resources were deleted');
      expect(await world.ids(ROOT, 'Observation?status=cancelled')).to.have.members(others);
    });
    it('[CP-09] one that may be seen and not deleted refuses the whole', async () => {
      await world.put(observation('mine-three', 'a', { status: 'cancelled' }));
      expect((await ask('alice-observations', 'DELETE', 'Observation?status=cancelled')).status).equal(403);
      expect(await world.ids(ROOT, 'Observation?status=cancelled')).length(5);
    });
  });
});
