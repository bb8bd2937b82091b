/**
 * `$everything` of patients, encounters and practitioners: the compartment type by type, with what its resources refer to.
 * A page is a few searches under the caller's rights; its link says where the next begins, so that nothing is held between
 * them. https://hl7.org/fhir/R4/patient-operation-everything.html, encounter-operation-everything.html; SECURITY CP-13
 */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { badValue, FhirError } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import { formatBundle } from '../answers.ts';
import { searchOf } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Handler, Services } from '../services.ts';
import { type OperationInput, readInput } from './parameters.ts';

type Root = 'Patient' | 'Encounter' | 'Practitioner';

/** Where a page begins. It names nothing that the caller's rights are not asked about again. */
interface Position {
  /** Of the type level: whose turn it is, and where the walk over the patients stands. */
  readonly root?: string;
  readonly roots?: string;
  readonly step: number;
  readonly inner?: string | undefined;
}

/** One search: a type, with or without its dates. */
interface Step {
  readonly type: string;
  readonly query: string;
  readonly isRoot: boolean;
}

interface Asked {
  readonly services: Services;
  readonly request: FhirRequest;
  readonly root: Root;
  readonly count: number;
  /** Undefined: all. */
  readonly types: ReadonlySet<string> | undefined;
  readonly steps: readonly Step[];
  /** As given, for the links. */
  readonly applied: readonly (readonly [string, string])[];
}

const NAMES = ['start', 'end', '_since', '_type', '_count', '_cursor'];
/** A page with fewer resources than it could have ends after so many: a walk over many empty types never holds a request. */
const SEARCHES_MAX = 150;
const BINARIES_MAX = 100;

export const everythingOf =
  (root: Root): Handler =>
  async (services, request) => {
    const asked = read(services, request, root);
    const position = parsePosition(asked.cursor);
    const id = request.segments.length === 3 ? (request.segments[1] as string) : undefined;
    // On each page: what was open for the first need not be for the next.
    if (id !== undefined) await services.store.read(request.caller, root, id);
    return answer(asked, id, position);
  };

async function answer(asked: Asked, id: string | undefined, from: Position): Promise<FhirAnswer> {
  const { services, request, count, steps } = asked;
  const found = new Map<string, { readonly version: StoredVersion; readonly mode: 'match' | 'include' }>();
  let matches = 0;
  let at: Position | undefined = from;
  for (let searches = 0; at !== undefined && matches < count && searches < SEARCHES_MAX; searches += 1) {
    const root = id ?? at.root;
    if (root === undefined) {
      at = await nextRoot(asked, at.roots);
      continue;
    }
    const step = steps[at.step];
    if (!step) {
      at = id === undefined && at.roots !== undefined ? { roots: at.roots, step: 0 } : undefined;
      continue;
    }
    const page = await services.unaudited.search(
      request.caller,
      searchFor(asked, step, root, count - matches, at.inner),
    );
    for (const version of page.matches)
      if (wants(asked, version.type)) {
        found.set(`${version.type}/${version.id}`, { version, mode: 'match' });
        matches += 1;
      }
    for (const version of [
      ...page.included.filter((one) => mayInclude(asked, step, one)),
      ...(await binariesOf(asked, page.matches)),
    ])
      if (wants(asked, version.type) && !found.has(`${version.type}/${version.id}`))
        found.set(`${version.type}/${version.id}`, { version, mode: 'include' });
    at = page.next === undefined ? { ...at, step: at.step + 1, inner: undefined } : { ...at, inner: page.next };
  }
  const versions = [...found.values()];
  await services.audit.record({
    kind: 'operation',
    operation: 'everything',
    caller: request.caller,
    outcome: 0,
    type: asked.root,
    ...(id !== undefined && asked.root === 'Patient' && { patientId: id }),
    patientRids: [...new Set(versions.flatMap(({ version }) => version.patientRid ?? []))],
  });
  const { baseUrl } = services.settings;
  const entries = versions.map(
    ({ version: { type, id: own, content }, mode }) =>
      `{"fullUrl":"${baseUrl}/${type}/${own}","resource":${content},"search":{"mode":"${mode}"}}`,
  );
  return { status: 200, headers: {}, body: formatBundle('searchset', linksOf(asked, at, steps), undefined, entries) };
}

/** The next patient whom the caller may see; undefined after the last. */
async function nextRoot({ services, request, root }: Asked, cursor: string | undefined): Promise<Position | undefined> {
  const search = searchOf(services, root, '_count=1');
  const { matches, next } = await services.unaudited.search(request.caller, {
    ...search,
    ...(cursor !== undefined && { cursor }),
  });
  const [match] = matches;
  if (!match) return undefined;
  return { root: match.id, ...(next !== undefined && { roots: next }), step: 0 };
}

function searchFor(asked: Asked, step: Step, root: string, count: number, cursor: string | undefined): SearchRequest {
  const { services, root: compartment } = asked;
  const own: Condition = step.isRoot ? { kind: 'id', ids: [root] } : { kind: 'compartment', compartment, id: root };
  const search = searchOf(services, step.type, step.query);
  return {
    ...search,
    count,
    conditions: [own, ...search.conditions],
    includes: [{ source: step.type, iterate: false }],
    ...(cursor !== undefined && { cursor }),
  };
}

const wants = ({ types }: Asked, type: string): boolean => types === undefined || types.has(type);

/** What belongs to a patient comes as their own or not at all; an encounter brings its patient with it. */
function mayInclude({ services, root }: Asked, { isRoot }: Step, { type }: StoredVersion): boolean {
  if (root === 'Encounter' && isRoot && type === 'Patient') return true;
  return type !== 'Patient' && type !== root && !Object.hasOwn(services.definitions.compartments.Patient, type);
}

