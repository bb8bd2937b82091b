/** SECURITY IN-01 and IN-11: each limit just below, at and just above it; query strings are flat. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { JSON_LIMITS } from '../../src/standards/fhir/json.ts';
import { createFhirClient, type FhirClient, outcomeOf, type Reply } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const BODY_BYTES = 4096;
const BUNDLE_BYTES = 8192;
const BUNDLE_ENTRIES = 5;

describe('security › limits', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer({
      env: {
        BODY_BYTES_MAX: String(BODY_BYTES),
        BUNDLE_BYTES_MAX: String(BUNDLE_BYTES),
        BUNDLE_ENTRIES_MAX: String(BUNDLE_ENTRIES),
      },
    });
    fhir = createFhirClient(server);
  });
  after(() => server.stop());
  afterEach('the server still answers', async () => {
    expect((await fhir.get('metadata')).status).equal(200);
  });

  const url = (length: number): string => {
    const path = '/fhir/R4/Patient?';
    const parts: string[] = [];
    let left = length - path.length;
    for (; left > 4000; left -= 3001) parts.push(`name=${'x'.repeat(2995)}`);
    return `${server.url}${path}${[...parts, `name=${'x'.repeat(left - 5)}`].join('&')}`;
  };
  const patient = (bytes: number): string => {
    const empty = '{"resourceType":"Patient","language":"en"}';
    return `${empty}${' '.repeat(bytes - empty.length)}`;
  };
  const bundle = (bytes: number): string => {
    const empty = '{"resourceType":"Bundle","type":"batch"}';
    return `${empty}${' '.repeat(bytes - empty.length)}`;
  };
  /** A resource this deep: extensions in one another, two levels each. */
  const nested = (depth: number): string => {
    let inner = '';
    for (let d = depth - 1; d >= 1; d -= 2)
      inner =
        d >= 2
          ? `"extension":[{"url":"urn:x"${inner === '' ? '' : `,${inner}`}}]`
          : `"name":[${inner === '' ? '' : inner}]`;
    return `{"resourceType":"Basic","code":{"text":"x"},${inner}}`;
  };
  const many = (n: number, part: (i: number) => string, by: string): string =>
    Array.from({ length: n }, (_, i) => part(i)).join(by);
  const get = (query: string) => () => fhir.get(`Patient?${query}`);

  interface Limit {
    readonly name: string;
    readonly max: number;
    readonly ask: (n: number) => Promise<Reply>;
    readonly status: number;
    readonly over: number;
    readonly code: string;
  }
  const limits: readonly Limit[] = [
    {
      name: 'characters of a URL',
      max: 16 * 1024,
      ask: (n) => fhir.get(url(n)),
      status: 200,
      over: 414,
      code: 'too-long',
    },
    {
      name: 'bytes of a resource',
      max: BODY_BYTES,
      ask: (n) => fhir.post('Patient', patient(n)),
      status: 201,
      over: 413,
      code: 'too-long',
    },
    {
      name: 'bytes of a bundle',
      max: BUNDLE_BYTES,
      ask: (n) => fhir.post('', bundle(n)),
      status: 200,
      over: 413,
      code: 'too-long',
    },
    {
      name: 'entries of a batch',
      max: BUNDLE_ENTRIES,
      ask: (n) =>
        fhir.post('', {
          resourceType: 'Bundle',
          type: 'batch',
          entry: Array.from({ length: n }, () => ({ request: { method: 'GET', url: 'Patient' } })),
        }),
      status: 200,
      over: 413,
      code: 'too-long',
    },
    {
      name: 'parameters of a search',
      max: 100,
      ask: (n) => get(many(n, () => 'name=x', '&'))(),
      status: 200,
      over: 400,
      code: 'too-costly',
    },
    {
      name: 'values of a parameter',
      max: 500,
      ask: (n) => get(`gender=${many(n, (i) => `g${i}`, ',')}`)(),
      status: 200,
      over: 400,
      code: 'too-costly',
    },
    {
      name: 'characters of a value',
      max: 4096,
      ask: (n) => get(`name=${'x'.repeat(n)}`)(),
      status: 200,
      over: 400,
      code: 'too-long',
    },
    {
      name: 'includes',
      max: 20,
      ask: (n) => get(many(n, () => '_include=Patient:organization', '&'))(),
      status: 200,
      over: 400,
      code: 'too-costly',
    },
    {
      name: 'nested _has',
      max: 3,
      ask: (n) =>
        get(`${many(n, (i) => (i === 0 ? '_has:Observation:patient' : '_has:Provenance:target'), ':')}:_id=x`)(),
      status: 200,
      over: 400,
      code: 'too-costly',
    },
    {
      name: 'links of a chain',
      max: 4,
      ask: (n) => fhir.get(`Organization?${'partof.'.repeat(n)}name=x`),
      status: 200,
      over: 400,
      code: 'too-costly',
    },
    {
      name: 'header fields',
      max: 100,
      ask: (n) =>
        fhir.get('Patient', Object.fromEntries(Array.from({ length: n - OWN_HEADERS }, (_, i) => [`x-${i}`, '1']))),
      status: 200,
      over: 431,
      code: 'too-long',
    },
  ];
  /** Authorization, and Host, Connection, Accept … that fetch adds by itself. */
  const OWN_HEADERS = 8;

  for (const { name, max, ask, status, over, code } of limits)
    it(`[IN-01] ${name}: ${max - 1} and ${max} are taken, ${max + 1} is ${over} ${code}`, async () => {
      const below = await ask(max - 1);
      expect(below.status, below.text.slice(0, 300)).equal(status);
      const at = await ask(max);
      expect(at.status, at.text.slice(0, 300)).equal(status);
      const above = await ask(max + 1);
      expect(above.status, above.text.slice(0, 300)).equal(over);
      expect(outcomeOf(above).code).equal(code);
    });

  it('[IN-01] depth of a body: beyond the limit it is refused before it is validated', async () => {
    const at = await fhir.post('Basic', nested(JSON_LIMITS.depth));
    expect(outcomeOf(at).diagnostics).not.match(/nested|deep/);
    const over = await fhir.post(
      'Basic',
      `{"resourceType":"Basic","x":${'['.repeat(JSON_LIMITS.depth)}${']'.repeat(JSON_LIMITS.depth)}}`,
    );
    expect(over.status).equal(400);
    expect(outcomeOf(over).diagnostics).match(/nested|deep/);
    expect((await fhir.post('Basic', '['.repeat(4000))).status).equal(400);
  });

  it('[IN-01] _count beyond the largest page is lowered to it', async () => {
    expect((await fhir.get('Patient?_count=999999999')).status).equal(200);
    expect((await fhir.get('Patient?_count=1e9')).status).equal(400);
  });

  it('_contained: one of three, and not over several types', async () => {
    for (const value of ['false', 'true', 'both'])
      expect((await fhir.get(`Patient?_contained=${value}`)).status).equal(200);
    expect((await fhir.get('?_type=Patient&_contained=true')).status).equal(400);
    for (const value of ['yes', 'true,both', ''])
      expect((await fhir.get(`Patient?_contained=${value}`)).status).equal(400);
  });

  it('[IN-01] 100 bodies above the limit at once', async () => {
    const before = process.memoryUsage().rss;
    const replies = await Promise.all(
      Array.from({ length: 100 }, () =>
        fhir.post('Patient', patient(BODY_BYTES * 100)).then(
          (r) => r.status,
          () => 413,
        ),
      ),
    );
    expect(new Set(replies)).eql(new Set([413]));
    expect(process.memoryUsage().rss - before).below(100 * 1024 * 1024);
  });

  const ENCODERS = [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const;
  for (const [encoding, encode] of ENCODERS)
    it(`[IN-23] ${encoding}: the bound is on what it inflates to`, async () => {
      const headers = { 'content-encoding': encoding };
      const fits = await fhir.post('Patient', encode(patient(BODY_BYTES)), headers);
      expect(fits.status, fits.text.slice(0, 300)).equal(201);
      expect((await fhir.post('Patient', encode(patient(BODY_BYTES + 1)), headers)).status).equal(413);
      expect((await fhir.post('Patient', encode(patient(100)).subarray(0, 30), headers)).status).equal(400);
      const bomb = encode(Buffer.alloc(64 * 1024 * 1024, ' '));
      const before = process.memoryUsage().rss;
      const after = await Promise.all(Array.from({ length: 8 }, () => fhir.post('Patient', bomb, headers)));
      expect(new Set(after.map(({ status }) => status))).eql(new Set([413]));
      expect(process.memoryUsage().rss - before).below(50 * 1024 * 1024);
      expect((await fhir.get('metadata')).status).equal(200);
    });

  it('[IN-23] nested and unknown encodings are 415', async () => {
    for (const encoding of ['gzip, gzip', 'br, gzip', 'zstd', 'compress'])
      expect((await fhir.post('Patient', patient(100), { 'content-encoding': encoding })).status, encoding).equal(415);
  });

  describe('[IN-11] a query is flat', () => {
    for (const query of [
      'name[]=x',
      'name[exact]=x',
      'a[b]=1',
      'name[__proto__]=x',
      '__proto__=x',
      '__proto__[x]=1',
      'constructor.prototype=x',
      'toString=1',
      '_count=1&_count=2',
      '_sort=name&_sort=_id',
      '_elements=name&_elements=id',
      '_count[]=1',
      'name.x=1',
      '_count=1,2',
      '_summary[]=true',
    ])
      it(`${query}: 400`, async () => {
        const reply = await fhir.get(`Patient?${query}`);
        expect(reply.status, reply.text).equal(400);
        expect(outcomeOf(reply).diagnostics).a('string');
      });

    it('a parameter given twice is two conditions', async () => {
      await fhir.post('Patient', { resourceType: 'Patient', name: [{ family: 'Flat', given: ['One'] }] });
      expect((await fhir.get('Patient?name=flat&name=one&_summary=count')).json()['total']).equal(1);
      expect((await fhir.get('Patient?name=flat&name=two&_summary=count')).json()['total']).equal(0);
    });
  });
});
