/** The door of the workflow APIs over the running server, and every route of its table without a token or a right. */
import { expect } from 'chai';
import type { JsonSchema } from '../../../src/standards/openapi/document.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

describe('workflow API', () => {
  let server: TestServer;
  let document: { openapi: string; paths: Record<string, Record<string, JsonSchema>> };
  before(async () => {
    server = await startTestServer();
    document = (await (await fetch(`${server.url}/openapi.json`)).json()) as typeof document;
  });
  after(() => server.stop());

  const get = (path: string, headers: Record<string, string> = { ...server.bearer }): Promise<Response> =>
    fetch(server.url + path, { headers });

  it('each pattern is said in words, with an example that fits: who sends something else is not shown it', () => {
    const patterns: JsonSchema[] = [];
    const walk = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return;
      // Where properties are described, `pattern` may be the name of one.
      if (typeof (value as JsonSchema)['pattern'] === 'string') patterns.push(value as JsonSchema);
      for (const one of Object.values(value)) walk(one);
    };
    walk(document);
    expect(patterns.length).greaterThan(5);
    for (const { pattern, description, examples } of patterns) {
      expect(description, `${pattern} has a description`).match(/^an? \S|^the \S/);
      expect(examples, `${pattern} has an example`).an('array').not.empty;
      for (const example of examples as string[]) expect(example).match(new RegExp(String(pattern), 'u'));
    }
  });

  it('describes itself in OpenAPI 3.1, to anybody', () => {
    expect(document.openapi).equal('3.1.0');
    expect(Object.keys(document.paths)).include.members(['/openapi.json', '/openapi', '/api/v2/medications']);
    for (const [path, operations] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(operations)) {
        expect(operation['operationId'], `${method} ${path}`).match(/^[a-z]+[A-Za-z0-9]*$/);
        expect(operation['responses'], `${method} ${path}`).have.property('default');
        for (const [, name] of path.matchAll(/\{(\w+)\}/g))
          expect(operation['parameters']).deep.include({
            name,
            in: 'path',
            required: true,
            schema: { type: 'string' },
          });
      }
    const ids = Object.values(document.paths).flatMap((one) => Object.values(one).map((o) => o['operationId']));
    expect(new Set(ids).size).equal(ids.length);
  });

  it('has a page of it that loads nothing from elsewhere', async () => {
    const answer = await get('/openapi', {});
    expect(answer.headers.get('content-type')).equal('text/html; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).match(/default-src 'none'/);
    const html = await answer.text();
    expect(html).include('/api/v2/medications');
    expect(html).not.match(/<script|src=|https?:\/\//);
  });

  it('[AZ-01] every route refuses who has no token, unless it says that it needs none', async () => {
    for (const [path, operations] of Object.entries(document.paths))
      for (const [method, operation] of Object.entries(operations)) {
        const isOpen = (operation['security'] as object[]).some((one) => Object.keys(one).length === 0);
        if (isOpen) continue;
        const url = server.url + path.replaceAll(/\{\w+\}/g, 'x');
        const answer = await fetch(url, { method: method.toUpperCase() });
        expect(answer.status, `${method} ${path}`).equal(401);
        expect(answer.headers.get('content-type')).equal('application/problem+json; charset=utf-8');
      }
  });

  it('answers with and without the closing slash', async () => {
    for (const path of ['/api/v2/medications?query=am', '/api/v2/medications/?query=am'])
      expect((await get(path)).status).equal(200);
  });

  const BAD: readonly (readonly [path: string, status: number, code: string, at?: string])[] = [
    ['/api/v2/medications', 400, 'required', 'query'],
    ['/api/v2/medications?query=a', 400, 'value', 'query'],
    ['/api/v2/medications?query=amox&limit=many', 400, 'value', 'limit'],
    ['/api/v2/medications?query=amox&limti=3', 400, 'structure', 'limti'],
    ['/api/v2/medications?query=amox&query=amox', 400, 'invalid', 'query'],
    ['/api/v2/medications/more/still', 404, 'not-found'],
  ];
  for (const [path, status, code, at] of BAD)
    it(`says what is wrong, and where: ${path}`, async () => {
      const answer = await get(path);
      expect(answer.status).equal(status);
      const problem = (await answer.json()) as {
        code: string;
        type: string;
        status: number;
        errors?: { at?: string }[];
      };
      expect(problem).include({ code, status, type: `urn:mortar:problem:${code}` });
      if (at !== undefined) expect(problem.errors?.[0]?.at).equal(at);
    });

  it('refuses a method that a path does not have, and says which it has', async () => {
    const answer = await fetch(`${server.url}/api/v2/medications`, { method: 'DELETE', headers: server.bearer });
    expect(answer.status).equal(405);
    expect(answer.headers.get('allow')).equal('GET');
  });
});
