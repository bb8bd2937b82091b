/**
 * SECURITY CP-08, the property of record: whatever is asked, by whomever, of whatever world, the answer is the one that
 * a slow second engine gives over plain JSON. `TEST_SEED` repeats a run.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { PERSON_ROLES } from '../../src/policy/rights.ts';
import type { Caller, Role } from '../../src/ports/caller.ts';
import type { HistoryRequest, StoredVersion } from '../../src/ports/resource-store.ts';
import type { Frequencies } from '../../src/postgres/search/frequencies.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';
import type { SearchRequest, SystemSearchRequest } from '../../src/standards/fhir/search/request.ts';
import { client, person } from '../support/callers.ts';
import { type Facts, type Letter, mayAll, mayNone, membersOf, sees } from '../support/naive-policy.ts';
import {
  type Asked,
  type AskedInclude,
  type Current,
  formatAsked,
  formatInclude,
  included,
  matches,
  PARAMETERS,
  type Parameter,
  type Sight,
  TYPES,
  unreached,
} from '../support/naive-search.ts';
import { isPatientType, parameters, parseQuery, ROOT } from '../support/policy-store.ts';
import {
  CODES,
  createWorld,
  DATES,
  IDS,
  LABELS,
  NAMES,
  PLACES,
  STATUSES,
  SYSTEM,
  type Version,
  WORDS,
  type World,
} from '../support/policy-world.ts';
import { testSeed } from '../support/seed.ts';

const CASES = { quick: 500, ci: 5_000, long: 50_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 500;
const CASES_PER_WORLD = 250;
const SEED = testSeed();

// ---- who asks

const PERSON_SCOPES = [
  'user/*.cruds',
  'user/*.cruds',
  'user/*.rs',
  'user/*.rs',
  'patient/*.rs',
  'patient/*.rs',
  'patient/*.cruds',
  'patient/*.rs user/*.rs',
  'patient/*.r user/*.s',
  'patient/Observation.rs patient/Patient.rs',
  'patient/Observation.rs?category=alpha',
  'patient/Observation.rs?category=alpha patient/Observation.rs?code=beta patient/Patient.rs patient/Practitioner.rs',
  'patient/Observation.rs?category=alpha&status=final patient/DiagnosticReport.rs patient/Patient.r',
  'patient/Observation.rs?category=alpha patient/Observation.rs',
  'user/Observation.rs user/Patient.r user/Encounter.s',
  'user/Observation.rs?status=final user/Patient.rs user/Practitioner.rs user/Encounter.rs',
  'user/Patient.rs user/Organization.rs user/Practitioner.rs user/Observation.rs?_security:not=N',
  'system/*.rs',
  'patient/Patient.rs',
  '',
] as const;
const CLIENT_SCOPES = [
  'system/*.cruds',
  'system/*.rs',
  'system/Patient.rs',
  'system/Patient.rs system/Observation.rs?category=alpha system/Practitioner.r',
  'system/Observation.rs?code=alpha,beta&status=final system/Patient.rs system/Organization.rs system/DiagnosticReport.s',
  'system/*.rs?_security=N,R',
  'user/*.rs patient/*.rs',
] as const;
const PEOPLE_IDS = IDS.slice(0, 4);

const roles: fc.Arbitrary<readonly Role[]> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<Role[]>(['PATIENT'], ['DOCTOR'], ['PHARMACIST'], ['RECEPTIONIST']) },
  { weight: 2, arbitrary: fc.subarray([...PERSON_ROLES], { maxLength: 3 }) },
);
const people: fc.Arbitrary<Caller> = fc
  .record({
    roles,
    scopes: fc.constantFrom(...PERSON_SCOPES),
    practitioner: fc.option(fc.constantFrom(...PEOPLE_IDS), { nil: undefined }),
    practitionerRoles: fc.subarray([...PEOPLE_IDS], { maxLength: 1 }),
    organizations: fc.subarray([...PEOPLE_IDS], { maxLength: 2 }),
    patients: fc.subarray([...PEOPLE_IDS], { maxLength: 2 }),
    emergency: fc.oneof(
      { weight: 4, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.subarray([...PEOPLE_IDS], { maxLength: 1 }) },
    ),
    lawful: fc.oneof(
      { weight: 6, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.subarray([...PEOPLE_IDS], { maxLength: 1 }) },
    ),
    purpose: fc.constantFrom(undefined, undefined, 'TREAT', 'CLINTRCH', 'ETREAT'),
    context: fc.constantFrom('own', 'own', 'other', 'none'),
  })
  .map(({ roles: list, context, practitioner, purpose, ...options }) => {
    const [own] = options.patients;
    const patient = context === 'none' ? undefined : context === 'own' ? own : 'n3';
    const caller = person(list, {
      ...options,
      ...(practitioner !== undefined && { practitioner }),
      ...(patient !== undefined && { patient }),
    });
    return purpose === undefined ? caller : { ...caller, purpose };
  });
const callers = fc.oneof(
  { weight: 6, arbitrary: people },
  { weight: 1, arbitrary: fc.constantFrom(...CLIENT_SCOPES).map((scopes) => client(scopes)) },
);

// ---- what is asked

const REFERENCED = [
  'Patient',
  'Practitioner',
  'Organization',
  'Encounter',
  'Observation',
  'Group',
  'MedicationRequest',
];
const dateTexts = fc
  .tuple(fc.constantFrom('', 'ge', 'gt', 'lt', 'le'), fc.constantFrom(...DATES, '2026', '2026-05'))
  .map((parts) => parts.join(''));
const VALUES: Readonly<Record<Parameter['kind'], fc.Arbitrary<string>>> = {
  reference: fc
    .tuple(fc.constantFrom('', ...REFERENCED, 'Patient', 'Patient'), fc.constantFrom(...IDS))
    .map(([type, id]) => (type === '' ? id : `${type}/${id}`)),
  token: fc.constantFrom(
    ...CODES,
    ...STATUSES,
    'booked',
    'male',
    'order',
    `${SYSTEM}|alpha`,
    '|beta',
    `${SYSTEM}|gamma`,
  ),
  string: fc.constantFrom(...NAMES, 'a', 'ad', 'b', 'c', 'xyz'),
  date: dateTexts,
};

const plain = (values: readonly string[], code: string, modifier?: 'not' | 'missing'): Asked => ({
  kind: 'plain',
  code,
  values,
  ...(modifier && { modifier }),
});

/** Words, with others left out, beginnings and phrases. */
const texts = fc.oneof(
  fc.constantFrom(...WORDS),
  fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...WORDS)).map((two) => two.join(' -')),
  fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom(...WORDS)).map((two) => two.join(' ')),
  fc.constantFrom('liv*', 'm*', '"and bone"', '"bone and"', '"liver liver"', 'nowhere'),
);

