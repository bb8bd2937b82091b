/**
 * Ranges of numbers, quantities and dates as a driver: what the index on the side table holds between two bounds. The index
 * alone tells which rows there may be, so that none is visited that is not on the page.
 */
import type { QuantityValue } from '../../standards/fhir/search/request.ts';
import { keyOf, lanesToBigInt } from '../keys.ts';
import { tableOf } from '../tables.ts';
import { canonicalKey, canonicalQuantity, codeAndCanonicalKey } from './canonical-quantities.ts';
import type { FilterContext, StoreCondition } from './condition.ts';
import type { Driver, IndexEntries } from './driver.ts';
import type { Frequencies } from './frequencies.ts';
import { atomKeys } from './hashes.ts';
import { type IndexRanges, indexRanges } from './ranges.ts';
import type { Params } from './sql.ts';

/** Share of rows in a range when nothing is known. */
const RANGE_SHARE = 0.05;

/** Numbers, quantities and dates of the side table, when they are bounded on the side that the index orders by. */
export function numberDriver(
  context: FilterContext,
  frequencies: Frequencies,
  type: string,
  condition: StoreCondition,
): Driver | undefined {
  const ranges = numberRanges(context, type, condition);
  if (!ranges) return undefined;
  const { main, numbers } = tableOf(type);
  const entries: IndexEntries = {
    of: condition,
    ranges: ranges.flatMap(({ key, low, high }) => [
      { key: `${key} v`, from: low[0], to: low[1] },
      ...(high ? [{ key: `${key} w`, from: high[0], to: high[1] }] : []),
    ]),
    // One range a statement: of several at once the planner makes a bitmap, which visits every row to look again.
    rids: (params) => ranges.flatMap((range) => entriesOf(params, numbers, range)),
    from: (source) => `(select distinct n.rid from ${source} n order by n.rid desc offset 0) d
cross join lateral (select * from ${main} where rid = d.rid offset 0) m`,
  };
  return {
    rows: Math.max(1, frequencies.rows(type) * RANGE_SHARE),
    answers: [],
    ordered: 'd.rid',
    from: (params) => entries.from(`(${entries.rids(params).join(' union all ')})`),
    entries,
  };
}

function entriesOf(params: Params, numbers: string, { key, low, high }: KeyRange): string[] {
  const keyed = params.add(String(key), 'bigint');
  const within = (column: 'v' | 'w', [from, to]: readonly [number, number]): string =>
    `select n.rid from ${numbers} n where n.h = ${keyed} and n.${column} >= ${params.add(from, 'float8')} and n.${column} <= ${params.add(to, 'float8')}`;
  return [within('v', low), ...(high ? [within('w', high)] : [])];
}

interface KeyRange extends IndexRanges {
  readonly key: bigint;
}

const EVERYTHING: IndexRanges = { low: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY] };

/** Index ranges that hold every match (and more: the filter decides); undefined when open on both sides. */
function numberRanges(context: FilterContext, type: string, condition: StoreCondition): KeyRange[] | undefined {
  const { keys } = context;
  const ranges: KeyRange[] = [];
  let isOpen = false;
  const add = (key: bigint, range: IndexRanges | undefined): void => {
    if (range) ranges.push({ key, ...range });
    else isOpen = true;
  };
  if (condition.kind === 'date' || condition.kind === 'number' || condition.kind === 'quantity') {
    for (const atom of condition.parameter.atoms) {
      if (context.parameters.get(type)?.mainDate === atom) return undefined;
      const { plain, unit } = atomKeys(keys, condition.parameter, atom);
      const key = lanesToBigInt(plain);
      for (const value of condition.values) {
        const canonical = condition.kind === 'quantity' ? canonicalQuantity(value as QuantityValue) : undefined; // its values are;
        if (canonical) add(canonicalKey(keys, unit, canonical), indexRanges(canonical.value));
        if (!canonical || context.hasOlderRows) add(key, indexRanges(value));
      }
    }
  } else if (condition.kind === 'composite') {
    for (const atom of condition.parameter.atoms)
      for (const parts of condition.values) {
        const second = parts.find((p) => p.type === 'quantity' || p.type === 'date' || p.type === 'number');
        const token = parts.find((p) => p.type === 'token');
        if (!second || !token) return undefined;
        const { plain } = atomKeys(keys, condition.parameter, atom);
        // The code alone narrows the index, whatever the comparison.
        const code = token.value.code ?? '';
        const canonical = second.type === 'quantity' ? canonicalQuantity(second.value) : undefined;
        if (canonical)
          add(codeAndCanonicalKey(keys, plain, code, canonical), indexRanges(canonical.value) ?? EVERYTHING);
        if (!canonical || context.hasOlderRows) add(keyOf(keys, plain, code), indexRanges(second.value) ?? EVERYTHING);
      }
    return ranges;
  } else return undefined;
  return isOpen ? undefined : ranges;
}
