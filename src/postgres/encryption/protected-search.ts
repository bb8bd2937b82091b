/**
 * Searches by protected elements: equality is looked up by keyed hashes, and what would need the text (parts of words,
 * ranges, orders) is refused, in the same words for every value. SECURITY KS-08, KS-09
 */
import type { Criteria, ResourceStore, StoreTransaction } from '../../ports/resource-store.ts';
import { type FhirError, notSupported } from '../../standards/fhir/outcome.ts';
import type { Atom, SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { Condition, SearchRequest, SystemSearchRequest } from '../../standards/fhir/search/request.ts';
import { DAY, dayOf, EXACT, isLowEntropy, WORD, wordOf } from './protected-words.ts';

export interface ProtectedSearch {
  isProtected(parameter: SearchParameter): boolean;
  /** Whether any element of the type is. */
  isProtectedType(type: string): boolean;
  /** The same question in the form that rows answer. Throws `notSupported`. */
  rewrite(condition: Condition): Condition;
  check(request: SearchRequest): SearchRequest;
}

export function createProtectedSearch(
  isProtectedAtom: (type: string, atom: Atom) => boolean,
  isProtectedType: (type: string) => boolean,
): ProtectedSearch {
  const isProtected = ({ resourceType, atoms }: SearchParameter): boolean =>
    atoms.some((atom) => isProtectedAtom(resourceType, atom));
  const rewrite = (condition: Condition): Condition => {
    switch (condition.kind) {
      case 'chain':
        return {
          ...condition,
          branches: condition.branches.map((branch) => ({ ...branch, condition: rewrite(branch.condition) })),
        };
      case 'any':
      case 'every':
        return { ...condition, conditions: condition.conditions.map(rewrite) };
      case 'not':
      case 'has':
        return { ...condition, condition: rewrite(condition.condition) };
      case 'text':
        if (isProtectedType(condition.type))
          throw notSupported(
            `${condition.type} is stored encrypted on this server, in part: it cannot be searched by words`,
          );
        return condition;
      default:
        return 'parameter' in condition && isProtected(condition.parameter) ? equality(condition) : condition;
    }
  };
  return {
    isProtected,
    isProtectedType,
    rewrite,
    check(request) {
      for (const { by } of request.sort)
        if (typeof by !== 'string' && isProtected(by)) throw refused(by, 'results cannot be sorted by it');
      return { ...request, conditions: request.conditions.map(rewrite) };
    },
  };
}

type OnParameter = Extract<Condition, { readonly parameter: SearchParameter }>;

function equality(condition: OnParameter): Condition {
  const { parameter } = condition;
  if (condition.kind !== 'missing' && parameter.atoms.some(isLowEntropy))
    throw refused(parameter, 'it has too few values to be looked up, except with :missing');
  switch (condition.kind) {
    case 'missing':
    case 'token':
    case 'of-type':
    case 'reference-identifier':
      return condition;
    case 'string':
      if (condition.modifier === 'contains') break;
      return lookUp(
        parameter,
        condition.modifier === 'exact' ? EXACT : WORD,
        condition.values.map((value) => {
          const word = condition.modifier === 'exact' ? value : wordOf(value);
          if (word === undefined)
            throw refused(parameter, 'ask for a whole word or a whole value of more than a letter');
          return word;
        }),
      );
    case 'date':
      return lookUp(
        parameter,
        DAY,
        condition.values.map(({ prefix, low, high }) => {
          const day = prefix === 'eq' ? dayOf(low, high) : undefined;
          if (day === undefined) throw refused(parameter, 'ask for one whole date, without a prefix');
          return day;
        }),
      );
    case 'uri':
      if (condition.modifier === undefined) return condition;
      break;
  }
  throw refused(parameter, 'only equality can be asked for (whole words, or :exact)');
}

const lookUp = (parameter: SearchParameter, code: string, values: readonly string[]): Condition => ({
  kind: 'of-type',
  parameter,
  values: values.map((value) => ({ system: '', code, value })),
});

const refused = ({ resourceType, code }: SearchParameter, why: string): FhirError =>
  notSupported(`'${code}' of ${resourceType} is stored encrypted on this server: ${why}`);

/** A store whose searches by protected elements are looked up or refused. */
export function withProtectedSearch<S extends ResourceStore>(store: S, { check, rewrite }: ProtectedSearch): S {
  const checkTypes = (request: SystemSearchRequest): SystemSearchRequest => ({
    ...request,
    parts: request.parts.map((part) => ({ ...part, conditions: part.conditions.map(rewrite) })),
  });
  const asked = (criteria: Criteria): Criteria => ({ ...criteria, conditions: criteria.conditions.map(rewrite) });
  const inside = (tx: StoreTransaction): StoreTransaction => ({
    ...tx,
    find: async (criteria, limit) => tx.find(asked(criteria), limit),
    findCurrent: async (criteria, limit) => tx.findCurrent(criteria.map(asked), limit),
    search: async (request) => tx.search(check(request)),
    searchSystem: async (request) => tx.searchSystem(checkTypes(request)),
  });
  const wrapped: ResourceStore = {
    ...store,
    search: async (caller, request) => store.search(caller, check(request)),
    searchSystem: async (caller, request) => store.searchSystem(caller, checkTypes(request)),
    transaction: (caller, work, options) => store.transaction(caller, (tx) => work(inside(tx)), options),
  };
  return wrapped as S; // the same functions, and what else the store has
}

/** The capability statement with what can still be asked of protected elements. */
export function withProtectedParameters(
  statement: Readonly<Record<string, unknown>>,
  protection: ProtectedSearch,
  parameterOf: (type: string, code: string) => SearchParameter | undefined,
): Record<string, unknown> {
  const [rest, ...more] = statement['rest'] as [{ readonly resource: readonly CapabilityResource[] }]; // formatCapability made it
  const resource = rest.resource.map((each) => ({
    ...each,
    searchParam: each.searchParam.flatMap((param) => {
      if (param.name === '_text' && protection.isProtectedType(each.type)) return [];
      const parameter = parameterOf(each.type, param.name);
      if (!parameter || !protection.isProtected(parameter)) return [param];
      const documentation = PROMISE.get(parameter.type);
      if (documentation === undefined || parameter.atoms.some(isLowEntropy)) return [];
      return [{ ...param, documentation }];
    }),
  }));
  return { ...statement, rest: [{ ...rest, resource }, ...more] };
}

interface CapabilityResource {
  readonly type: string;
  readonly searchParam: readonly { readonly name: string }[];
}

/** By type of parameter; the others have nothing left to ask. */
const PROMISE: ReadonlyMap<string, string> = new Map([
  ['token', 'Stored encrypted: found by equality; no :text, no _sort.'],
  ['string', 'Stored encrypted: found by whole words and :exact; no beginnings of words, no :contains, no _sort.'],
  ['date', 'Stored encrypted: found by one whole date; no prefixes, no months or years, no _sort.'],
  ['uri', 'Stored encrypted: found by equality; no :below, no :above, no _sort.'],
]);
