/** SearchParameters that are posted: from the POST to the search, on a real server. */
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import {
  bundleOf,
  createFhirClient,
  type FhirClient,
  includedPaths,
  type Json,
  matchIds,
  outcomeOf,
  type Reply,
} from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

const HAIR = 'http://example.org/hair';
const BEST_FRIEND = 'http://example.org/best-friend';

const parameter = (id: string, more: Json): Json => ({
  resourceType: 'SearchParameter',
  id,
  url: `http://example.org/SearchParameter/${id}`,
  name: id.replaceAll('-', ''),
  status: 'active',
  description: 'A test',
  code: id,
  base: ['Patient'],
  type: 'string',
  expression: `Patient.extension('${HAIR}').value.ofType(string)`,
  ...more,
});

const patient = (id: string, hair: string | undefined, more: Json = {}): Json => ({
  resourceType: 'Patient',
  id,
  ...(hair !== undefined && { extension: [{ url: HAIR, valueString: hair }] }),
  ...more,
});

describe('search › custom parameters', () => {
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer();
    client = createFhirClient(server);
    await put(patient('a', 'red'));
    await put(patient('b', 'Reddish brown', { contact: [{ organization: { reference: 'Organization/o' } }] }));
    await put(patient('c', undefined, { multipleBirthInteger: 3 }));
  });
  after(() => server.stop());

  async function put(resource: Json): Promise<Reply> {
    const reply = await client.put(`${resource['resourceType']}/${resource['id']}`, resource);
    expect(reply.status, reply.text).lessThan(300);
    return reply;
  }
  const found = async (query: string): Promise<string[]> => matchIds(bundleOf(await client.get(query))).sort();
  /** Stores it, and waits until it is searched by. */
  async function post(resource: Json): Promise<void> {
    await put(resource);
    const [base] = resource['base'] as readonly string[];
    await become(`${base}?${resource['code']}:missing=true`, 200);
  }
  async function become(query: string, status: number): Promise<Reply> {
    for (let turn = 0; ; turn++) {
      const reply = await client.get(query);
      if (reply.status === status) return reply;
      if (turn > 400) throw new Error(`${query} still answers ${reply.status} ${reply.text}`);
      await setTimeout(25);
    }
  }

  it('takes effect without a restart: what was stored before is found, and what comes later', async () => {
    expect(outcomeOf(await client.get('Patient?hair-colour=red')).diagnostics).match(/Unknown parameter/);
    await post(parameter('hair-colour', {}));
    expect(await found('Patient?hair-colour=red')).deep.equal(['a', 'b']);
    expect(await found('Patient?hair-colour:exact=red')).deep.equal(['a']);
    expect(await found('Patient?hair-colour:contains=BROWN')).deep.equal(['b']);
    expect(await found('Patient?hair-colour:missing=true')).deep.equal(['c']);
    expect(await found('Patient?hair-colour:missing=false')).deep.equal(['a', 'b']);
    expect(matchIds(bundleOf(await client.get('Patient?_sort=-hair-colour')))).deep.equal(['b', 'a', 'c']);
    await put(patient('d', 'black'));
    await put(patient('a', 'blond'));
    expect(await found('Patient?hair-colour=black,blond')).deep.equal(['a', 'd']);
    expect(await found('Patient?hair-colour=red')).deep.equal(['b']);
    expect(await found('Patient?_filter=hair-colour eq "black"')).deep.equal(['d']);
    await put(patient('a', 'red'));
  });

  it('is in the capability statement while it is searched by, and in no other types', async () => {
    interface Statement {
      readonly rest: readonly [{ readonly resource: readonly ({ type: string } & Record<string, unknown>)[] }];
    }
    const { rest } = (await client.get('metadata')).json<never>() as Statement;
    const holders = rest[0].resource.filter((one) =>
      (one['searchParam'] as { name: string }[]).some(({ name }) => name === 'hair-colour'),
    );
    expect(holders.map(({ type }) => type)).deep.equal(['Patient']);
    expect(holders[0]?.['searchParam']).deep.include({
      name: 'hair-colour',
      definition: 'http://example.org/SearchParameter/hair-colour',
      type: 'string',
    });
  });

  const TYPES: readonly [string, Json, Json, readonly string[], string][] = [
    ['number', { expression: 'Patient.multipleBirth as integer' }, {}, ['3', 'gt2', 'lt4'], '4'],
    [
      'date',
      { expression: "Patient.extension.where(url='http://example.org/due').value" },
      { extension: [{ url: 'http://example.org/due', valuePeriod: { start: '2026-02-01', end: '2026-02-10' } }] },
      ['2026-02', 'ge2026-02-01', 'sa2026-01'],
      '2025',
    ],
    [
      'token',
      { expression: "Patient.extension('http://example.org/team').value" },
      {
        extension: [
          { url: 'http://example.org/team', valueCodeableConcept: { coding: [{ system: 'urn:s', code: 'x' }] } },
        ],
      },
      ['x', 'urn:s|x', 'urn:s|'],
      'y',
    ],
    [
      'quantity',
      { expression: "Patient.extension('http://example.org/dose').value as Quantity" },
      {
        extension: [
          {
            url: 'http://example.org/dose',
            valueQuantity: { value: 5.4, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' },
          },
        ],
      },
      ['5.4|http://unitsofmeasure.org|mg', '5400|http://unitsofmeasure.org|ug', 'gt5'],
      '6',
    ],
    [
      'uri',
      { expression: "Patient.extension('http://example.org/home').value as uri" },
      { extension: [{ url: 'http://example.org/home', valueUri: 'http://a.example/b/c' }] },
      ['http://a.example/b/c'],
      'http://a.example/b',
    ],
    [
      'reference',
      { expression: 'Patient.contact.organization', target: ['Organization'] },
      { contact: [{ organization: { reference: 'Organization/q' } }] },
      ['Organization/q', 'q'],
      'Organization/other',
    ],
    [
      'token',
      { expression: 'Patient.deceased.exists() and Patient.deceased != false' },
      { deceasedBoolean: true },
      ['true'],
      'x',
    ],
    [
      'string',
      { expression: "Patient.telecom.where(use='work').value | Patient.contact.name" },
      {
        telecom: [
          { system: 'phone', use: 'home', value: 'hh' },
          { system: 'phone', use: 'work', value: 'ww' },
        ],
      },
      ['ww'],
      'hh',
    ],
  ];
  for (const [i, [type, definition, more, values, other]] of TYPES.entries())
    it(`${type}: ${definition['expression']}`, async () => {
      const id = `type-${i}`;
      const holder = i === 0 ? 'c' : `t${i}`;
      if (i > 0) await put(patient(holder, undefined, more));
      await post(parameter(id, { type, ...definition }));
      for (const value of values)
        expect(await found(`Patient?${id}=${encodeURIComponent(value)}`), value).include(holder);
      expect(await found(`Patient?${id}=${other}`)).not.include(holder);
      expect(await found(`Patient?${id}:missing=false`)).include(holder);
    });

  it('a reference is chained, included, and looked up from its target', async () => {
    await put({ resourceType: 'Organization', id: 'o', name: 'Northgate' });
    await post(
      parameter('employer', {
        type: 'reference',
        expression: 'Patient.contact.organization.where(resolve() is Organization)',
        target: ['Organization'],
      }),
    );
    expect(await found('Patient?employer.name=north')).deep.equal(['b']);
    expect(await found('Organization?_has:Patient:employer:hair-colour=reddish')).deep.equal(['o']);
    expect(includedPaths(bundleOf(await client.get('Patient?_id=b&_include=Patient:employer')))).deep.equal([
      'Organization/o',
    ]);
    expect(includedPaths(bundleOf(await client.get('Organization?_id=o&_revinclude=Patient:employer')))).deep.equal([
      'Patient/b',
    ]);
  });

  it('one of several types', async () => {
    await put({
      resourceType: 'Practitioner',
      id: 'pr',
      extension: [{ url: BEST_FRIEND, valueReference: { reference: 'Patient/a' } }],
    });
    await post(
      parameter('best-friend', {
        base: ['Practitioner', 'Patient'],
        type: 'reference',
        expression: `Practitioner.extension('${BEST_FRIEND}').value as Reference | Patient.extension('${BEST_FRIEND}').value as Reference`,
      }),
    );
    expect(await found('Practitioner?best-friend=Patient/a')).deep.equal(['pr']);
    expect(await found('Patient?best-friend=Patient/a')).deep.equal([]);
  });

  it('a composite of posted components: values of one element together, as long as they are there', async () => {
    const contact = (code: string, family: string) => ({
      relationship: [{ coding: [{ system: 'urn:kin', code }] }],
      name: { family },
    });
    await put(patient('kin-1', undefined, { contact: [contact('mother', 'Ash'), contact('friend', 'Birch')] }));
    await put(patient('kin-2', undefined, { contact: [contact('friend', 'Ash')] }));
    await post(parameter('kin-role', { type: 'token', expression: 'Patient.contact.relationship' }));
    await post(parameter('kin-family', { expression: 'Patient.contact.name.family' }));
    const component = [
      { definition: 'http://example.org/SearchParameter/kin-role', expression: 'relationship' },
      { definition: 'http://example.org/SearchParameter/kin-family', expression: 'name.family' },
    ];
    await post(parameter('kin', { type: 'composite', expression: 'Patient.contact', component }));
    expect(await found('Patient?kin-role=friend&kin-family=ash')).deep.equal(['kin-1', 'kin-2']);
    expect(await found('Patient?kin=friend$ash')).deep.equal(['kin-2']);
    expect(await found('Patient?kin=urn:kin|mother$as')).deep.equal(['kin-1']);
    expect(await found('Patient?kin=urn:other|mother$ash')).deep.equal([]);
    expect(await found('Patient?kin=mother$birch,friend$birch')).deep.equal(['kin-1']);
    expect(await found('Patient?kin:missing=false')).deep.equal(['kin-1', 'kin-2']);
    expect(outcomeOf(await client.get('Patient?kin=mother')).diagnostics).match(/must be 'kin-role\$kin-family'/);
    await put(parameter('kin-family', { status: 'retired', expression: 'Patient.contact.name.family' }));
    expect(outcomeOf(await become('Patient?kin=friend$ash', 400)).diagnostics).match(/Unknown parameter/);
    await put(patient('kin-3', undefined, { contact: [contact('friend', 'Ashby')] }));
    await post(parameter('kin-family', { expression: 'Patient.contact.name.family' }));
    await become('Patient?kin=friend$ash', 200);
    expect(await found('Patient?kin=friend$ash')).deep.equal(['kin-2', 'kin-3']);
  });

  const observation = (id: string, code: string, value: number) => ({
    resourceType: 'Observation',
    id,
    status: 'final',
    code: { text: 'panel' },
    component: [
      {
        code: { coding: [{ system: 'urn:c', code }] },
        valueQuantity: { value, unit: 'mg', system: 'http://unitsofmeasure.org', code: 'mg' },
      },
      { code: { coding: [{ system: 'urn:c', code: 'other' }] }, valueDateTime: '2026-02-03' },
    ],
  });
  it('composites of components of R4, by quantity, date and two numbers', async () => {
    await put(observation('o1', 'a', 5.4));
    await put(observation('o2', 'b', 7));
    const definition = (name: string): string => `http://hl7.org/fhir/SearchParameter/${name}`;
    const part = (name: string, expression: string) => ({ definition: definition(name), expression });
    const own = (id: string, ...component: readonly Json[]): Json =>
      parameter(id, { base: ['Observation'], type: 'composite', expression: 'Observation.component', component });
    await post(
      own('part-dose', part('Observation-value-quantity', 'value as Quantity'), part('clinical-code', 'code')),
    );
    await post(
      own('part-date', part('clinical-code', 'code'), part('Observation-value-date', 'value.ofType(dateTime)')),
    );
    expect(await found('Observation?part-dose=5.4||mg$a')).deep.equal(['o1']);
    expect(await found('Observation?part-dose=5400|http://unitsofmeasure.org|ug$urn:c|a')).deep.equal(['o1']);
    expect(await found('Observation?part-dose=gt5$a,gt5$b')).deep.equal(['o1', 'o2']);
    expect(await found('Observation?part-dose=gt6$a')).deep.equal([]);
    expect(await found('Observation?part-date=other$2026-02')).deep.equal(['o1', 'o2']);
    expect(await found('Observation?part-date=a$2026-02')).deep.equal([]);
    const variant = (start: number, end: number): Json => ({
      resourceType: 'MolecularSequence',
      id: `s${start}`,
      coordinateSystem: 0,
      type: 'dna',
      variant: [{ start, end, observedAllele: 'T' }],
    });
    await put(variant(100, 200));
    await put(variant(300, 400));
    await post(
      parameter('allele-at', {
        base: ['MolecularSequence'],
        type: 'composite',
        expression: 'MolecularSequence.variant',
        component: [
          part('MolecularSequence-type', 'observedAllele'),
          part('MolecularSequence-variant-start', 'start'),
          part('MolecularSequence-variant-end', 'end'),
        ],
      }),
    );
    expect(await found('MolecularSequence?allele-at=T$lt150$gt150')).deep.equal(['s100']);
    expect(await found('MolecularSequence?allele-at=T$ge100$le400')).deep.equal(['s100', 's300']);
  });

  it('one of Resource is one of every type, in a search over types as well', async () => {
    const MARK = 'http://example.org/mark';
    const mark = (code: string) => ({ meta: { extension: [{ url: MARK, valueCode: code }] } });
    await put({ resourceType: 'Organization', id: 'marked', name: 'Marked', ...mark('x') });
    await put(patient('marked', undefined, mark('x')));
    await put({ resourceType: 'Binary', id: 'marked', contentType: 'text/plain', data: 'eA==', ...mark('y') });
    const own = { base: ['Resource'], type: 'token', expression: `Resource.meta.extension('${MARK}').value` };
    await put(parameter('mark', own));
    await become('Patient?mark=x', 200);
    await put({ resourceType: 'Basic', id: 'later', code: { text: 'later' }, ...mark('x') });
    expect(await found('Patient?mark=x')).deep.equal(['marked']);
    expect(await found('Organization?mark=x')).deep.equal(['marked']);
    expect(await found('Binary?mark=y')).deep.equal(['marked']);
    expect(await found('?mark=x')).deep.equal(['later', 'marked', 'marked']);
    expect(await found('?_type=Patient,Binary&mark=x,y')).deep.equal(['marked', 'marked']);
    expect((await client.get('AuditEvent?mark=x')).status).equal(400);
    await put(parameter('mark', { ...own, status: 'retired' }));
    await become('Basic?mark=x', 400);
  });

  it('another expression takes the place of the first, and no value of the first is left', async () => {
    await post(parameter('second', { expression: 'Patient.contact.name.text' }));
    await put(patient('e', undefined, { contact: [{ name: { text: 'Vellum', family: 'Marram' } }] }));
    expect(await found('Patient?second=vellum')).deep.equal(['e']);
    await post(parameter('second', { expression: 'Patient.contact.name.family' }));
    expect(await found('Patient?second=marram')).deep.equal(['e']);
    expect(await found('Patient?second=vellum')).deep.equal([]);
  });

  it('retired, deleted, and active again', async () => {
    await post(parameter('going', {}));
    await put(parameter('going', { status: 'retired' }));
    expect(outcomeOf(await become('Patient?going=red', 400)).diagnostics).match(/Unknown parameter/);
    await put(patient('f', 'redder'));
    await post(parameter('going', {}));
    expect(await found('Patient?going=redder')).deep.equal(['f']);
    expect((await client.delete('SearchParameter/going')).status).lessThan(300);
    await become('Patient?going=red', 400);
    expect((await client.get('metadata')).text).not.include('SearchParameter/going"');
  });

  const REFUSED: readonly [string, Json, string, RegExp][] = [
    ['a code of R4', { code: 'birthdate' }, 'code', /'birthdate' is a parameter of Patient in R4/],
    ['a code of another posted one', { code: 'hair-colour' }, 'code', /SearchParameter\/hair-colour has this code/],
    ['a code that cannot stand in a URL', { code: 'hair.colour' }, 'code', /letters, digits and hyphens/],
    ['a result parameter', { code: '_sort' }, 'code', /letters, digits and hyphens/],
    ['no expression', { expression: undefined }, 'expression', /says where the values are/],
    ['a function beyond the subset', { expression: "Patient.name.matches('a*')" }, 'expression', /not understood/],
    ['an element that is not there', { expression: 'Patient.nmae' }, 'expression', /no element/],
    [
      'what a primitive has beside it',
      { expression: "Patient.birthDate.extension('x').value" },
      'expression',
      /below a primitive/,
    ],
    ['values of another type', { expression: 'Patient.birthDate' }, 'expression', /what it finds is of type date/],
    [
      'another type of resource',
      { expression: 'Observation.code' },
      'expression',
      /none of its paths begins with Patient/,
    ],
    [
      'an index behind a list',
      { expression: 'Patient.contact.telecom[0].value' },
      'expression',
      /\[0\] of 'telecom' must not follow/,
    ],
    [
      'two comparisons',
      { expression: "Patient.telecom.where(use='home').where(system='phone').value" },
      'expression',
      /compared twice/,
    ],
    ['a composite of nothing', { type: 'composite' }, 'component', /A composite has 2 to 3 components/],
    ['a special one', { type: 'special' }, 'type', /a way of its own, which data cannot say/],
    ['what some types do not have', { base: ['Resource'] }, 'expression', /string of Account: none of its paths/],
    ['the audit trail', { base: ['AuditEvent'] }, 'base', /searched by the parameters of R4 alone/],
    ['a type that is not stored', { base: ['Parameters'] }, 'base', /Parameters is no resource type/],
    [
      'choices below choices',
      { expression: `Patient.extension${'.value.extension'.repeat(4)}.value` },
      'expression',
      /too many places/,
    ],
    ['a deep nest', { expression: `${'('.repeat(900)}Patient.id${')'.repeat(899)}` }, 'expression', /not understood/],
  ];
  for (const [title, change, element, why] of REFUSED)
    it(`[IN-35] refuses ${title}, and stores nothing`, async () => {
      const { id: _id, ...resource } = parameter('refused', change);
      const reply = await client.post('SearchParameter', resource);
      expect(reply.status, reply.text).equal(422);
      expect(outcomeOf(reply).diagnostics).match(why);
      expect(outcomeOf(reply).expression).deep.equal([`SearchParameter.${element}`]);
      const inBundle = await client.post('', {
        resourceType: 'Bundle',
        type: 'transaction',
        entry: [{ resource, request: { method: 'POST', url: 'SearchParameter' } }],
      });
      expect(inBundle.status, inBundle.text).equal(422);
      expect(await found(`SearchParameter?url=${resource['url']}`)).deep.equal([]);
    });

  it('a draft, and a copy of an official one, are stored and change nothing', async () => {
    await put(parameter('draft', { status: 'draft', expression: 'not yet (' }));
    expect((await client.get('Patient?draft=x')).status).equal(400);
    await put(
      parameter('individual-birthdate', {
        url: 'http://hl7.org/fhir/SearchParameter/individual-birthdate',
        code: 'birthdate',
        type: 'date',
        expression: 'Patient.nothing',
      }),
    );
    expect((await client.get('Patient?birthdate=2020')).status).equal(200);
  });
});
