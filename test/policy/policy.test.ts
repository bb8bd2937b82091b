/** The engine by itself: scope ∩ role ∩ compartment. SECURITY A3, C1 */
import { expect } from 'chai';
import { createPolicy } from '../../src/policy/policy.ts';
import { PERSON_ROLES, RIGHTS } from '../../src/policy/rights.ts';
import { serviceCaller } from '../../src/policy/service-caller.ts';
import type { Caller, Role } from '../../src/ports/caller.ts';
import { STORED_TYPES } from '../../src/postgres/tables.ts';
import { checkAccess, lettersOf } from '../../src/rest/access.ts';
import type { Route } from '../../src/rest/route.ts';
import { createRoutes } from '../../src/rest/routes.ts';
import { TERMINOLOGY_OPERATIONS } from '../../src/rest/terminology-routes.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import type { Letter } from '../../src/standards/smart/scope.ts';
import { client, patientApp, person, scopesOf } from '../support/callers.ts';
import { isPatientType, mayNamePatients, START } from '../support/policy-store.ts';

const LETTERS: readonly Letter[] = ['c', 'r', 'u', 'd', 's'];
const policy = createPolicy({ isPatientType, mayNamePatients, now: () => START });
const doctor = (scopes: string): Caller => person('DOCTOR', { practitioner: 'd', organizations: ['o'], scopes });
const allowed = (caller: Caller, type: string): string =>
  LETTERS.filter((letter) => policy.decide(caller, type, letter).allowed).join('');

describe('policy › default', () => {
  it('[AZ-01] a person without a role may do nothing with any type, whatever the scopes', () => {
    for (const type of [...STORED_TYPES, '*', 'Parameters', 'Unheard'])
      for (const caller of [
        person([], {}),
        person([], { scopes: 'system/*.cruds' }),
        client(''),
        client('user/*.cruds'),
      ])
        expect(allowed(caller, type), `${caller.kind} ${type}`).to.equal('');
  });
  it('[AZ-01] a right that nobody mentioned is nobody’s', () => {
    const callers = [person(['ADMIN', 'SYSTEM'], {}), client('system/*.cruds'), serviceCaller('test')];
    for (const right of ['', 'admin', 'admin:everything', 'toString', '__proto__', 'constructor'])
      for (const caller of callers) expect(policy.allows(caller, right).allowed, right).to.equal(false);
  });
  it('[AZ-01] every right is refused to who has no role, and to every role that the table does not name', () => {
    for (const [right, holders] of Object.entries(RIGHTS)) {
      expect(policy.allows(person([], {}), right).allowed).to.equal(false);
      for (const role of PERSON_ROLES)
        expect(policy.allows(person(role, {}), right).allowed, `${role} ${right}`).to.equal(holders.includes(role));
    }
  });
  it('[SC-06] an app that was granted some of a person’s rights has not the others: no users, keys, messages or emergencies', () => {
    const everyRole = ['ADMIN', 'DOCTOR', 'OPS_MANAGER'] as const;
    const rights = (scopes: string): string[] =>
      Object.keys(RIGHTS).filter((right) => policy.allows(person(everyRole, { scopes }), right).allowed);
    for (const scopes of ['user/Patient.rs', 'user/Patient.cruds', 'user/*.cruds?_id=a', 'user/Observation.s'])
      expect(rights(scopes), scopes).to.deep.equal(['convert']);
    expect(rights('user/*.rs')).to.deep.equal([
      'audit:read',
      'eps:track',
      'pharmacy:read',
      'medicines:read',
      'prescriptions:review',
      'patients:look-up',
      'convert',
    ]);
    expect(rights('user/*.rs user/*.cud')).to.include.members(['admin:users', 'break-glass', 'messages:content']);
    expect(policy.allows(person('ADMIN', { scopes: 'user/Patient.rs' }), 'admin:users')).to.deep.equal({
      allowed: false,
      rule: 'scope',
    });
  });
  it('[AZ-01] a type outside the tables is reached by no role but that of the system', () => {
    for (const role of ['PATIENT', 'DOCTOR', 'PHARMACIST', 'RECEPTIONIST', 'STAFF', 'OPS_AGENT', 'ADMIN'] as const)
      for (const type of ['Bundle', 'MessageHeader', 'Linkage', 'Subscription', 'TestReport'])
        expect(allowed(person(role, { organizations: ['o'], patients: ['p'] }), type), `${role} ${type}`).to.equal('');
  });
  it('[AZ-09] a refusal names its rule', () => {
    expect(policy.decide(doctor('user/Patient.rs'), 'Observation', 'r')).to.deep.equal({
      allowed: false,
      rule: 'scope',
    });
    expect(policy.decide(person('STAFF', { organizations: ['o'] }), 'Observation', 'r')).to.deep.equal({
      allowed: false,
      rule: 'role',
    });
    expect(policy.allows(person('STAFF', {}), 'admin:users')).to.deep.equal({ allowed: false, rule: 'role' });
    expect(policy.allows(patientApp('a'), 'admin:users')).to.deep.equal({ allowed: false, rule: 'scope' });
    expect(policy.allows(patientApp('a'), 'unheard')).to.deep.equal({ allowed: false, rule: 'right' });
  });
});