/** Binaries that attachments of these point to, as far as the caller may see them. */
async function binariesOf(
  { services, request, types }: Asked,
  matches: readonly StoredVersion[],
): Promise<readonly StoredVersion[]> {
  if (types && !types.has('Binary')) return [];
  const ids = new Set<string>();
  for (const { content } of matches)
    for (const [, id = ''] of content.matchAll(/"url":"(?:[^"]*\/)?Binary\/([A-Za-z0-9.-]{1,64})"/g))
      if (ids.size < BINARIES_MAX) ids.add(id);
  const found = await Promise.all(
    [...ids].map((id) =>
      services.unaudited.read(request.caller, 'Binary', id).catch((error: unknown) => {
        if (error instanceof FhirError && error.status < 500) return undefined; // there is none, for this caller
        throw error;
      }),
    ),
  );
  return found.filter((one) => one !== undefined);
}

function read(services: Services, request: FhirRequest, root: Root): Asked & { readonly cursor: string | undefined } {
  const input = readInput(services, request, NAMES);
  const types = typesOf(services, input);
  const count = input.count('_count') ?? services.settings.pageSizeDefault;
  if (count === 0) throw badValue('_count must be a whole number above 0', '_count');
  const given = (name: string): readonly (readonly [string, string])[] => input.texts(name).map((text) => [name, text]);
  return {
    services,
    request,
    root,
    types,
    count: Math.min(count, services.settings.pageSizeMax),
    steps: stepsOf(services, request, root, types, input),
    applied: ['start', 'end', '_since', '_type', '_count'].flatMap(given),
    cursor: input.text('_cursor'),
  };
}

function typesOf({ definitions, parameters }: Services, input: OperationInput): ReadonlySet<string> | undefined {
  const names = input.texts('_type').flatMap((text) => text.split(',').map((one) => one.trim()));
  if (names.length === 0) return undefined;
  for (const name of names)
    if (!definitions.resourceTypes.includes(name) || !parameters.get(name))
      throw badValue(`_type names '${name.slice(0, 64)}', which is no resource type that can be stored`, '_type');
  return new Set(names);
}

/** The root itself, then each type of the compartment that is asked for and that the caller may search. */
function stepsOf(
  services: Services,
  { caller }: FhirRequest,
  root: Root,
  types: ReadonlySet<string> | undefined,
  input: OperationInput,
): readonly Step[] {
  const { definitions, parameters, policy } = services;
  const members = Object.keys(definitions.compartments[root]).filter((type) => type !== root && parameters.get(type));
  // A type outside the compartment is found by what refers to it.
  const isAll = types === undefined || [...types].some((type) => type !== root && !members.includes(type));
  const since = input.text('_since');
  const changed = since === undefined ? '' : `_lastUpdated=ge${encodeURIComponent(since)}`;
  const bounds = [
    ['ge', input.text('start')],
    ['le', input.text('end')],
  ].filter(([, date]) => date !== undefined) as [string, string][];
  const steps = [root, ...members].flatMap((type): Step[] => {
    if (!(isAll || types.has(type)) || !policy.decide(caller, type, 's').allowed) return [];
    const isRoot = type === root;
    const date = isRoot ? undefined : parameters.get(type)?.mainDate?.code;
    if (date === undefined || bounds.length === 0) return [{ type, query: changed, isRoot }];
    const within = bounds.map(([prefix, text]) => `${date}=${prefix}${encodeURIComponent(text)}`);
    const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join('&');
    // What has no date is kept: it may belong to the time.
    return [
      { type, query: join(...within, changed), isRoot },
      { type, query: join(`${date}:missing=true`, changed), isRoot },
    ];
  });
  for (const { type, query } of steps) searchOf(services, type, query); // a bad date is told before anything is read
  return steps;
}

function linksOf({ services, request, applied }: Asked, at: Position | undefined, steps: readonly Step[]) {
  const path = `${services.settings.baseUrl}/${request.segments.map(encodeURIComponent).join('/')}`.replaceAll(
    '%24',
    '$',
  );
  const link = (relation: string, more: readonly (readonly [string, string])[]) => {
    const query = [...applied, ...more].map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
    return { relation, url: query === '' ? path : `${path}?${query}` };
  };
  const isOver = at === undefined || (at.step >= steps.length && at.roots === undefined && at.root !== undefined);
  const isDone = isOver || (request.segments.length === 3 && at.step >= steps.length);
  return [link('self', []), ...(isDone ? [] : [link('next', [['_cursor', formatPosition(at)]])])];
}

const formatPosition = ({ root, roots, step, inner }: Position): string =>
  Buffer.from(JSON.stringify([step, inner ?? null, root ?? null, roots ?? null])).toString('base64url');

function parsePosition(text: string | undefined): Position {
  if (text === undefined) return { step: 0 };
  try {
    const [step, inner, root, roots] = JSON.parse(Buffer.from(text, 'base64url').toString()) as unknown[];
    const isText = (one: unknown): one is string | null => one === null || typeof one === 'string';
    if (Number.isSafeInteger(step) && Number(step) >= 0 && isText(inner) && isText(root) && isText(roots))
      if (root === null || isId(root))
        return {
          step: Number(step),
          ...(inner !== null && { inner }),
          ...(root !== null && { root }),
          ...(roots !== null && { roots }),
        };
  } catch {
    // said below
  }
  throw badValue('_cursor was not made here: follow the links of the first page', '_cursor');
}
