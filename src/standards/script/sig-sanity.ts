/**
 * Whether directions for use can be read at all, and how many units a day they come to (reference section 6, "SIG
 * sanity"). A small grammar over English: it judges, and never makes anything that is dispensed or sent.
 */

export interface SigReading {
  /** False: neither a verb nor a number nor a time, so that nobody could follow it. */
  readonly isReadable: boolean;
  /** Absent where the grammar cannot tell. */
  readonly unitsPerDay?: number;
}

const NUMBERS: ReadonlyMap<string, number> = new Map([
  ['half', 0.5],
  ['one', 1],
  ['two', 2],
  ['three', 3],
  ['four', 4],
  ['five', 5],
  ['six', 6],
  ['eight', 8],
  ['ten', 10],
  ['twelve', 12],
]);
const VERBS =
  /\b(?:take|apply|inhale|inject|instill|insert|place|use|give|chew|dissolve|drink|swallow|spray|rinse|gargle|wear|mix|administer|test|put|rub|tomar|tome)\b/;
const TIMES =
  /\b(?:daily|day|hours?|weekly|week|monthly|bedtime|morning|evening|night|noon|needed|directed|prn|bid|tid|qid|qd|qhs|meals?|once|twice)\b/;
const UNITS =
  /\b(\d+(?:\.\d+)?|half|one|two|three|four)\s*(?:\([^)]*\)\s*)?(?:tablets?|tabs?|capsules?|caps?|caplets?|pills?|ml|puffs?|drops?|patch(?:es)?|units?|suppositor(?:y|ies)|lozenges?|sprays?)\b/;
const N = '(\\d+|one|two|three|four|five|six|eight|ten|twelve)';

/** Pattern, and how often a day it is; `$` the number in it. The first that fits tells. */
const FREQUENCIES: readonly (readonly [pattern: RegExp, perDay: (n: number) => number])[] = [
  [new RegExp(`\\b${N} times? (?:a|per|each|every|daily) ?(?:day)?`), (n) => n],
  [new RegExp(`\\bevery ${N} hours?\\b`), (n) => 24 / n],
  [new RegExp(`\\bevery ${N} days?\\b`), (n) => 1 / n],
  [new RegExp(`\\b${N} times? (?:a|per|each) week\\b`), (n) => n / 7],
  [/\btwice (?:a |per |each )?(?:daily|day)\b|\bbid\b|\b2x daily\b/, () => 2],
  [/\b(?:tid)\b/, () => 3],
  [/\b(?:qid)\b/, () => 4],
  [/\bevery other day\b/, () => 0.5],
  [/\b(?:once (?:a |per |each )?week|weekly|every week)\b/, () => 1 / 7],
  [
    /\b(?:once (?:a |per |each )?(?:daily|day)|daily|every day|each day|qd|every morning|every evening|at bedtime|qhs|nightly|every night|in the morning|in the evening)\b/,
    () => 1,
  ],
];

/** Directions with a choice in them come to no one number. */
const OPEN = /\b(?:as needed|prn|as directed|to|or|up to|then|taper|increase|decrease)\b|\d\s*-\s*\d/;

export function readSig(text: string): SigReading {
  const sig = text.toLowerCase().replaceAll(/\s+/g, ' ');
  const isReadable = VERBS.test(sig) || TIMES.test(sig) || /\d/.test(sig);
  if (!isReadable || OPEN.test(sig)) return { isReadable };
  const dose = numberOf(UNITS.exec(sig)?.[1]);
  for (const [pattern, perDay] of FREQUENCIES) {
    const found = pattern.exec(sig);
    if (!found) continue;
    const times = perDay(numberOf(found[1]) ?? 1);
    return dose !== undefined && Number.isFinite(times) && times > 0
      ? { isReadable, unitsPerDay: dose * times }
      : { isReadable };
  }
  return { isReadable };
}

const numberOf = (word: string | undefined): number | undefined =>
  word === undefined ? undefined : (NUMBERS.get(word) ?? (/^\d/.test(word) ? Number(word) : undefined));

/** Whether quantity and days of supply fit within 20 % or two days; true where the directions do not tell. */
export function supplyFits({ unitsPerDay }: SigReading, quantity: number, days: number): boolean {
  if (unitsPerDay === undefined || !(quantity > 0) || !(days > 0)) return true;
  const meant = quantity / unitsPerDay;
  return Math.abs(meant - days) <= Math.max(2, 0.2 * days);
}
