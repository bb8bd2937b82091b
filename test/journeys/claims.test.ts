/** A claim from the FHIR base to the local payer and its copay programme, over real sockets. docs/ncpdp-telecom.md */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type RunningPayer, startPayer } from '../../src/peers/payer/start.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

interface Json {
  readonly [name: string]: unknown;
}
interface Parameter {
  readonly name: string;
  readonly valueCode?: string;
  readonly valueString?: string;
  readonly valueMoney?: { readonly value: number };
  readonly resource?: Json;
}

const PROGRAMMES = [
  {
    name: 'Loyalty',
    bin: '610524',
    pcn: 'LOYALTY',
    groupId: '50776011',
    memberId: 'ADA55501234',
    ndcs: ['00074055402'],
  },
];
const coded = (system: string, code: string): Json => ({ coding: [{ system, code }] });
const HL7 = 'http://terminology.hl7.org/CodeSystem';

const coverage = (id: string, type: string): Json => ({
  resourceType: 'Coverage',
  id,
  status: 'active',
  type: coded(`${HL7}/v3-ActCode`, type),
  subscriberId: 'W123456789',
  beneficiary: { reference: 'Patient/imani' },
  payor: [{ display: 'Example plan' }],
  class: [
    ['rxbin', '004336'],
    ['rxpcn', 'ADV'],
    ['rxgroup', 'RX8834'],
  ].map(([code = '', value]) => ({ type: coded(`${HL7}/coverage-class`, code), value })),
});
const RESOURCES: readonly Json[] = [
  {
    resourceType: 'Patient',
    id: 'imani',
    name: [{ family: 'OKAFOR', given: ['IMANI'] }],
    birthDate: '1987-03-14',
    gender: 'female',
  },
  {
    resourceType: 'Organization',
    id: 'pharmacy',
    name: 'Pharmacy',
    identifier: [{ system: 'http://hl7.org/fhir/sid/us-npi', value: '1629384755' }],
  },
  coverage('plan', 'EHCPOL'),
  coverage('federal', 'PUBLICPOL'),
];

const info = (sequence: number, field: string, value: Json): Json => ({
  sequence,
  category: { text: 'claim' },
  code: coded('https://mortar-fhir.org/CodeSystem/telecom-field', field),
  ...value,
});
const claim = (id: string, rx: string, more: Json = {}, plan = 'plan'): Json => ({
  resourceType: 'Claim',
  id,
  status: 'active',
  type: coded(`${HL7}/claim-type`, 'pharmacy'),
  use: 'claim',
  created: '2026-01-16',
  patient: { reference: 'Patient/imani' },
  provider: { reference: 'Organization/pharmacy' },
  priority: coded(`${HL7}/processpriority`, 'normal'),
  insurance: [{ sequence: 1, focal: true, coverage: { reference: `Coverage/${plan}` } }],
  prescription: { identifier: { value: rx } },
  supportingInfo: [
    info(1, '403-D3', { valueString: '0' }),
    info(2, '405-D5', { valueString: '28' }),
    info(3, '406-D6', { valueString: '1' }),
    info(4, '409-D9', { valueQuantity: { value: 6500 } }),
    info(5, '412-DC', { valueQuantity: { value: 1.5 } }),
  ],
  item: [
    {
      sequence: 1,
      servicedDate: '2026-01-16',
      productOrService: coded('http://hl7.org/fhir/sid/ndc', '00074055402'),
      quantity: { value: 2 },
      net: { value: 6501.5, currency: 'USD' },
    },
  ],
  ...more,
});

