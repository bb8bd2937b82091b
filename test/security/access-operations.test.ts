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
      expect(hidden.text.replaceAll('obs-b', 'nowhere')).equal(absent.text);
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
          expect(hidden.text.replaceAll('obs-b', 'nowhere')).equal(absent.text);
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

  describe('$everything', () => {
    const idsIn = (text: string): string[] =>
      ((JSON.parse(text) as { entry?: { resource: { resourceType: string; id: string } }[] }).entry ?? []).map(
        ({ resource }) => `${resource.resourceType}/${resource.id}`,
      );
    it('[CP-13] [CP-01] of a hidden patient is as of none', async () => {
      const hidden = await ask('alice', 'GET', 'Patient/b/$everything');
      const absent = await ask('alice', 'GET', 'Patient/nowhere/$everything');
      expect(hidden.status).equal(404);
      expect(hidden.text.replace('Patient/b', 'Patient/nowhere')).equal(absent.text);
      expect((await ask('stranger', 'GET', 'Patient/a/$everything')).status).equal(404);
    });
    it('[CP-13] of all patients is of those whom the caller may see', async () => {
      const { status, text } = await ask('alice', 'GET', 'Patient/$everything?_count=100');
      expect(status, text).equal(200);
      expect(idsIn(text)).include.members(['Patient/a', 'Observation/obs-a']);
      expect(text).not.contain('obs-b').and.not.contain('Patient/b');
      expect(idsIn((await ask('stranger', 'GET', 'Patient/$everything')).text)).eql([]);
    });
    it('[CP-02] [CP-13] types that no scope names stay away, also by what refers to them', async () => {
      await world.put({ resourceType: 'Practitioner', id: 'p', name: [{ family: 'Quill' }] });
      await world.put(observation('by-p', 'a', { performer: [{ reference: 'Practitioner/p' }] }));
      await world.put({
        resourceType: 'Flag',
        id: 'f',
        status: 'active',
        code: { text: 'f' },
        subject: { reference: 'Patient/a' },
      });
      const { text } = await ask('alice-observations', 'GET', 'Patient/a/$everything?_count=100');
      expect(idsIn(text)).include('Observation/by-p');
      expect(new Set(idsIn(text).map((id) => id.split('/')[0]))).eql(new Set(['Patient', 'Observation']));
    });
    it('[CP-13] of a practitioner, and of a compartment, is what the caller may see', async () => {
      await world.put(observation('by-p-too', 'b', { performer: [{ reference: 'Practitioner/p' }] }));
      for (const path of ['Practitioner/p/$everything', 'Practitioner/p/*', 'Practitioner?_id=p&_revinclude=*']) {
        const whole = idsIn((await ask('root', 'GET', path)).text);
        expect(whole, path).include.members(['Practitioner/p', 'Observation/by-p', 'Observation/by-p-too']);
        const { status, text } = await ask('alice', 'GET', path);
        expect(status, text).equal(200);
        expect(idsIn(text), path).include('Observation/by-p').and.not.include('Observation/by-p-too');
        expect((await ask('nothing', 'GET', path)).status, path).equal(403);
      }
      expect(idsIn((await ask('alice', 'GET', 'Patient/b/*')).text)).eql([]);
      expect(idsIn((await ask('stranger', 'GET', 'Patient/a/*')).text)).eql([]);
      const { text } = await ask('alice-observations', 'GET', 'Patient/a/*');
      expect(new Set(idsIn(text).map((id) => id.split('/')[0]))).eql(new Set(['Patient', 'Observation']));
    });
    it('[CP-05] a page link is good for its caller alone, and rights are asked about on each page', async () => {
      const first = await ask('root', 'GET', 'Patient/$everything?_count=1');
      const next = (JSON.parse(first.text) as { link: { relation: string; url: string }[] }).link.find(
        ({ relation }) => relation === 'next',
      );
      const query = next?.url.split('?')[1] ?? '';
      const reply = await ask('alice', 'GET', `Patient/$everything?${query}`);
      expect(reply.status === 400 || idsIn(reply.text).every((id) => id !== 'Patient/b')).equal(true);
      const forged = Buffer.from(JSON.stringify([0, null, 'b', null])).toString('base64url');
      expect(idsIn((await ask('alice', 'GET', `Patient/$everything?_cursor=${forged}`)).text)).eql([]);
    });
  });

  describe('$match, $lastn, $document', () => {
    const match = {
      resourceType: 'Parameters',
      parameter: [
        { name: 'resource', resource: { resourceType: 'Patient', name: [{ family: 'Hid' }], birthDate: '1990-01-01' } },
      ],
    };
    before(() => world.put({ resourceType: 'Patient', id: 'hid', name: [{ family: 'Hid' }], birthDate: '1990-01-01' }));
    it('[CP-25] $match is nothing for whoever sees their own record alone', async () => {
      expect((await ask('alice', 'POST', 'Patient/$match', match)).status).equal(403);
    });
    it('[CP-25] $match finds whom the caller may see', async () => {
      expect((await ask('root', 'POST', 'Patient/$match', match)).text).contain('"id":"hid"');
      const reply = await ask('stranger', 'POST', 'Patient/$match', match);
      expect(reply.status).equal(200);
      expect(reply.text).not.contain('hid');
    });
    it('[CP-03] $lastn is of what the caller may see, and says the same of a hidden patient as of none', async () => {
      expect((await ask('alice', 'GET', 'Observation/$lastn?patient=a&code=urn:codes|x')).text).contain('Patient/a');
      const hidden = await ask('alice', 'GET', 'Observation/$lastn?patient=b&code=urn:codes|x');
      const absent = await ask('alice', 'GET', 'Observation/$lastn?patient=0&code=urn:codes|x');
      expect(hidden.status).equal(200);
      expect(hidden.text.replaceAll('patient=b', 'patient=0')).equal(absent.text);
    });
    it('[CP-19] $document that needs a hidden resource is as one that needs what is not there', async () => {
      const composition = (id: string, entry: string): Resource => ({
        resourceType: 'Composition',
        id,
        status: 'final',
        type: { text: 't' },
        date: '2026-01-01',
        title: 'T',
        subject: { reference: 'Patient/a' },
        author: [{ reference: 'Patient/a' }],
        section: [{ title: 's', entry: [{ reference: entry }] }],
      });
      for (const [id, entry] of [
        ['c-own', 'Observation/obs-a'],
        ['c-hidden', 'Observation/obs-b'],
        ['c-absent', 'Observation/nowhere'],
      ] as const)
        await world.put(composition(id, entry));
      expect((await ask('alice', 'GET', 'Composition/c-own/$document')).status).equal(200);
      const hidden = await ask('alice', 'GET', 'Composition/c-hidden/$document');
      expect(hidden.status).equal(422);
      expect(hidden.text).equal((await ask('alice', 'GET', 'Composition/c-absent/$document')).text);
    });
  });

  describe('$graphql', () => {
    const query = (text: string): string => `$graphql?query=${encodeURIComponent(text)}`;
    it('[CP-16] a hidden resource is as none, by itself and by what refers to it', async () => {
      await world.put(observation('cross', 'a', { hasMember: [{ reference: 'Observation/obs-b' }] }));
      for (const text of [
        '{ Observation(id: "ID") { id } }',
        '{ ObservationList(_id: "ID") { id } }',
        '{ PatientList(_id: "b") { id ObservationList(_reference: patient) { id } } }',
      ]) {
        const hidden = await ask('alice', 'GET', query(text.replace('ID', 'obs-b')));
        const absent = await ask('alice', 'GET', query(text.replace('ID', 'nowhere').replace('"b"', '"0"')));
        expect(hidden.status).equal(absent.status);
        expect(hidden.text.replaceAll('obs-b', 'nowhere')).equal(absent.text);
      }
      const reply = await ask(
        'alice',
        'GET',
        query('{ Observation(id: "cross") { hasMember { resource(optional: true) { id } } } }'),
      );
      expect(JSON.parse(reply.text)).eql({ data: { Observation: { hasMember: [{ resource: null }] } } });
    });
    it('[CP-16] [CP-03] lists and counts are of what the caller may see', async () => {
      const text = '{ ObservationConnection(_count: 100) { count edges { resource { id subject { reference } } } } }';
      const reply = await ask('alice', 'GET', query(text));
      expect(reply.status, reply.text).equal(200);
      expect(reply.text).contain('obs-a').and.not.contain('Patient/b').and.not.contain('obs-b');
      const { data } = JSON.parse(reply.text) as {
        data: { ObservationConnection: { count: number; edges: unknown[] } };
      };
      expect(data.ObservationConnection.count).equal(data.ObservationConnection.edges.length);
    });
    it('[CP-02] types that no scope names: refused, or null where they are referred to', async () => {
      expect((await ask('alice-observations', 'GET', query('{ PractitionerList { id } }'))).status).equal(403);
      expect((await ask('nothing', 'GET', query('{ PatientList { id } }'))).status).equal(403);
      const referred = '{ Observation(id: "by-p") { performer { resource(optional: true) { id } } } }';
      expect((await ask('alice-observations', 'GET', query(referred))).text).contain('"resource":null');
    });
    it('[CP-01] of a hidden resource is as of none, whatever is asked', async () => {
      const hidden = await ask('alice', 'GET', `Observation/obs-b/${query('{')}`);
      const absent = await ask('alice', 'GET', `Observation/nowhere/${query('{')}`);
      expect(hidden.status).equal(404);
      expect(hidden.text.replaceAll('obs-b', 'nowhere')).equal(absent.text);
    });
  });
});
