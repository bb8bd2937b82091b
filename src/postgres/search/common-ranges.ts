/**
 * Ranges of an index that were counted: around one that holds many entries a range holds as many, and within one that holds
 * few it holds as few, so that it need not be counted again. Only the way to an answer depends on it, never the answer.
 */

/** The keys that a range reads, and what of each it takes; the same keys in the same order are compared. */
export interface KeyedRange {
  readonly key: string;
  readonly from: number | string;
  readonly to: number | string;
}

export type Count = 'many' | 'few';

export interface CommonRanges {
  /** What they hold by what was found a short while ago; undefined where that does not tell. */
  countOf(table: string, ranges: readonly KeyedRange[]): Count | undefined;
  note(table: string, ranges: readonly KeyedRange[], count: Count): void;
}

/** What is written or deleted meanwhile is noticed after this time. */
const KEPT_MS = 10 * 60 * 1000;
/** Of the least recently noted the oldest go. */
const RANGES_MAX = 1_000;

export function createCommonRanges(now: () => number): CommonRanges {
  const known = new Map<string, { readonly ranges: readonly KeyedRange[]; readonly until: number }>();
  const nameOf = (table: string, ranges: readonly KeyedRange[], count: Count): string =>
    `${table} ${count} ${ranges.map(({ key }) => key).join(' ')}`;

  function holds(table: string, ranges: readonly KeyedRange[], count: Count): boolean {
    const found = known.get(nameOf(table, ranges, count));
    if (!found || found.until < now()) return false;
    return ranges.every((range, i) => {
      const noted = found.ranges[i];
      return noted !== undefined && (count === 'many' ? isWithin(noted, range) : isWithin(range, noted));
    });
  }

  return {
    countOf: (table, ranges) =>
      holds(table, ranges, 'many') ? 'many' : holds(table, ranges, 'few') ? 'few' : undefined,
    note(table, ranges, count) {
      const name = nameOf(table, ranges, count);
      known.delete(name); // to the end
      known.set(name, { ranges, until: now() + KEPT_MS });
      const [oldest] = known.keys();
      if (known.size > RANGES_MAX && oldest !== undefined) known.delete(oldest);
    },
  };
}

const isWithin = (inner: KeyedRange, outer: KeyedRange): boolean => inner.from >= outer.from && inner.to <= outer.to;
