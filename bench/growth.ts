/** What searches cost as there is more, in processor time of server and database: rates would tell of the machine as well. */
import type { Figures } from './cases.ts';

export interface AtSize {
  /** Resources there are. */
  readonly size: number;
  readonly figures: readonly Figures[];
}

/** At most so many times the cost at the first size, for selective searches. */
const GOAL = 1.3;

const costOf = ({ cpuServer, cpuPostgres }: Figures): number => cpuServer + cpuPostgres;

/** A line a search: µs of processor time a request at each size, and the last to the first. */
export function printGrowth(bySize: readonly AtSize[]): void {
  const [first] = bySize;
  if (!first) return;
  console.log(`\ncost of a request in \u00b5s of processor time, server and database; goal: growth below ${GOAL}\n`);
  console.log(
    `| ${'case'.padEnd(34)} | ${bySize.map(({ size }) => String(size).padStart(9)).join(' | ')} | growth | p99 ms |`,
  );
  console.log(`|${'-'.repeat(36)}|${bySize.map(() => '----------:|').join('')}-------:|-------:|`);
  for (const { name } of first.figures) {
    const found = bySize.flatMap(({ figures }) => figures.find((one) => one.name === name) ?? []);
    const costs = found.map(costOf);
    const growth = (costs.at(-1) ?? Number.NaN) / (costs[0] ?? Number.NaN);
    console.log(
      `| ${name.padEnd(34)} | ${costs.map((cost) => cost.toFixed(0).padStart(9)).join(' | ')} | ${growth.toFixed(2).padStart(6)} | ${(found.at(-1)?.p99 ?? Number.NaN).toFixed(1).padStart(6)} |`,
    );
  }
}
