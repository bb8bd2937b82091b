import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { expect } from 'chai';
import { createFhirClient, type FhirClient, idOf, type Json, outcomeOf, type Reply } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { stopChecked, storeState } from '../support/store-state.ts';

const KIB = 1024;
const BODY_BYTES_MAX = 64 * KIB;

/** A Patient of exactly so many bytes. */
function patientOf(bytes: number): string {
  const frame = '{"resourceType":"Patient","name":[{"text":""}]}';
  return frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
}

describe('bad input', () => {
  let server: TestServer;
  let fhir: FhirClient;
  let kept: string;
  let before_: string;
  before(async () => {
    server = await startTestServer({
      env: { BODY_BYTES_MAX: String(BODY_BYTES_MAX), BUNDLE_BYTES_MAX: String(2 * BODY_BYTES_MAX) },
    });
    fhir = createFhirClient(server);
    kept = idOf(await fhir.post('Patient', { resourceType: 'Patient', active: true }));
    before_ = await storeState(server);
  });
  afterEach('nothing was written, and the server works', async () => {
    expect(await storeState(server)).equal(before_);
    expect((await fhir.get(`Patient/${kept}`)).status).equal(200);
  });
  after(async () => {
    const ready = (await (await fetch(`${server.url}/readyz`)).json()) as { status: string };
    expect(ready.status).equal('ready');
    await stopChecked(server);
  });

  /** The same body by each way that takes a resource. */
  const everyWay = (body: string | Uint8Array): Promise<Reply[]> =>
    Promise.all([
      fhir.post('Patient', body),
      fhir.put(`Patient/${kept}`, body),
      fhir.put('Patient?identifier=urn:x|y', body),
      fhir.post('', body),
      fhir.post('$process-message', body),
      fhir.request('PATCH', `Patient/${kept}`, body, { 'content-type': 'application/json-patch+json' }),
    ]);

  describe('JSON', () => {
    const nested = (depth: number): string =>
      `{"resourceType":"Patient","extension":${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}}`;
    const cases: readonly (readonly [title: string, body: string | Uint8Array, hint: RegExp])[] = [
      ['cut short', '{"resourceType":"Patient"', /line 1, column 26/],
      ['broken on the third line', '{\n"resourceType":"Patient",\n"active":tru}', /line 3, column/],
      ['single quotes', "{'resourceType':'Patient'}", /line 1, column 2/],
      ['a trailing comma', '{"resourceType":"Patient",}', /column 27/],
      ['a comment', '{"resourceType":"Patient"/* no */}', /column/],
      ['two values', '{"resourceType":"Patient"}{}', /column 27/],
      ['NaN', '{"resourceType":"Patient","multipleBirthInteger":NaN}', /column/],
      ['a leading zero', '{"resourceType":"Patient","multipleBirthInteger":01}', /column/],
      ['XML', '<Patient xmlns="http://hl7.org/fhir"/>', /JSON/],
      ['a form', 'resourceType=Patient', /JSON/],
      ['a raw control character', '{"resourceType":"Patient","id":"a\u0001"}', /control|character/i],
      ['[IN-12] a NUL escape', '{"resourceType":"Patient","name":[{"text":"a\\u0000"}]}', /./],
      ['[IN-12] a lone high surrogate', '{"resourceType":"Patient","name":[{"text":"\\ud83d"}]}', /surrogate/i],
      ['[IN-12] a lone low surrogate', '{"resourceType":"Patient","name":[{"text":"\\ude00x"}]}', /surrogate/i],
      ['[IN-12] a lone surrogate as a key', '{"resourceType":"Patient","\\ud83d":1}', /surrogate/i],
      [
        '[IN-12] bytes that are no UTF-8',
        Buffer.concat([
          Buffer.from('{"resourceType":"Patient","name":[{"text":"'),
          Buffer.from([0xc3, 0x28]),
          Buffer.from('"}]}'),
        ]),
        /UTF-8/,
      ],
      ['[IN-12] UTF-16', Buffer.from('{"resourceType":"Patient"}', 'utf16le'), /./],
      [
        '[IN-12] an overlong form of NUL',
        Buffer.concat([
          Buffer.from('{"resourceType":"Patient","language":"'),
          Buffer.from([0xc0, 0x80]),
          Buffer.from('"}'),
        ]),
        /UTF-8/,
      ],
      ['[IN-10] duplicate keys', '{"resourceType":"Patient","active":true,"active":false}', /active|twice|duplicate/i],
      [
        '[IN-10] duplicate keys, one escaped',
        '{"resourceType":"Patient","active":true,"\\u0061ctive":false}',
        /twice|duplicate/i,
      ],
      [
        '[IN-10] duplicate keys deep inside',
        '{"resourceType":"Patient","name":[{"text":"a","text":"b"}]}',
        /text|twice|duplicate/i,
      ],
      ['[IN-10] __proto__', '{"resourceType":"Patient","__proto__":{"polluted":true}}', /__proto__/],
      ['[IN-10] __proto__, escaped', '{"resourceType":"Patient","__pro\\u0074o__":{"polluted":true}}', /__proto__|key/],
      [
        '[IN-10] __proto__ deep inside',
        '{"resourceType":"Patient","name":[{"__proto__":{"polluted":true}}]}',
        /__proto__/,
      ],
      [
        '[IN-10] constructor.prototype',
        '{"resourceType":"Patient","constructor":{"prototype":{"polluted":true}}}',
        /constructor/,
      ],
      [
        '[IN-10] prototype deep inside',
        '{"resourceType":"Patient","name":[{"prototype":{"polluted":true}}]}',
        /prototype/,
      ],
      ['deep nesting', nested(500), /deep|nest/i],
      ['deeper nesting', nested(5_000), /deep|nest/i],
      ['deep arrays', `{"resourceType":"Patient","name":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /deep|nest/i],
    ];
    for (const [title, body, hint] of cases)
      it(`${title}: 400 with the place`, async () => {
        for (const [i, reply] of (await everyWay(body)).entries()) {
          expect(reply.status, `way ${i}: ${reply.text}`).equal(400);
          const issue = outcomeOf(reply);
          expect(issue).include({ severity: 'error' });
          expect(issue.diagnostics).match(hint);
        }
        expect(({} as Json)['polluted']).equal(undefined);
      });

    for (const [title, body] of [
      ['null', 'null'],
      ['a number', '5'],
      ['text', '"Patient"'],
      ['a list', '[5]'],
      ['an empty object', '{}'],
      ['resourceType that is no text', '{"resourceType":5}'],
      ['resourceType null', '{"resourceType":null}'],
      ['resourceType that is a list', '{"resourceType":["Patient"]}'],
      ['another type', '{"resourceType":"Slot"}'],
    ] as const)
      it(`${title} is no Patient: 400`, async () => {
        for (const reply of await everyWay(body)) {
          expect(reply.status, reply.text).oneOf([400, 422]);
          expect(outcomeOf(reply).diagnostics).not.equal('');
        }
      });

    it('[IN-12] a byte order mark is left out', async () => {
      const body = Buffer.concat([
        Buffer.from([0xef, 0xbb, 0xbf]),
        Buffer.from(`{"resourceType":"Patient","id":"${kept}","active":true}`),
      ]);
      expect((await fhir.put(`Patient/${kept}`, body)).status).equal(200);
    });

    it('no body: 400', async () => {
      for (const reply of await everyWay('')) {
        expect(reply.status).equal(400);
        expect(outcomeOf(reply).diagnostics).contains('body');
      }
    });
  });

  describe('[IN-13] Content-Type decides: 415', () => {
    for (const type of [
      'text/plain',
      'application/fhir+turtle',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/fhir+json; charset=utf-16',
      'application/json; charset=iso-8859-1',
      'application/fhir+json; fhirVersion=5.0',
      'application/json-patch+json',
      'application/jsonx',
      '',
    ])
      it(type === '' ? 'none' : type, async () => {
        for (const [method, path] of [
          ['POST', 'Patient'],
          ['PUT', `Patient/${kept}`],
          ['POST', ''],
          ['POST', '$process-message'],
        ] as const) {
          const reply = await send(
            server,
            method,
            path,
            '{"resourceType":"Patient"}',
            type === '' ? {} : { 'content-type': type },
          );
          expect(reply.status, `${method} ${path}`).equal(415);
          expect(JSON.parse(reply.text)).nested.include({ 'issue[0].code': 'not-supported' });
        }
      });

    for (const type of [
      'application/fhir+json; charset=UTF-8',
      'application/json;charset="utf-8"',
      'APPLICATION/FHIR+JSON',
      'application/fhir+json; fhirVersion=4.0',
    ])
      it(`${type} is taken`, async () => {
        const reply = await fhir.put(
          `Patient/${kept}`,
          { resourceType: 'Patient', id: kept, active: true },
          { 'content-type': type },
        );
        expect(reply.status).equal(200);
      });

    it('a body that is not compressed as it says: 400', async () => {
      const reply = await fhir.post('Patient', '{"resourceType":"Patient"}', { 'content-encoding': 'gzip' });
      expect(reply.status).equal(400);
      expect(outcomeOf(reply).diagnostics).contains('Content-Encoding');
    });

    it('[IN-13] _format and Accept do not change it', async () => {
      const reply = await fhir.post('Patient?_format=json', '{"resourceType":"Patient"}', {
        'content-type': 'text/plain',
      });
      expect(reply.status).equal(415);
      expect((await fhir.post('Patient?_format=ttl', '{"resourceType":"Patient"}')).status).equal(406);
      expect((await fhir.post('Patient', '{"resourceType":"Patient"}', { accept: 'text/turtle' })).status).equal(406);
    });
  });

  describe('[IN-01] size', () => {
    it('at the limit the body is read; one byte more is 413', async () => {
      const wrongId = await fhir.put('Patient/other', patientOf(BODY_BYTES_MAX));
      expect(wrongId.status).equal(400); // read to its end: it has no id
      const over = await fhir.put('Patient/other', patientOf(BODY_BYTES_MAX + 1));
      expect(over.status).equal(413);
      expect(outcomeOf(over).code).equal('too-long');
    });

    it('a bundle may be larger, and has a limit as well', async () => {
      const of = (bytes: number): string =>
        `{"resourceType":"Bundle","type":"transaction","entry":[{"resource":${patientOf(bytes)},"request":{"method":"MERGE","url":"Patient"}}]}`;
      expect((await fhir.post('', of(BODY_BYTES_MAX + 1))).status).oneOf([400, 422]);
      expect((await fhir.post('', of(2 * BODY_BYTES_MAX))).status).equal(413);
    });

    it('a length that is announced is refused before it is sent', async () => {
      const answer = await raw(
        server,
        `POST /fhir/R4/Patient HTTP/1.1\r\nHost: localhost:${server.port}\r\nContent-Type: application/fhir+json\r\nContent-Length: 999999999\r\n\r\n{`,
      );
      expect(answer).match(/^HTTP\/1\.1 413 /);
      expect(answer).contains('too-long');
      expect(answer).match(/connection: close/i);
    });

    it('a body without a length is refused while it comes', async () => {
      const chunk = 'x'.repeat(16 * KIB);
      const answer = await raw(
        server,
        `POST /fhir/R4/Patient HTTP/1.1\r\nHost: localhost:${server.port}\r\nContent-Type: application/fhir+json\r\nTransfer-Encoding: chunked\r\n\r\n` +
          `${chunk.length.toString(16)}\r\n${chunk}\r\n`.repeat(8),
      );
      expect(answer).match(/^HTTP\/1\.1 413 /);
    });

    it('100 over-sized bodies at once: each 413, memory grows by less than 100 MiB', async function () {
      this.timeout(180_000);
      globalThis.gc?.();
      const heldBefore = process.memoryUsage().rss;
      const replies = await Promise.all(
        Array.from({ length: 100 }, () =>
          fhir.post('Patient', patientOf(BODY_BYTES_MAX * 4)).catch((error: Error) => error),
        ),
      );
      for (const reply of replies) if (!(reply instanceof Error)) expect(reply.status).equal(413);
      expect(replies.filter((r) => !(r instanceof Error)).length).greaterThan(50);
      expect(process.memoryUsage().rss - heldBefore).lessThan(100 * KIB * KIB);
    });

    it('[IN-01] a query too long: 414; too many parameters, values, sort keys, includes, links of a chain: 400', async () => {
      expect((await fhir.get(`Patient?name=${'x'.repeat(17_000)}`)).status).equal(414);
      for (const query of [
        `name=${'x'.repeat(4_097)}`,
        Array.from({ length: 101 }, () => 'active=true').join('&'),
        `_id=${Array.from({ length: 501 }, (_, i) => i).join(',')}`,
        `_sort=${['name', 'gender', 'birthdate', 'family', 'given', 'phone', 'email', 'address', 'active', 'language', '_id'].join(',')}`,
        Array.from({ length: 21 }, () => '_include=Patient:organization').join('&'),
        'organization.partof.partof.partof.partof.name=x',
        '_has:Observation:patient:_has:Observation:has-member:_has:Observation:has-member:_has:Observation:has-member:code=x',
        '_offset=2000000',
      ]) {
        const reply = await fhir.get(`Patient?${query}`);
        expect(reply.status, query.slice(0, 60)).equal(400);
        expect(outcomeOf(reply).diagnostics).not.equal('');
      }
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      expect((await fhir.post('Patient/_search', `name=${'x'.repeat(4_096)}`, form)).status).equal(200);
      expect((await fhir.post('Patient/_search', `name=${'x'.repeat(4_097)}`, form)).status).equal(400);
    });
  });

  describe('resources: 422 with every issue and its place', () => {
    for (const [title, resource, expression] of [
      ['an unknown element', { colour: 'red' }, 'Patient.colour'],
      ['a wrong type', { active: 'yes' }, 'Patient.active'],
      ['a date that is none', { birthDate: '2001-02-30' }, 'Patient.birthDate'],
      ['an empty list', { name: [] }, 'Patient.name'],
      ['an empty object', { name: [{}] }, 'Patient.name[0]'],
      ['null', { gender: null }, 'Patient.gender'],
      ['an empty text', { gender: '' }, 'Patient.gender'],
      ['a list where one value belongs', { gender: ['male'] }, 'Patient.gender'],
      ['one value where a list belongs', { name: { text: 'x' } }, 'Patient.name'],
      ['two of a choice', { deceasedBoolean: true, deceasedDateTime: '2001' }, 'Patient.deceased'],
      [
        'a reference to the wrong type',
        { managingOrganization: { reference: 'Patient/1' } },
        'Patient.managingOrganization',
      ],
      ['a missing required element', { link: [{ other: { reference: 'Patient/1' } }] }, 'Patient.link[0].type'],
      ['an id that is none', { id: 'a b' }, 'Patient.id'],
    ] as const)
      it(title, async () => {
        const reply = await fhir.post('Patient', { resourceType: 'Patient', ...resource });
        expect(reply.status).equal(422);
        expect(outcomeOf(reply).expression?.[0]).match(new RegExp(`^${expression.replace(/[[\].]/g, '\\$&')}`));
        expect(outcomeOf(reply).diagnostics).not.contains('2001-02-30');
      });

    it('several faults are told at once', async () => {
      const reply = await fhir.post('Patient', { resourceType: 'Patient', active: 'x', gender: 5, colour: 'red' });
      expect(reply.json<{ issue: object[] }>().issue.length).greaterThan(2);
    });
  });

  it('a client that breaks off half way leaves nothing, and the server goes on', async () => {
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = connect(server.port, '127.0.0.1');
        await new Promise((resolve) => socket.once('connect', resolve));
        socket.write(
          `POST /fhir/R4/Patient HTTP/1.1\r\nHost: localhost:${server.port}\r\nAuthorization: Bearer ${server.token}\r\nContent-Type: application/fhir+json\r\nContent-Length: 200\r\n\r\n{"resourceType":"Patient"`,
        );
        await new Promise((resolve) => setTimeout(resolve, 20));
        socket.destroy();
      }),
    );
  });

  it('[IN-37] line breaks in values do not reach a header', async () => {
    const reply = await fhir.get(`Patient?name=${encodeURIComponent('x\r\nSet-Cookie: a=b')}`);
    expect(reply.headers.get('set-cookie')).equal(null);
    const cursor = await fhir.get(`Patient/${kept}/_history/${encodeURIComponent('1\r\nX-A: b')}`);
    expect(cursor.status).oneOf([400, 404]);
    expect(cursor.headers.get('x-a')).equal(null);
  });

  it('no answer shows what the client sent, or how the server is made', async () => {
    const secret = 'Xylophone-9434765919';
    const replies = await Promise.all([
      fhir.post('Patient', { resourceType: 'Patient', birthDate: secret }),
      fhir.post('Patient', `{"resourceType":"Patient","name":[{"family":"${secret}"`),
      fhir.get(`Patient?birthdate=${secret}`),
      fhir.get(`Patient?gender:${secret}=x`),
      fhir.post('Patient', { resourceType: 'Patient', managingOrganization: { reference: secret } }),
      fhir.patch(`Patient/${kept}`, [{ op: 'test', path: '/active', value: secret }]),
      fhir.put(`Patient/${kept}`, { resourceType: 'Patient', id: secret }),
    ]);
    for (const [i, reply] of replies.entries()) {
      expect(reply.status).within(400, 499);
      if (i !== 3) expect(reply.text, reply.text).not.contains(secret);
      expect(reply.text).not.match(/node_modules|\/src\/|select |\bat [A-Z]\w+\./);
    }
  });
});

interface RawReply {
  readonly status: number;
  readonly text: string;
}

/** As `fetch`, which makes up a Content-Type when there is none. */
function send(
  server: TestServer,
  method: string,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<RawReply> {
  const { promise, resolve, reject } = Promise.withResolvers<RawReply>();
  const url = `${server.fhirBaseUrl}${path === '' ? '' : `/${path}`}`;
  httpRequest(
    url,
    { method, headers: { ...server.bearer, ...headers, 'content-length': Buffer.byteLength(body) }, agent: false },
    async (res) => {
      const chunks: Buffer[] = [];
      for await (const chunk of res) chunks.push(chunk as Buffer);
      resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
    },
  )
    .on('error', reject)
    .end(body);
  return promise;
}

/** The operator's token after the request line. */
const authorized = ({ token }: TestServer, text: string): string =>
  text.replace('\r\n', `\r\nAuthorization: Bearer ${token}\r\n`);

/** Sends bytes and gives back all that comes until the server closes. */
function raw(server: TestServer, text: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = '';
  const socket = connect(server.port, '127.0.0.1', () => socket.write(authorized(server, text)));
  socket.setTimeout(5_000, () => socket.destroy());
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  socket.on('error', () => undefined).on('close', () => resolve(answer));
  return promise;
}
