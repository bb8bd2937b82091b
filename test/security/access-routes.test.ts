/** SECURITY AZ-01, ST-11, CP-01, CP-02: every route of the table, without a token, without the right, and with somebody else’s data. */
import { expect } from 'chai';
import type { Caller } from '../../src/ports/caller.ts';
import { singleTypeOperations } from '../../src/rest/record-routes.ts';
import type { Route } from '../../src/rest/route.ts';
import { createRoutes } from '../../src/rest/routes.ts';
import { FhirError, issue } from '../../src/standards/fhir/outcome.ts';
import { client, patientApp, person } from '../support/callers.ts';
import { openPolicyStore, type PolicyStore, ROOT } from '../support/policy-store.ts';

const routes = createRoutes(() => {
  throw new Error('only looked at');
});
const unauthorised = (): FhirError =>
  new FhirError(401, [issue('login', 'A token is needed')], { headers: { 'WWW-Authenticate': 'Bearer' } });

describe('access › routes', () => {
  let world: PolicyStore;
  let base: string;
  const callers = new Map<string, Caller>([
    ['nothing', client('')],
    ['nobody', person([], {})],
    ['wrong', patientApp('a', 'patient/Immunization.cruds')],
    ['alice', patientApp('a')],
    ['alice-reads', patientApp('a', 'patient/*.rs')],
    ['stranger', person('DOCTOR', { practitioner: 'x', organizations: ['nowhere'] })],
  ]);
  const hidden = {
    resourceType: 'QuestionnaireResponse',
    id: 'of-b',
    status: 'completed',
    subject: { reference: 'Patient/b' },
  };
  before(async () => {
    world = await openPolicyStore();
    base = await world.serve(async (req) => {
      const caller = callers.get(String(req.headers['authorization'] ?? '').replace('Bearer ', ''));
      if (!caller) throw unauthorised();
      return caller;
    });
    for (const id of ['a', 'b']) await world.put({ resourceType: 'Patient', id });
    await world.put(hidden);
  });
  after(() => world.stop());

  const pathOf = ({ path, interaction, method }: Route): string => {
    const filled = path
      .replace(':compartment/:id', 'Patient/b')
      .replace(':type', 'QuestionnaireResponse')
      .replace(':id', 'of-b')
      .replace(':version', '1');
    const isConditional = path === '/:type' && method !== 'POST' && interaction !== 'search-type';
    return isConditional ? `${filled}?_id=of-b` : filled;
  };
  /** Entries that ask for what the route’s name says, of the other patient. */
  const bundle = (type: string) => ({
    resourceType: 'Bundle',
    type,
    entry: [
      { request: { method: 'GET', url: 'QuestionnaireResponse/of-b' } },
      { resource: hidden, request: { method: 'PUT', url: 'QuestionnaireResponse/of-b' } },
    ],
  });
  async function ask(
    route: Route,
    token?: string,
  ): Promise<{ status: number; text: string; challenge: string | null }> {
    const { method, path, interaction } = route;
    const isForm = path.endsWith('_search');
    const body =
      method === 'PATCH'
        ? [{ op: 'replace', path: '/status', value: 'amended' }]
        : path === '/' && method === 'POST'
          ? bundle(interaction)
          : singleTypeOperations.some(({ name }) => name === interaction)
            ? { resourceType: 'Parameters' }
            : { ...hidden, ...(method === 'POST' && { id: undefined }) };
    const hasBody = ['POST', 'PUT', 'PATCH'].includes(method);
    const type = isForm
      ? 'application/x-www-form-urlencoded'
      : method === 'PATCH'
        ? 'application/json-patch+json'
        : 'application/fhir+json';
    const response = await fetch(base + pathOf(route), {
      method,
      headers: {
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(hasBody && { 'content-type': type }),
      },
      ...(hasBody && { body: isForm ? '_id=of-b' : JSON.stringify(body) }),
    });
    return {
      status: response.status,
      text: await response.text(),
      challenge: response.headers.get('www-authenticate'),
    };
  }
  const TERMINOLOGY = /^\/(?:CodeSystem|ValueSet|ConceptMap)\/.*\$|\$(?:lastn|match|graphql)$/;
  const entriesOf = (text: string): { resource?: unknown; response?: { status: string } }[] =>
    (JSON.parse(text) as { entry?: { resource?: unknown; response?: { status: string } }[] }).entry ?? [];

  for (const route of routes) {
    const name = `${route.method} ${route.path} (${route.interaction})`;
    if (route.access === 'public') {
      it(`[AZ-01] ${name}: public, and says nothing of anybody`, async () => {
        expect(route.path).to.equal('/metadata');
        expect(await ask(route)).to.have.property('status', 200);
      });
      continue;
    }
    it(`[AZ-01] ${name}: no token, 401`, async () => {
      for (const token of [undefined, 'unknown']) {
        const { status, challenge } = await ask(route, token);
        expect(status).to.equal(401);
        expect(challenge).to.include('Bearer');
      }
    });
    it(`[AZ-01] [CP-02] ${name}: a token without the right, 403`, async () => {
      for (const token of ['nothing', 'nobody', 'wrong']) {
        // A history or search of the system, or an operation on it, is of the types that may be seen.
        if (token === 'wrong' && (/^\/[_$]/.test(route.path) || route.interaction === 'search-system')) continue;
        const { status, text } = await ask(route, token);
        // Each has their own: everybody else's is as none.
        if (route.path === '/_async/:id') expect(status).to.equal(404);
        else if (route.interaction === 'batch') {
          expect(status).to.equal(200);
          for (const { response, resource } of entriesOf(text)) {
            expect(response?.status).to.match(/^403/);
            expect(resource).to.equal(undefined);
          }
        } else expect(status, `${token}: ${text}`).to.equal(403);
      }
    });
    // Rights of their own: these routes look at nothing that is stored, or are closed to all of these callers.
    if (typeof route.access !== 'string' && ('right' in route.access || 'rights' in route.access)) continue;
    it(`[CP-01] [CP-10] ${name}: another patient’s data stays away`, async () => {
      for (const token of ['alice', 'alice-reads', 'stranger']) {
        const { status, text } = await ask(route, token);
        expect(text).not.to.include('"QuestionnaireResponse/of-b"').and.not.to.include('"id":"of-b"');
        expect(text).not.to.include('Patient/b"');
        if (status === 200 && route.interaction === 'batch')
          for (const { response } of entriesOf(text)) expect(response?.status).to.match(/^40[34]/);
        else if (status === 200) {
          const others = entriesOf(text).filter(
            ({ resource }) => (resource as { id?: string } | undefined)?.id !== 'a',
          );
          expect(others).to.deep.equal([]);
        } else if (
          route.path === '/Task' ||
          route.path === '/Claim' ||
          route.path === '/$viewdefinition-run' ||
          TERMINOLOGY.test(route.path)
        )
          expect(status, text).to.be.oneOf([400, 403, 404, 415]); // the body is not what they take
        else if (route.interaction === 'delete' && route.path === '/:type') expect(status).to.be.oneOf([204, 403]);
        else expect(status, text).to.be.oneOf([403, 404]);
      }
      const { versions } = await world.store.history(ROOT, { type: 'QuestionnaireResponse', count: 5 });
      expect(
        versions.map(({ id, versionId }) => `${id}/${versionId}`),
        'as it was',
      ).to.deep.equal(['of-b/1']);
    });
  }
});
