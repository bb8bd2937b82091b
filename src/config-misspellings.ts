/** Variables of the environment that were meant for a setting. */
import { TABLE } from './config.ts';

export interface Misspelling {
  readonly name: string;
  readonly meant: string;
}

/** Variables that look like a setting but are none, such as LOGLEVEL. */
export function findMisspellings(env: Readonly<Record<string, string | undefined>>): Misspelling[] {
  const known = new Set<string>(TABLE.map(([, setting]) => setting.env));
  return Object.keys(env).flatMap((name) => {
    if (known.has(name)) return [];
    const meant = [...known].find((candidate) => looksLike(name, candidate));
    return meant === undefined ? [] : [{ name, meant }];
  });
}

const bare = (name: string): string => name.replaceAll(/[_-]/g, '').toUpperCase();

function looksLike(name: string, known: string): boolean {
  const [a, b] = [bare(name), bare(known)];
  if (a === b || a === `MORTAR${b}`) return true;
  if (b.length < 6) return false; // HOST and HOME are no misspellings of each other
  return editDistance(a, b) <= (b.length < 10 ? 1 : 2);
}

/** Levenshtein distance by rows. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1); // both rows have b.length + 1 numbers
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