/** What Lists of the world name. */
const LISTED = ['Observation', 'Condition', 'MedicationRequest'];
/** None of these is as far from another place as any of the distances. */
const nearby = fc
  .tuple(fc.constantFrom(...PLACES), fc.constantFrom(1, 30, 40, 300, 1000, 1200, 20_000))
  .map(([[latitude, longitude], km]) => `${latitude}|${longitude}|${km}|km`);

function plainOf(type: string): fc.Arbitrary<Asked> {
  const own = Object.entries(PARAMETERS[type] ?? {}).map(([code, { kind }]) => {
    const list = fc.array(VALUES[kind], { minLength: 1, maxLength: 2 });
    const forms: fc.Arbitrary<Asked>[] = [
      list.map((values) => plain(values, code)),
      list.map((values) => plain(values, code)),
      fc.constantFrom('true', 'false').map((value) => plain([value], code, 'missing')),
    ];
    if (kind === 'token') forms.push(list.map((values) => plain(values, code, 'not')));
    return fc.oneof(...forms);
  });
  return fc.oneof(
    ...own,
    fc.array(fc.constantFrom(...IDS), { minLength: 1, maxLength: 3 }).map((ids) => plain(ids, '_id')),
    ...(LISTED.includes(type)
      ? [fc.array(fc.constantFrom(...IDS), { minLength: 1, maxLength: 3 }).map((ids) => plain(ids, '_list'))]
      : []),
    ...(type === 'Location' ? [fc.array(nearby, { minLength: 1, maxLength: 2 }).map((all) => plain(all, 'near'))] : []),
    ...(type === 'Binary'
      ? []
      : [fc.array(texts, { minLength: 1, maxLength: 2 }).map((values) => plain(values, '_text'))]),
    fc
      .tuple(fc.constantFrom(...LABELS), fc.constantFrom(undefined, 'not' as const))
      .map(([label, modifier]) => plain([label], '_security', modifier)),
    fc
      .tuple(fc.constantFrom('ge', 'lt'), fc.constantFrom('2026-06-15T12:01:00Z', '2026-06-15T12:02:30Z'))
      .map((parts) => plain([parts.join('')], '_lastUpdated')),
  );
}

