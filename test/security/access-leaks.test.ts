/** SECURITY C2: what one patient's app may learn of another patient, at the door. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}
interface Bundle {
  readonly total?: number;
  readonly link?: readonly { readonly relation: string; readonly url: string }[];
  readonly entry?: readonly {
    readonly resource: { readonly resourceType: string; readonly id: string };
    readonly search?: { readonly mode: string };
    readonly response?: { readonly status: string };
  }[];
}

const BINARY = { resourceType: 'Binary', contentType: 'text/plain', data: 'U2VjcmV0' };
const SECRET = 'Hohenzollern';
const ref = (reference: string) => ({ reference });
const observation = (id: string, patient: string, more: object = {}) => ({
  resourceType: 'Observation',
  id,
  status: 'final',
  code: { coding: [{ system: 'http://example.org', code: 'hb' }] },
  subject: ref(`Patient/${patient}`),
  ...more,
});

describe('access › leaks', () => {
  let world: PolicyStore;
  let base: string;
  const alice = patientApp('a', 'patient/*.cruds');
  const bob = patientApp('b', 'patient/*.cruds', { client: 'app-2' });
  const tokens = new Map<string, Caller>([
    ['alice', alice],
    ['alice-reads', patientApp('a', 'patient/*.rs')],
    ['alice-few', patientApp('a', 'patient/Observation.rs patient/Patient.rs')],
    ['bob', bob],
    ['doctor', person('DOCTOR', { practitioner: 'other', organizations: ['o'] })],
    ['root', ROOT],
    ['system', client('system/*.cruds')],
  ]);

  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async (req) => {
      const caller = tokens.get(String(req.headers['authorization']).replace('Bearer ', ''));
      if (!caller) throw new Error('the test forgot its token');
      return caller;
    });
    await world.put({ resourceType: 'Organization', id: 'o', name: 'One' });
    await world.put({ resourceType: 'Practitioner', id: 'd', name: [{ family: 'Shared' }] });
    const gp = { generalPractitioner: [ref('Practitioner/d')] };
    const patient = { resourceType: 'Patient', ...gp };
    await world.put({ ...patient, id: 'a', name: [{ family: 'Ashley' }], managingOrganization: ref('Organization/o') });
    await world.put({
      ...patient,
      id: 'b',
      name: [{ family: SECRET }],
      identifier: [{ system: 'http://example.org/mrn', value: 'B-1' }],
    });
    for (const [id, who] of [
      ['a', 'a'],
      ['b', 'b'],
    ] as const) {
      for (let i = 0; i < 5; i++)
        await world.put(observation(`obs-${id}${i}`, who, { effectiveDateTime: `2026-01-0${i + 1}` }));
      await world.put({ resourceType: 'Device', id: `dev-${id}`, patient: ref(`Patient/${who}`) });
    }
    await world.put(observation('gone-b', 'b'));
    await world.store.delete(ROOT, 'Observation', 'gone-b');
    // What points from one to the other.
    await world.put({
      resourceType: 'DiagnosticReport',
      id: 'rep-a',
      status: 'final',
      code: { text: 'x' },
      subject: ref('Patient/a'),
      result: [ref('Observation/obs-b0'), ref('Observation/obs-a0')],
    });
    await world.put(observation('focus-a', 'a', { focus: [ref('Patient/b')], device: ref('Device/dev-b') }));
    await world.put(observation('focus-b', 'b', { focus: [ref('Patient/a')] }));
    await world.put({ ...BINARY, id: 'bin-b', securityContext: ref('Patient/b') });
    await world.put({ ...BINARY, id: 'bin-a', securityContext: ref('Patient/a') });
  });
  after(() => world.stop());

  async function ask(
    token: string,
    path: string,
    {
      method = 'GET',
      body,
      headers = {},
    }: { method?: string; body?: object | string; headers?: Record<string, string> } = {},
  ): Promise<Reply> {
    const response = await fetch(/^http/.test(path) ? path : `${base}/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/fhir+json' }),
        ...headers,
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: Object.fromEntries(response.headers), text: await response.text() };
  }
  const bundle = async (token: string, path: string): Promise<Bundle> => {
    const reply = await ask(token, path);
    expect(reply.status, `${path}: ${reply.text}`).to.equal(200);
    return JSON.parse(reply.text) as Bundle;
  };
  const entries = async (token: string, path: string): Promise<string[]> =>
    ((await bundle(token, path)).entry ?? []).map(({ resource }) => `${resource.resourceType}/${resource.id}`).sort();
  const linkOf = ({ link = [] }: Bundle, relation: string): string =>
    (link.find((l) => l.relation === relation)?.url ?? '').replace('http://mortar.test/fhir/R4', base);

  /** What a stranger can compare: all but the request id, the date, and the id that was asked for. */
  const comparable = ({ status, headers, text }: Reply, id: string): unknown => {
    const { 'x-request-id': _request, date: _date, ...rest } = headers;
    return { status, headers: { ...rest, 'content-length': undefined }, text: text.replaceAll(id, 'ID') };
  };
  const same = async (
    token: string,
    ids: readonly string[],
    one: (id: string) => [path: string, options?: Parameters<typeof ask>[2]],
  ): Promise<Reply> => {
    const replies = await Promise.all(ids.map((id) => ask(token, ...one(id))));
    const [first, ...others] = replies.map((reply, i) => comparable(reply, ids[i] as string));
    for (const other of others) expect(other).to.deep.equal(first);
    return replies[0] as Reply;
  };

  /** Hidden; hidden and deleted; a free name; an id as the server makes them. */
  const STRANGERS = ['obs-b0', 'gone-b', 'never-was', '0195b0a4-0000-8000-8000-000000000000'];

  describe('reads', () => {
    it('[CP-01] hidden, deleted and absent answer alike: read, vread, history', async () => {
      for (const token of ['alice', 'doctor']) {
        expect((await same(token, STRANGERS, (id) => [`Observation/${id}`])).status).to.equal(404);
        expect((await same(token, STRANGERS, (id) => [`Observation/${id}/_history/1`])).status).to.equal(404);
        expect((await same(token, STRANGERS, (id) => [`Observation/${id}/_history/2`])).status).to.equal(404);
        expect((await same(token, STRANGERS, (id) => [`Observation/${id}/_history`])).status).to.equal(404);
      }
    });
    it('[CP-18] [CP-21] nor do conditions on versions tell them apart, and nothing may be kept', async () => {
      for (const headers of [
        { 'if-none-match': 'W/"1"' },
        { 'if-none-match': '*' },
        { 'if-modified-since': new Date(Date.now() + 1e9).toUTCString() },
      ]) {
        const reply = await same('alice', STRANGERS, (id) => [`Observation/${id}`, { headers: headers as never }]);
        expect(reply.status).to.equal(404);
        expect(reply.headers).not.to.have.property('etag');
        expect(reply.headers['cache-control']).to.equal('no-store, private');
        expect(reply.headers['vary']).to.include('Authorization');
      }
      const own = await ask('bob', 'Observation/obs-b0');
      const theft = await ask('alice', 'Observation/obs-b0', {
        headers: { 'if-none-match': own.headers['etag'] ?? '' },
      });
      expect(theft.status).to.equal(404);
    });
    it('[CP-26] other words for the same: HEAD, _format, _summary, _elements, Prefer, method override', async () => {
      for (const query of ['_format=json', '_summary=true', '_elements=code', '_pretty=true', '_summary=text'])
        expect((await same('alice', STRANGERS, (id) => [`Observation/${id}?${query}`])).status).to.equal(404);
      expect((await same('alice', STRANGERS, (id) => [`Observation/${id}`, { method: 'HEAD' }])).status).to.equal(404);
      for (const header of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override'])
        for (const method of ['GET', 'POST']) {
          const options = {
            method,
            headers: { [header]: 'DELETE' },
            ...(method === 'POST' && { body: observation('', 'a') }),
          };
          const path = method === 'GET' ? 'Observation/obs-a0' : 'Observation';
          const reply = await ask('alice-reads', path, options);
          expect(reply.status, header).to.equal(method === 'GET' ? 200 : 403);
        }
      expect((await ask('alice-reads', 'Observation/obs-a0')).status, 'still there').to.equal(200);
      expect(
        (await ask('alice', 'Observation/obs-b0', { headers: { prefer: 'return=representation' } })).status,
      ).to.equal(404);
    });
    it('[CP-22] a Binary in the context of one’s record is one’s own; another’s is as one that never was', async () => {
      const statuses = async (token: string, id: string) => [
        (await ask(token, `Binary/${id}`)).status,
        (await ask(token, `Binary/${id}/_history/1`)).status,
        (await ask(token, `Binary/${id}/_history`)).status,
        (JSON.parse((await ask(token, `Binary?_id=${id}`)).text) as Bundle).entry?.length ?? 0,
      ];
      const [seen, unseen] = [
        [200, 200, 200, 1],
        [404, 404, 404, 0],
      ];
      for (const token of ['alice', 'bob', 'doctor', 'system'])
        for (const id of ['a', 'b', 'never-was']) {
          const isSeen = id === 'never-was' ? false : token === 'system' || (token === 'bob' ? id === 'b' : id === 'a');
          expect(await statuses(token, `bin-${id}`), `${token} ${id}`).to.deep.equal(isSeen ? seen : unseen);
        }
      expect((await ask('alice-few', 'Binary/bin-a')).status, 'without its scope').to.equal(403);
    });
    it('[CP-02] a type outside the scope is refused alike, with and without data', async () => {
      const statuses = new Set<unknown>();
      for (const type of ['Condition', 'DiagnosticReport', 'Encounter'])
        for (const path of [type, `${type}/rep-a`, `${type}/never`, `${type}/_history`, `Patient/a/${type}`]) {
          const { text, status } = await ask('alice-few', path);
          statuses.add(`${status} ${text}`);
        }
      expect([...statuses]).to.have.length(1);
      expect([...statuses][0]).to.match(/^403 /);
    });
  });

  describe('searches', () => {
    it('[CP-03] totals, counts and pages are of what may be seen', async () => {
      for (const query of [
        '_total=accurate',
        '_total=estimate',
        '_summary=count',
        '_count=0',
        '_total=accurate&_count=2',
      ])
        expect((await bundle('bob', `Observation?${query}`)).total, query).to.equal(6);
      const one = await bundle('bob', 'Observation?_count=4');
      expect(one.entry).to.have.length(4);
      const two = await bundle('bob', linkOf(one, 'next'));
      expect(two.entry).to.have.length(2);
      expect(linkOf(two, 'next')).to.equal('');
    });
    it('[CP-03] hints to the hidden find nothing, and say nothing', async () => {
      for (const query of [
        'Observation?_id=obs-b0',
        'Observation?subject=Patient/b',
        'Observation?patient=b',
        'Observation?subject:Patient.name=hohen',
        'Observation?focus=Patient/a',
        'Patient?name=hohen',
        'Patient?identifier=http://example.org/mrn|B-1',
        'Patient?_id=b',
        'Patient/b/Observation',
        'Patient?_has:Observation:patient:_id=obs-b0',
        'Device?patient=Patient/b',
        'Patient?_filter=name co "hohen"',
        'Patient?_filter=name co "hohen" or id eq b',
        'Patient?_filter=not(id eq a)',
        'Observation?_filter=subject.name co "hohen" or focus re Patient/a',
      ]) {
        const found = await bundle('alice', `${query}${query.includes('?') ? '&' : '?'}_total=accurate`);
        expect(found.entry ?? [], query).to.deep.equal([]);
        expect(found.total, query).to.equal(0);
      }
    });
    it('[CP-02] [CP-03] [CP-06] a search over types shows of each what may be seen, and counts no more', async () => {
      const own = await bundle('alice', '?_total=accurate&_count=100');
      expect(own.total).to.equal(own.entry?.length);
      const seen = await entries('alice', '?_count=100');
      expect(seen).to.include.members(['Patient/a', 'Observation/obs-a0', 'Device/dev-a', 'DiagnosticReport/rep-a']);
      expect(seen.filter((name) => /-b\d?$|Patient\/b/.test(name))).to.deep.equal([]);
      for (const query of [
        '_id=obs-b0',
        '_id=b',
        '_type=Observation,Device&patient=b',
        '_type=Observation,DiagnosticReport&subject:Patient.name=hohen',
        '_has:Observation:subject:_id=obs-b0',
      ]) {
        const hidden = await bundle('alice', `?${query}&_total=accurate`);
        expect(hidden.entry ?? [], query).to.deep.equal([]);
        expect(hidden.total, query).to.equal(0);
      }
      expect(await entries('alice', '?_type=DiagnosticReport,Patient&_include=DiagnosticReport:result')).to.deep.equal([
        'DiagnosticReport/rep-a',
        'Observation/obs-a0',
        'Patient/a',
      ]);
      const few = new Set((await entries('alice-few', '?_count=100')).map((name) => name.split('/')[0]));
      expect([...few].sort()).to.deep.equal(['Observation', 'Patient']);
      expect((await ask('alice-few', '?_type=Observation,Device')).status).to.equal(403);
      expect((await ask('alice-few', '?_has:Encounter:patient:status=finished')).status).to.equal(403);
      const link = linkOf(await bundle('alice', '?_count=2'), 'next');
      expect(link).to.include('_cursor=');
      expect((await ask('alice', link)).status).to.equal(200);
      for (const token of ['bob', 'alice-reads', 'system'])
        expect((await ask(token, link)).status, token).to.equal(400);
    });
    it('[CP-04] includes leave out what is not to be seen, at each hop', async () => {
      const cases: readonly (readonly [query: string, expected: readonly string[]])[] = [
        ['DiagnosticReport?_include=DiagnosticReport:result', ['DiagnosticReport/rep-a', 'Observation/obs-a0']],
        ['DiagnosticReport?_include=DiagnosticReport:*', ['DiagnosticReport/rep-a', 'Observation/obs-a0', 'Patient/a']],
        [
          'DiagnosticReport?_include=DiagnosticReport:result&_include:iterate=Observation:subject&_include:iterate=Patient:general-practitioner&_revinclude:iterate=Patient:general-practitioner',
          ['DiagnosticReport/rep-a', 'Observation/obs-a0', 'Patient/a', 'Practitioner/d'],
        ],
        ['Observation?_id=focus-a&_include=Observation:focus', ['Observation/focus-a']],
        ['Observation?_id=focus-a&_include=Observation:device', ['Observation/focus-a']],
        ['Patient?_revinclude=Observation:focus', ['Patient/a']],
        ['Patient?_revinclude=Device:patient', ['Device/dev-a', 'Patient/a']],
        ['Practitioner?_revinclude=Patient:general-practitioner', ['Patient/a', 'Practitioner/d']],
      ];
      for (const [query, expected] of cases) expect(await entries('alice', query), query).to.deep.equal(expected);
    });
    it('[CP-04] types that the scope does not name are not brought in', async () => {
      expect(
        await entries(
          'alice-few',
          'Patient?_include=Patient:general-practitioner&_revinclude=DiagnosticReport:patient',
        ),
      ).to.deep.equal(['Patient/a']);
    });
    it('[CP-05] a page link serves only whom it was made for, with the rights it was made with', async () => {
      const link = linkOf(await bundle('alice', 'Observation?_count=2'), 'next');
      expect(link).to.include('_cursor=');
      expect((await ask('alice', link)).status).to.equal(200);
      for (const token of ['bob', 'alice-reads', 'doctor', 'system'])
        expect((await ask(token, link)).status, token).to.equal(400);
      expect((await ask('alice', link.replace('_count=2', '_count=3'))).status).to.equal(400);
      const history = linkOf(await bundle('alice', 'Observation/_history?_count=2'), 'next');
      expect((await ask('bob', history)).status).to.equal(400);
      world.clock.pass(61 * 60 * 1000);
      expect((await ask('alice', link)).status, 'after an hour').to.equal(400);
    });
    it('[CP-05] rights that end between two pages end there', async () => {
      const clinic = person('DOCTOR', { practitioner: 'other', organizations: ['o'] });
      tokens.set('clinic', clinic);
      const link = linkOf(await bundle('clinic', 'Observation?_count=2&patient=Patient/a'), 'next');
      tokens.set('clinic', { ...clinic, user: { ...clinic.user!, practitionerId: 'x', organizationIds: [] } });
      const after = JSON.parse((await ask('clinic', link)).text) as Bundle;
      expect(after.entry ?? []).to.deep.equal([]);
    });
    it('[CP-06] a chain through what all may see leads to nothing hidden', async () => {
      for (const query of [
        `Practitioner?_has:Patient:general-practitioner:name=${SECRET}`,
        'Practitioner?_has:Patient:general-practitioner:identifier=B-1',
        'Practitioner?_filter=_has:Patient:general-practitioner:name sw hohen',
        'Practitioner?_filter=not(_has:Patient:general-practitioner:name sw ash)',
        'Patient?general-practitioner:Practitioner._has:Patient:general-practitioner:name=hohen',
        'DiagnosticReport?result._id=obs-b0',
        'DiagnosticReport?result.subject:Patient.name=hohen',
      ]) {
        const hidden = await bundle('alice', `${query}&_total=accurate`);
        expect(hidden.total, query).to.equal(0);
      }
      expect(
        (await bundle('alice', 'Practitioner?_has:Patient:general-practitioner:name=ash&_total=accurate')).total,
      ).to.equal(1);
    });
    it('[CP-06] a chain over a type outside the scope is refused, whatever there is', async () => {
      for (const query of [
        'Patient?_has:Encounter:patient:status=finished',
        'Patient?_filter=_has:Encounter:patient:status eq finished or id eq a',
        'Observation?_filter=not(encounter.status eq finished)',
        'Observation?encounter.status=finished',
        'Patient?organization.name=x',
      ])
        expect((await ask('alice-few', query)).status, query).to.equal(403);
    });
    it('[CP-23] a link written into one’s own record opens no other', async () => {
      await world.put({
        resourceType: 'Patient',
        id: 'a',
        name: [{ family: 'Ashley' }],
        managingOrganization: ref('Organization/o'),
        generalPractitioner: [ref('Practitioner/d')],
        link: [
          { other: ref('Patient/b'), type: 'seealso' },
          { other: ref('Patient/b'), type: 'refer' },
        ],
      });
      expect((await ask('alice', 'Patient/b')).status).to.equal(404);
      expect((await ask('bob', 'Patient/a')).status, 'nor does it open one’s own to the other').to.equal(404);
      expect(await entries('alice', 'Patient?_include=Patient:link&_revinclude=Patient:link')).to.deep.equal([
        'Patient/a',
      ]);
      expect(await entries('bob', 'Patient?_include=Patient:link&_revinclude=Patient:link')).to.deep.equal([
        'Patient/b',
      ]);
    });
    it('[CP-21] one caller’s answers are not served to the next', async () => {
      for (let i = 0; i < 5; i++) {
        const [a, b] = await Promise.all([entries('alice', 'Patient'), entries('bob', 'Patient')]);
        expect([a, b]).to.deep.equal([['Patient/a'], ['Patient/b']]);
      }
    });
  });

  describe('writes', () => {
    const body = (id: string) => observation(id, 'a');
    it('[CP-10] PUT, PATCH and DELETE of hidden and of free ids answer alike', async () => {
      for (const token of ['alice', 'doctor']) {
        const ids = STRANGERS.map((id) => id);
        expect(
          (await same(token, ids, (id) => [`Observation/${id}`, { method: 'PUT', body: body(id) }])).status,
        ).to.equal(403);
        const patch = {
          method: 'PATCH',
          body: JSON.stringify([{ op: 'replace', path: '/status', value: 'amended' }]),
          headers: { 'content-type': 'application/json-patch+json' },
        };
        expect((await same(token, ids, (id) => [`Observation/${id}`, patch])).status).to.equal(403);
        for (const ifMatch of ['W/"1"', 'W/"9"'])
          expect(
            (
              await same(token, ids, (id) => [
                `Observation/${id}`,
                { method: 'PUT', body: body(id), headers: { 'if-match': ifMatch } },
              ])
            ).status,
          ).to.equal(403);
        expect((await same(token, ids, (id) => [`Observation/${id}`, { method: 'DELETE' }])).status).to.equal(403);
      }
      expect((await ask('root', 'Observation/obs-b0/_history/2')).status, 'nothing was written').to.equal(404);
    });
    it('[CP-10] a system client may name a new id, a person may not', async () => {
      const consent = (id: string) => ({
        resourceType: 'QuestionnaireResponse',
        id,
        status: 'completed',
        subject: ref('Patient/a'),
      });
      const path = 'QuestionnaireResponse/mine';
      expect((await ask('alice', path, { method: 'PUT', body: consent('mine') })).status).to.equal(403);
      expect((await ask('system', path, { method: 'PUT', body: consent('mine') })).status).to.equal(201);
      expect(
        (await ask('alice', path, { method: 'PUT', body: { ...consent('mine'), authored: '2026-01-01' } })).status,
      ).to.equal(200);
    });
    const response = (subject?: string, more: object = {}) => ({
      resourceType: 'QuestionnaireResponse',
      status: 'completed',
      ...(subject !== undefined && { subject: ref(subject) }),
      ...more,
    });
    const post = async (token: string, resource: { resourceType: string }): Promise<number> =>
      (await ask(token, resource.resourceType, { method: 'POST', body: resource })).status;
    it('[CP-11] a subject outside, or none, is refused', async () => {
      expect(await post('alice', response('Patient/a'))).to.equal(201);
      expect(await post('alice', response('Patient/b'))).to.equal(403);
      expect(await post('alice', response('Patient/never'))).to.equal(403);
      expect(await post('alice', response())).to.equal(403);
      expect(await post('alice', response(`${'http://mortar.test/fhir/R4'}/Patient/b`))).to.equal(403);
      expect(await post('alice', response('Patient/b/_history/1'))).to.equal(403);
    });
    it('[CP-11] [CP-19] references anywhere inside are looked at, and hidden and absent refused alike', async () => {
      const hidden = ['Observation/obs-b0', 'Observation/gone-b', 'Observation/never'];
      const places: readonly ((reference: string) => object)[] = [
        (r) => response('Patient/a', { partOf: [ref(r)] }),
        (r) => response('Patient/a', { extension: [{ url: 'http://example.org/x', valueReference: ref(r) }] }),
        (r) => response('Patient/a', { item: [{ linkId: '1', answer: [{ valueReference: ref(r) }] }] }),
        (r) =>
          response('Patient/a', {
            contained: [{ resourceType: 'Basic', id: 'c', code: { text: 'x' }, subject: ref(r) }],
            extension: [{ url: 'http://example.org/x', valueReference: ref('#c') }],
          }),
      ];
      for (const place of places) {
        const replies = await Promise.all(
          hidden.map((r) => ask('alice', 'QuestionnaireResponse', { method: 'POST', body: place(r) })),
        );
        for (const reply of replies)
          expect(comparable(reply, 'no id')).to.deep.equal(comparable(replies[0] as Reply, 'no id'));
        expect(replies[0]?.status).to.equal(403);
      }
      expect(await post('alice', places[1]?.('Observation/obs-a0') as { resourceType: string })).to.equal(201);
    });
    it('[AZ-05] a resource cannot be moved to another patient, nor taken from one', async () => {
      const created = await ask('alice', 'QuestionnaireResponse', { method: 'POST', body: response('Patient/a') });
      const { id } = JSON.parse(created.text) as { id: string };
      const put = (token: string, resource: object) =>
        ask(token, `QuestionnaireResponse/${id}`, { method: 'PUT', body: { ...resource, id } });
      expect((await put('alice', response('Patient/b'))).status).to.equal(403);
      expect((await put('bob', response('Patient/b'))).status).to.equal(403);
      expect((await put('alice', response('Patient/a', { authored: '2026-02-02' }))).status).to.equal(200);
      const patch = JSON.stringify([{ op: 'replace', path: '/subject/reference', value: 'Patient/b' }]);
      const patched = await ask('alice', `QuestionnaireResponse/${id}`, {
        method: 'PATCH',
        body: patch,
        headers: { 'content-type': 'application/json-patch+json' },
      });
      expect(patched.status).to.equal(403);
      expect((await entries('alice', `QuestionnaireResponse?_id=${id}`)).length, 'as it was').to.equal(1);
    });
    it('[CP-09] conditional interactions match only what is seen', async () => {
      const mark = { identifier: { system: 'http://example.org/q', value: 'only-one' } };
      await world.put({ ...response('Patient/b', mark), id: 'marked-b' });
      const criteria = 'identifier=http://example.org/q|only-one';
      const put = await ask('bob', `QuestionnaireResponse?${criteria}`, {
        method: 'PUT',
        body: response('Patient/b', mark),
      });
      expect(put.status, 'whose it is').to.equal(200);
      const created = await ask('alice', 'QuestionnaireResponse', {
        method: 'POST',
        body: response('Patient/a', mark),
        headers: { 'if-none-exist': criteria },
      });
      expect(created.status, 'as if there were none').to.equal(201);
      const again = await ask('alice', 'QuestionnaireResponse', {
        method: 'POST',
        body: response('Patient/a', mark),
        headers: { 'if-none-exist': criteria },
      });
      expect(again.status, 'and her own the next time').to.equal(200);
      for (const method of ['DELETE', 'PATCH'])
        expect(
          (
            await ask('doctor', 'Patient?identifier=B-1&_id=b', {
              method,
              ...(method === 'PATCH' && { body: '[]', headers: { 'content-type': 'application/json-patch+json' } }),
            })
          ).status,
        ).to.equal(method === 'DELETE' ? 403 : 404);
    });
    it('[SC-04] [CP-11] in a batch each entry is judged alone, a transaction falls with the first', async () => {
      const entry = (subject: string) => ({
        resource: response(subject),
        request: { method: 'POST', url: 'QuestionnaireResponse' },
      });
      const of = (type: string) => ({
        resourceType: 'Bundle',
        type,
        entry: [entry('Patient/a'), entry('Patient/b'), { request: { method: 'GET', url: 'Observation/obs-b0' } }],
      });
      const batch = await ask('alice', '', { method: 'POST', body: of('batch') });
      const answers = (JSON.parse(batch.text) as Bundle).entry?.map((e) => e.response?.status.slice(0, 3));
      expect(answers).to.deep.equal(['201', '403', '404']);
      const before = await bundle('root', 'QuestionnaireResponse?_summary=count');
      expect((await ask('alice', '', { method: 'POST', body: of('transaction') })).status).to.equal(403);
      expect((await bundle('root', 'QuestionnaireResponse?_summary=count')).total).to.equal(before.total);
    });
    it('[CP-09] a conditional reference finds only what is seen', async () => {
      const of = (reference: string) => ({
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [
          {
            resource: response('Patient/a', { author: ref(reference) }),
            request: { method: 'POST', url: 'QuestionnaireResponse' },
          },
        ],
      });
      const [hidden, absent] = await Promise.all(
        ['B-1', 'X-1'].map((v) =>
          ask('alice', '', { method: 'POST', body: of(`Patient?identifier=http://example.org/mrn|${v}`) }),
        ),
      );
      expect(hidden?.status).to.equal(412);
      expect(comparable(hidden as Reply, 'B-1')).to.deep.equal(comparable(absent as Reply, 'X-1'));
    });
    it('[CP-19] no refusal names what is hidden', async () => {
      const replies = await Promise.all([
        ask('alice', 'Observation/obs-b0'),
        ask('alice', 'Observation/obs-b0', { method: 'DELETE' }),
        ask('alice', 'QuestionnaireResponse', { method: 'POST', body: response('Patient/b') }),
        ask('alice-few', 'Encounter'),
      ]);
      for (const { text } of replies)
        expect(text).not.to.match(/Hohenzollern|B-1|rule|role|scope|compartment|Patient\/b/);
    });
  });
});
