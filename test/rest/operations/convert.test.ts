import { expect } from 'chai';
import { fixture } from '../../support/fixtures.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { stopChecked, storeState } from '../../support/store-state.ts';

const AT = 'at=2026-11-16T09:41:30Z';
const ORDER = 'eps/prescription-order-acute.json';

describe('$convert and $prepare', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
  });
  after(() => stopChecked(server));

  const post = async (
    path: string,
    body: Buffer | string,
    contentType: string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; type: string | null; text: string; headers: Headers }> => {
    const reply = await fetch(`${server.fhirBaseUrl}/${path}`, {
      method: 'POST',
      headers: { ...server.bearer, 'Content-Type': contentType, ...headers },
      body: typeof body === 'string' ? body : new Uint8Array(body),
    });
    return {
      status: reply.status,
      type: reply.headers.get('content-type'),
      text: await reply.text(),
      headers: reply.headers,
    };
  };

  it('FHIR to EPS, as the golden file has it; nothing is stored', async () => {
    const before = await storeState(server);
    for (const path of [`$convert?_to=eps-v3&${AT}`, `$convert?${AT}`]) {
      const reply = await post(path, fixture(ORDER), 'application/fhir+json', { Accept: 'application/xml' });
      expect(reply.status, reply.text).equal(200);
      expect(reply.type).equal('application/xml; charset=utf-8');
      expect(reply.text.trim()).equal(fixture('eps/prescription-order-acute.v3.xml').toString().trim());
    }
    expect(await storeState(server)).equal(before);
  });

  it('takes what EPS reads from headers, and has the sandbox values without them', async () => {
    const reply = await post(`$convert?${AT}`, fixture(ORDER), 'application/fhir+json', {
      'NHSD-ASID': '111111111111',
      'NHSD-Identity-UUID': '222222222222',
      'NHSD-Session-URID': '333333333333',
    });
    for (const id of ['111111111111', '222222222222', '333333333333']) expect(reply.text).contain(`extension="${id}"`);
    const sandbox = await post(`$convert?${AT}`, fixture(ORDER), 'application/fhir+json');
    expect(sandbox.text).contain('extension="200000001285"');
  });

  it('$prepare, and $convert?prepare, say what a prescriber signs', async () => {
    const golden = JSON.parse(fixture('eps/prescription-order-acute.prepare.json').toString()) as object;
    const reply = await post(`$convert?prepare&${AT}`, fixture(ORDER), 'application/fhir+json');
    expect(JSON.parse(reply.text)).deep.equal(golden);
    const now = await post('$prepare', fixture(ORDER), 'application/fhir+json');
    expect(now.status).equal(200);
    expect(JSON.parse(now.text)).property('resourceType', 'Parameters');
  });

  it('HL7 v2 and SCRIPT to FHIR, with what was left out in a header', async () => {
    const reply = await post(`$convert?_to=fhir&${AT}`, fixture('hl7v2/own-uk-a01.hl7'), 'x-application/hl7-v2+er7');
    expect(reply.status, reply.text).equal(200);
    expect(JSON.parse(reply.text)).deep.include({ resourceType: 'Bundle', type: 'transaction' });
    const script = await post('$convert', fixture('script/newrx-basic.xml'), 'application/xml');
    expect(script.status, script.text).equal(200);
    expect(script.type).contain('application/fhir+json');
    const issues = script.headers.get('mortar-issues');
    if (issues !== null) expect(JSON.parse(issues)).an('array');
  });

  it('checks a message by its standard without translating it', async () => {
    const sound = await post('$convert?check', fixture('script/newrx-basic.xml'), 'application/xml');
    expect(sound.status).equal(200);
    expect(JSON.parse(sound.text)).property('resourceType', 'OperationOutcome');
    const broken = await post('$convert?check=true', fixture('script/bad-gender.xml'), 'text/xml');
    expect(broken.status).equal(422);
    expect(broken.text).contain('Gender');
  });

  const REFUSED: readonly [string, string, string, string, number, string][] = [
    ['an unknown target', '$convert?_to=fax', '{}', 'application/json', 400, '_to'],
    ['an unknown parameter', '$convert?to=fhir', '{}', 'application/json', 400, '_to'],
    ['an instant without an offset', '$convert?at=2022-02-01', '{}', 'application/json', 400, 'offset'],
    ['a content type that is none', '$convert', '{}', 'text/plain', 415, 'x-application/hl7-v2+er7'],
    ['JSON that is broken', '$convert', '{"a":', 'application/json', 400, 'Failed to parse JSON encoded FHIR content'],
    [
      'a resource EPS does not know',
      '$convert',
      '{"resourceType":"Patient"}',
      'application/json',
      400,
      'not supported by $convert',
    ],
    ['a pair without a translation', '$convert?_to=d0', 'MSH|^~\\&|A', 'x-application/hl7-v2+er7', 422, 'hl7v2 to d0'],
    ['a signature to verify', '$convert?verify', '{}', 'application/json', 422, 'EPS_SIGNER_CA_FILE'],
    ['prepare of what is not FHIR', '$convert?prepare', 'MSH|', 'x-application/hl7-v2+er7', 422, 'prescription-order'],
    ['an empty body', '$convert', '', 'application/json', 400, 'Failed to parse'],
    ['a document type', '$convert', '<!DOCTYPE a><a/>', 'application/xml', 422, 'DOCTYPE'],
    ['a message that is no v2', '$convert', 'PID|1', 'x-application/hl7-v2+er7', 422, 'MSH'],
    ['prepare of another resource', '$prepare', '{"resourceType":"Claim"}', 'application/json', 400, 'Expected Bundle'],
  ];
  for (const [title, path, body, type, status, text] of REFUSED)
    it(`refuses ${title}`, async () => {
      const reply = await post(path, body, type);
      expect(reply.status, reply.text).equal(status);
      expect(JSON.parse(reply.text)).property('resourceType', 'OperationOutcome');
      expect(reply.text).contain(text);
    });

  it('is for POST alone', async () => {
    const reply = await fetch(`${server.fhirBaseUrl}/$convert`, { headers: server.bearer });
    expect(reply.status).equal(405);
    expect(reply.headers.get('allow')).contain('POST');
  });
});
