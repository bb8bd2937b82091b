/** A whole search: chains, page, total, includes. https://hl7.org/fhir/R4/search.html */
import { createHash } from 'node:crypto';
import type { SearchPage, StoredVersion } from '../../ports/resource-store.ts';
import { tooCostly } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { Access } from '../access.ts';
import type { Pipeline, Row, Statement, Unopened } from '../pools.ts';
import { toVersion } from '../reader.ts';
import type { RowBuilder } from '../writer.ts';
import type { StoreCondition } from './condition.ts';
import { runContained } from './contained.ts';
import { followChains, PARTIAL } from './contained-chains.ts';
import type { Cursors } from './cursor.ts';
import { type IncludeTools, includedResources } from './includes.ts';
import { countMatches, estimateMatches, type PagePosition, searchPage } from './page.ts';
import type { Run } from './search-tools.ts';

export interface SearchOptions extends IncludeTools {
  /** Whose rights a paging position is bound to. */
  readonly asker: Pick<Access, 'callerKey'>;
  readonly cursors: Cursors;
  readonly pageSizeDefault: number;
  readonly rowOf: RowBuilder;
}

const OFFSET_MAX = 10_000;

/** Runs a search on the given connection. A row that cannot be opened is left out: it must not break the pages of others. */
export async function runSearch(options: SearchOptions, request: SearchRequest, run: Run): Promise<SearchPage> {
  const { type, contained } = request;
  if (request.offset > OFFSET_MAX)
    throw tooCostly(`_offset is limited to ${OFFSET_MAX}: follow the next links of the bundle instead`);
  const scope = `${options.asker.callerKey} ${type}?${request.applied.map(([n, v]) => `${n}=${v}`).join('&')}`;
  if (contained)
    return runContained(options, { ...request, contained }, scope, (plain) => runSearch(options, plain, run), run);
  const position =
    request.cursor === undefined ? undefined : (options.cursors.parse(scope, request.cursor) as PagePosition); // signed
  const { conditions: asked, isPartial } = await followChains(options, request, run);
  const visible = options.visible(type);
  const conditions = visible.length === 0 ? asked : [...asked, ...visible];
  const count = request.summary === 'count' ? 0 : (request.count ?? options.pageSizeDefault);
  // The links of a page at an offset go on from its last row: the offset was passed over once.
  const offset = position ? 0 : request.offset;
  const opening: Run = (text, values) => run(text, values, 'as-empty');
  const none = { rows: [] as readonly Row[] };
  const page =
    count === 0
      ? none
      : await searchPage(
          options,
          { type, conditions, sort: request.sort, count, offset, ...(position && { position }) },
          opening,
        );
  const matches = page.rows
    .map((row) => toVersion(type, row))
    .filter(isOpened)
    .filter((version) => identifiersAgree(request.conditions, version));
  const { included, issues } = await includedResources(options, request, matches, opening);
  const whole = !position && request.offset === 0 && count > 0 && !('next' in page && page.next);
  const total = await totalOf(options, request, conditions, whole ? matches.length : undefined, run);
  const next = 'next' in page && page.next ? options.cursors.format(scope, page.next) : undefined;
  return {
    matches,
    included,
    issues: isPartial ? [...issues, PARTIAL] : issues,
    ...(total !== undefined && { total }),
    ...(next !== undefined && { next }),
  };
}

async function totalOf(
  options: SearchOptions,
  request: SearchRequest,
  conditions: readonly StoreCondition[],
  counted: number | undefined,
  run: Run,
): Promise<number | undefined> {
  if (counted !== undefined) return counted;
  if (request.summary === 'count' || request.total === 'accurate' || request.count === 0)
    return countMatches(options, request.type, conditions, run);
  // An estimate is made from all rows: who may not see them all is told the count of what they see.
  if (request.total === 'estimate' && options.visible(request.type).length > 0)
    return countMatches(options, request.type, conditions, run);
  if (request.total === 'estimate') return Math.round(estimateMatches(options, request.type, conditions));
  return undefined;
}

/** A keyed hash found these rows; for identifiers the text itself must be there too, so that no collision leaks a row. */
export function identifiersAgree(conditions: SearchRequest['conditions'], version: StoredVersion): boolean {
  return conditions.every(
    (c) =>
      c.kind !== 'token' ||
      c.modifier !== undefined ||
      !c.parameter.atoms.every((a) => a.leaves.every((leaf) => leaf.type === 'Identifier')) ||
      c.values.some((v) => v.code === undefined || version.content.includes(JSON.stringify(v.code).slice(1, -1))),
  );
}

/** What is found is never deleted, so that an empty text is one that could not be opened. */
const isOpened = ({ content }: StoredVersion): boolean => content !== '';

/** Statement shapes that are prepared on each connection at most; others are planned each time. */
const SHAPES_MAX = 500;
/** So many are named when they come again, the others when they come often: a search over all types has hundreds. */
const SOON_MAX = 250;
const OFTEN = 20;
/** Shapes that have been seen and have no name yet. */
const SEEN_MAX = 1000;

/** Most UTF-16 units of one statement's rows. */
export const PAGE_TEXT_MAX = 64 * 1024 * 1024;

/** Names statements by their shape, so that a connection prepares each once. What comes once gets no name. */
export type NameShape = (text: string) => string | undefined;

export function createShapeNames(): NameShape {
  const shapes = new Map<string, string>();
  /** How often; the least recently seen first. */
  const seen = new Map<string, number>();
  return (text) => {
    const known = shapes.get(text);
    if (known !== undefined || shapes.size >= SHAPES_MAX) return known;
    const times = (seen.get(text) ?? 0) + 1;
    seen.delete(text);
    if (times < (shapes.size < SOON_MAX ? 2 : OFTEN)) {
      seen.set(text, times);
      const [oldest] = seen.keys();
      if (seen.size > SEEN_MAX && oldest !== undefined) seen.delete(oldest);
      return undefined;
    }
    const name = `s:${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`;
    shapes.set(text, name);
    return name;
  };
}

/** Runs searches over a pipeline. */
export function createRun(pipeline: Pipeline, nameOf: NameShape): Run {
  return (text, values, unopened) => pipeline.query(searchStatement(nameOf, text, values, unopened));
}

/** A search's statement: prepared by shape, its rows bounded. */
export function searchStatement(
  nameOf: NameShape,
  text: string,
  values: readonly unknown[],
  unopened?: Unopened,
): Statement {
  const name = nameOf(text);
  return { text, values, textMax: PAGE_TEXT_MAX, ...(name !== undefined && { name }), ...(unopened && { unopened }) };
}
