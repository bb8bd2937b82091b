/**
 * A store that shows some callers some elements of a type only: the rest is neither given out nor searched, sorted or
 * followed by, so that no question about it has an answer. SECURITY AZ-04
 */
import type { Caller } from '../ports/caller.ts';
import type { Policy } from '../ports/policy.ts';
import type { ResourceStore, SearchPage, StoredVersion, StoreTransaction } from '../ports/resource-store.ts';
import { formatJson, parseJson } from '../standards/fhir/json.ts';
import { FhirError, forbidden } from '../standards/fhir/outcome.ts';
import type { Leaf, SearchParameter, SearchParameters } from '../standards/fhir/search/parameter.ts';
import type { Condition, Include, SearchRequest, SystemSearchRequest } from '../standards/fhir/search/request.ts';

/** Elements that a caller sees of a type; undefined: all. */
type Elements = (type: string) => ReadonlySet<string> | undefined;

export function withElementRights<S extends ResourceStore>(
  store: S,
  policy: Pick<Policy, 'elementsFor'>,
  parameters: SearchParameters,
): S {
  const elementsOf =
    (caller: Caller): Elements =>
    (type) =>
      policy.elementsFor(caller, type);
  const wrapped: ResourceStore = {
    ...store,
    read: async (caller, type, id) => shown(elementsOf(caller), await store.read(caller, type, id)),
    vread: async (caller, type, id, version) => shown(elementsOf(caller), await store.vread(caller, type, id, version)),
    async search(caller, request) {
      const elements = elementsOf(caller);
      return shownPage(elements, await store.search(caller, askedOfType(elements, parameters, request)));
    },
    async searchSystem(caller, request) {
      const elements = elementsOf(caller);
      return shownPage(elements, await store.searchSystem(caller, askedOfTypes(elements, parameters, request)));
    },
    metas: (caller, types, limit) =>
      store.metas(
        caller,
        types.filter((type) => elementsOf(caller)(type)?.has('meta') !== false),
        limit,
      ),
    async history(caller, request) {
      const page = await store.history(caller, request);
      return { ...page, versions: page.versions.map((version) => shown(elementsOf(caller), version)) };
    },
    transaction: (caller, work, options) =>
      store.transaction(caller, (tx) => work(limited(tx, elementsOf(caller), parameters)), options),
  };
  return wrapped as S; // the same functions, and what else the store has
}

function limited(tx: StoreTransaction, elements: Elements, parameters: SearchParameters): StoreTransaction {
  return {
    ...tx,
    find(criteria, limit) {
      checkConditions(elements, criteria.type, criteria.conditions);
      return tx.find(criteria, limit);
    },
    async findCurrent(criteria, limit) {
      for (const { type, conditions } of criteria) checkConditions(elements, type, conditions);
      const found = await tx.findCurrent(criteria, limit);
      return found.map((versions) => versions.map((version) => shown(elements, version)));
    },
    read: async (type, id) => shown(elements, await tx.read(type, id)),
    vread: async (type, id, version) => shown(elements, await tx.vread(type, id, version)),
    async search(request) {
      return shownPage(elements, await tx.search(askedOfType(elements, parameters, request)));
    },
    async searchSystem(request) {
      return shownPage(elements, await tx.searchSystem(askedOfTypes(elements, parameters, request)));
    },
    async history(request) {
      const page = await tx.history(request);
      return { ...page, versions: page.versions.map((version) => shown(elements, version)) };
    },
  };
}

const lookInto =
  (elements: Elements) =>
  (type: string): boolean =>
    elements(type)?.has('contained') !== false;

function inside(elements: Elements, request: SearchRequest): SearchRequest {
  if (!request.contained) return request;
  if (elements(request.type) !== undefined) throw forbidden();
  return { ...request, contained: { ...request.contained, inside: lookInto(elements) } };
}

