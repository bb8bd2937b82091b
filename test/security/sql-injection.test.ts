/** SECURITY IN-35: no text of a client is ever SQL. Each text goes into every place that takes one. */
import { expect } from 'chai';
import { type BundleShape, createFhirClient, type FhirClient, type Reply } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const TEXTS = [
  "'",
  "''",
  '"',
  "' OR '1'='1",
  "' OR 1=1--",
  '1; DROP TABLE patient;--',
  "'; DROP SCHEMA public CASCADE;--",
  "') UNION SELECT version()--",
  "1' AND pg_sleep(5)--",
  "x'||pg_sleep(5)||'",
  '$1',
  '$$;SELECT pg_sleep(5);$$',
  "E'\\\\x27'",
  '%27%20OR%201=1',
  '%',
  '_',
  '\\',
  "\\' OR 1=1--",
  '/**/OR/**/1=1',
  '?|',
  '::regclass',
  "U&'\\0027'",
  '{"$ne":null}',
  '$.a ? (@ like_regex ".*")',
  "' || (SELECT pg_read_file('/etc/passwd')) || '",
  '１＇ OR １＝１',
  'ʼ OR 1=1',
  '{{7*7}}',
  '__proto__',
  'constructor',
] as const;

/** One parameter of each type that R4 has, and each modifier. */
const PLACES: readonly (readonly [type: string, name: string])[] = [
  ['Patient', '_id'],
  ['Patient', '_lastUpdated'],
  ['Patient', '_tag'],
  ['Patient', '_profile'],
  ['Patient', 'name'],
  ['Patient', 'name:exact'],
  ['Patient', 'name:contains'],
  ['Patient', 'identifier'],
  ['Patient', 'identifier:not'],
  ['Patient', 'identifier:of-type'],
  ['Patient', 'gender:missing'],
  ['Patient', 'birthdate'],
  ['Patient', 'organization'],
  ['Patient', 'organization:Organization'],
  ['Patient', 'organization:identifier'],
  ['Patient', 'organization.name'],
  ['Patient', '_has:Observation:patient:code'],
  ['Patient', '_has:Observation:patient:performer:Practitioner.name'],
  ['Observation', 'code:text'],
  ['Observation', 'value-quantity'],
  ['Observation', 'code-value-quantity'],
  ['Observation', 'code-value-concept'],
  ['Observation', 'combo-code'],
  ['RiskAssessment', 'probability'],
  ['ValueSet', 'url'],
  ['ValueSet', 'url:above'],
  ['ValueSet', 'url:below'],
  ['MedicationRequest', 'patient:Patient.identifier'],
  ['Patient', '_sort'],
  ['Patient', '_elements'],
  ['Patient', '_include'],
  ['Patient', '_include:iterate'],
  ['Patient', '_revinclude'],
  ['Patient', '_summary'],
  ['Patient', '_total'],
  ['Patient', '_count'],
  ['Patient', '_offset'],
  ['Patient', '_cursor'],
  ['Patient', '_format'],
  ['Patient', '_pretty'],
  ['Patient', '_contained'],
];