describe('policy › references', () => {
  it('[AZ-05] [CP-11] what a search finds for somebody may be referred to, where the policy says so: every role, every type', () => {
    const right = { patientId: 'q', relatedPersonId: 'r', from: 0, until: START + 1, adultAt: START + 1 };
    const roles: readonly Role[] = [...PERSON_ROLES, 'SYSTEM'];
    const options = {
      practitioner: 'd',
      practitionerRoles: ['dr'],
      organizations: ['o'],
      patients: ['p'],
      emergency: ['e', 'l'],
      lawful: ['l'],
      proxies: [right],
    };
    for (const role of [...roles, roles])
      for (const type of STORED_TYPES) {
        const caller = person(role, { ...options, scopes: 'user/*.cruds' });
        expect(policy.mayReferToFound(caller, type)).to.equal(true);
        const found = policy.filterFor(caller, type, 's');
        if (found.kind === 'nothing') continue;
        const may = policy.referenceFilter(caller, type);
        if (may.kind !== 'everything') expect(found, `${role} ${type}`).to.deep.equal(may);
      }
  });
  it('[AZ-05] of programs, and of apps with a patient in context, it is asked', () => {
    for (const caller of [
      client('system/*.cruds'),
      patientApp('a'),
      person('DOCTOR', { scopes: 'user/*.rs patient/*.cruds', patient: 'a', organizations: ['o'] }),
      serviceCaller('gateway'),
    ])
      expect(policy.mayReferToFound(caller, 'Patient'), caller.name).to.equal(false);
  });
});