const SUBSETTED = { system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue', code: 'SUBSETTED' };

function shown(elementsOf: Elements, version: StoredVersion): StoredVersion {
  const elements = elementsOf(version.type);
  if (elements === undefined || version.content === '') return version;
  const resource = parseJson(version.content) as Readonly<Record<string, unknown>>; // stored text was checked
  // `_status` goes with `status`: what an element says of itself is part of it.
  const kept = Object.entries(resource).filter(([name]) => elements.has(name.replace(/^_/, '')));
  const { meta, ...rest } = Object.fromEntries(kept) as { meta?: { tag?: readonly object[] } };
  const { resourceType, id, ...others } = rest as Record<string, unknown>;
  const tagged = { ...meta, tag: [...(meta?.tag ?? []), SUBSETTED] };
  return { ...version, content: formatJson({ resourceType, id, meta: tagged, ...others }) };
}

const shownPage = (elements: Elements, page: SearchPage): SearchPage => ({
  ...page,
  matches: page.matches.map((version) => shown(elements, version)),
  included: page.included.map((version) => shown(elements, version)),
});

/** The request, which looks only into resources that are shown with what they contain. Throws `forbidden`. */
function askedOfType(elements: Elements, parameters: SearchParameters, request: SearchRequest): SearchRequest {
  checkConditions(elements, request.type, request.conditions);
  for (const { by } of request.sort) if (typeof by !== 'string') checkParameter(elements, request.type, by);
  const asked = { ...inside(elements, request), mayLookInto: lookInto(elements) };
  return { ...asked, ...includesOf(elements, parameters, request) };
}

/** The request to those types that can be asked it. */
function askedOfTypes(
  elements: Elements,
  parameters: SearchParameters,
  request: SystemSearchRequest,
): SystemSearchRequest {
  const parts = request.parts
    .filter(({ type, conditions }) => passes(() => checkConditions(elements, type, conditions), request.isNamed))
    .map((part) => ({ ...part, mayLookInto: lookInto(elements) }));
  return { ...request, parts, ...includesOf(elements, parameters, request) };
}

type Includes = Pick<SearchRequest, 'includes' | 'revincludes'>;

/** Those that the caller may ask for; throws where another was named. */
function includesOf(elements: Elements, parameters: SearchParameters, { includes, revincludes }: Includes): Includes {
  const may = (include: Include): boolean =>
    passes(() => checkInclude(elements, parameters, include), include.isOfAll !== true);
  return { includes: includes.filter(may), revincludes: revincludes.filter(may) };
}

/** Whether what is asked may be asked; throws where it was named. */
function passes(check: () => void, isNamed: boolean): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (isNamed || !(error instanceof FhirError)) throw error;
    return false;
  }
}

function checkInclude(elements: Elements, parameters: SearchParameters, { source, parameter }: Include): void {
  if (parameter) checkParameter(elements, source, parameter);
  else if (elements(source) !== undefined)
    for (const any of parameters.get(source)?.parameters.values() ?? [])
      if (any.type === 'reference') checkParameter(elements, source, any);
}

function checkConditions(elements: Elements, type: string, conditions: readonly Condition[]): void {
  for (const condition of conditions) {
    if (condition.kind === 'has') {
      checkParameter(elements, condition.type, condition.parameter);
      checkConditions(elements, condition.type, [condition.condition]);
    } else if (condition.kind === 'chain') {
      checkParameter(elements, type, condition.parameter);
      for (const branch of condition.branches) checkConditions(elements, branch.type, [branch.condition]);
    } else if (condition.kind === 'text') {
      // What is not shown must not be found by its words either.
      if (condition.scope === 'content' && elements(condition.type) !== undefined) throw forbidden();
      checkElement(elements, condition.type, 'text');
    } else if (condition.kind === 'near') checkElement(elements, type, 'position');
    else if (condition.kind === 'not') checkConditions(elements, type, [condition.condition]);
    else if (condition.kind === 'any' || condition.kind === 'every')
      checkConditions(elements, type, condition.conditions);
    else if ('parameter' in condition) checkParameter(elements, type, condition.parameter);
  }
}

const checkElement = (elementsOf: Elements, type: string, element: string): void => {
  if (elementsOf(type)?.has(element) === false) throw forbidden();
};

/** Throws `forbidden` when a parameter looks at an element that is not shown; for every value alike. */
function checkParameter(elementsOf: Elements, type: string, parameter: SearchParameter): void {
  const elements = elementsOf(type);
  if (elements === undefined) return;
  const roots = parameter.atoms.flatMap(({ leaves }) => leaves.flatMap(rootsOf));
  if (!roots.every((root) => root !== undefined && elements.has(root))) throw forbidden();
}

/** The elements of the resource that a leaf looks at; undefined: at the resource as a whole. */
function rootsOf({ steps: [first], parts = [] }: Leaf): readonly (string | undefined)[] {
  // Of the resource itself, the components say which elements are meant.
  const below = parts.flat().filter((part) => first === undefined || part.fromResource);
  return [...(first || below.length === 0 ? [first?.name] : []), ...below.flatMap(rootsOf)];
}
