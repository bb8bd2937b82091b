/** The profiles, labels and tags of many types at once, for `$meta`. https://hl7.org/fhir/R4/resource-operation-meta.html */
import type { VisibleMeta } from '../../ports/resource-store.ts';
import { tableOf } from '../tables.ts';
import { compileFilter } from './filters.ts';
import { contextOf, type Run, type SearchTools } from './search-tools.ts';
import { and } from './sql.ts';
import { limitOf } from './walk.ts';

/** Types that one statement asks: planning grows with them. */
const TYPES_MAX = 40;
const PARAMETERS = ['_profile', '_security', '_tag'];

/** `meta` of the visible resources of these types that have any of the three, at most `limit` of all. */
export async function visibleMetas(
  tools: SearchTools,
  types: readonly string[],
  limit: number,
  run: Run,
): Promise<readonly VisibleMeta[]> {
  const found: VisibleMeta[] = [];
  for (let at = 0; at < types.length && found.length < limit; at += TYPES_MAX) {
    const context = contextOf(tools);
    const { params } = context;
    const most = limitOf(params, limit - found.length);
    const parts = types.slice(at, at + TYPES_MAX).map((type) => {
      const given = tools.parameters.get(type)?.parameters;
      const bits = PARAMETERS.reduce((mask, code) => mask | (1n << BigInt(given?.get(code)?.bit ?? 0)), 0n);
      const where = and([
        "m.op <> 'D'",
        `m.pm & ${params.add(String(BigInt.asIntN(64, bits)), 'bigint')} <> 0`,
        ...tools.visible(type).map((condition) => compileFilter(context, type, condition)),
      ]);
      return `(select m.content::jsonb -> 'meta' as meta, m.pat from ${tableOf(type).main} m where ${where} limit ${most})`;
    });
    const text = `select x.meta::text, x.pat::text from (\n${parts.join('\nunion all\n')}\n) x limit ${most}`;
    for (const [meta, pat] of await run(text, params.values))
      found.push({ meta: meta as string, ...(typeof pat === 'string' && { patientRid: pat }) });
  }
  return found;
}
