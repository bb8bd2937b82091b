/** `_include` and `_revinclude`. https://hl7.org/fhir/R4/search.html#include */
import type { Resource, StoredVersion } from '../../ports/resource-store.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import type { SearchParameter } from '../../standards/fhir/search/parameter.ts';
import type { Include, SearchRequest } from '../../standards/fhir/search/request.ts';
import { DEAF_SINK, type Extractor, type SearchSink } from '../../standards/fhir/search/sink.ts';
import { toVersion } from '../reader.ts';
import { findTable, tableOf } from '../tables.ts';
import type { StoreCondition } from './condition.ts';
import { compileFilter } from './filters.ts';
import { searchPage } from './page.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { and } from './sql.ts';

const INCLUDED_MAX = 1_000;
const ROUNDS_MAX = 4;

export interface IncludeTools extends SearchTools {
  readonly extractorOf: (type: string) => Extractor;
  readonly baseUrl: string;
}

const keyOf = (version: StoredVersion): string => `${version.type}/${version.id}`;

/** Everything the page's includes bring in, each resource once, none that is on the page itself. */
export async function includedResources(
  tools: IncludeTools,
  request: Pick<SearchRequest, 'includes' | 'revincludes'>,
  matches: readonly StoredVersion[],
  run: Run,
): Promise<{ included: readonly StoredVersion[]; issues: readonly Issue[] }> {
  if (request.includes.length + request.revincludes.length === 0) return { included: [], issues: [] };
  const seen = new Set(matches.map(keyOf));
  const included: StoredVersion[] = [];
  let frontier = matches;
  for (let round = 0; round < ROUNDS_MAX && frontier.length > 0; round++) {
    const includes = request.includes.filter((i) => round === 0 || i.iterate);
    const revincludes = request.revincludes.filter((i) => round === 0 || i.iterate);
    if (includes.length + revincludes.length === 0) break;
    const found = [
      ...(await forward(tools, includes, frontier, seen, run)),
      ...(await backward(tools, revincludes, frontier, seen, run)),
    ];
    frontier = found.filter((version) => {
      // An empty text is one that could not be opened.
      if (version.content === '' || seen.has(keyOf(version))) return false;
      seen.add(keyOf(version));
      return true;
    });
    const room = INCLUDED_MAX - included.length;
    included.push(...frontier.slice(0, room));
    if (frontier.length > room) return { included, issues: [tooMany] };
  }
  return { included, issues: [] };
}

const tooMany: Issue = {
  severity: 'warning',
  code: 'too-costly',
  diagnostics: `More than ${INCLUDED_MAX} resources would be included: the rest was left out. Ask for a smaller page with _count.`,
};

/** Targets of the frontier's references, read by key, one statement a type. */
async function forward(
  tools: IncludeTools,
  includes: readonly Include[],
  frontier: readonly StoredVersion[],
  seen: ReadonlySet<string>,
  run: Run,
): Promise<StoredVersion[]> {
  const wanted = new Map<string, Set<string>>();
  for (const version of frontier) {
    const here = includes.filter((i) => i.source === version.type);
    if (here.length === 0) continue;
    for (const { atom, type, id } of localReferences(tools, version)) {
      if (seen.has(`${type}/${id}`)) continue;
      if (!here.some((i) => (!i.target || i.target === type) && (!i.parameter || names(i.parameter, atom, type))))
        continue;
      const ids = wanted.get(type) ?? new Set();
      wanted.set(type, ids.add(id));
    }
  }
  const groups = await Promise.all(
    [...wanted].map(async ([type, ids]) => {
      const context = contextOf(tools);
      const { params } = context;
      const list = [...ids];
      const rids = list.map((id) => String(tools.keys.rids.rid(id)));
      const where = and([
        `m.rid = any(${params.add(rids, 'bigint[]')})`,
        `m.id = any(${params.add(list, 'text[]')})`,
        "m.op <> 'D'",
        ...tools.visible(type).map((c) => compileFilter(context, type, c)),
      ]);
      const text = `select m.id, m.ver, m.lu, m.op, m.content, m.pat from ${tableOf(type).main} m where ${where} limit ${INCLUDED_MAX + 1}`;
      const rows = await run(text, params.values);
      return rows.map((row) => toVersion(type, row));
    }),
  );
  return groups.flat();
}

/** Whether a parameter reads this atom and allows this target. */
const names = (parameter: SearchParameter, atom: number, type: string): boolean =>
  parameter.atoms.some((a) => a.index === atom) &&
  (parameter.onlyTargets.length === 0 || parameter.onlyTargets.includes(type));

/** Searches for what refers to the frontier, at a time: `*` stands for hundreds. */
const LANES = 8;

/** Resources that refer to the frontier; no more are looked for once there are more than may be included. */
async function backward(
  tools: IncludeTools,
  includes: readonly Include[],
  frontier: readonly StoredVersion[],
  seen: ReadonlySet<string>,
  run: Run,
): Promise<StoredVersion[]> {
  const referring = includes.flatMap((include) => referringTo(tools, include, frontier));
  const found = new Map<string, StoredVersion>();
  for (let at = 0; at < referring.length && found.size <= INCLUDED_MAX; at += LANES) {
    const pages = await Promise.all(
      referring.slice(at, at + LANES).map(async ({ source, condition }) => {
        const conditions = [condition, ...tools.visible(source)];
        const page = { type: source, conditions, sort: [], count: INCLUDED_MAX + 1, offset: 0 };
        const { rows } = await searchPage(tools, page, run);
        return rows.map((row) => toVersion(source, row));
      }),
    );
    for (const version of pages.flat()) if (!seen.has(keyOf(version))) found.set(keyOf(version), version);
  }
  return [...found.values()];
}

interface Referring {
  readonly source: string;
  readonly condition: StoreCondition;
}

/** The searches that a `_revinclude` stands for: one for each of its parameters and each type that is referred to. */
function referringTo(tools: IncludeTools, include: Include, frontier: readonly StoredVersion[]): Referring[] {
  const { source, parameter: named, target } = include;
  if (tools.visible(source).some(({ kind }) => kind === 'never')) return [];
  const parameters = named
    ? [named]
    : [...(tools.parameters.get(source)?.parameters.values() ?? [])].filter((p) => p.type === 'reference');
  const types = [...new Set(frontier.map((v) => v.type))].filter((type) => !target || target === type);
  return parameters.flatMap((parameter) =>
    types
      .filter((type) => allows(parameter, type))
      .map((type) => {
        const rids = frontier.filter((v) => v.type === type).map((v) => tools.keys.rids.rid(v.id));
        return { source, condition: { kind: 'targets', parameter, type, rids } };
      }),
  );
}

function allows(parameter: SearchParameter, type: string): boolean {
  const allowed = parameter.onlyTargets.length > 0 ? parameter.onlyTargets : parameter.targets;
  return allowed.length === 0 || allowed.includes(type);
}

interface LocalReference {
  readonly atom: number;
  readonly type: string;
  readonly id: string;
}

function localReferences(tools: IncludeTools, version: StoredVersion): LocalReference[] {
  const found: LocalReference[] = [];
  const base = `${tools.baseUrl}/`;
  const add = (atom: number, reference: string): void => {
    const local = reference.startsWith(base) ? reference.slice(base.length) : reference;
    const [type, id] = local.split('/');
    if (type !== undefined && id !== undefined && findTable(type)) found.push({ atom, type, id });
  };
  const sink: SearchSink = { ...DEAF_SINK, reference: add, canonical: add };
  // Stored text was checked, and no number is asked for.
  tools.extractorOf(version.type)(JSON.parse(version.content) as Resource, sink);
  return found;
}
