/**
 * Chains into what a resource contains: "a chained condition will be evaluated inside contained resources". The first
 * link of a chain is looked up among containers, beside the resources that it leads to.
 * https://hl7.org/fhir/R4/search.html#contained
 */
import { parseJson } from '../../standards/fhir/json.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { follow } from '../../standards/fhir/search/follow-path.ts';
import type { SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import { resolveChains } from './chains.ts';
import type { StoreCondition } from './condition.ts';
import { BATCH, type ContainerPlace, containers, judge } from './containers.ts';
import type { SearchOptions } from './search.ts';
import type { Run } from './search-tools.ts';

type Chain = Extract<Condition, { kind: 'chain' }>;

/** Containers that one link looks into. */
const CONTAINERS_MAX = 1_000;

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
    'A chain was followed into the 1,000 newest of the resources that contain what it names: others may match too. Narrow the search',
};

/** What is asked of rows of a type: chains followed as far as that pays, and into what is contained. */
export async function followChains(
  options: SearchOptions,
  { type, conditions, chainsStayOutside }: Pick<SearchRequest, 'type' | 'conditions' | 'chainsStayOutside'>,
  run: Run,
): Promise<ContainedChains> {
  const resolving = resolveChains(options, type, conditions, run);
  if (chainsStayOutside || !conditions.some(({ kind }) => kind === 'chain'))
    return { conditions: await resolving, isPartial: false };
  return withContained(options, type, conditions, resolving, (text, values) => run(text, values, 'as-empty'));
}

/** Adds to `resolved` what the chains of `asked`, in the same places, find in contained resources. */
async function withContained(
  options: SearchOptions,
  type: string,
  asked: readonly Condition[],
  resolving: Promise<readonly StoreCondition[]>,
  run: Run,
): Promise<ContainedChains> {
  const plain = asked.filter(({ kind }) => kind !== 'chain' && kind !== 'has');
  const [resolved, found] = await Promise.all([
    resolving,
    Promise.all(asked.map((one) => (one.kind === 'chain' ? lookInto(options, type, one, plain, run) : undefined))),
  ]);
  return {
    conditions: resolved.map((condition, i): StoreCondition => {
      const rids = found[i]?.rids ?? [];
      return rids.length === 0 ? condition : { kind: 'any', conditions: [condition, { kind: 'rids', rids }] };
    }),
    isPartial: found.some((one) => one?.isPartial),
  };
}

interface Found {
  readonly rids: readonly bigint[];
  readonly isPartial: boolean;
}

async function lookInto(
  options: SearchOptions,
  type: string,
  { parameter, branches }: Chain,
  also: readonly Condition[],
  run: Run,
): Promise<Found> {
  const rids: bigint[] = [];
  let isPartial = false;
  // Who may not search the type of what is contained finds nothing by it.
  const open = branches.filter((branch) => !options.visible(branch.type).some(({ kind }) => kind === 'never'));
  await Promise.all(
    open.map(async ({ type: wanted, condition }) => {
      const inner = await resolveChains(options, wanted, [condition], run);
      let after: ContainerPlace | undefined;
      for (let looked = 0; ; ) {
        const rows = await containers(options, [type], wanted, inner, after, run, also);
        // The container at the position comes again.
        const next = rows.filter(([, row]) => row[6] !== after?.rid);
        if (next.length > 0 && looked >= CONTAINERS_MAX) isPartial = true;
        if (next.length === 0 || looked >= CONTAINERS_MAX) return;
        for (const { container, place, matching } of await judge(options, next, wanted, inner, run))
          if (matching.some(({ fragment }) => fragment !== '' && refersWithin(container.content, parameter, fragment)))
            rids.push(BigInt(place.rid));
        if (rows.length < BATCH) return;
        looked += next.length;
        const [, row] = next.at(-1) as (typeof next)[number]; // there is one
        after = { type, rid: row[6] as string };
      }
    }),
  );
  return { rids, isPartial };
}

/** Whether the reference parameter of a resource points to what it contains under this id. */
function refersWithin(content: string, { atoms }: SearchParameter, fragment: string): boolean {
  const resource = parseJson(content); // stored text was checked
  let isFound = false;
  for (const { leaves } of atoms)
    for (const { steps } of leaves)
      follow(resource, steps, 0, (value) => {
        const { reference } = value as { readonly reference?: unknown }; // undefined of what is no Reference
        if (reference === `#${fragment}`) isFound = true;
      });
  return isFound;
}