describe('claims › from the FHIR base to payer and programme', function () {
  this.timeout(120_000);
  let payer: RunningPayer;
  let server: TestServer;
  let ahead = 0;
  const folder = makeTempFolder();

  before(async () => {
    payer = await startPayer({ port: 0 });
    const file = join(folder, 'programmes.json');
    writeFileSync(file, JSON.stringify(PROGRAMMES));
    server = await startTestServer({
      now: () => Date.now() + ahead,
      env: { TELECOM_URL: `tcp://127.0.0.1:${payer.port}`, COPAY_PROGRAMMES_FILE: file, TELECOM_SOFTWARE_ID: 'MORTAR' },
    });
    for (const resource of RESOURCES)
      expect((await call('PUT', `${resource['resourceType']}/${resource['id']}`, resource)).status).equal(201);
  });
  after(async () => {
    await server.stop();
    await payer.stop();
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const answer = await fetch(`${server.fhirBaseUrl}/${path}`, {
      method,
      headers: { ...server.bearer, 'Content-Type': 'application/fhir+json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as Json };
  }
  async function adjudicate(body: Json, headers: Record<string, string> = {}) {
    const answer = await call('POST', 'Claim/$adjudicate', body, headers);
    const parameters = (answer.body['parameter'] ?? []) as Parameter[];
    const find = (name: string): Parameter | undefined => parameters.find((one) => one.name === name);
    return {
      status: answer.status,
      body: answer.body,
      outcome: find('outcome')?.valueCode,
      money: (name: string) => find(name)?.valueMoney?.value,
      notes: parameters.filter(({ name }) => name === 'note').map(({ valueString }) => valueString),
      resources: parameters.filter(({ name }) => name === 'return').map(({ resource }) => resource as Json),
    };
  }
  const responsesTo = async (id: string): Promise<Json[]> =>
    ((await call('GET', `ClaimResponse?request=Claim/${id}`)).body['entry'] as { resource: Json }[] | undefined)?.map(
      ({ resource }) => resource,
    ) ?? [];

  it('insurer, then programme: paid, stored, found by search; again, nothing is sent', async () => {
    const first = await adjudicate(claim('c1', '1000231'));
    expect(first.status, JSON.stringify(first.body)).equal(200);
    expect(first.outcome).equal('paid');
    expect(['patient-pay', 'primary-pays', 'programme-pays', 'saved'].map(first.money)).deep.equal([
      5, 5701.5, 495, 495,
    ]);
    expect(payer.received).deep.equal(['B1 004336', 'B1 610524']);
    const [response, ...more] = await responsesTo('c1');
    expect(more).deep.equal([]);
    expect(response).include({ outcome: 'complete' });
    const programme = first.resources.filter(({ resourceType }) => resourceType === 'Claim')[1];
    expect((await call('GET', `Claim/${programme?.['id']}`)).body).nested.property(
      'related[0].claim.reference',
      'Claim/c1',
    );
    expect((await responsesTo(String(programme?.['id']))).length).equal(1);
    const again = await adjudicate(claim('c1', '1000231'));
    expect(again.money('patient-pay')).equal(5);
    expect(payer.received.length).equal(2);
    expect((await call('GET', `ClaimResponse/${response?.['id']}/_history`)).body['total']).equal(1);
  });

  it('the operation is declared where there is a payer', async () => {
    const { rest } = (await call('GET', 'metadata')).body as {
      rest: { resource: { type: string; operation?: Json[] }[] }[];
    };
    const found = rest[0]?.resource.find(({ type }) => type === 'Claim')?.operation;
    expect(found?.map(({ name }) => name)).deep.equal(['adjudicate']);
  });

  it('the messages are in the log, with what they say and their answers', async () => {
    const url = server.fhirBaseUrl.replace(/\/fhir\/R4$/, '/gateway/messages?dialect=telecom');
    const { messages } = (await (await fetch(url, { headers: server.bearer })).json()) as { messages: Json[] };
    expect(messages.map(({ kind, state, direction }) => [kind, state, direction])).deep.equal([
      ['B1', 'acknowledged', 'out'],
      ['B1', 'acknowledged', 'out'],
    ]);
    const one = await fetch(url.replace(/\?.*/, `/${messages[1]?.['id']}`), { headers: server.bearer });
    expect(JSON.stringify(await one.json())).include('407-D7 Product/Service ID');
  });

  it('the same id with other content is refused; a cancelled Claim is taken back, the programme first', async () => {
    expect((await adjudicate(claim('c1', '1000232'))).status).equal(409);
    const cancelled = await adjudicate(claim('c1', '1000231', { status: 'cancelled' }));
    expect(cancelled.outcome, JSON.stringify(cancelled.body)).equal('reversed');
    expect(payer.received.slice(2)).deep.equal(['B2 610524', 'B2 004336']);
    expect(payer.claims().map(({ status }) => status)).deep.equal(['reversed', 'reversed']);
    expect((await call('GET', 'Claim/c1')).body['status']).equal('cancelled');
    expect((await adjudicate(claim('never', '1', { status: 'cancelled' }))).status).equal(422);
  });

  it('without an id the request id tells that it is the same', async () => {
    const { id: _id, ...anonymous } = claim('', '1000240');
    const before = payer.received.length;
    for (let i = 0; i < 2; i++) expect((await adjudicate(anonymous, { 'X-Request-ID': 'one' })).outcome).equal('paid');
    expect(payer.received.length).equal(before + 2);
  });

  it('of a federal plan no programme is asked', async () => {
    const result = await adjudicate(claim('c2', '1000250', {}, 'federal'));
    expect(result.money('patient-pay')).equal(500);
    expect(result.notes[0]).match(/V-AKS-1/);
  });

  it('a price that does not balance is refused with the difference, and nothing is sent or stored', async () => {
    const before = payer.received.length;
    const [item] = claim('c3', '1000260')['item'] as Json[];
    const result = await adjudicate(
      claim('c3', '1000260', { item: [{ ...item, net: { value: 6502, currency: 'USD' } }] }),
    );
    expect(result.status).equal(422);
    expect(JSON.stringify(result.body)).include('0.50 more than the sum of its parts');
    expect(payer.received.length).equal(before);
    expect((await call('GET', 'Claim/c3')).status).equal(404);
  });

  for (const [what, body, status] of [
    ['no Claim', { resourceType: 'Patient' }, 422],
    [
      'a Claim to a second payer',
      claim('c4', '1', { supportingInfo: [info(1, '308-C8', { valueString: '08' })] }),
      422,
    ],
    ['what is not here', claim('c5', '1', { provider: { reference: 'Organization/nobody' } }), 422],
    ['a request id that is none', claim('c6', '1'), 400],
  ] as const)
    it(`refuses ${what}: ${status}`, async () =>
      expect((await adjudicate(body, status === 400 ? { 'X-Request-ID': 'a b' } : {})).status).equal(status));

  const eligibility = (more: Json = {}): Json => ({
    resourceType: 'CoverageEligibilityRequest',
    status: 'active',
    purpose: ['discovery'],
    created: '2026-01-16',
    servicedDate: '2026-01-16',
    patient: { reference: 'Patient/imani' },
    provider: { reference: 'Organization/pharmacy' },
    insurer: { display: 'Example plan' },
    insurance: [{ focal: true, coverage: { reference: 'Coverage/plan' } }],
    ...more,
  });

  it('eligibility: the answer is stored, with the coverage it names as a draft', async () => {
    const { status, body } = await call('POST', 'CoverageEligibilityRequest/$submit', eligibility());
    expect(status, JSON.stringify(body)).equal(200);
    expect(body).include({ resourceType: 'CoverageEligibilityResponse', outcome: 'complete' });
    const [insurance] = body['insurance'] as { inforce: boolean; coverage: { reference: string } }[];
    expect(insurance?.inforce).equal(true);
    expect((await call('GET', insurance?.coverage.reference ?? '')).body).include({
      status: 'draft',
      subscriberId: 'W123456789',
    });
    const { reference } = body['request'] as { reference: string };
    expect((await call('GET', reference)).body).include({ resourceType: 'CoverageEligibilityRequest' });
  });

  it('eligibility of nobody it knows: N1; of what cannot be asked: 422', async () => {
    await call('PUT', 'Coverage/unknown', { ...coverage('unknown', 'EHCPOL'), subscriberId: 'W000000000' });
    const insurance = [{ focal: true, coverage: { reference: 'Coverage/unknown' } }];
    const { body } = await call('POST', 'CoverageEligibilityRequest/$submit', eligibility({ insurance }));
    expect(body).nested.property('error[0].code.coding[0].code', 'N1');
    for (const bad of [
      claim('c9', '1'),
      eligibility({ insurance: [] }),
      eligibility({ patient: { reference: 'Patient/nobody' } }),
    ])
      expect((await call('POST', 'CoverageEligibilityRequest/$submit', bad)).status).equal(422);
  });

  it('no payer there: 202, and it is taken up by itself when there is one', async () => {
    const { port } = payer;
    await payer.stop();
    const open = await adjudicate(claim('c7', '1000270'));
    expect([open.status, open.outcome]).deep.equal([202, 'open']);
    expect((await call('POST', 'CoverageEligibilityRequest/$submit', eligibility())).status).equal(503);
    payer = await startPayer({ port });
    ahead = 61_000;
    while ((await responsesTo('c7')).length === 0) await new Promise((done) => setTimeout(done, 200));
    expect((await responsesTo('c7'))[0]).include({ outcome: 'complete' });
    expect((await adjudicate(claim('c7', '1000270'))).money('patient-pay')).equal(5);
  });

  it('without a payer configured there is no such operation', async () => {
    const plain = await startTestServer();
    try {
      const answer = await fetch(`${plain.fhirBaseUrl}/Claim/$adjudicate`, {
        method: 'POST',
        headers: { ...plain.bearer, 'Content-Type': 'application/fhir+json' },
        body: JSON.stringify(claim('c1', '1')),
      });
      expect(answer.status).equal(501);
    } finally {
      await plain.stop();
    }
  });
});