describe('policy › scopes', () => {
  it('[SC-06] a scope only narrows: what the role may not, no scope gives', () => {
    const receptionist = person('RECEPTIONIST', { organizations: ['o'], scopes: 'user/*.cruds' });
    expect(allowed(receptionist, 'Observation')).to.equal('');
    expect(allowed(receptionist, 'Patient')).to.equal('crus');
    expect(allowed(person('ADMIN', { scopes: 'user/*.cruds' }), 'Observation')).to.equal('');
    expect(allowed(person('ADMIN', { scopes: 'user/*.cruds' }), 'Patient')).to.equal('');
  });
  it('[SC-06] and what the scope does not name, no role gives', () => {
    for (const role of ['PATIENT', 'DOCTOR', 'ADMIN', 'SYSTEM'] as const) {
      const caller = person(role, { organizations: ['o'], patients: ['p'], scopes: 'user/Location.r' });
      for (const type of STORED_TYPES)
        expect(allowed(caller, type), `${role} ${type}`).to.equal(type === 'Location' ? 'r' : '');
    }
  });
  it('[SC-06] roles of one person add up, each within its own bounds', () => {
    const both = person(['PATIENT', 'DOCTOR'], { patients: ['self'], organizations: ['o'] });
    expect(policy.filterFor(both, 'Observation', 'r')).to.have.property('kind', 'any');
    expect(policy.filterFor(both, 'AuditEvent', 'r')).to.deep.equal({ kind: 'compartment', patientIds: ['self'] });
  });
  it('[SC-07] several constraints on a type are alternatives', () => {
    const caller = patientApp('a', 'patient/Observation.rs?category=x patient/Observation.rs?code=y');
    const own = { kind: 'compartment', patientIds: ['a'] };
    expect(policy.filterFor(caller, 'Observation', 's')).to.deep.equal({
      kind: 'any',
      of: [
        { kind: 'all', of: [own, { kind: 'search', query: 'category=x' }] },
        { kind: 'all', of: [own, { kind: 'search', query: 'code=y' }] },
      ],
    });
  });
  it('[SC-07] a constraint of one letter does not bind another', () => {
    const caller = client('system/Organization.r system/Organization.s?name=x');
    expect(policy.filterFor(caller, 'Organization', 'r').kind).to.equal('everything');
    expect(policy.filterFor(caller, 'Organization', 's')).to.deep.equal({ kind: 'search', query: 'name=x' });
  });
  it('[SC-07] a plain scope for the type takes the constraint away', () => {
    const plain = client('system/Organization.rs?name=x system/Organization.rs');
    expect(policy.filterFor(plain, 'Organization', 's')).to.deep.equal({ kind: 'everything' });
    expect(policy.filterFor(client('system/*.rs system/Organization.rs?name=x'), 'Organization', 's').kind).to.equal(
      'everything',
    );
  });
  it('[FA-06] programs are bound by Consents in what they read and change of patients, but for Mortar’s own and the operator', () => {
    const asked = (caller: Caller, type: string, letter: Letter) => policy.filterFor(caller, type, letter).kind;
    const program = client('system/*.crus');
    expect(asked(program, 'Observation', 'r')).to.equal('undenied');
    expect(asked(program, 'Task', 's')).to.equal('undenied');
    expect(asked(program, '*', 's')).to.equal('undenied');
    expect(asked(program, 'Observation', 'c')).to.equal('everything');
    expect(policy.filterFor(program, 'Observation', 'u'), 'it changes what it may read').to.deep.equal(
      policy.filterFor(program, 'Observation', 'r'),
    );
    for (const type of ['Binary', 'Bundle', 'Contract', 'Device', 'GuidanceResponse', 'Linkage', 'MessageHeader'])
      expect(asked(program, type, 'r'), type).to.equal('undenied');
    for (const type of ['Organization', 'AuditEvent', 'Slot', 'ImplementationGuide', 'Measure', 'DeviceDefinition'])
      expect(asked(program, type, 'r'), type).to.equal('everything');
    for (const caller of [client('system/*.cruds'), serviceCaller('gateway'), serviceCaller('jobs')])
      expect(asked(caller, 'Observation', 'r'), caller.name).to.equal('everything');
  });
  it('[SC-12] patient scopes without a patient in context give nothing', () => {
    for (const scopes of ['patient/*.cruds', 'patient/*.rs', 'patient/Patient.r', 'patient/Organization.rs'])
      for (const role of ['PATIENT', 'DOCTOR', 'SYSTEM'] as const)
        for (const type of STORED_TYPES)
          expect(
            allowed(person(role, { scopes, patients: ['a'], organizations: ['o'] }), type),
            `${role} ${type}`,
          ).to.equal('');
  });
  it('[SC-12] nor does a patient in context without a person', () => {
    const caller: Caller = { ...client('patient/*.cruds'), patientId: 'a' };
    for (const type of STORED_TYPES) expect(allowed(caller, type)).to.equal('');
  });
  it('[SC-12] the patient in context bounds who holds the token', () => {
    const outsider = person('PATIENT', { patients: ['b'], patient: 'a', scopes: 'patient/*.rs' });
    expect(policy.filterFor(outsider, 'Observation', 'r')).to.deep.equal({
      kind: 'all',
      of: [
        { kind: 'compartment', patientIds: ['a'] },
        { kind: 'compartment', patientIds: ['b'] },
      ],
    });
  });
  it('[SC-13] system scopes give people nothing, user and patient scopes give programs nothing', () => {
    const roles: readonly Role[] = ['PATIENT', 'DOCTOR', 'ADMIN', 'SYSTEM'];
    for (const type of STORED_TYPES) {
      expect(allowed(person(roles, { patients: ['a'], scopes: 'system/*.cruds' }), type), type).to.equal('');
      expect(allowed(client('user/*.cruds patient/*.cruds'), type), type).to.equal('');
      expect(allowed({ ...client('system/*.cruds'), kind: 'anonymous' }, type), type).to.equal('');
    }
    for (const right of Object.keys(RIGHTS))
      expect(policy.allows(person('PATIENT', { scopes: 'system/*.cruds' }), right).allowed).to.equal(
        right === 'audit:own',
      );
  });
  it('[AZ-02] each part of the server has its own rights: what only reads may not write', () => {
    expect(allowed(serviceCaller('jobs'), 'Patient')).to.equal('rs');
    expect(allowed(serviceCaller('auth'), 'Patient')).to.equal('rs');
    expect(allowed(serviceCaller('gateway'), 'Patient')).to.equal('crus');
  });
});

