/**
 * A search over several types: a page of each, merged in the order asked for. Each type is asked what comes after the last
 * match of the page before, so that a page costs one short statement a type. https://hl7.org/fhir/R4/http.html#search
 */
import type { SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { forbidden, tooCostly } from '../../standards/fhir/outcome.ts';
import type { SortKey, SystemSearchRequest } from '../../standards/fhir/search/request.ts';
import type { Access } from '../access.ts';
import type { Row } from '../pools.ts';
import { toVersion } from '../reader.ts';
import type { StoreCondition } from './condition.ts';
import { followChains, PARTIAL } from './contained-chains.ts';
import { includedResources } from './includes.ts';
import { countMatches, estimateMatches, type PagePosition, searchPage } from './page.ts';
import { identifiersAgree, type SearchOptions } from './search.ts';
import type { Run } from './search-tools.ts';
import { readSnapshot } from './snapshot.ts';

/** Newest first, unless asked otherwise: what changes during a walk is left to the next one. */
const ORDER: readonly SortKey[] = [{ by: '_lastUpdated', descending: true }];
const OFFSET_MAX = 1_000;
/** Types that are asked at a time. */
const LANES = 8;
/** Row keys of all databases lie between these, neither of which is given out. */
const RID_MIN = '-9223372036854775808';
const RID_MAX = '9223372036854775807';

/** The last match of a page: its type, and its place in the order. */
interface SystemPosition extends PagePosition {
  readonly type: string;
}

interface Part {
  readonly type: string;
  readonly asked: SystemSearchRequest['parts'][number]['conditions'];
  /** What was asked, and what the policy adds. */
  readonly conditions: readonly StoreCondition[];
}

interface Candidate {
  readonly part: Part;
  readonly keys: readonly string[];
  readonly row: Row;
}

/** Runs a search over several types on the given connection. */
export async function runSystemSearch(
  options: SearchOptions,
  access: Access,
  request: SystemSearchRequest,
  run: Run,
): Promise<SearchPage> {
  if (request.offset > OFFSET_MAX)
    throw tooCostly(`_offset is limited to ${OFFSET_MAX} here: follow the next links of the bundle instead`);
  const scope = `${access.callerKey} ?${request.applied.map(([n, v]) => `${n}=${v}`).join('&')}`;
  const position =
    request.cursor === undefined ? undefined : (options.cursors.parse(scope, request.cursor) as SystemPosition); // signed
  let isPartial = false;
  const parts = await inLanes(visibleParts(access, request), async (part): Promise<Part> => {
    const { type, conditions } = part;
    const followed = await followChains(options, part, run);
    isPartial ||= followed.isPartial;
    return { type, asked: conditions, conditions: [...followed.conditions, ...options.visible(type)] };
  });
  const sort = request.sort.length > 0 ? request.sort : ORDER;
  const start = position?.start ?? options.now();
  const offset = position ? 0 : request.offset;
  const count = request.summary === 'count' ? 0 : (request.count ?? options.pageSizeDefault);
  const wanted = count === 0 ? 0 : offset + count + 1;
  const snapshot = position?.snapshot ?? (await readSnapshot(run));
  const opening: Run = (text, values) => run(text, values, 'as-empty');
  const merged = wanted === 0 ? [] : await mergedRows(options, parts, sort, wanted, start, position, opening);
  const taken = merged.slice(offset, offset + count);
  const matches = taken
    .map(({ part, row }) => ({ part, version: toVersion(part.type, row) }))
    // What could not be opened is left out: it must not break the pages of others.
    .filter(({ part, version }) => version.content !== '' && identifiersAgree(part.asked, version))
    .map(({ version }): StoredVersion => version);
  const { included, issues } = await includedResources(options, request, matches, opening);
  const last = taken.at(-1);
  const hasNext = merged.length > offset + count && last !== undefined;
  const isWhole = !position && request.offset === 0 && count > 0 && !hasNext;
  const total = isWhole ? matches.length : await totalOf(options, request, parts, run);
  const next: SystemPosition | undefined = hasNext
    ? { type: last.part.type, keys: last.keys, rid: last.row[6] as string, byDate: false, start, snapshot }
    : undefined;
  return {
    matches,
    included,
    issues: isPartial ? [...issues, PARTIAL] : issues,
    ...(total !== undefined && { total }),
    ...(next !== undefined && { next: options.cursors.format(scope, next) }),
  };
}

/** The types that the caller may search. Throws `forbidden` for a named one, or where there are none. SECURITY CP-02, SC-03 */
function visibleParts(access: Access, { parts, isNamed }: SystemSearchRequest): SystemSearchRequest['parts'] {
  const found = isNamed
    ? parts
    : parts.filter(({ type }) => !access.visible(type).some(({ kind }) => kind === 'never'));
  if (found.length === 0 && parts.length > 0) throw forbidden();
  for (const { type, conditions } of found) {
    access.conditions(type, 's');
    access.checkChains(conditions);
  }
  return found;
}

/** At most `wanted` rows of all the parts, in order; a few parts at a time, so that memory holds a few pages. */
async function mergedRows(
  options: SearchOptions,
  parts: readonly Part[],
  sort: readonly SortKey[],
  wanted: number,
  start: number,
  position: SystemPosition | undefined,
  run: Run,
): Promise<readonly Candidate[]> {
  let best: readonly Candidate[] = [];
  const before = compare(sort);
  for (let at = 0; at < parts.length; at += LANES) {
    const pages = await Promise.all(
      parts.slice(at, at + LANES).map(async (part) => {
        const from = position && partPosition(position, part.type, sort);
        const page = { type: part.type, conditions: part.conditions, sort, count: wanted, offset: 0 };
        const { rows } = await searchPage(
          { ...options, now: () => start },
          from ? { ...page, position: from } : page,
          run,
        );
        return rows.map((row): Candidate => ({ part, keys: sort.map((_, i) => String(row[7 + i])), row }));
      }),
    );
    best = [...best, ...pages.flat()].sort(before).slice(0, wanted);
  }
  return best;
}

/** Where one type goes on: among equal keys, types come in the order of their names. */
function partPosition(position: SystemPosition, type: string, sort: readonly SortKey[]): PagePosition {
  if (type === position.type) return position;
  const isBehind = type > position.type; // none of its rows with equal keys has been shown
  const isDescending = sort[0]?.descending ?? true;
  return { ...position, rid: isBehind === isDescending ? RID_MAX : RID_MIN };
}

/** By the keys, then by type; within a type rows stay as they came. */
function compare(sort: readonly SortKey[]): (a: Candidate, b: Candidate) => number {
  const compareKey = (by: SortKey['by'], a: string, b: string): number =>
    by === '_lastUpdated' ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0;
  return (a, b) => {
    for (const [i, { by, descending }] of sort.entries()) {
      const found = compareKey(by, a.keys[i] as string, b.keys[i] as string); // one a key
      if (found !== 0) return descending ? -found : found;
    }
    return a.part.type < b.part.type ? -1 : a.part.type > b.part.type ? 1 : 0;
  };
}

async function totalOf(
  options: SearchOptions,
  request: SystemSearchRequest,
  parts: readonly Part[],
  run: Run,
): Promise<number | undefined> {
  const isCount = request.summary === 'count' || request.total === 'accurate' || request.count === 0;
  if (!isCount && request.total !== 'estimate') return undefined;
  const counts = await inLanes(parts, async ({ type, conditions }) => {
    // An estimate is made from all rows: who may not see them all is told the count of what they see.
    const isEstimate = !isCount && options.visible(type).length === 0;
    return isEstimate ? estimateMatches(options, type, conditions) : countMatches(options, type, conditions, run);
  });
  return Math.round(counts.reduce((sum, one) => sum + one, 0));
}

async function inLanes<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = [];
  for (let at = 0; at < all.length; at += LANES) done.push(...(await Promise.all(all.slice(at, at + LANES).map(work))));
  return done;
}
