/** What became of each example of the published index, over all test files that compare some of them: one table at the end. */
import { expect } from 'chai';

export interface IndexCase {
  readonly id: string;
  readonly kind: string;
}

/** Files that compare examples. When all of them have run, every example must have been seen. */
const FILES = 2;

/** Examples of answers that stand alone: there is nothing from which they could be made. */
const ALONE: ReadonlyMap<string, string> = new Map([
  ['EPS-078', 'an answer about signatures that are not published'],
  ['EPS-094', 'words of the national validator, of profiles that are not checked here'],
  ['EPS-106', 'older words than those of the service'],
  ['EPS-107', 'an answer of the tracker without what the Spine said'],
]);

const all = new Map<string, string>();
const passed = new Set<string>();
const failed = new Set<string>();
const leftOut = new Map<string, string>(ALONE);
let files = 0;

/** Tells of the index, once a file. */
export function readIndex(cases: readonly IndexCase[]): void {
  files += 1;
  for (const { id, kind } of cases) all.set(id, kind);
}

/** Runs a comparison, and remembers how it went. An example with several has passed when all of them have. */
export function compared(id: string, check: () => void): void {
  failed.add(id);
  check();
  passed.add(id);
  failed.delete(id);
}

/** An example that is not compared, and why. */
export const notCompared = (id: string, why: string): void => void leftOut.set(id, why);

after('every example of the index is compared, or it is said why not', () => {
  if (files < FILES) return;
  const kinds = Map.groupBy(all, ([, kind]) => kind.replace(/^(spec example: [a-z]+).*/, '$1'));
  console.log(`\n      The published index: kind, passed, of (${all.size} in all)`);
  for (const [kind, cases] of [...kinds].toSorted(([a], [b]) => a.localeCompare(b))) {
    const good = cases.filter(([id]) => passed.has(id) && !failed.has(id)).length;
    console.log(`        ${kind.padEnd(62)} ${String(good).padStart(3)} of ${cases.length}`);
  }
  const unseen = [...all.keys()].filter((id) => !passed.has(id) && !failed.has(id));
  for (const id of unseen)
    console.log(`        not compared ${id} (${all.get(id)}): ${leftOut.get(id) ?? 'NOBODY SAYS WHY'}`);
  expect(unseen.filter((id) => !leftOut.has(id))).deep.equal([]);
  expect([...failed]).deep.equal([]);
});
