/** `:in`, `:not-in`, `:above` and `:below` of tokens. https://hl7.org/fhir/R4/search.html#token */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, linkOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
const GENDERS = 'http://hl7.org/fhir/ValueSet/administrative-gender';

describe('search › terminology', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const put = async (path: string, resource: object): Promise<void> => {
      const [resourceType, id] = path.split('/');
      const reply = await fhir.put(path, { resourceType, id, ...resource });
      expect(reply.status, reply.text).equal(201);
    };
    const concept = [{ code: 'cat', concept: [{ code: 'lion' }, { code: 'lynx' }] }, { code: 'dog' }];
    await put('CodeSystem/animals', { url: 'urn:animals', status: 'active', content: 'complete', concept });
    const include = [{ system: 'urn:animals', filter: [{ property: 'concept', op: 'is-a', value: 'cat' }] }];
    await put('ValueSet/cats', { url: 'urn:cats', status: 'active', compose: { include } });
    await put('ValueSet/nothing', {
      url: 'urn:nothing',
      status: 'active',
      compose: { include, exclude: include },
    });
    await put('Patient/m', { gender: 'male' });
    await put('Patient/n', {});
    for (const [id, system, code] of [
      ['cat', 'urn:animals', 'cat'],
      ['lion', 'urn:animals', 'lion'],
      ['dog', 'urn:animals', 'dog'],
      ['other', 'urn:other', 'cat'],
      ['text'],
    ] as const) {
      const coded = system === undefined ? { text: 'a lion' } : { coding: [{ system, code }] };
      await put(`Observation/${id}`, {
        status: 'final',
        code: coded,
        subject: { reference: id === 'lion' ? 'Patient/m' : 'Patient/n' },
      });
    }
    const encounter = (code: string) => ({ status: 'planned', class: { system: ACT_CODE, code } });
    await put('Encounter/acute', encounter('ACUTE'));
    await put('Encounter/amb', encounter('AMB'));
  });
  after(() => stopChecked(server));

  const idsOf = async (path: string): Promise<string[]> => matchIds(bundleOf(await fhir.get(path))).sort();

  for (const [query, ids] of [
    ['Observation?code:in=urn:cats', ['cat', 'lion']],
    ['Observation?code:in=ValueSet/cats', ['cat', 'lion']],
    ['Observation?code:in=urn:nothing', []],
    ['Observation?code:not-in=urn:cats', ['dog', 'other', 'text']],
    ['Observation?code:not-in=urn:nothing', ['cat', 'dog', 'lion', 'other', 'text']],
    ['Observation?code:below=urn:animals|cat', ['cat', 'lion']],
    ['Observation?code:above=urn:animals|lion', ['cat', 'lion']],
    ['Observation?code:above=urn:animals|lynx', ['cat']],
    ['Observation?code:below=urn:animals|dog,urn:animals|lion', ['dog', 'lion']],
    ['Observation?code:in=urn:cats&code:not=urn:animals|lion', ['cat']],
    [`Encounter?class:below=${ACT_CODE}|IMP`, ['acute']],
    [`Patient?gender:in=${GENDERS}`, ['m']],
    [`Patient?gender:not-in=${GENDERS}`, ['n']],
    [`Observation?subject:Patient.gender:in=${GENDERS}`, ['lion']],
    ['Patient?_has:Observation:patient:code:in=urn:cats', ['m', 'n']],
  ] as const)
    it(query, async () => expect(await idsOf(query)).deep.equal(ids));

  it('pages go on, and links keep the question as it was asked', async () => {
    const first = bundleOf(await fhir.get('Observation?code:in=urn:cats&_count=1'));
    expect(linkOf(first, 'self')).contains('code%3Ain=urn%3Acats');
    const second = bundleOf(await fhir.get(linkOf(first, 'next') ?? ''));
    expect([...matchIds(first), ...matchIds(second)].sort()).deep.equal(['cat', 'lion']);
  });

  it('what cannot be answered is said: not known, no system, too much', async () => {
    for (const [query, status, said] of [
      ['Observation?code:in=urn:nowhere', 422, 'urn:nowhere'],
      ['Observation?code:in=ValueSet/nowhere', 404, 'not found'],
      ['Observation?code:below=cat', 400, 'system|code'],
      ['Observation?code:below=http://snomed.info/sct|1', 422, 'snomed.info'],
      [`Observation?code:in=${encodeURIComponent('http://terminology.hl7.org/ValueSet/v3-ActCode')}`, 400, 'more than'],
      ['Patient?name:in=urn:cats', 400, 'not supported'],
      ['Patient?birthdate:below=2000', 400, 'not supported'],
    ] as const) {
      const reply = await fhir.get(query);
      expect(reply.status, query).equal(status);
      expect(outcomeOf(reply).diagnostics).contains(said);
    }
    // What decides which resource is written is asked of the store alone.
    const conditional = await fhir.put('Observation?code:in=urn:cats', {
      resourceType: 'Observation',
      status: 'final',
      code: { text: 'x' },
    });
    expect([conditional.status, outcomeOf(conditional).code]).deep.equal([400, 'not-supported']);
  });

  it('[CP-02] value sets that the caller may not see answer nothing', async () => {
    const token = await operatorToken(server, { scope: 'system/Observation.rs' });
    const narrow = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: { authorization: `Bearer ${token}` } });
    expect((await narrow.get('Observation?code:in=urn:cats')).status).equal(422);
    expect((await narrow.get('Observation?code:in=ValueSet/cats')).status).equal(403);
  });
});