const both = (path: string, letters: string): Record<string, string> => ({
  [`GET ${path}`]: letters,
  [`POST ${path}`]: letters,
});

/** Letters by SECURITY SC-03, by route. */
const NEEDED: Readonly<Record<string, string>> = {
  'GET /:type': 's',
  'POST /:type/_search': 's',
  'POST /:type': 'c',
  'PUT /:type': 'us',
  'PATCH /:type': 'us',
  'DELETE /:type': 'ds',
  'GET /:type/_history': 's',
  'GET /:type/:id': 'r',
  'PUT /:type/:id': 'u',
  'PATCH /:type/:id': 'u',
  'DELETE /:type/:id': 'd',
  'GET /:type/:id/_history': 'r',
  'GET /:type/:id/_history/:version': 'r',
  'GET /:compartment/:id/:type': 's',
  'POST /:compartment/:id/:type/_search': 's',
  'GET /:type/:id/$validate': 'r',
  'POST /:type/:id/$validate': 'r',
  'GET /:type/$meta': 's',
  'POST /:type/$meta': 's',
  'GET /:type/:id/$meta': 'r',
  'POST /:type/:id/$meta': 'r',
  'POST /:type/:id/$meta-add': 'u',
  'POST /:type/:id/$meta-delete': 'u',
  ...both('/:type/:id/$graphql', 'r'),
  ...both('/Patient/$everything', 's'),
  ...both('/Patient/:id/$everything', 'r'),
  ...both('/Encounter/:id/$everything', 'r'),
  ...both('/Practitioner/:id/$everything', 'r'),
  ...both('/Composition/:id/$document', 'r'),
  ...both('/Observation/$lastn', 's'),
  ...both('/Patient/$export', 'rs'),
  ...both('/Group/:id/$export', 'rs'),
  'POST /Patient/$match': 's',
  'GET /SearchParameter/:id/$index-status': 'r',
  'POST /:type/$reindex': 'us',
  'POST /:type/:id/$reindex': 'u',
  ...both('/Subscription/$status', 's'),
  ...both('/Subscription/:id/$status', 'r'),
  ...both('/Subscription/:id/$events', 'r'),
  ...both('/Subscription/:id/$get-ws-binding-token', 'r'),
  'POST /Subscription/:id/$replay': 'r',
  ...Object.fromEntries(
    TERMINOLOGY_OPERATIONS.flatMap(({ type, name }) =>
      ['GET', 'POST'].flatMap((method) => [
        [`${method} /${type}/$${name}`, 's'],
        [`${method} /${type}/:id/$${name}`, 'r'],
      ]),
    ),
  ),
};

describe('policy › fhirUser', () => {
  const asDoctor = (otherScopes: readonly string[]): Caller => {
    const caller = doctor('patient/Observation.rs');
    return { ...caller, otherScopes, ...(caller.user && { user: { ...caller.user, fhirUser: 'Practitioner/d' } }) };
  };
  it('[SO-01] whoever was granted it reads that one resource, and no other of its type', () => {
    expect(policy.filterFor(asDoctor(['openid', 'fhirUser']), 'Practitioner', 'r')).deep.equal({
      kind: 'id',
      ids: ['d'],
    });
    expect(allowed(asDoctor(['openid', 'fhirUser']), 'Practitioner')).equal('r');
    expect(allowed(asDoctor(['openid', 'fhirUser']), 'Patient')).equal('');
  });
  it('[SO-01] without the scope there is no such right', () => {
    expect(allowed(asDoctor(['openid']), 'Practitioner')).equal('');
  });
});

