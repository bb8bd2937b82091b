/** https://hl7.org/fhir/R4/composition-operation-document.html, observation-operation-lastn.html, patient-operation-match.html */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, type Json, outcomeOf } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('operations on records', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));
  const put = async (resource: { readonly resourceType: string; readonly id: string } & Json): Promise<void> => {
    const reply = await fhir.put(`${resource.resourceType}/${resource.id}`, resource);
    expect(reply.status, reply.text).oneOf([200, 201]);
  };

  describe('Composition/$document', () => {
    const composition = {
      resourceType: 'Composition',
      id: 'c',
      status: 'final',
      type: { text: 't' },
      date: '2026-01-01',
      title: 'T',
      subject: { reference: 'Patient/dp' },
      author: [{ reference: 'PractitionerRole/dr' }],
      section: [
        {
          title: 's',
          entry: [{ reference: 'Condition/dc' }],
          section: [{ title: 'u', entry: [{ reference: 'Observation/do' }] }],
        },
      ],
    };
    before(async () => {
      await put({ resourceType: 'Patient', id: 'dp' });
      await put({ resourceType: 'Practitioner', id: 'dd' });
      await put({ resourceType: 'PractitionerRole', id: 'dr', practitioner: { reference: 'Practitioner/dd' } });
      await put({ resourceType: 'Encounter', id: 'de', status: 'finished', class: { code: 'AMB' } });
      const subject = { reference: 'Patient/dp' };
      const encounter = { reference: 'Encounter/de' };
      await put({ resourceType: 'Condition', id: 'dc', subject, code: { text: 'x' }, encounter });
      await put({ resourceType: 'Observation', id: 'do', status: 'final', code: { text: 'x' }, subject });
      await put(composition);
    });
    const expected = [
      'Composition/c',
      'Condition/dc',
      'Observation/do',
      'Patient/dp',
      'Practitioner/dd',
      'PractitionerRole/dr',
    ];
    const idsOf = (bundle: Pick<ReturnType<typeof bundleOf>, 'entry'>): string[] =>
      (bundle.entry ?? []).map(({ resource }) => `${resource?.resourceType}/${resource?.id}`);

    it('the Composition first, all that it refers to, and who wrote it; a valid document', async () => {
      const reply = await fhir.get('Composition/c/$document');
      expect(reply.status).equal(200);
      const bundle = reply.json<Json & ReturnType<typeof bundleOf>>();
      expect(bundle.type).equal('document');
      expect(idsOf(bundle)[0]).equal('Composition/c');
      expect(idsOf(bundle).sort()).eql(expected);
      const checked = await fhir.post('Bundle/$validate', bundle);
      expect(checked.json<{ issue: { severity: string }[] }>().issue.map(({ severity }) => severity)).not.include(
        'error',
      );
    });

    it('persist=true stores it; never by GET', async () => {
      expect((await fhir.get('Composition/c/$document?persist=true')).status).equal(400);
      const reply = await fhir.post('Composition/c/$document', {
        resourceType: 'Parameters',
        parameter: [{ name: 'persist', valueBoolean: true }],
      });
      expect(reply.status, reply.text).equal(200);
      const stored = await fhir.get(reply.headers.get('location') ?? '');
      expect(stored.text).equal(reply.text);
    });

    it('of what is not there, and of one that refers to what is not there', async () => {
      expect((await fhir.get('Composition/nowhere/$document')).status).equal(404);
      await put({ ...composition, id: 'broken', subject: { reference: 'Patient/nobody' } });
      const reply = await fhir.get('Composition/broken/$document');
      expect(reply.status).equal(422);
      expect(outcomeOf(reply).code).equal('not-found');
      expect((await fhir.get('Composition/c/$document?graph=x')).status).equal(400);
    });
  });

  describe('Observation/$lastn', () => {
    const category = [{ coding: [{ system: 'urn:cat', code: 'lab' }] }];
    const codes = {
      a: { coding: [{ system: 'urn:c', code: 'a' }] },
      ab: {
        coding: [
          { system: 'urn:c', code: 'a' },
          { system: 'urn:d', code: 'b' },
        ],
      },
      b: { coding: [{ system: 'urn:d', code: 'b' }] },
      z: { coding: [{ system: 'urn:c', code: 'z' }] },
      text: { text: 'Peak  flow' },
      text2: { text: 'peak flow' },
    };
    before(async () => {
      await put({ resourceType: 'Patient', id: 'lp' });
      const subject = { reference: 'Patient/lp' };
      const one = (id: string, code: object, day: string | undefined, more: object = {}) =>
        put({
          resourceType: 'Observation',
          id,
          status: 'final',
          code,
          subject,
          category,
          ...(day && { effectiveDateTime: `2026-01-${day}` }),
          ...more,
        });
      await one('a1', codes.a, '01');
      await one('a2', codes.a, '02');
      await one('b3', codes.b, '03');
      await one('ab2', codes.ab, '02');
      await one('z1', codes.z, '09');
      await one('z0', codes.z, undefined);
      await one('t1', codes.text, '04');
      await one('t2', codes.text2, '05');
      await one('other', codes.a, '28', { subject: { reference: 'Patient/dp' } });
      await one('imaging', codes.a, '29', { category: [{ coding: [{ system: 'urn:cat', code: 'img' }] }] });
    });
    const ids = async (query: string): Promise<string[]> => {
      const reply = await fhir.get(`Observation/$lastn?${query}`);
      expect(reply.status, reply.text).equal(200);
      return (bundleOf(reply).entry ?? []).map(({ resource }) => resource?.id ?? '');
    };

    for (const [query, expected] of [
      ['patient=Patient/lp&category=urn:cat|lab', ['z1', 't2', 'b3']],
      ['patient=Patient/lp&category=urn:cat|lab&max=1', ['z1', 't2', 'b3']],
      ['subject=Patient/lp&category=lab&max=2', ['z1', 'z0', 't2', 't1', 'b3', 'a2|ab2']],
      ['patient=lp&code=urn:c|a&max=9', ['imaging', 'a2|ab2', 'a2|ab2', 'a1']],
      ['patient=lp&code=urn:c|z&date=lt2026-01-05', []],
      ['patient=lp&category=none', []],
    ] as const)
      it(query, async () => {
        const found = await ids(query);
        expect(found.length).equal(expected.length);
        for (const [i, id] of found.entries()) expect(id, `${i}: ${found}`).oneOf((expected[i] ?? '').split('|'));
      });

    it('by POST', async () => {
      const parameter = [
        { name: 'patient', valueString: 'lp' },
        { name: 'code', valueString: 'urn:c|z' },
        { name: 'max', valuePositiveInt: 2 },
      ];
      const reply = await fhir.post('Observation/$lastn', { resourceType: 'Parameters', parameter });
      expect(bundleOf(reply).entry?.map(({ resource }) => resource?.id)).eql(['z1', 'z0']);
    });

    for (const query of [
      '',
      'patient=lp',
      'code=x',
      'patient=lp&code=x&max=0',
      'patient=lp&code=x&max=x',
      'patient=lp&code=x&max=1&max=2',
      'patient=lp&code=x&_count=1',
      'patient=lp&code=x&_include=*',
      'patient=lp&code=x&nonsense=1',
    ])
      it(`400: ${query}`, async () => {
        expect((await fhir.get(`Observation/$lastn?${query}`)).status).equal(400);
      });
  });

  describe('Patient/$match', () => {
    const NHS = 'https://fhir.nhs.uk/Id/nhs-number';
    const asked = {
      resourceType: 'Patient',
      name: [{ family: 'Matchford', given: ['Ines'] }],
      birthDate: '1990-02-03',
    };
    const ids = new Map<string, string>();
    before(async () => {
      for (const [name, more] of [
        ['full', { identifier: [{ system: NHS, value: '9990002010' }] }],
        [
          'typo',
          { name: [{ family: 'Matchfort', given: ['Ines'] }], telecom: [{ system: 'phone', value: '07700900555' }] },
        ],
        ['namesake', { birthDate: '1950-12-12', gender: 'male' }],
        ['stranger', { name: [{ family: 'Nobody', given: ['X'] }], birthDate: '1921-01-01' }],
      ] as const)
        ids.set(name, idOf(await fhir.post('Patient', { ...asked, ...more })));
    });
    const match = (resource: object | undefined, ...more: readonly object[]) =>
      fhir.post('Patient/$match', {
        resourceType: 'Parameters',
        parameter: [...(resource ? [{ name: 'resource', resource }] : []), ...more],
      });
    type Entry = {
      resource: { id: string };
      search: { score: number; mode: string; extension: { url: string; valueCode: string }[] };
    };
    const found = async (...of: Parameters<typeof match>) => {
      const reply = await match(...of);
      expect(reply.status, reply.text).equal(200);
      return (reply.json<{ entry?: Entry[] }>().entry ?? []).map(({ resource, search }) => {
        expect(search.extension[0]?.url).equal('http://hl7.org/fhir/StructureDefinition/match-grade');
        expect(search.mode).equal('match');
        return { id: resource.id, grade: search.extension[0]?.valueCode, score: search.score };
      });
    };

    it('the best first, graded and scored; who differs is not there', async () => {
      const hits = await found({ ...asked, telecom: [{ system: 'phone', value: '07700 900555' }] });
      expect(hits.map(({ id }) => id)).to.have.members([ids.get('full'), ids.get('typo')]);
      expect(hits.map(({ score }) => score)).eql(hits.map(({ score }) => score).toSorted((a, b) => b - a));
    });
    it('an identifier and a birth date make one certain; onlyCertainMatches gives that alone', async () => {
      const identified = { ...asked, identifier: [{ system: NHS, value: '9990002010' }] };
      expect((await found(identified))[0]).include({ id: ids.get('full'), grade: 'certain' });
      const only = { name: 'onlyCertainMatches', valueBoolean: true };
      expect((await found(identified, only)).map(({ id }) => id)).eql([ids.get('full')]);
      expect(await found(asked, only)).eql([]);
    });
    it('count bounds them', async () => {
      expect(await found(asked, { name: 'count', valueInteger: 1 })).length(1);
    });
    it('two who are both certain are probable', async () => {
      const twin = { ...asked, identifier: [{ system: NHS, value: '9990003017' }], birthDate: '1991-01-01' };
      for (const _ of [1, 2]) await fhir.post('Patient', twin);
      expect((await found(twin)).slice(0, 2).map(({ grade }) => grade)).eql(['probable', 'probable']);
    });
    for (const [title, resource, status] of [
      ['no resource', undefined, 400],
      ['another type', { resourceType: 'Basic', code: { text: 'x' } }, 400],
      ['nothing to look by', { resourceType: 'Patient', gender: 'male' }, 400],
      ['one that is not valid', { resourceType: 'Patient', birthDate: 'x' }, 422],
    ] as const)
      it(`${title}: ${status}`, async () => {
        expect((await match(resource, { name: 'count', valueInteger: 1 })).status).equal(status);
      });
  });
});
