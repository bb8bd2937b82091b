/** https://hl7.org/fhir/R4/location.html#positional */
import { expect } from 'chai';
import { withClient } from '../../support/database.ts';
import { bundleOf, createFhirClient, type FhirClient, matchIds } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

/** Leeds to York is 36 km as the crow flies, to London 273 km; Suva and Apia lie on both sides of 180°. */
const PLACES: Readonly<Record<string, readonly [number, number] | undefined>> = {
  leeds: [53.7997, -1.5492],
  headingley: [53.8195, -1.5765],
  york: [53.96, -1.0873],
  london: [51.5072, -0.1276],
  suva: [-18.1248, 178.4501],
  apia: [-13.8507, -171.7514],
  pole: [90, 0],
  nowhere: undefined,
};

describe('search-type › near', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    for (const [id, place] of Object.entries(PLACES)) {
      const position = place && { latitude: place[0], longitude: place[1] };
      const reply = await fhir.put(`Location/${id}`, { resourceType: 'Location', id, ...(position && { position }) });
      expect(reply.status, reply.text).equal(201);
    }
    const role = { resourceType: 'PractitionerRole', id: 'role', location: [{ reference: 'Location/york' }] };
    await fhir.put('PractitionerRole/role', role);
    await fhir.put('Location/gone', {
      resourceType: 'Location',
      id: 'gone',
      position: { latitude: 53.8, longitude: -1.55 },
    });
    await fhir.delete('Location/gone');
  });
  after(() => server.stop());

  const LEEDS = '53.7997|-1.5492';
  const CASES: readonly (readonly [query: string, ids: string])[] = [
    [`Location?near=${LEEDS}`, 'headingley leeds'],
    [`Location?near=${LEEDS}|1|km`, 'leeds'],
    [`Location?near=${LEEDS}|1`, 'leeds'],
    [`Location?near=${LEEDS}|0|km`, 'leeds'],
    [`Location?near=${LEEDS}|34|km`, 'headingley leeds'],
    [`Location?near=${LEEDS}|37|km`, 'headingley leeds york'],
    [`Location?near=${LEEDS}|37000|m`, 'headingley leeds york'],
    [`Location?near=${LEEDS}|23|[mi_i]`, 'headingley leeds york'],
    [`Location?near=${LEEDS}|270|km`, 'headingley leeds york'],
    [`Location?near=${LEEDS}|276|km`, 'headingley leeds london york'],
    [`Location?near=${LEEDS}|1|km,51.5|-0.13|5|km`, 'leeds london'],
    [`Location?near=${LEEDS}|999999|km`, 'apia headingley leeds london pole suva york'],
    ['Location?near=-18.1248|-179.9|200|km', 'suva'],
    ['Location?near=-16|-177|900|km', 'apia suva'],
    ['Location?near=90|120|1|km', 'pole'],
    [`Location?near=${LEEDS}|37|km&_id=york`, 'york'],
    [`PractitionerRole?location.near=${LEEDS}|40|km`, 'role'],
    [`PractitionerRole?location.near=${LEEDS}|30|km`, ''],
    [`PractitionerRole?location:Location.near=${LEEDS}|40|km`, 'role'],
  ];
  for (const [query, ids] of CASES)
    it(query, async () => {
      const reply = await fhir.get(query);
      expect(reply.status, reply.text).equal(200);
      expect(matchIds(bundleOf(reply)).sort().join(' ')).equal(ids);
    });

  it('the distance of each match is told, and of nothing else', async () => {
    interface Entry {
      readonly resource: { readonly id: string };
      readonly search: { readonly extension?: readonly [{ readonly url: string; readonly valueDistance: object }] };
    }
    const distances = async (query: string): Promise<Record<string, unknown>> => {
      const { entry } = bundleOf(await fhir.get(query)) as unknown as { readonly entry: readonly Entry[] };
      return Object.fromEntries(
        entry.map(({ resource, search }) => {
          const [extension] = search.extension ?? [];
          if (extension) expect(extension.url).equal('http://hl7.org/fhir/StructureDefinition/location-distance');
          return [resource.id, extension?.valueDistance];
        }),
      );
    };
    const km = (value: number) => ({ value, unit: 'km', system: 'http://unitsofmeasure.org', code: 'km' });
    const found = await distances(`Location?near=${LEEDS}|37|km`);
    expect(found).deep.equal({ leeds: km(0), headingley: km(2.839), york: km(35.134) });
    expect(await distances('Location?near=53.96|-1.0873|1|km,53.7997|-1.5492|1|km')).deep.equal({
      leeds: km(0),
      york: km(0),
    });
    expect(await distances(`?_type=Location&near=${LEEDS}|1|km`)).deep.equal({ leeds: km(0) });
    expect(await distances('Location?_id=leeds,nowhere')).deep.equal({ leeds: undefined, nowhere: undefined });
    expect(await distances(`PractitionerRole?location.near=${LEEDS}|40|km`)).deep.equal({ role: undefined });
    const xml = await fhir.get(`Location?near=${LEEDS}|1|km`, { accept: 'application/fhir+xml' });
    expect(xml.text).contains('location-distance').contains('<code value="km"/>');
  });

  it('an index serves it', async () => {
    await withClient(server.database.connection('owner'), async (client) => {
      await client.query('set enable_seqscan = off');
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain select rid from fhir.location where position('"position"' in content) > 0 and mortar.place(content) <@ box(point(-2, 53), point(-1, 54))`,
      );
      expect(rows.map((row) => row['QUERY PLAN']).join('\n')).contains('location_place');
    });
  });

  for (const query of [
    'near=',
    'near=1',
    'near=91|0',
    'near=0|181',
    'near=a|b',
    'near=1|2|-1|km',
    'near=1|2|3|kg',
    'near=1|2|3|mi',
    'near=1|2|3|km|4',
  ])
    it(`Location?${query} is refused`, async () => {
      const reply = await fhir.get(`Location?${query}`);
      expect(reply.status, reply.text).equal(400);
      expect(reply.text).match(/Parameter 'near'/);
    });
  it('other types have no near', async () => expect((await fhir.get('Patient?near=1|2')).status).equal(400));
});
