/** Names near to one that was mistyped. */

const NEAR = 3;
const LENGTH_MAX = 64;

/** Up to three known names that look like the given one, nearest first. */
export function suggestNames(given: string, known: Iterable<string>): string[] {
  const wanted = given.slice(0, LENGTH_MAX).toLowerCase();
  const limit = wanted.length <= 4 ? 1 : wanted.length <= 8 ? 2 : NEAR;
  const near: { name: string; distance: number }[] = [];
  for (const name of known) {
    const found = distance(wanted, name.toLowerCase());
    // A part of a longer name counts as near: `birth` for `birthdate`.
    const partial = wanted.length >= 4 && (name.startsWith(wanted) || wanted.startsWith(`${name}-`));
    if (found <= limit || partial) near.push({ name, distance: found });
  }
  return near
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, NEAR)
    .map(({ name }) => name);
}

/** Edits that turn one into the other; two letters that changed places are one edit. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > NEAR) return NEAR + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