describe('policy › letters', () => {
  const routes = createRoutes(() => {
    throw new Error('only looked at');
  });
  const subsets = Array.from({ length: 32 }, (_, n) => LETTERS.filter((_letter, i) => n & (1 << i)));
  const pathOf = (route: Route): string[] =>
    route.path
      .split('/')
      .filter((part) => part !== '')
      .map(
        (part) => ({ ':type': 'Observation', ':compartment': 'Patient', ':id': '1', ':version': '1' })[part] ?? part,
      );
  const passes = (route: Route, letters: readonly Letter[], headers: Record<string, string> = {}): boolean => {
    const type = /^\/([A-Z][A-Za-z]+)\//.exec(route.path)?.[1] ?? 'Observation';
    const scopes = letters.length === 0 ? [] : scopesOf(`system/${type}.${letters.join('')}`);
    const other = type === 'Patient' ? 'system/Group.cruds' : 'system/Patient.cruds';
    const caller: Caller = {
      ...client(other),
      scopes: [...scopesOf(other), ...scopes],
    };
    try {
      checkAccess(policy, route, { caller, segments: pathOf(route), headers });
      return true;
    } catch (error) {
      expect(error).to.be.instanceOf(FhirError).with.property('status', 403);
      return false;
    }
  };

  it('[SC-03] the table of this test is that of the routes', () => {
    const withLetters = routes.filter(
      ({ access, level }) =>
        typeof access !== 'string' && 'letters' in access && !('orRight' in access) && level !== 'system', // where each type is judged alone
    );
    expect(withLetters.map((r) => `${r.method} ${r.path}`).sort()).to.deep.equal(Object.keys(NEEDED).sort());
  });
  for (const [name, needed] of Object.entries(NEEDED))
    it(`[SC-03] [CP-02] ${name} needs ${needed} of all 32 subsets of letters`, () => {
      const route = routes.find((r) => `${r.method} ${r.path}` === name) as Route;
      for (const letters of subsets)
        expect(passes(route, letters), letters.join('')).to.equal(
          [...needed].every((l) => letters.includes(l as Letter)),
        );
    });
  for (const [name, letter, scopes] of [
    ['POST /Task', 'c', 'system/MedicationDispense.c system/MedicationRequest.u system/Task.u'],
    ['POST /Claim', 'c', 'system/MedicationDispense.c system/MedicationRequest.u system/Task.u'],
    ['GET /Task', 's', 'system/Task.s'],
  ] as const)
    it(`[SC-03] [AZ-01] ${name} needs ${letter}, or what a message to the Spine needs, and nothing less`, () => {
      const route = routes.find((r) => `${r.method} ${r.path}` === name) as Route;
      const type = route.path.slice(1);
      const may = (text: string): boolean => {
        try {
          checkAccess(policy, route, { caller: client(text), segments: [type], headers: {} });
          return true;
        } catch (error) {
          expect(error).to.be.instanceOf(FhirError).with.property('status', 403);
          return false;
        }
      };
      expect(may(`system/${type}.${letter}`)).equal(true);
      expect(may(scopes)).equal(true);
      expect(may('system/Patient.cruds')).equal(false);
      for (const less of scopes.split(' ')) expect(may(less), less).equal(less === `system/${type}.${letter}`);
    });
  it('[AZ-01] each right of EPS takes the scopes of what its messages write', () => {
    for (const [right, needed] of [
      ['eps:prescribe', 'MedicationRequest.cu'],
      ['eps:dispense', 'MedicationDispense.c MedicationRequest.u Task.u'],
      ['eps:track', 'Task.s'],
    ] as const)
      for (const [level, caller] of [
        ['system', (scopes: string) => client(scopes)],
        ['user', (scopes: string) => person(['PRESCRIBER', 'PHARMACIST'], { scopes })],
      ] as const) {
        const scopes = needed.split(' ').map((one) => `${level}/${one}`);
        expect(policy.allows(caller(scopes.join(' ')), right).allowed, `${level} ${right}`).equal(true);
        expect(policy.allows(caller(`${level}/Patient.cruds`), right).allowed).equal(false);
        for (const one of scopes.length > 1 ? scopes : [])
          expect(policy.allows(caller(one), right).allowed, one).equal(false);
      }
  });
  it('[SC-03] a conditional create needs s as well, as it tells of matches', () => {
    const route = routes.find((r) => r.method === 'POST' && r.path === '/:type') as Route;
    expect(lettersOf(route, { headers: { 'if-none-exist': 'identifier=1' } })).to.deep.equal(['c', 's']);
    for (const letters of subsets)
      expect(passes(route, letters, { 'if-none-exist': 'identifier=1' })).to.equal(
        letters.includes('c') && letters.includes('s'),
      );
  });
});
