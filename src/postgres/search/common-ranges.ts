/**
 * Ranges of an index that were found to hold many entries: a range around one of them holds as many, so that it need not be
 * counted again. Only the way to an answer depends on it, never the answer.
 */

/** The keys that a range reads, and what of each it takes; the same keys in the same order are compared. */
export interface KeyedRange {
  readonly key: string;
  readonly from: number | string;
  readonly to: number | string;
}

export interface CommonRanges {
  /** Whether they were found to be common a short while ago. */
  isCommon(table: string, ranges: readonly KeyedRange[]): boolean;
  note(table: string, ranges: readonly KeyedRange[]): void;
}

/** What is deleted meanwhile is noticed after this time. */
const KEPT_MS = 10 * 60 * 1000;
/** Of the least recently noted the oldest go. */
const RANGES_MAX = 1_000;

export function createCommonRanges(now: () => number): CommonRanges {
  const known = new Map<string, { readonly ranges: readonly KeyedRange[]; readonly until: number }>();
  const nameOf = (table: string, ranges: readonly KeyedRange[]): string =>
    `${table} ${ranges.map(({ key }) => key).join(' ')}`;
  return {
    isCommon(table, ranges) {
      const found = known.get(nameOf(table, ranges));
      if (!found || found.until < now()) return false;
      return ranges.every(({ from, to }, i) => {
        const inner = found.ranges[i];
        return inner !== undefined && from <= inner.from && to >= inner.to;
      });
    },
    note(table, ranges) {
      const name = nameOf(table, ranges);
      known.delete(name); // to the end
      known.set(name, { ranges, until: now() + KEPT_MS });
      const [oldest] = known.keys();
      if (known.size > RANGES_MAX && oldest !== undefined) known.delete(oldest);
    },
  };
}