const PLAIN = new Map(TYPES.map((type) => [type, plainOf(type)]));
const referencesOf = (type: string): [string, Parameter][] =>
  Object.entries(PARAMETERS[type] ?? {}).filter(([, { kind }]) => kind === 'reference');
const hasParameters = (type: string): boolean => Object.keys(PARAMETERS[type] ?? {}).length > 0;
/** Parameters of every type that can refer to a type. */
const POINTING = new Map(
  TYPES.map((target) => [
    target,
    TYPES.flatMap((type) =>
      referencesOf(type)
        .filter(([, { targets = [] }]) => targets.includes(target))
        .map(([code]) => ({ type, code })),
    ),
  ]),
);

function chainOf(type: string, links: number): fc.Arbitrary<Asked> | undefined {
  const steps = referencesOf(type).flatMap(([code, { targets = [] }]) =>
    targets.filter(hasParameters).map((target) => ({ code, target })),
  );
  if (steps.length === 0) return undefined;
  return fc.constantFrom(...steps).chain(({ code, target }) => {
    const further = links > 1 ? chainOf(target, links - 1) : undefined;
    const ends: fc.Arbitrary<Asked>[] = [PLAIN.get(target) as fc.Arbitrary<Asked>];
    if (further) ends.push(further);
    return fc.oneof(...ends).map((next): Asked => ({ kind: 'chain', code, type: target, next }));
  });
}

function hasOf(type: string): fc.Arbitrary<Asked> | undefined {
  const pointing = POINTING.get(type) ?? [];
  if (pointing.length === 0) return undefined;
  return fc
    .constantFrom(...pointing)
    .chain(({ type: source, code }) =>
      (PLAIN.get(source) as fc.Arbitrary<Asked>).map((next): Asked => ({ kind: 'has', type: source, code, next })),
    );
}

function includeOf(type: string): fc.Arbitrary<AskedInclude> {
  const forward = (source: string, iterate: boolean): AskedInclude[] => [
    ...referencesOf(source).flatMap(([code, { targets = [] }]) => [
      { reverse: false, source, code, iterate },
      ...targets.map((target) => ({ reverse: false, source, code, target, iterate })),
    ]),
    ...(referencesOf(source).length > 0 ? [{ reverse: false, source, code: '*', iterate }] : []),
  ];
  const reverse = (POINTING.get(type) ?? []).flatMap(({ type: source, code }) => [
    { reverse: true, source, code, iterate: false },
    { reverse: true, source, code, iterate: true },
  ]);
  const iterating = TYPES.flatMap((source) => forward(source, true));
  const own = forward(type, false);
  return fc.oneof(fc.constantFrom(...(own.length > 0 ? own : iterating)), fc.constantFrom(...reverse, ...iterating));
}

/** Orders of the world name their requester, or contain one. */
const requesters: fc.Arbitrary<Asked> = fc
  .array(VALUES.string, { minLength: 1, maxLength: 2 })
  .map((values) => ({ kind: 'chain', code: 'requester', type: 'Practitioner', next: plain(values, 'name') }));

