/** What became of the lines of an import, and how many of each there are. docs/bulk.md */
import type { WriteResult } from '../../ports/resource-store.ts';
import type { Batch, LineFault } from './import-batch.ts';

export interface Counts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  readonly failed: number;
}

/** What became of lines; kept with what they wrote. */
export interface Applied extends Counts {
  /** Index of the line after the last. */
  readonly to: number;
  readonly types: Readonly<Record<string, number>>;
  readonly faults: readonly LineFault[];
}

export const NONE: Counts = { created: 0, updated: 0, unchanged: 0, failed: 0 };

/** `late`: what was found as the lines were written. */
export function appliedOf(batch: Batch, results: readonly WriteResult[], late: readonly LineFault[]): Applied {
  const { to } = batch;
  const faults = [...batch.faults, ...late].toSorted((a, b) => a.line - b.line);
  const count = (outcome: WriteResult['outcome']): number => results.filter((one) => one.outcome === outcome).length;
  const types: Record<string, number> = {};
  for (const { version, outcome } of results)
    if (outcome !== 'left-out') types[version.type] = (types[version.type] ?? 0) + 1;
  const counts = { created: count('created'), updated: count('updated'), unchanged: count('unchanged') };
  return { to, ...counts, failed: faults.length, types, faults };
}

export const sum = (all: readonly Counts[]): Counts =>
  all.reduce(
    (total, one) => ({
      created: total.created + one.created,
      updated: total.updated + one.updated,
      unchanged: total.unchanged + one.unchanged,
      failed: total.failed + one.failed,
    }),
    NONE,
  );

export function sumTypes(all: readonly Pick<Applied, 'types'>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const { types } of all) for (const [type, n] of Object.entries(types)) total[type] = (total[type] ?? 0) + n;
  return total;
}
