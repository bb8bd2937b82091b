/** Decimals keep their digits through every interaction. https://hl7.org/fhir/R4/datatypes.html#decimal */
import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, idOf, linkOf, matchIds } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const DECIMALS = [
  '1.00',
  '0.1000000000000000055',
  '12345678901234567.10',
  '-0.0',
  '1e3',
  '1.50E-2',
  '100.0',
  '0.00',
  '9007199254740993',
  '5',
  '1e999',
];

const observation = (value: string, id?: string, note = ''): string =>
  `{"resourceType":"Observation",${id === undefined ? '' : `"id":"${id}",`}"status":"final","code":{"text":"c"},` +
  `"valueQuantity":{"value":${value},"unit":"mg"},"component":[{"code":{"text":"part"},"valueQuantity":{"value":${value}}}]${note}}`;

describe('decimals', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => stopChecked(server));

  for (const value of DECIMALS) {
    const twice = `"valueQuantity":{"value":${value},"unit":"mg"},"component":[{"code":{"text":"part"},"valueQuantity":{"value":${value}}}]`;

    it(`${value} comes back digit for digit`, async () => {
      const made = await fhir.post('Observation', observation(value));
      expect(made.text).contains(twice);
      const id = idOf(made);
      const seen: Record<string, string> = {
        read: (await fhir.get(`Observation/${id}`)).text,
        vread: (await fhir.get(`Observation/${id}/_history/1`)).text,
        search: (await fhir.get(`Observation?_id=${id}`)).text,
        history: (await fhir.get(`Observation/${id}/_history`)).text,
        '_elements of a read': (await fhir.get(`Observation/${id}?_elements=value,component`)).text,
        '_elements of a search': (await fhir.get(`Observation?_id=${id}&_elements=value,component`)).text,
        _pretty: (await fhir.get(`Observation/${id}?_pretty=true`)).text
          .replaceAll(/\n */g, '')
          .replaceAll('": ', '":'),
        '_pretty of a search': (await fhir.get(`Observation?_id=${id}&_pretty=true`)).text
          .replaceAll(/\n */g, '')
          .replaceAll('": ', '":'),
      };
      for (const [how, text] of Object.entries(seen)) expect(text, how).contains(twice);
    });

    it(`${value} through update and patch`, async () => {
      const id = idOf(await fhir.post('Observation', observation('3')));
      const updated = await fhir.put(`Observation/${id}`, observation(value, id));
      expect(updated.text).contains(twice);
      const again = await fhir.put(`Observation/${id}`, observation(value, id));
      expect(again.headers.get('etag'), 'the same digits are no change').equal('W/"2"');
      const patched = await fhir.patch(`Observation/${id}`, [{ op: 'add', path: '/status', value: 'amended' }]);
      expect(patched.text).contains(twice);
      const value2 = `[{"op":"add","path":"/component/0/valueQuantity/value","value":${value}},{"op":"copy","from":"/valueQuantity","path":"/component/0/valueQuantity"}]`;
      const copied = await fhir.request('PATCH', `Observation/${id}`, value2, {
        'content-type': 'application/json-patch+json',
      });
      expect(copied.text).contains(
        `"component":[{"code":{"text":"part"},"valueQuantity":{"value":${value},"unit":"mg"}}]`,
      );
      expect((await fhir.get(`Observation/${id}/_history`)).text.split(`"value":${value},`).length).equal(5);
    });

    it(`${value} through transaction and batch`, async () => {
      const fullUrl = 'urn:uuid:00000000-0000-4000-8000-000000000001';
      for (const type of ['transaction', 'batch']) {
        const text = `{"resourceType":"Bundle","type":"${type}","entry":[{"fullUrl":"${fullUrl}","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}},{"resource":${observation(value, undefined, type === 'batch' ? '' : `,"subject":{"reference":"${fullUrl}"}`)},"request":{"method":"POST","url":"Observation"}},{"request":{"method":"GET","url":"Observation?status=final"}}]}`;
        const reply = await fhir.post('', text, { prefer: 'return=representation' });
        expect(reply.status).equal(200);
        expect(reply.text, type).contains(twice);
        const made = bundleOf(reply).entry?.[1]?.resource?.id;
        expect((await fhir.get(`Observation/${made}`)).text).contains(twice);
      }
    });
  }

  it('a change of digits alone is a change', async () => {
    const id = idOf(await fhir.post('Observation', observation('1.0')));
    const reply = await fhir.put(`Observation/${id}`, observation('1.00', id));
    expect(reply.headers.get('etag')).equal('W/"2"');
    expect(reply.text).contains('"value":1.00,');
  });

  it('a patch test compares by value', async () => {
    const id = idOf(await fhir.post('Observation', observation('1.00')));
    const test = (value: string) =>
      fhir.request('PATCH', `Observation/${id}`, `[{"op":"test","path":"/valueQuantity/value","value":${value}}]`, {
        'content-type': 'application/json-patch+json',
      });
    expect((await test('1.00')).status).equal(200);
    expect((await test('2')).status).equal(422);
  });

  it('are found by value, and sorted by it', async () => {
    const ids: string[] = [];
    for (const value of ['0.1000000000000000055', '12345678901234567.10', '2.50'])
      ids.push(idOf(await fhir.post('Observation', observation(value).replace('"mg"', '"sorted"'))));
    const sorted = bundleOf(await fhir.get('Observation?value-quantity=gt0||sorted&_sort=value-quantity'));
    expect(matchIds(sorted)).eql([ids[0], ids[2], ids[1]]);
    expect(matchIds(bundleOf(await fhir.get('Observation?value-quantity=2.5||sorted')))).eql([ids[2]]);
    const page = bundleOf(await fhir.get('Observation?value-quantity=gt0||sorted&_sort=value-quantity&_count=2'));
    expect(matchIds(bundleOf(await fhir.get(linkOf(page, 'next') as string)))).eql([ids[1]]);
  });
});