interface SearchCase {
  readonly kind: 'search';
  readonly type: string;
  readonly asked: readonly Asked[];
  readonly includes: readonly AskedInclude[];
  readonly sort: string | undefined;
  readonly count: number;
  readonly total: 'none' | 'accurate' | 'estimate' | 'summary';
  /** Of the patient whose compartment is searched. */
  readonly compartment: string | undefined;
}
interface ReadCase {
  readonly kind: 'read' | 'vread' | 'history' | 'type-history' | 'system-history';
  readonly type: string;
  readonly id: string;
  readonly versionId: number;
  readonly count: number;
}
type Case = SearchCase | ReadCase;

const SEARCHED = TYPES.filter(hasParameters);
const types = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...SEARCHED) },
  { weight: 2, arbitrary: fc.constantFrom('Observation', 'Patient', 'Encounter', 'MedicationRequest', 'Task') },
);

const searches: fc.Arbitrary<SearchCase> = types.chain((type) => {
  const one = PLAIN.get(type) as fc.Arbitrary<Asked>;
  const inside = type === 'MedicationRequest' ? Array<typeof requesters>(6).fill(requesters) : [];
  const far = [chainOf(type, 2), chainOf(type, 1), hasOf(type), ...inside].filter((a) => a !== undefined);
  const asked =
    far.length === 0 ? one : fc.oneof({ weight: 2, arbitrary: one }, { weight: 2, arbitrary: fc.oneof(...far) });
  const sortable = Object.entries(PARAMETERS[type] ?? {}).flatMap(([code, { kind }]) =>
    kind === 'reference' ? [] : [code, `-${code}`],
  );
  return fc.record({
    kind: fc.constant('search' as const),
    type: fc.constant(type),
    asked: fc.array(asked, { maxLength: 2 }),
    includes: fc.oneof(fc.constant([]), fc.array(includeOf(type), { minLength: 1, maxLength: 3 })),
    sort: fc.constantFrom(undefined, '_lastUpdated', '-_lastUpdated', '_id', ...sortable),
    count: fc.constantFrom(1, 2, 3, 50),
    total: fc.constantFrom('none', 'accurate', 'estimate', 'summary'),
    compartment:
      type === 'Patient' ? fc.constant(undefined) : fc.constantFrom(undefined, undefined, undefined, 'n1', 'n2'),
  });
});
const reads: fc.Arbitrary<ReadCase> = fc.record({
  kind: fc.constantFrom('read', 'vread', 'history', 'type-history', 'system-history'),
  type: fc.constantFrom(...TYPES),
  id: fc.constantFrom(...IDS),
  versionId: fc.integer({ min: 1, max: 4 }),
  count: fc.constantFrom(7, 20, 100),
});
const cases: fc.Arbitrary<Case> = fc.oneof({ weight: 3, arbitrary: searches }, { weight: 2, arbitrary: reads });

/** Beliefs about the data that send searches one way or another. */
const BELIEFS = [
  { rows: 1_000, tokenRows: 2 },
  { rows: 1e6, tokenRows: 1 },
  { rows: 1, tokenRows: 1 },
  { rows: 1e9, tokenRows: 1e9 },
  { rows: Number.NaN, tokenRows: 1 },
] as const;

// ---- the two answers

type Answer = { readonly status: number; readonly entries?: unknown };

const answered = async (work: () => Promise<unknown>): Promise<Answer> => {
  try {
    return { status: 200, entries: await work() };
  } catch (error) {
    if (error instanceof FhirError) return { status: error.status };
    throw error;
  }
};

const named = (one: { readonly type: string; readonly id: string }): string => `${one.type}/${one.id}`;
const versioned = (v: Pick<StoredVersion, 'type' | 'id' | 'versionId'>): string => `${named(v)}/${v.versionId}`;

