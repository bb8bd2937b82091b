/** What every benchmark says, and where. */
import { writeFileSync } from 'node:fs';

/** For whoever watches: not among the figures. */
export const note = (text: string): void => void process.stderr.write(`${text}\n`);

/** The middle one; of an even number the upper. */
export const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;

/** `--json FILE`: figures, with when and on which Node they were taken. */
export function writeReport(file: string | undefined, figures: object): void {
  if (file === undefined) return;
  const report = { at: new Date().toISOString(), node: process.version, ...figures };
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}
