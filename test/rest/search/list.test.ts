/** `_list`: what the entries of a List name. https://hl7.org/fhir/R4/search.html#list */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, linkOf, matchIds, outcomeOf } from '../../support/fhir-client.ts';
import { operatorToken, startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked } from '../../support/store-state.ts';

describe('search › _list', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const put = async (path: string, resource: object): Promise<void> => {
      const [resourceType, id] = path.split('/');
      const reply = await fhir.put(path, { resourceType, id, ...resource });
      expect(reply.status, reply.text).oneOf([200, 201]);
    };
    const list = (...references: string[]) => ({
      status: 'current',
      mode: 'working',
      entry: references.map((reference) => ({ item: { reference } })),
    });
    for (const id of ['a', 'b', 'c']) {
      await put(`Patient/${id}`, { gender: id === 'a' ? 'female' : 'male' });
      await put(`Observation/of-${id}`, {
        status: 'final',
        code: { text: 'pulse' },
        subject: { reference: `Patient/${id}` },
      });
    }
    await put('List/42', list('Patient/a', 'Patient/b', 'Observation/of-c'));
    await put('List/43', list('Patient/c', 'https://elsewhere.example/fhir/Patient/b'));
    await put('List/44', list('Patient/a'));
    await put('List/44', list('Patient/b'));
  });
  after(() => stopChecked(server));

  const idsOf = async (path: string): Promise<string[]> => matchIds(bundleOf(await fhir.get(path))).sort();

  for (const [query, ids] of [
    ['Patient?_list=42', ['a', 'b']],
    ['Observation?_list=42', ['of-c']],
    ['Patient?_list=42,43', ['a', 'b', 'c']],
    ['Patient?_list=42&_list=44', ['b']],
    ['Patient?_list=43', ['c']],
    ['Patient?_list=44', ['b']],
    ['Patient?_list=42&gender=female', ['a']],
    ['Patient?_list=nobody-has-it', []],
    ['Observation?subject:Patient._list=42', ['of-a', 'of-b']],
  ] as const)
    it(query, async () => expect(await idsOf(query)).deep.equal(ids));

  it('pages go on, and their links keep the question', async () => {
    const first = bundleOf(await fhir.get('Patient?_list=42&_count=1'));
    expect(linkOf(first, 'self')).contains('_list=42');
    const second = bundleOf(await fhir.get(linkOf(first, 'next') ?? ''));
    expect([...matchIds(first), ...matchIds(second)].sort()).deep.equal(['a', 'b']);
  });

  it('what is no id is refused', async () => {
    for (const value of ['List/42', '$current-nothing', '$current-allergies', 'a|b', '']) {
      const reply = await fhir.get(`Patient?_list=${encodeURIComponent(value)}`);
      expect(reply.status, value).equal(400);
      expect(outcomeOf(reply).diagnostics, value).contains("'_list'");
    }
  });

  it('[CP-02] a List that the caller may not see tells nothing of its entries', async () => {
    const token = await operatorToken(server, { scope: 'system/Patient.rs' });
    const narrow = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer: { authorization: `Bearer ${token}` } });
    expect((await narrow.get('Patient?_id=a')).status).equal(200);
    expect((await narrow.get('Patient?_list=42')).status).equal(403);
  });
});