function queryOf({ asked, includes, sort, count, total }: SearchCase): string {
  const pairs = [
    ...asked.map(formatAsked),
    ...includes.map(formatInclude),
    ...(sort === undefined ? [] : [['_sort', sort] as const]),
    ...(total === 'accurate' || total === 'estimate' ? [['_total', total] as const] : []),
    total === 'summary' ? (['_summary', 'count'] as const) : (['_count', String(count)] as const),
  ];
  return pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
}

/** Types that a chain or `_has` leads through. */
function farTypes(asked: Asked): string[] {
  if (asked.kind === 'plain') return asked.code === '_list' ? ['List'] : [];
  return [asked.type, ...farTypes(asked.next)];
}

class Checker {
  readonly #world: World;
  readonly #facts: Facts;
  readonly #orders = new Map<string, readonly string[]>();

  constructor(world: World) {
    this.#world = world;
    const patients = new Map(world.versions.filter(({ type }) => type === 'Patient').map((one) => [one.id, one]));
    this.#facts = {
      current: world.current,
      deletedPatientIds: [...patients.values()].filter(({ resource }) => !resource).map(({ id }) => id),
      now: world.store.clock.now(),
    };
  }

  async check(caller: Caller, one: Case): Promise<void> {
    if (one.kind === 'search') return this.#search(caller, one);
    const [letter, asked, expected] = this.#read(caller, one);
    void letter;
    expect(await answered(asked), JSON.stringify(one)).to.deep.equal(expected);
  }

  #sees(caller: Caller, letter: Letter, { type, resource }: Pick<Version, 'type' | 'resource'>): boolean {
    return resource !== undefined && sees(caller, letter, type, resource, this.#facts);
  }

  #versionsOf(type: string, id: string): readonly Version[] {
    return this.#world.versions.filter((v) => v.type === type && v.id === id);
  }

  /** CP-12 */
  #shows(caller: Caller, letter: Letter, version: Version): boolean {
    if (mayAll(caller, version.type, letter)) return true;
    const all = this.#versionsOf(version.type, version.id);
    const lastContent = all.findLast((v) => v.resource);
    if (!lastContent || !this.#sees(caller, letter, lastContent)) return false;
    const judged = version.resource ? version : all.find((v) => v.versionId === version.versionId - 1);
    return judged !== undefined && this.#sees(caller, letter, judged);
  }

  #read(caller: Caller, one: ReadCase): [Letter, () => Promise<unknown>, Answer] {
    const { store } = this.#world.store;
    const { type, id, versionId, kind } = one;
    const letter: Letter = kind === 'type-history' || kind === 'system-history' ? 's' : 'r';
    const all = this.#versionsOf(type, id);
    const last = all.at(-1);
    const ok = (v: Version | undefined): Answer => ({ status: 200, entries: v && versioned(v) });
    const history = (request: Omit<HistoryRequest, 'count'>) => async () => {
      const found: string[] = [];
      for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
        const page = await store.history(caller, {
          ...request,
          count: one.count,
          ...(cursor !== undefined && { cursor }),
        });
        expect(page.versions.length).to.be.at.most(one.count);
        found.push(...page.versions.map(versioned));
        cursor = page.next;
      }
      return found;
    };
    const shown = (versions: readonly Version[]): Answer => ({
      status: 200,
      entries: versions
        .filter((v) => this.#shows(caller, letter, v))
        .toReversed()
        .map(versioned),
    });
    const refused = { status: 403 };
    const gone = mayAll(caller, type, letter) ? 410 : 404;
    switch (kind) {
      case 'read': {
        const work = async () => versioned(await store.read(caller, type, id));
        if (mayNone(caller, type, letter)) return [letter, work, refused];
        if (!last) return [letter, work, { status: 404 }];
        if (!last.resource) return [letter, work, { status: gone }];
        return [letter, work, this.#sees(caller, letter, last) ? ok(last) : { status: 404 }];
      }
      case 'vread': {
        const work = async () => versioned(await store.vread(caller, type, id, versionId));
        const wanted = all.find((v) => v.versionId === versionId);
        if (mayNone(caller, type, letter)) return [letter, work, refused];
        if (!wanted) return [letter, work, { status: 404 }];
        if (mayAll(caller, type, letter)) return [letter, work, wanted.resource ? ok(wanted) : { status: 410 }];
        const isShown = last?.resource !== undefined && wanted.resource && this.#shows(caller, letter, wanted);
        return [letter, work, isShown ? ok(wanted) : { status: 404 }];
      }
      case 'history': {
        const work = history({ type, id });
        if (mayNone(caller, type, letter)) return [letter, work, refused];
        const content = all.findLast((v) => v.resource);
        const isShown = content !== undefined && this.#sees(caller, letter, content);
        return [letter, work, isShown ? shown(all) : { status: 404 }];
      }
      case 'type-history':
        return [
          letter,
          history({ type }),
          mayNone(caller, type, letter) ? refused : shown(this.#world.versions.filter((v) => v.type === type)),
        ];
      case 'system-history': {
        const versions = this.#world.versions.filter((v) => !mayNone(caller, v.type, letter));
        const types = [...TYPES, 'Medication', 'Endpoint'];
        const none = types.every((t) => mayNone(caller, t, letter));
        return [letter, history({}), none ? refused : shown(versions)];
      }
    }
  }

  /** All resources of a type as root finds them in an order. */
  async #order(type: string, sort: string): Promise<readonly string[]> {
    const key = `${type}?_sort=${sort}`;
    const known = this.#orders.get(key) ?? (await this.#world.store.ids(ROOT, `${key}&_count=200`));
    this.#orders.set(key, known);
    return known;
  }

  async #search(caller: Caller, one: SearchCase): Promise<void> {
    const { type, asked, includes, sort, count, total, compartment } = one;
    const query = queryOf(one);
    const where = `${compartment === undefined ? '' : `Patient/${compartment}/`}${type}?${decodeURIComponent(query)}`;
    const { store } = this.#world.store;
    const parsed = parseQuery(type, query);
    let request =
      compartment === undefined
        ? parsed
        : {
            ...parsed,
            conditions: [
              { kind: 'compartment', compartment: 'Patient', id: compartment } as const,
              ...parsed.conditions,
            ],
          };
    const refused = [type, ...asked.flatMap(farTypes)].some((t) => mayNone(caller, t, 's'));
    const first = await answered(() => store.search(caller, request));
    expect(first.status, where).to.equal(refused ? 403 : 200);
    if (refused) return;

    const sight: Sight = { all: this.#facts.current, sees: (far) => this.#sees(caller, 's', far) };
    const expected = this.#facts.current.filter(
      (r) =>
        r.type === type &&
        sight.sees(r) &&
        (compartment === undefined || membersOf(r.resource, r.type).includes(`Patient/${compartment}`)) &&
        asked.every((a) => matches(a, r, sight)),
    );
    const byId = new Map(expected.map((r): [string, Current] => [r.id, r]));
    const found: string[] = [];
    for (;;) {
      const page = await store.search(caller, request);
      if (total === 'accurate' || total === 'summary')
        expect(page.total, `total of ${where}`).to.equal(expected.length);
      if (total === 'estimate' && !mayAll(caller, type, 's'))
        expect(page.total, `estimate of ${where}`).to.equal(expected.length);
      if (total === 'summary') {
        expect(page.matches.length + page.included.length, where).to.equal(0);
        return;
      }
      const pageIds = page.matches.map(({ id }) => id);
      expect(pageIds.length, where).to.be.at.most(count);
      const strangers = pageIds.filter((id) => !byId.has(id));
      expect(strangers, `too many of ${where}`).to.deep.equal([]);
      const onPage = pageIds.map((id) => byId.get(id) as Current);
      expect(page.included.map(named).sort(), `included by ${where} on ${pageIds.join()}`).to.deep.equal(
        [...included(onPage, includes, sight)].sort(),
      );
      found.push(...pageIds);
      if (page.next === undefined) break;
      expect(pageIds.length, `a short page of ${where}`).to.equal(count);
      request = { ...request, cursor: page.next };
    }
    if (compartment === undefined) await this.#searchSystem(caller, one, parsed, [...byId.keys()]);
    if (sort === undefined) {
      expect([...found].sort(), where).to.deep.equal([...byId.keys()].sort());
      return;
    }
    const order = (await this.#order(type, sort)).filter((id) => byId.has(id));
    expect(found, where).to.deep.equal(order);
  }

  /** The same asked over several types: of this one alone, and of all when nothing else is asked. */
  async #searchSystem(caller: Caller, one: SearchCase, parsed: SearchRequest, ids: readonly string[]): Promise<void> {
    const { type, conditions, sort: _sort, includes: _i, revincludes: _r, ...rest } = parsed;
    const isWhole = one.asked.length === 0;
    const parts = isWhole ? [...TYPES].sort().map((each) => ({ type: each, conditions: [] })) : [{ type, conditions }];
    const expected = isWhole
      ? this.#facts.current.filter((r) => (TYPES as readonly string[]).includes(r.type) && this.#sees(caller, 's', r))
      : ids.map((id) => ({ type, id }));
    let request: SystemSearchRequest = {
      ...rest,
      total: 'accurate',
      count: Math.max(1, one.count),
      summary: 'false',
      sort: [],
      includes: [],
      revincludes: [],
      parts,
      isNamed: !isWhole,
    };
    const found: string[] = [];
    const { store } = this.#world.store;
    const inside = await store.transaction(caller, (tx) => tx.searchSystem(request));
    for (;;) {
      const page = await store.searchSystem(caller, request);
      expect(page.total, 'total over types').to.equal(expected.length);
      if (found.length === 0 && request.cursor === undefined)
        expect(inside.matches.map(named), 'in a transaction').to.deep.equal(page.matches.map(named));
      found.push(...page.matches.map(named));
      if (page.next === undefined) break;
      request = { ...request, cursor: page.next };
    }
    expect(found.sort(), `over types: ${isWhole ? 'all' : type}`).to.deep.equal(expected.map(named).sort());
  }
}

