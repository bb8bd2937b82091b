/** XML at the door: what is asked for, what is sent, and what stays JSON. https://hl7.org/fhir/R4/http.html#mime-type */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { formatJson, parseJson } from '../../src/standards/fhir/json.ts';
import { createValidator } from '../../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../src/standards/fhir/xml/write.ts';
import { testDefinitions } from '../support/definitions.ts';
import { createFhirClient, type FhirClient, type Json, outcomeOf, type Reply } from '../support/fhir-client.ts';
import { fixture } from '../support/fixtures.ts';
import { generateValid } from '../support/generate-resource.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const XML = { 'content-type': 'application/fhir+xml', accept: 'application/fhir+xml' };
const definitions = testDefinitions();
const validate = createValidator(definitions);
const read = createXmlReader(definitions);
const write = createXmlWriter(definitions);

/** The body as a resource, which must be XML. */
function xmlOf(reply: Reply): Json {
  expect(reply.headers.get('content-type'), reply.text.slice(0, 300)).equal('application/fhir+xml; charset=utf-8');
  return read(reply.text);
}

describe('formats', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let id: string;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    const made = await fhir.post('Patient', fixture('fhir/xml/patient.xml'), XML);
    expect(made.status, made.text).equal(201);
    id = String(xmlOf(made)['id']);
  });
  after(() => stopChecked(server));

  it('what came as XML is stored as JSON with every digit, and goes out as XML again', async () => {
    const json = await fhir.get(`Patient/${id}`);
    expect(json.text).contains('"value":1.00').and.contains('"valueDecimal":0.10');
    const { meta: _meta, id: _id, ...stored } = parseJson(json.text) as Json;
    const { meta: _ours, id: _own, ...sent } = parseJson(fixture('fhir/xml/patient.json')) as Json;
    expect(stored).deep.equal(sent);
    const xml = await fhir.get(`Patient/${id}`, { accept: 'application/fhir+xml' });
    expect(xmlOf(xml)).deep.equal(parseJson(json.text));
    expect(xml.text).contains('<value value="1.00"/>');
    expect(xml.headers.get('etag')).equal(json.headers.get('etag'));
    expect(xml.headers.get('vary')).contains('Accept');
    const head = await fhir.request('HEAD', `Patient/${id}`, undefined, { accept: 'application/fhir+xml' });
    expect(head.headers.get('content-length')).equal(String(Buffer.byteLength(xml.text)));
  });

  for (const [query, accept, format] of [
    ['', 'application/fhir+xml', 'xml'],
    ['', 'application/xml', 'xml'],
    ['', 'text/xml', 'xml'],
    ['', 'application/fhir+xml; fhirVersion=4.0', 'xml'],
    ['', 'application/fhir+xml, application/fhir+json;q=0.5', 'xml'],
    ['', 'application/fhir+xml;q=0.4, application/fhir+json;q=0.5', 'json'],
    ['', 'application/fhir+xml, application/fhir+json', 'xml'],
    ['', 'application/fhir+json, application/fhir+xml', 'json'],
    ['', 'application/fhir+json;q=0, */*', 'xml'],
    ['', 'text/turtle, application/fhir+xml;q=0.1', 'xml'],
    ['', '*/*', 'json'],
    ['', 'application/*', 'json'],
    ['_format=xml', 'application/fhir+json', 'xml'],
    ['_format=text/xml', '*/*', 'xml'],
    ['_format=application/fhir%2Bxml', '*/*', 'xml'],
    ['_format=application/fhir+xml', '*/*', 'xml'],
    ['_format=json', 'application/fhir+xml', 'json'],
  ] as const)
    it(`'${query}' and Accept '${accept}': ${format}`, async () => {
      for (const path of [`Patient/${id}`, 'Patient', `Patient/${id}/_history`, 'metadata', 'Patient/nowhere']) {
        const reply = await fhir.get(`${path}?${query}`, { accept });
        expect(reply.headers.get('content-type'), path).equal(`application/fhir+${format}; charset=utf-8`);
        if (format === 'xml') expect(read(reply.text), path).property('resourceType');
      }
    });

  for (const [query, accept, said] of [
    ['', 'text/turtle', 'RDF is not available: use application/fhir+json or application/fhir+xml'],
    ['_format=ttl', '*/*', 'RDF is not available: use application/fhir+json or application/fhir+xml'],
    ['_format=html', '*/*', '_format asks for a format'],
    ['', 'application/fhir+xml; fhirVersion=5.0', 'Accept asks for a format'],
    ['', 'application/fhir+xml;q=0', 'Accept asks for a format'],
  ] as const)
    it(`406 for '${query}' and Accept '${accept}'`, async () => {
      const reply = await fhir.get(`Patient/${id}?${query}`, { accept });
      expect(reply.status).equal(406);
      expect(outcomeOf(reply).diagnostics).contains(said);
    });

  it('_pretty indents XML', async () => {
    const reply = await fhir.get(`Patient/${id}?_format=xml&_pretty=true`);
    expect(reply.text).match(/^<\?xml [^>]+\?>\n<Patient xmlns="http:\/\/hl7.org\/fhir">\n {2}<id /);
    expect(xmlOf(reply)).deep.equal(parseJson((await fhir.get(`Patient/${id}`)).text));
  });

  it('refusals are XML where that was asked for: before the body, of the body, of the resource', async () => {
    const accept = { accept: 'application/fhir+xml' };
    const anonymous = await fhir.get(`Patient/${id}`, { ...accept, authorization: 'Bearer nothing' });
    expect([anonymous.status, xmlOf(anonymous)['resourceType']]).deep.equal([401, 'OperationOutcome']);
    for (const [body, status, said] of [
      ['<Patient xmlns="http://hl7.org/fhir"><gender value="x y  z"/></Patient>', 422, /gender/],
      [
        '<Patient xmlns="http://hl7.org/fhir"><genda value="male"/></Patient>',
        400,
        /Line 1, column \d+: Patient has no element genda; did you mean gender/,
      ],
      ['<Patient>', 400, /namespace of FHIR/],
      ['{"resourceType":"Patient"}', 400, /Line 1/],
      ['', 400, /no body/],
      ['<!DOCTYPE a SYSTEM "file:///etc/passwd"><Patient xmlns="http://hl7.org/fhir"/>', 400, /DOCTYPE/],
      ['<Observation xmlns="http://hl7.org/fhir"/>', 400, /another type/],
    ] as const) {
      const reply = await fhir.post('Patient', body, XML);
      expect(reply.status, body).equal(status);
      expect(formatJson(xmlOf(reply))).match(said);
    }
  });

  it('[IN-13] Content-Type decides the parser: 415 for what cannot be read, and JSON is no XML', async () => {
    for (const type of [
      'text/turtle',
      'application/fhir+turtle',
      'application/fhir+xml; charset=utf-16',
      'application/fhir+xml; fhirVersion=3.0',
    ])
      expect(
        (await fhir.post('Patient', '<Patient xmlns="http://hl7.org/fhir"/>', { 'content-type': type })).status,
        type,
      ).equal(415);
    const reply = await fhir.post('Patient', '<Patient xmlns="http://hl7.org/fhir"/>', {
      'content-type': 'application/fhir+json',
    });
    expect(reply.status).equal(400);
  });

  it('update, conditional create and Prefer in XML', async () => {
    const body = (active: boolean): string =>
      write({ resourceType: 'Patient', id: 'x-1', active, identifier: [{ system: 'urn:x', value: 'xml' }] });
    expect((await fhir.put('Patient/x-1', body(true), XML)).status).equal(201);
    const updated = await fhir.put('Patient/x-1', body(false), {
      ...XML,
      prefer: 'return=OperationOutcome',
      'if-match': 'W/"1"',
    });
    expect([updated.status, xmlOf(updated)['resourceType']]).deep.equal([200, 'OperationOutcome']);
    expect((await fhir.put('Patient/x-1', body(true), { ...XML, prefer: 'return=minimal' })).text).equal('');
    const found = await fhir.post('Patient', write({ resourceType: 'Patient' }), {
      ...XML,
      'if-none-exist': 'identifier=urn:x|xml',
    });
    expect([found.status, xmlOf(found)['id']]).deep.equal([200, 'x-1']);
  });

  it('a search: matches, links that stay in the format, the outcome; by POST as well', async () => {
    const first = await fhir.get('Patient?_count=1&_format=xml&_sort=_id');
    const bundle = xmlOf(first) as { link: { relation: string; url: string }[]; entry: { resource: Json }[] };
    const next = bundle.link.find(({ relation }) => relation === 'next')?.url ?? '';
    expect(next).contains('_format=xml');
    expect(bundle.entry[0]?.resource).property('resourceType', 'Patient');
    expect(xmlOf(await fhir.get(next))).property('type', 'searchset');
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    expect(xmlOf(await fhir.post('Patient/_search', `_id=${id}&_format=xml`, form)))
      .property('total')
      .not.equal(0);
    expect(xmlOf(await fhir.post('Patient/_search?_format=xml', `_id=${id}`, form)))
      .property('entry')
      .length(1);
    const ignored = await fhir.get('Patient?nothing=1&_format=xml', { prefer: 'handling=lenient' });
    expect(ignored.text).contains('<OperationOutcome>');
  });

  it('batch and transaction: XML in, XML out, entries judged alone', async () => {
    const entry = [
      {
        fullUrl: 'urn:uuid:0b3b4f60-0e3c-4a7e-8f5e-0a1b2c3d4e5f',
        resource: { resourceType: 'Organization', name: 'A & B' },
        request: { method: 'POST', url: 'Organization' },
      },
      {
        resource: {
          resourceType: 'Patient',
          managingOrganization: { reference: 'urn:uuid:0b3b4f60-0e3c-4a7e-8f5e-0a1b2c3d4e5f' },
        },
        request: { method: 'POST', url: 'Patient' },
      },
      { request: { method: 'GET', url: `Patient/${id}` } },
    ];
    for (const type of ['transaction', 'batch']) {
      const reply = await fhir.post('', write({ resourceType: 'Bundle', type, entry }), {
        ...XML,
        prefer: 'return=representation',
      });
      expect(reply.status, reply.text).equal(200);
      const bundle = xmlOf(reply) as { type: string; entry: { response: { status: string }; resource: Json }[] };
      expect(bundle.type).equal(`${type}-response`);
      expect(bundle.entry.map(({ response }) => response.status)).deep.equal(['201 Created', '201 Created', '200 OK']);
      expect(bundle.entry[2]?.resource).property('id', id);
    }
    const bad = await fhir.post(
      '',
      write({ resourceType: 'Bundle', type: 'batch', entry: [{ request: { method: 'GET', url: 'Patient/nowhere' } }] }),
      XML,
    );
    expect(bad.text).contains('<outcome><OperationOutcome>');
  });

  it('a conditional reference is found however its question mark is written', async () => {
    const body = write({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        {
          resource: { resourceType: 'Patient', managingOrganization: { reference: 'Organization?name=Nobody-has-it' } },
          request: { method: 'POST', url: 'Patient' },
        },
      ],
    })
      .replace(/^<\?xml[^>]*\?>/, '')
      .replace('Organization?name', 'Organization&#63;name');
    expect(body).not.contains('?');
    expect((await fhir.post('', body, XML)).status).equal(412);
    const json = JSON.stringify({
      resourceType: 'Bundle',
      type: 'transaction',
      entry: [
        {
          resource: { resourceType: 'Patient', managingOrganization: { reference: 'Organization?name=Nobody-has-it' } },
          request: { method: 'POST', url: 'Patient' },
        },
      ],
    }).replace('?', '\\u003f');
    expect((await fhir.post('', json)).status).equal(412);
  });

  it('a patch stays JSON Patch, and its answer is XML where asked', async () => {
    const patch = [{ op: 'add', path: '/active', value: true }];
    const reply = await fhir.patch(`Patient/${id}`, patch, { accept: 'application/fhir+xml' });
    expect(xmlOf(reply)).property('active', true);
    // XML is FHIRPath Patch, and nothing else.
    expect((await fhir.request('PATCH', `Patient/${id}`, '<x/>', XML)).status).equal(400);
    expect((await fhir.request('PATCH', `Patient/${id}`, 'x', { 'content-type': 'text/plain' })).status).equal(415);
  });

  it('$process-message in XML, and the same bytes again are answered as the first time', async () => {
    const message = write({
      resourceType: 'Bundle',
      type: 'message',
      identifier: { system: 'urn:x', value: 'xml-message' },
      entry: [
        {
          fullUrl: 'urn:uuid:5a0d7a60-0e3c-4a7e-8f5e-0a1b2c3d4e5f',
          resource: { resourceType: 'MessageHeader', eventUri: 'urn:x:event', source: { endpoint: 'urn:x:source' } },
        },
      ],
    });
    const first = await fhir.post('$process-message', message, XML);
    expect(first.status, first.text).equal(200);
    expect(xmlOf(first)).nested.property('entry[0].resource.resourceType', 'MessageHeader');
    expect((await fhir.post('$process-message', message, XML)).text).equal(first.text);
  });

  it('every type goes in as XML and comes out as it went in', async () => {
    for (const type of [
      'Observation',
      'Questionnaire',
      'ExampleScenario',
      'EvidenceVariable',
      'AuditEvent',
      'Bundle',
    ]) {
      const resource = { ...generateValid(definitions, type, validate, { fill: 'minimal', seed: 3 }), id: 'xml-1' };
      const reply = await fhir.put(`${type}/xml-1`, write(resource), XML);
      expect(reply.status, reply.text).equal(201);
      const { meta: _meta, ...again } = xmlOf(await fhir.get(`${type}/xml-1`, XML));
      expect(again, type).deep.equal(resource);
    }
  });

  it('a character that XML does not have: 406 for a read, done without a body for a write', async () => {
    const odd = { resourceType: 'Basic', id: 'odd', code: { text: 'a\uFFFE' } };
    const made = await fhir.put('Basic/odd', odd, { accept: 'application/fhir+xml' });
    expect([made.status, made.text]).deep.equal([201, '']);
    const reply = await fhir.get('Basic/odd', { accept: 'application/fhir+xml' });
    expect(reply.status).equal(406);
    expect(formatJson(xmlOf(reply))).contains('"expression":["Basic.code.text"]');
    expect((await fhir.get('Basic/odd')).status).equal(200);
  });

  it('[IN-23] compressed XML is taken; what inflates more than a hundredfold is not', async () => {
    const xml = fixture('fhir/xml/patient.xml');
    for (const [encoding, encode] of [
      ['gzip', gzipSync],
      ['deflate', deflateSync],
      ['br', brotliCompressSync],
    ] as const)
      expect(
        (await fhir.post('Patient', encode(xml), { ...XML, 'content-encoding': encoding })).status,
        encoding,
      ).equal(201);
    const bomb = gzipSync(`${' '.repeat(3 * 1024 * 1024)}<Patient xmlns="http://hl7.org/fhir"/>`);
    const reply = await fhir.post('Patient', bomb, { ...XML, 'content-encoding': 'gzip' });
    expect([reply.status, formatJson(xmlOf(reply)).includes('inflates more than 100 times')]).deep.equal([413, true]);
  });

  it('the statement tells it', async () => {
    expect((await fhir.get('metadata')).json()['format']).deep.equal([
      'application/fhir+json',
      'application/fhir+xml',
      'json',
      'xml',
    ]);
  });
});
