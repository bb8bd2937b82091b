/** SECURITY IN-37 and IN-38: what reaches the socket as it is, past every client library. */
import { createConnection } from 'node:net';
import { expect } from 'chai';
import { createFhirClient, type FhirClient } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('security › HTTP', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
    await fhir.put('Patient/here', { resourceType: 'Patient', id: 'here' });
  });
  after(() => server.stop());

  /** Sends these bytes and returns all that comes back until the server closes, or for a while. */
  function raw(
    text: string,
  ): Promise<{ readonly answers: readonly number[]; readonly text: string; readonly closed: boolean }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ answers: number[]; text: string; closed: boolean }>();
    const socket = createConnection({ host: '127.0.0.1', port: Number(new URL(server.url).port) });
    let got = '';
    const done = (closed: boolean): void => {
      socket.destroy();
      resolve({ answers: [...got.matchAll(/^HTTP\/1\.1 (\d{3})/gm)].map((m) => Number(m[1])), text: got, closed });
    };
    socket.setTimeout(700, () => done(false));
    socket.on('data', (chunk) => {
      got += chunk.toString('latin1');
    });
    socket.on('end', () => done(true));
    socket.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNRESET' ? done(true) : reject(error)));
    // The first request is the operator's; what is smuggled behind it is not.
    const [line = '', ...rest] = text.split('\r\n');
    const known = rest.length > 0 ? [line, `Authorization: Bearer ${server.token}`, ...rest].join('\r\n') : text;
    socket.write(known, 'latin1');
    return promise;
  }

  const host = (): string => new URL(server.url).host;
  const body = '{"resourceType":"Patient"}';
  const smuggled = 'DELETE /fhir/R4/Patient/here HTTP/1.1\r\nHost: x\r\n\r\n';
  const post = (headers: string, content: string): string =>
    `POST /fhir/R4/Patient HTTP/1.1\r\nHost: ${host()}\r\nContent-Type: application/fhir+json\r\n${headers}\r\n\r\n${content}`;

  describe('request smuggling [IN-37]: 400 and the connection closes', () => {
    const cases: readonly (readonly [what: string, request: () => string])[] = [
      [
        'Content-Length and Transfer-Encoding',
        () => post(`Content-Length: 4\r\nTransfer-Encoding: chunked`, `0\r\n\r\n${smuggled}`),
      ],
      [
        'Transfer-Encoding and Content-Length',
        () => post(`Transfer-Encoding: chunked\r\nContent-Length: 4`, `0\r\n\r\n${smuggled}`),
      ],
      [
        'two different Content-Length',
        () => post(`Content-Length: ${body.length}\r\nContent-Length: 3`, body + smuggled),
      ],
      ['Content-Length with a list', () => post(`Content-Length: 3, ${body.length}`, body)],
      ['negative Content-Length', () => post('Content-Length: -1', body)],
      ['Content-Length with a sign', () => post(`Content-Length: +${body.length}`, body)],
      ['hexadecimal Content-Length', () => post('Content-Length: 0x1a', body)],
      ['Transfer-Encoding that is not chunked', () => post('Transfer-Encoding: xchunked', body)],
      [
        'Transfer-Encoding twice',
        () => post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', `0\r\n\r\n${smuggled}`),
      ],
      ['space before the colon', () => post(`Content-Length : ${body.length}`, body)],
      ['a folded header line', () => post(`X-A: b\r\n c\r\nContent-Length: ${body.length}`, body)],
      ['bare line feeds', () => `GET /fhir/R4/Patient/here HTTP/1.1\nHost: ${host()}\n\n`],
      [
        'a bare carriage return in a header',
        () => post(`X-A: b\rContent-Length: 3\r\nContent-Length: ${body.length}`, body),
      ],
      ['a NUL in a header', () => post(`X-A: b\0c\r\nContent-Length: ${body.length}`, body)],
      ['a broken chunk size', () => post('Transfer-Encoding: chunked', `zz\r\n${body}\r\n0\r\n\r\n`)],
      ['a chunk longer than it says', () => post('Transfer-Encoding: chunked', `2\r\n${body}\r\n0\r\n\r\n${smuggled}`)],
      ['no method', () => `\0\0\0\r\n\r\n`],
      ['HTTP/9.9', () => `GET /fhir/R4/Patient/here HTTP/9.9\r\nHost: ${host()}\r\n\r\n`],
      ['TLS on the plain port', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
      ['a space in the target', () => `GET /fhir/R4/Patient/here HTTP/1.1 HTTP/1.1\r\nHost: ${host()}\r\n\r\n`],
    ];
    for (const [what, request] of cases)
      it(what, async () => {
        const { answers, closed, text } = await raw(request());
        expect(answers, text).eql([400]);
        expect(closed, 'closed').equal(true);
        expect((await fhir.get('Patient/here')).status).equal(200);
      });

    it('two Host headers', async () => {
      const { answers } = await raw(
        `GET /fhir/R4/Patient/here HTTP/1.1\r\nHost: ${host()}\r\nHost: evil.example\r\n\r\n`,
      );
      expect(answers).eql([400]);
    });

    it('an absolute target', async () => {
      const { answers } = await raw(`GET http://evil.example/fhir/R4/Patient/here HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
      expect(answers).eql([400]);
    });

    it('a body that a GET carries is not the next request', async () => {
      const inner = `DELETE /fhir/R4/Patient/here HTTP/1.1\r\nHost: ${host()}\r\n\r\n`;
      await raw(
        `GET /fhir/R4/Patient/here HTTP/1.1\r\nHost: ${host()}\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      );
      expect((await fhir.get('Patient/here')).status).equal(200);
    });
  });

  describe('header injection [IN-37]: no text of a client makes a header of an answer', () => {
    const LINES = [
      '%0d%0aX-Injected:%20yes',
      '%0aX-Injected:%20yes',
      '%0d%0a%0d%0a<b>',
      '%E5%98%8A%E5%98%8DX-Injected:yes',
      '%c4%8d%c4%8aX-Injected:yes',
    ];
    for (const line of LINES)
      it(line, async () => {
        for (const path of [
          line,
          `Patient/${line}`,
          `Patient/here/_history/${line}`,
          `Patient?name=${line}`,
          `Patient?${line}=x`,
          `Patient?_format=${line}`,
          `Patient?_sort=${line}`,
          `Patient?_cursor=${line}`,
          `Patient/_history?_since=${line}`,
        ]) {
          const { answers, text } = await raw(
            `GET /fhir/R4/${path} HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`,
          );
          expect(answers, path).to.have.length(1);
          expect(answers[0], `${path} ${text}`).below(500);
          expect(text.split('\r\n\r\n')[0], path).not.match(/X-Injected|<b>/i);
        }
        const { text } = await raw(
          `GET /fhir/R4/Patient/here HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\nX-Request-ID: a${line}\r\n\r\n`,
        );
        expect(text.split('\r\n\r\n')[0]).not.match(/X-Injected/i);
      });
  });

  describe('paths [IN-38]: 400 or 404, never a file', () => {
    const PATHS = [
      '/../../../../etc/passwd',
      '/fhir/R4/../../etc/passwd',
      '/fhir/R4/%2e%2e/%2e%2e/etc/passwd',
      '/fhir/R4/..%2f..%2fetc%2fpasswd',
      '/fhir/R4/Patient/../../../package.json',
      '/fhir/R4/Patient/%2e%2e',
      '/fhir/R4/Patient/..',
      '/fhir/R4/Patient/.%2e/metadata',
      '/fhir/R4/Patient/..%5c..%5cpackage.json',
      '/fhir/R4/Patient/here%00.json',
      '/fhir/R4/Patient/here%2f_history',
      '/fhir/R4/Patient/%252e%252e',
      '/fhir/R4/Patient/%c0%ae%c0%ae',
      '/fhir/R4//etc/passwd',
      '/fhir/R4/Patient//here',
      '/package.json',
      '/.env',
      '/.git/config',
      '/src/main.ts',
      '/.data/ports.json',
      '/%2e%2e/package.json',
      '/..;/package.json',
      '/fhir/R4/Patient/here;x=1',
      '/fhir/R4/file:%2f%2f%2fetc%2fpasswd',
      '/fhir/R4/C:%5cWindows',
    ] as const;
    for (const path of PATHS)
      it(path, async () => {
        const { answers, text } = await raw(`GET ${path} HTTP/1.1\r\nHost: ${host()}\r\nConnection: close\r\n\r\n`);
        expect(answers[0], text).oneOf([400, 404]);
        expect(text).not.match(/root:|"name": "mortar"|\[core\]/);
      });

    for (const url of [
      '../metadata',
      'Patient/../metadata',
      'Patient%2Fhere',
      'Patient/here%2F_history',
      'Patient/%00',
      'Patient/here\\x',
      'file:///etc/passwd',
      'http://169.254.169.254/latest',
      '//evil.example/Patient',
    ])
      it(`in a batch: ${url}`, async () => {
        const entry = [{ request: { method: 'GET', url } }];
        const reply = await fhir.post('', { resourceType: 'Bundle', type: 'batch', entry });
        const status =
          reply.status === 200
            ? reply.json<{ entry: [{ response: { status: string } }] }>().entry[0].response.status
            : String(reply.status);
        expect(status, reply.text).match(/^4/);
      });
  });
});