describe('access › the property of record', () => {
  it('[CP-24] the model’s parameters and compartments are those of R4', () => {
    for (const [type, own] of Object.entries(PARAMETERS)) {
      const known = parameters.get(type)?.parameters;
      expect([...(known?.keys() ?? [])], type).to.include.members(Object.keys(own));
    }
    const patient = { reference: 'Patient/n1' };
    const members = TYPES.filter((type) => type !== 'Patient' && isPatientType(type));
    const full = { subject: patient, patient, participant: { actor: patient }, target: patient, actor: patient };
    const resource = { ...full, member: { entity: patient }, entity: { what: patient } };
    expect(TYPES.filter((type) => type !== 'Patient' && membersOf(resource, type).length > 0)).to.deep.equal(members);
  });

  const worlds = Math.max(1, Math.ceil(CASES / CASES_PER_WORLD));
  for (let i = 0; i < worlds; i++)
    it(`[CP-08] [FA-03] [FA-06] [CP-07] ${Math.min(CASES, CASES_PER_WORLD)} questions to world ${i + 1} of ${worlds}, seed ${SEED + i}`, async function () {
      this.timeout(300_000);
      let belief: (typeof BELIEFS)[number] = BELIEFS[0];
      const frequencies: Frequencies = {
        rows: () => belief.rows,
        tokenRows: () => belief.tokenRows,
        refresh: async () => {},
        stop: () => {},
      };
      const world = await createWorld(SEED + i, { frequencies });
      try {
        const checker = new Checker(world);
        for (const { type, resource } of world.current) expect(unreached(type, resource), type).to.deep.equal([]);
        const property = fc.asyncProperty(
          callers,
          cases,
          fc.constantFrom(...BELIEFS),
          async (caller, one, believed) => {
            belief = believed;
            await checker.check(caller, one);
          },
        );
        await fc.assert(property, { seed: SEED + i, numRuns: CASES_PER_WORLD, endOnFailure: false });
      } finally {
        await world.stop();
      }
    });
});
