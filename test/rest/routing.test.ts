/** Which route a path means, of the APIs beside FHIR. */
import { expect } from 'chai';
import { createRouting } from '../../src/rest/routing.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';

const ROUTES = [
  ['GET', '/api/things/:id'],
  ['GET', '/api/things/latest'],
  ['PUT', '/api/things/:id'],
  ['GET', '/api/:kind/:id/parts'],
  ['POST', '/api/things/all/parts'],
  ['GET', '/api/things/:id/parts'],
].map(([method = '', path = '']) => ({ method, path }));

describe('rest › routing', () => {
  const find = createRouting(ROUTES);

  for (const [method, asked, path, names] of [
    ['GET', 'api/things/7', '/api/things/:id', { id: '7' }],
    ['PUT', 'api/things/7', '/api/things/:id', { id: '7' }],
    ['HEAD', 'api/things/7', '/api/things/:id', { id: '7' }],
    ['GET', 'api/things/latest', '/api/things/latest', {}],
    ['PUT', 'api/things/latest', '/api/things/:id', { id: 'latest' }],
    ['GET', 'api/things/7/parts', '/api/things/:id/parts', { id: '7' }],
    ['GET', 'api/others/7/parts', '/api/:kind/:id/parts', { kind: 'others', id: '7' }],
    ['POST', 'api/things/all/parts', '/api/things/all/parts', {}],
    ['GET', 'api/things/__proto__', '/api/things/:id', { id: '__proto__' }],
  ] as const)
    it(`${method} /${asked} is ${path}`, () => {
      const found = find(method, asked.split('/'));
      expect([found.route.path, found.path]).eql([path, names]);
    });

  for (const [method, asked, status, words] of [
    ['GET', 'api/things', 404, 'That path'],
    ['GET', 'api', 404, 'That path'],
    ['GET', 'api/others/7', 404, 'That path'],
    ['DELETE', 'api/things/7', 405, 'DELETE is not possible here: use GET, PUT'],
    ['POST', 'api/others/7/parts', 405, 'use GET'],
  ] as const)
    it(`${method} /${asked} is ${status}`, () =>
      expect(() => find(method, asked.split('/')))
        .throw(FhirError, words)
        .property('status', status));

  it('a route that stands twice in a table is told of at the start', () =>
    expect(() => createRouting([...ROUTES, { method: 'PUT', path: '/api/things/:id' }])).throw(
      'stands in the table twice',
    ));
});
