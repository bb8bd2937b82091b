/**
 * Chains into what a resource contains: "a chained condition will be evaluated inside contained resources". Each link of a
 * chain, of those within `_has` and of `_filter` is looked up among containers, beside the resources that it leads to.
 * https://hl7.org/fhir/R4/search.html#contained
 */
import { parseJson } from '../../standards/fhir/json.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { follow } from '../../standards/fhir/search/follow-path.ts';
import type { SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import { containsKey } from '../contained-tokens.ts';
import { tableOf } from '../tables.ts';
import { referredKeys, resolveChains } from './chains.ts';
import type { StoreCondition } from './condition.ts';
import { BATCH, type ContainerPlace, containers, judge } from './containers.ts';
import { referenceMasks } from './hashes.ts';
import { matchingRids } from './page.ts';
import type { SearchOptions } from './search.ts';
import { contextOf, type Run } from './search-tools.ts';

type Chain = Extract<Condition, { kind: 'chain' }>;
type Has = Extract<Condition, { kind: 'has' }>;

/** Containers that one link looks into. */
const CONTAINERS_MAX = 1_000;
/** Types that one statement asks: planning grows with them. */
const PAIRS_MAX = 40;

export interface ContainedChains {
  /** The conditions as they were given, each chain with the rows whose contained resource meets it. */
  readonly conditions: readonly StoreCondition[];
  /** There were more containers than are looked into. */
  readonly isPartial: boolean;
}

/** Told in the bundle. */
export const PARTIAL: Issue = {
  severity: 'warning',
  code: 'incomplete',
  diagnostics:
    'A chain was followed into the 1,000 newest of the resources that contain what it names: of others it is not known. Narrow the search',
};

/** What is asked of rows of a type: chains followed as far as that pays, and into what is contained. */
export async function followChains(
  options: SearchOptions,
  { type, conditions, mayLookInto = () => true }: Pick<SearchRequest, 'type' | 'conditions' | 'mayLookInto'>,
  run: Run,
): Promise<ContainedChains> {
  const resolving = resolveChains(options, type, conditions, run);
  if (!conditions.some(hasChain)) return { conditions: await resolving, isPartial: false };
  const opening: Run = (text, values) => run(text, values, 'as-empty');
  const plain = conditions.filter((one) => !hasChain(one) && one.kind !== 'has');
  const looking = await createLooking(options, type, conditions, mayLookInto, opening);
  const [resolved, found] = await Promise.all([
    resolving,
    Promise.all(conditions.map((one) => replaced(looking, type, one, plain))),
  ]);
  return {
    conditions: resolved.map((condition, i) => {
      const { also, instead } = found[i] ?? {};
      return instead ?? (also ? anyOf(condition, also) : condition);
    }),
    isPartial: looking.isPartial,
  };
}

/** Whether some link may lead into what a resource contains. */
function hasChain(condition: Condition): boolean {
  if (condition.kind === 'chain') return true;
  if (condition.kind === 'has' || condition.kind === 'not') return hasChain(condition.condition);
  return (condition.kind === 'any' || condition.kind === 'every') && condition.conditions.some(hasChain);
}

const anyOf = (...conditions: readonly StoreCondition[]): StoreCondition => ({ kind: 'any', conditions });

interface Looking {
  readonly options: SearchOptions;
  readonly run: Run;
  /** Whether some resource of the type contains one of another at all, and may be looked into. */
  readonly isContainer: (type: string, wanted: string) => boolean;
  isPartial: boolean;
}

/** What stands for a condition once it is looked into what is contained, or beside it; neither: as it was. */
interface Replaced {
  readonly also?: StoreCondition;
  readonly instead?: StoreCondition;
}

async function replaced(
  looking: Looking,
  type: string,
  condition: Condition,
  plain: readonly Condition[],
): Promise<Replaced> {
  if (condition.kind !== 'not') {
    const also = await extended(looking, type, condition, plain);
    return also ? { also } : {};
  }
  const { also, instead } = await replaced(looking, type, condition.condition, []);
  const inner = instead ?? (also && anyOf(condition.condition, also));
  return inner ? { instead: { kind: 'not', condition: inner } } : {};
}

/** Those rows of a type that meet the condition by something that is contained; undefined: none do. */
async function extended(
  looking: Looking,
  type: string,
  condition: Condition,
  plain: readonly Condition[] = [],
): Promise<StoreCondition | undefined> {
  if (condition.kind === 'chain') return extendedChain(looking, type, condition, plain);
  if (condition.kind === 'has') {
    const inner = await extended(looking, condition.type, condition.condition);
    const rids = inner && (await ridsOf(looking, condition.type, inner));
    if (!rids) return undefined;
    return { kind: 'rids', rids: await referredBy(looking, type, condition, rids) };
  }
  if (condition.kind !== 'any' && condition.kind !== 'every') return undefined;
  const parts = await Promise.all(condition.conditions.map((one) => extended(looking, type, one)));
  const found = parts.filter((one) => one !== undefined);
  if (found.length === 0) return undefined;
  if (condition.kind === 'any') return anyOf(...found);
  return {
    kind: 'every',
    conditions: condition.conditions.map((one, i) => {
      const part = parts[i];
      return part ? anyOf(one, part) : one;
    }),
  };
}

async function extendedChain(
  looking: Looking,
  type: string,
  { parameter, branches }: Chain,
  plain: readonly Condition[],
): Promise<StoreCondition | undefined> {
  const rids: bigint[] = [];
  const found = await Promise.all(
    branches.map(async (branch): Promise<StoreCondition | undefined> => {
      const further = hasChain(branch.condition) ? await extended(looking, branch.type, branch.condition) : undefined;
      const link = { parameter, type: branch.type };
      rids.push(...(await lookInto(looking, type, [link], branch.condition, further, plain)));
      const far = further && (await ridsOf(looking, branch.type, further));
      return far && { kind: 'targets', parameter, type: branch.type, rids: far };
    }),
  );
  const all = [
    ...found.filter((one) => one !== undefined),
    ...(rids.length > 0 ? [{ kind: 'rids', rids } as const] : []),
  ];
  return all.length === 0 ? undefined : anyOf(...all);
}

/** Keys of the rows that the caller may see among them; undefined: there are none. */
async function ridsOf(
  looking: Looking,
  type: string,
  condition: StoreCondition,
): Promise<readonly bigint[] | undefined> {
  const { options, run } = looking;
  const conditions = [condition, ...options.visible(type)];
  const rows = await matchingRids(options, type, conditions, CONTAINERS_MAX + 1, run);
  if (rows.length > CONTAINERS_MAX) looking.isPartial = true;
  return rows.length === 0 ? undefined : rows.slice(0, CONTAINERS_MAX).map(([rid]) => BigInt(rid as string));
}

/** Keys of the rows of a type to which these refer. */
async function referredBy(
  { options, run }: Looking,
  type: string,
  { type: source, parameter }: Has,
  rids: readonly bigint[],
): Promise<readonly bigint[]> {
  const found = await Promise.all(
    referenceMasks(options.keys, parameter, type).map((mask) =>
      matchingRids(options, source, [{ kind: 'rids', rids }], CONTAINERS_MAX, run, referredKeys(type, mask)),
    ),
  );
  return found.flat().map(([rid]) => BigInt(rid as string));
}

/** A reference within a container: by the parameter to what it contains of the type. */
interface Link {
  readonly parameter: SearchParameter;
  readonly type: string;
}

/**
 * Keys of the containers in which the links lead, one after the other, to something that meets the condition, or what
 * stands beside it. The condition's own links are followed within the container too.
 */
async function lookInto(
  looking: Looking,
  type: string,
  links: readonly Link[],
  condition: Condition,
  further: StoreCondition | undefined,
  plain: readonly Condition[],
): Promise<readonly bigint[]> {
  const { options, run, isContainer } = looking;
  const wanted = (links.at(-1) as Link).type; // there is one
  // Who may not search the type of what is contained finds nothing by it.
  if (!isContainer(type, wanted) || options.visible(wanted).some(({ kind }) => kind === 'never')) return [];
  const rids: bigint[] = [];
  if (condition.kind === 'chain')
    for (const branch of condition.branches) {
      const next = [...links, { parameter: condition.parameter, type: branch.type }];
      rids.push(...(await lookInto(looking, type, next, branch.condition, undefined, plain)));
    }
  const resolved = await resolveChains(options, wanted, [condition], run);
  const inner = further ? [anyOf(...resolved, further)] : resolved;
  let after: ContainerPlace | undefined;
  for (let looked = 0; ; ) {
    const rows = await containers(options, [type], wanted, inner, after, run, plain);
    // The container at the position comes again.
    const next = rows.filter(([, row]) => row[6] !== after?.rid);
    if (next.length > 0 && looked >= CONTAINERS_MAX) looking.isPartial = true;
    if (next.length === 0 || looked >= CONTAINERS_MAX) return rids;
    for (const { container, place, matching } of await judge(options, next, wanted, inner, run)) {
      const fragments = new Set(matching.map(({ fragment }) => fragment).filter((fragment) => fragment !== ''));
      if (fragments.size > 0 && leadsTo(container.content, links, fragments)) rids.push(BigInt(place.rid));
    }
    if (rows.length < BATCH) return rids;
    looked += next.length;
    const [, row] = next.at(-1) as (typeof next)[number]; // there is one
    after = { type, rid: row[6] as string };
  }
}

/** Whether the links of a container lead to what it contains under one of these ids. */
function leadsTo(content: string, links: readonly Link[], fragments: ReadonlySet<string>): boolean {
  const resource = parseJson(content) as Fields; // stored text was checked
  const contained = (resource['contained'] ?? []) as readonly Fields[];
  let goals = fragments;
  for (let i = links.length - 1; i > 0; i--) {
    const { parameter } = links[i] as Link;
    const { type } = links[i - 1] as Link;
    const from = contained.filter((one) => one['resourceType'] === type && refersWithin(one, parameter, goals));
    goals = new Set(from.map(({ id }) => String(id)));
  }
  return refersWithin(resource, (links[0] as Link).parameter, goals);
}

type Fields = Readonly<Record<string, unknown>>;

/** Whether a reference parameter of a resource points to what is contained under one of these ids. */
function refersWithin(resource: Fields, { atoms }: SearchParameter, fragments: ReadonlySet<string>): boolean {
  let isFound = false;
  for (const { leaves } of atoms)
    for (const { steps } of leaves)
      follow(resource, steps, 0, (value) => {
        const { reference } = value as { readonly reference?: unknown }; // undefined of what is no Reference
        if (typeof reference === 'string' && reference.startsWith('#') && fragments.has(reference.slice(1)))
          isFound = true;
      });
  return isFound;
}

/** Which types contain which, of those that the conditions lead through: one question for all of them. */
async function createLooking(
  options: SearchOptions,
  type: string,
  conditions: readonly Condition[],
  mayLookInto: (type: string) => boolean,
  run: Run,
): Promise<Looking> {
  const pairs = new Map<string, readonly [type: string, wanted: string]>();
  const collect = (from: readonly string[], condition: Condition): void => {
    if (condition.kind === 'chain')
      for (const branch of condition.branches) {
        for (const one of from) if (mayLookInto(one)) pairs.set(`${one} ${branch.type}`, [one, branch.type]);
        collect([...from, branch.type], branch.condition);
      }
    else if (condition.kind === 'has') collect([condition.type], condition.condition);
    else if (condition.kind === 'not') collect(from, condition.condition);
    else if (condition.kind === 'any' || condition.kind === 'every')
      for (const one of condition.conditions) collect(from, one);
  };
  for (const condition of conditions) collect([type], condition);
  const asked = [...pairs.values()];
  const there = new Set<string>();
  for (let i = 0; i < asked.length; i += PAIRS_MAX) {
    const { params } = contextOf(options);
    const some = asked.slice(i, i + PAIRS_MAX);
    const parts = some.map(([one, wanted], n) => {
      const key = params.add(String(containsKey(options.keys, wanted)), 'bigint');
      return `(select ${n} from ${tableOf(one).main} where tok @> array[${key}] limit 1)`;
    });
    const rows = await run(parts.join('\nunion all\n'), params.values);
    for (const [n] of rows) there.add((some[n as number] as readonly string[]).join(' ')); // numbered by us
  }
  return { options, run, isContainer: (one, wanted) => there.has(`${one} ${wanted}`), isPartial: false };
}
