/** How many units a day an instruction asks for, where its words say so. What they do not say is not guessed. */

const NUMBERS = new Map<string, number>([
  ['half', 0.5],
  ['a', 1],
  ['an', 1],
  ['one', 1],
  ['two', 2],
  ['three', 3],
  ['four', 4],
  ['five', 5],
  ['six', 6],
  ['seven', 7],
  ['eight', 8],
  ['nine', 9],
  ['ten', 10],
]);
const UNIT =
  '(?:tablets?|capsules?|tabs?|caps?|puffs?|patch(?:es)?|sachets?|drops?|sprays?|units?|suppositor(?:y|ies)|pessar(?:y|ies)|doses?)';
const NUMBER = `(\\d{1,4}(?:\\.\\d{1,3})?|half(?: an?)?|${[...NUMBERS.keys()].join('|')})`;
/** The larger of "one to two" counts: what may be taken is what has to be safe. */
const UNITS = new RegExp(
  `\\b${NUMBER}(?:\\s*(?:-|to|or)\\s*${NUMBER})?\\s*(?:x\\s*)?(?:\\d+(?:\\.\\d+)?\\s*(?:mg|g|micrograms|ml)\\s*)?${UNIT}\\b`,
  'i',
);
const MASS = /\b(\d{1,5}(?:\.\d{1,3})?)\s*(micrograms|mcg|mg|g)\b/i;
const IN_MG = new Map([
  ['micrograms', 0.001],
  ['mcg', 0.001],
  ['mg', 1],
  ['g', 1000],
]);

/** Times a day; the first that fits. */
const FREQUENCIES: readonly (readonly [RegExp, (match: RegExpExecArray) => number])[] = [
  [new RegExp(`\\bevery\\s+${NUMBER}\\s*(?:hours?|hrs?|h)\\b`, 'i'), ([, n]) => 24 / numberOf(n)],
  [
    new RegExp(`\\b(?:up to\\s+)?${NUMBER}\\s+times?\\s+(?:a|per|each|every)?\\s*(?:day|daily)\\b`, 'i'),
    ([, n]) => numberOf(n),
  ],
  [/\bfour times daily\b|\b(?:qds|qid)\b/i, () => 4],
  [/\bthree times daily\b|\b(?:tds|tid)\b/i, () => 3],
  [/\btwice\s+(?:a\s+|per\s+)?(?:day|daily)\b|\b(?:bd|bid)\b|\bmorning and (?:night|evening)\b/i, () => 2],
  [/\bevery other day\b|\balternate days\b/i, () => 0.5],
  [/\bonce\s+(?:a\s+|per\s+)?week(?:ly)?\b|\bweekly\b|\bevery (?:week|7 days)\b/i, () => 1 / 7],
  [/\bevery (?:three days|72 hours)\b/i, () => 1 / 3],
  [
    /\bonce\s+(?:a\s+|per\s+)?(?:day|daily)\b|\b(?:od|qd|om|on|nocte|mane)\b|\bdaily\b|\ba day\b|\beach (?:day|morning|night|evening)\b|\bin the (?:morning|evening)\b|\bat (?:night|bedtime)\b/i,
    () => 1,
  ],
];

export interface Dosing {
  readonly unitsPerDose?: number;
  readonly timesPerDay?: number;
}

/** `strength`: of the medicine, by which a dose in mg becomes units. */
export function readDosing(text: string, strength = ''): Dosing {
  const unitsPerDose = unitsIn(text, strength);
  const timesPerDay = timesIn(text);
  return { ...(unitsPerDose !== undefined && { unitsPerDose }), ...(timesPerDay !== undefined && { timesPerDay }) };
}

/** Undefined where one of both is not said. */
export const unitsPerDay = ({ unitsPerDose, timesPerDay }: Dosing): number | undefined =>
  unitsPerDose === undefined || timesPerDay === undefined ? undefined : unitsPerDose * timesPerDay;

function unitsIn(text: string, strength: string): number | undefined {
  const units = UNITS.exec(text);
  if (units) return Math.max(numberOf(units[1]), units[2] === undefined ? 0 : numberOf(units[2]));
  const [dose, each] = [mgOf(text), mgOf(strength)];
  // A strength of two substances, or in a volume, says no units.
  if (dose === undefined || each === undefined || strength.includes('/')) return undefined;
  return dose / each;
}

function mgOf(text: string): number | undefined {
  const [, amount, unit = ''] = MASS.exec(text) ?? [];
  const factor = IN_MG.get(unit.toLowerCase());
  return amount === undefined || factor === undefined ? undefined : Number(amount) * factor;
}

function timesIn(text: string): number | undefined {
  for (const [pattern, times] of FREQUENCIES) {
    const match = pattern.exec(text);
    if (match) return times(match);
  }
  return undefined;
}

function numberOf(word = ''): number {
  const name = word.toLowerCase().startsWith('half') ? 'half' : word.toLowerCase();
  return NUMBERS.get(name) ?? Number(word);
}
