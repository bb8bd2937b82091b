/** SECURITY AZ-01, AU-04, LG-12: every route at which people ask something of a record, without a token, a right, a person, a fresh sign-in. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { createPolicy } from '../../src/policy/policy.ts';
import { PERSON_ROLES } from '../../src/policy/rights.ts';
import type { AuditEvent } from '../../src/ports/audit.ts';
import type { Caller } from '../../src/ports/caller.ts';
import { createPersonApi, type PersonRoute } from '../../src/rest/person-api.ts';
import { createRectificationRoutes } from '../../src/rest/rectification-api.ts';
import { createRestrictionRoutes } from '../../src/rest/restriction-api.ts';
import { createSubjectAccessRoutes } from '../../src/rest/subject-access-api.ts';
import { FhirError, issue } from '../../src/standards/fhir/outcome.ts';
import { client, patientApp, person } from '../support/callers.ts';

const NOW = 10 * 60 * 1000;
/** What stands behind the routes is reached by nobody here. */
const untouched = new Proxy(
  {},
  {
    get: () => () => {
      throw new Error('the route was let in');
    },
  },
) as never;

const routes: readonly PersonRoute[] = [
  ...createSubjectAccessRoutes(untouched),
  ...createRestrictionRoutes(untouched),
  ...createRectificationRoutes(untouched),
];

describe('access › routes about people', () => {
  let server: Server;
  let base: string;
  const told: AuditEvent[] = [];
  const policy = createPolicy({ isPatientType: () => true, mayNamePatients: () => false, now: () => NOW });
  const callers = new Map<string, Caller>([
    ['nothing', client('')],
    ['system', client('system/*.cruds')],
    ['app', patientApp('a', 'patient/*.rs')],
    ['narrow-admin', person('ADMIN', { scopes: 'user/Patient.rs' })],
    ...PERSON_ROLES.map((role) => [role, person(role, { patients: ['a'] })] as const),
  ]);
  before((done) => {
    server = createServer(
      createPersonApi({
        routes,
        policy,
        authenticate: async (req) => {
          const caller = callers.get(String(req.headers['authorization']).replace('Bearer ', ''));
          if (!caller) throw new FhirError(401, [issue('login', 'A token is needed')]);
          return caller;
        },
        audit: { record: async (event) => void told.push(event) },
        now: () => NOW,
        onError: () => undefined,
      }),
    ).listen(0, '127.0.0.1', () => {
      base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      done();
    });
  });
  after((done) => {
    server.closeAllConnections();
    server.close(done);
  });

  const ask = async ({ method, path }: Pick<PersonRoute, 'method' | 'path'>, token: string): Promise<number> => {
    const url = base + path.replace(/:\w+/g, 'x');
    return (await fetch(url, { method, headers: { authorization: `Bearer ${token}` } })).status;
  };

  it('has the routes of all three', () => expect(routes.length).equal(12));

  for (const route of routes) {
    const name = `${route.method} ${route.path}`;
    it(`[AZ-01] ${name}: no token, 401; no right, 403, and the trail knows`, async () => {
      expect(await ask(route, 'unknown')).equal(401);
      const may = PERSON_ROLES.filter((role) =>
        route.rights.some((right) => policy.allows(callers.get(role) as Caller, right).allowed),
      );
      expect(may).not.have.lengthOf(0);
      for (const token of [
        'nothing',
        'system',
        'app',
        'narrow-admin',
        ...PERSON_ROLES.filter((role) => !may.includes(role)),
      ]) {
        told.length = 0;
        expect(await ask(route, token), token).equal(403);
        expect(told.map(({ outcome, operation }) => [outcome, operation])).deep.equal([[4, route.told]]);
        expect(told[0]?.rule, token).match(/^(role|scope|person)$/);
      }
    });
    if (route.stepUp)
      it(`[LG-12] ${name}: signed in too long ago, 401`, async () => {
        for (const role of PERSON_ROLES) {
          const isAllowed = route.rights.some((right) => policy.allows(callers.get(role) as Caller, right).allowed);
          if (isAllowed) expect(await ask(route, role), role).equal(401);
        }
      });
    it(`[CP-26] ${name}: other methods and paths below it, 405 and 404`, async () => {
      expect(await ask({ ...route, method: 'PATCH' as never }, 'ADMIN')).equal(405);
      expect(await ask({ ...route, path: `${route.path}/more/still/more` }, 'ADMIN')).equal(404);
    });
  }
});