describe('security › SQL injection [IN-35]', function () {
  this.timeout(180_000);
  let server: TestServer;
  let fhir: FhirClient;
  let untouched: string;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await server.loadDemo();
    untouched = await contents();
  });
  after(() => server.stop());
  afterEach(async () => {
    expect(await contents(), 'the tables').equal(untouched);
  });

  /** What there is: everything an injected statement could have changed. */
  async function contents(): Promise<string> {
    const all = await fhir.get('_history?_count=1000');
    return JSON.stringify(all.json<{ entry: unknown }>().entry);
  }

  async function calm(reply: Promise<Reply>, what: string): Promise<Reply> {
    const from = performance.now();
    const got = await reply;
    expect(got.status, `${what} ${got.text.slice(0, 300)}`).below(500);
    expect(performance.now() - from, `${what} took long`).below(60_000);
    expect(got.text, what).not.match(/syntax error at|SQLSTATE|PostgreSQL/i);
    return got;
  }

  for (const [type, name] of PLACES)
    it(`${type}?${name}=…`, async () => {
      for (const text of TEXTS) {
        const form = new URLSearchParams([[name, text]]).toString();
        const got = await calm(fhir.get(`${type}?${form}`), `${type}?${name}=${text}`);
        await calm(
          fhir.post(`${type}/_search`, form, { 'content-type': 'application/x-www-form-urlencoded' }),
          `POST ${name}=${text}`,
        );
        // A condition that became part of the statement would have found everybody.
        const narrow = !/^_(?!id|tag|profile)|:not$|:missing/.test(name);
        if (narrow && got.status === 200 && /OR|UNION/.test(text))
          expect(got.json<BundleShape>().entry ?? [], `${name}=${text}`).eql([]);
      }
    });

  it('names of parameters and modifiers', async () => {
    for (const text of TEXTS)
      for (const name of [
        text,
        `name:${text}`,
        `organization.${text}`,
        `organization:${text}.name`,
        `_has:${text}:a:b`,
        `_has:Observation:${text}:code`,
        `_has:Observation:patient:${text}`,
      ])
        await calm(fhir.get(`Patient?${new URLSearchParams([[name, 'x']])}`), name);
  });

  it('paths', async () => {
    for (const text of TEXTS)
      for (const path of [
        text,
        `Patient/${text}`,
        `Patient/1/_history/${text}`,
        `Patient/${text}/Observation`,
        `Patient/1/${text}`,
      ].map((p) => p.split('/').map(encodeURIComponent).join('/')))
        for (const method of ['GET', 'DELETE']) await calm(fhir.request(method, path), `${method} ${path}`);
  });

  it('histories', async () => {
    for (const text of TEXTS)
      for (const name of ['_since', '_at', '_count', '_cursor', text])
        await calm(fhir.get(`Patient/_history?${new URLSearchParams([[name, text]])}`), `${name}=${text}`);
  });

  it('headers', async () => {
    for (const text of TEXTS) {
      const value = Buffer.from(text).toString('latin1');
      for (const name of ['if-match', 'if-none-match', 'if-modified-since', 'prefer', 'accept', 'x-request-id'])
        await calm(fhir.get('Patient/demo-patient-1', { [name]: value }), `${name}: ${text}`);
      const refused = await calm(
        fhir.post('Patient', { resourceType: 'Patient', active: 'no' }, { 'if-none-exist': `identifier=${value}` }),
        `If-None-Exist: ${text}`,
      );
      expect(refused.status).within(400, 499);
    }
  });

  it('criteria of conditional interactions, alone and in a transaction', async () => {
    for (const text of TEXTS) {
      const query = new URLSearchParams([['identifier', `urn:none|${text}`]]).toString();
      await calm(fhir.delete(`Patient?${query}`), `DELETE ${text}`);
      await calm(fhir.patch(`Patient?${query}`, [{ op: 'test', path: '/active', value: text }]), `PATCH ${text}`);
      const entry = [{ request: { method: 'DELETE', url: `Patient?${query}` } }];
      await calm(fhir.post('', { resourceType: 'Bundle', type: 'transaction', entry }), `transaction ${text}`);
    }
  });

  it('content of resources: stored as it is, found by it, and nothing else', async () => {
    for (const [i, text] of TEXTS.entries()) {
      const resource = {
        resourceType: 'Basic',
        code: { text, coding: [{ system: 'urn:sqli', code: `c${i}`, display: text }] },
        identifier: [{ system: 'urn:sqli', value: text }],
      };
      const made = await calm(fhir.post('Basic', resource), text);
      expect(made.status, made.text).equal(201);
      expect(made.json()).deep.include({ identifier: resource.identifier });
      const value = text.replace(/[\\,$|]/g, '\\$&');
      const found = await calm(fhir.get(`Basic?${new URLSearchParams([['identifier', `urn:sqli|${value}`]])}`), text);
      expect(found.json<BundleShape>().entry, text).to.have.length(1);
    }
    untouched = await contents();
  });
});
