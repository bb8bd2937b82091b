/**
 * `_contained=true` and `both`: resources within others. Containers are found by the tokens of what they contain; what
 * they contain is then judged as if it were a row. https://hl7.org/fhir/R4/search.html#contained
 */
import type { SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { tooCostly } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { containsKey } from '../contained-tokens.ts';
import { STORED_TYPES, tableOf } from '../tables.ts';
import { resolveChains } from './chains.ts';
import { BATCH, containers, judge } from './containers.ts';
import type { SearchOptions } from './search.ts';
import { contextOf, type Run } from './search-tools.ts';

/** Containers that one page looks at, and that a count looks at. */
const PAGE_MAX = 1_000;
const COUNT_MAX = 10_000;
/** Types that one statement asks: planning grows with them. */
const TYPES_MAX = 40;

/** After which container, and what in it, a page goes on; absent: before the first. */
interface ContainedPosition {
  readonly contained: { readonly type: string; readonly rid: string; readonly n: number } | 'first';
}

type Asked = NonNullable<SearchRequest['contained']>;
type Plain = (request: SearchRequest) => Promise<SearchPage>;

/** A page of what is contained; with `both`, of the resources themselves first, which `plain` finds. */
export async function runContained(
  options: SearchOptions,
  request: SearchRequest & { readonly contained: Asked },
  scope: string,
  plain: Plain,
  run: Run,
): Promise<SearchPage> {
  const { contained: asked, ...rest } = request;
  const count = request.summary === 'count' ? 0 : (request.count ?? options.pageSizeDefault);
  const position = request.cursor === undefined ? undefined : options.cursors.parse(scope, request.cursor); // sealed
  const inside = isContainedPosition(position) ? position : undefined;
  const own = asked.which === 'both' && !inside ? await plain(rest) : undefined;
  const base: SearchPage = own ?? { matches: [], included: [], issues: [] };
  const opening: Run = (text, values) => run(text, values, 'as-empty');
  const walk = await createWalk(options, request, asked, opening);
  const total = wantsTotal(request) ? (await ownTotal(asked, rest, base, plain)) + (await countAll(walk)) : undefined;
  if (own?.next !== undefined || count === 0) return { ...base, ...(total !== undefined && { total }) };
  const matches: StoredVersion[] = [...base.matches];
  const from = inside?.contained ?? 'first';
  let last: ContainedPosition['contained'] = from;
  let next: ContainedPosition | undefined;
  let looked = 0;
  for await (const { place, version, isContainer } of walk(from)) {
    if (isContainer && ++looked > PAGE_MAX) {
      next = { contained: last };
      break;
    }
    if (version) {
      if (matches.length === count) {
        next = { contained: last };
        break;
      }
      matches.push(version);
    }
    last = place;
  }
  return {
    matches,
    included: [],
    issues: base.issues,
    ...(total !== undefined && { total }),
    ...(next && { next: options.cursors.format(scope, next) }),
  };
}

/** Of the resources themselves; on later pages they are counted anew. */
async function ownTotal(asked: Asked, request: SearchRequest, page: SearchPage, plain: Plain): Promise<number> {
  if (asked.which === 'true') return 0;
  if (page.total !== undefined) return page.total;
  const { cursor: _none, ...whole } = request;
  return (await plain({ ...whole, summary: 'count', total: 'accurate', count: 0 })).total ?? 0;
}

const isContainedPosition = (position: unknown): position is ContainedPosition =>
  typeof position === 'object' && position !== null && 'contained' in position;

/** An estimate is the count itself: there are few. */
const wantsTotal = ({ total, summary, count }: SearchRequest): boolean =>
  total !== 'none' || summary === 'count' || count === 0;

/** One step: a container that was looked at, then each match in it. */
interface Step {
  readonly place: Exclude<ContainedPosition['contained'], 'first'>;
  readonly version?: StoredVersion;
  readonly isContainer: boolean;
}
type Walk = (from: ContainedPosition['contained']) => AsyncGenerator<Step>;

async function countAll(walk: Walk): Promise<number> {
  let [found, looked] = [0, 0];
  for await (const { version, isContainer } of walk('first')) {
    if (isContainer && ++looked > COUNT_MAX)
      throw tooCostly(`More than ${COUNT_MAX} resources would have to be looked into to count: ask without _total`);
    if (version) found++;
  }
  return found;
}

/** All matches, containers by the names of their types and the newest first, what they contain in its order. */
async function createWalk(options: SearchOptions, request: SearchRequest, asked: Asked, run: Run): Promise<Walk> {
  const { type } = request;
  const conditions = await resolveChains(options, type, request.conditions, run);
  const isVisible = (container: string): boolean => !options.visible(container).some(({ kind }) => kind === 'never');
  const open = STORED_TYPES.filter((one) => isVisible(one) && asked.inside?.(one) !== false).toSorted();
  const types = await containerTypes(options, open, type, run);
  return async function* walk(from) {
    let at = from === 'first' ? 0 : Math.max(0, types.indexOf(from.type));
    let after = from === 'first' ? undefined : from;
    while (at < types.length) {
      const some = types.slice(at, at + TYPES_MAX);
      const rows = await containers(options, some, type, conditions, after, run);
      const found = await judge(options, rows, type, conditions, run);
      for (const { container, place, matching } of found) {
        const skipped = after && after.type === place.type && after.rid === place.rid ? after.n : -1;
        if (skipped < 0) yield { place: { ...place, n: -1 }, isContainer: true };
        // What has no id cannot be named by itself.
        const shown = asked.as === 'container' ? matching.slice(0, 1) : matching.filter((one) => one.fragment !== '');
        for (const { n, fragment } of shown)
          if (asked.as === 'container' ? skipped < 0 : n > skipped)
            yield {
              place: { ...place, n: asked.as === 'container' ? Number.MAX_SAFE_INTEGER : n },
              version: asked.as === 'container' ? container : { ...container, fragment },
              isContainer: false,
            };
      }
      const last = found.at(-1);
      if (rows.length < BATCH || !last) {
        at += TYPES_MAX;
        after = undefined;
      } else {
        at = types.indexOf(last.place.type);
        after = { ...last.place, n: Number.MAX_SAFE_INTEGER };
      }
    }
  };
}

/** Those of the types that contain one of the type wanted at all: usually a few, so that the policy is asked for these only. */
async function containerTypes(
  options: SearchOptions,
  types: readonly string[],
  wanted: string,
  run: Run,
): Promise<readonly string[]> {
  if (types.length === 0) return [];
  const { params } = contextOf(options);
  const key = params.add(String(containsKey(options.keys, wanted)), 'bigint');
  const parts = types.map((type, i) => `(select ${i} from ${tableOf(type).main} where tok @> array[${key}] limit 1)`);
  const rows = await run(parts.join('\nunion all\n'), params.values);
  const there = new Set(rows.map(([i]) => i));
  return types.filter((_, i) => there.has(i));
}
