/** Repeat patterns of table 0335 as Timing. https://hl7.org/fhir/R4/datatypes.html#Timing */
import { systemUrl, tableUrl } from './code-tables.ts';
import { compact, type Json } from './compact.ts';

export interface Pattern {
  /** Timing.repeat; undefined when the pattern says nothing that can be counted. */
  readonly repeat?: Json;
  readonly code?: Json;
  readonly asNeeded: boolean;
}

const UNITS = new Map([
  ['S', 's'],
  ['M', 'min'],
  ['H', 'h'],
  ['D', 'd'],
  ['W', 'wk'],
  ['L', 'mo'],
]);
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

const daily = (frequency: number): Json => ({ frequency, period: 1, periodUnit: 'd' });
const at = (...when: readonly string[]): Json => ({ ...daily(1), when });

/** Patterns that are words, those of UK prescriptions among them. OD is once daily, never the right eye. */
const WORDS = new Map<string, Json>([
  ...['QD', 'DAILY', 'OD'].map((word): [string, Json] => [word, daily(1)]),
  ...['BID', 'BD'].map((word): [string, Json] => [word, daily(2)]),
  ...['TID', 'TDS', 'QSHIFT'].map((word): [string, Json] => [word, daily(3)]),
  ...['QID', 'QDS'].map((word): [string, Json] => [word, daily(4)]),
  ['QOD', { frequency: 1, period: 2, periodUnit: 'd' }],
  ...['QAM', 'OM', 'MANE'].map((word): [string, Json] => [word, at('MORN')]),
  ['QPM', at('EVE')],
  ['QHS', at('HS')],
  ...['ON', 'NOCTE'].map((word): [string, Json] => [word, at('NIGHT')]),
  ...['ONCE', 'STAT', 'X1'].map((word): [string, Json] => [word, { count: 1 }]),
]);

/** Meals: before, after, with; breakfast, lunch, dinner. */
const MEALS = new Map([
  ...['AC', 'PC', 'ACM', 'ACD', 'ACV', 'PCM', 'PCD', 'PCV'].map((word): [string, string] => [word, word]),
  ['IC', 'C'],
  ['ICM', 'CM'],
  ['ICD', 'CD'],
  ['ICV', 'CV'],
]);

/** The event of the day that a code of table 0528 names. */
export const findMeal = (code: string): string | undefined => (code === 'HS' ? 'HS' : MEALS.get(code));

const ABBREVIATIONS = new Map([
  ['BD', 'BID'],
  ['TDS', 'TID'],
  ['QDS', 'QID'],
  ['DAILY', 'QD'],
  ['OD', 'QD'],
  ['Q1D', 'QD'],
  ['QAM', 'AM'],
  ['QPM', 'PM'],
  ['QHS', 'BED'],
  ...['BID', 'TID', 'QID', 'QD', 'QOD', 'Q1H', 'Q2H', 'Q3H', 'Q4H', 'Q6H', 'Q8H'].map((w): [string, string] => [w, w]),
]);

/** `name`, `display`: the code's own words, kept beside what they were understood as. */
export function parsePattern(name: string, display?: string): Pattern {
  const word = name.trim().toUpperCase();
  const isPrn = word.startsWith('PRN');
  const inner = isPrn ? word.slice(3) : word;
  const repeat = repeatOf(inner);
  return {
    asNeeded: isPrn,
    ...(repeat !== undefined && { repeat }),
    ...codeOf(name.trim(), inner, repeat !== undefined || isPrn, display),
  };
}

function repeatOf(word: string): Json | undefined {
  const known = WORDS.get(word);
  if (known !== undefined) return known;
  const meal = MEALS.get(word);
  if (meal !== undefined) return { when: [meal] };
  const [, weeks, day] = /^Q(\d{0,2})J([1-7])$/.exec(word) ?? [];
  if (day !== undefined)
    return { frequency: 1, period: Number(weeks || 1), periodUnit: 'wk', dayOfWeek: [DAYS[Number(day) - 1]] };
  const [, every, unit] = /^Q(\d{1,3})([SMHDWL])$/.exec(word) ?? [];
  if (unit !== undefined && Number(every) > 0)
    return { frequency: 1, period: Number(every), periodUnit: UNITS.get(unit) };
  const [, times] = /^(\d{1,2})ID$/.exec(word) ?? [];
  return times !== undefined && Number(times) > 0 ? daily(Number(times)) : undefined;
}

/** Free words are text; a pattern is its own code, and FHIR's abbreviation where there is one. */
function codeOf(name: string, word: string, isPattern: boolean, display: string | undefined): { code?: Json } {
  if (name === '') return display === undefined ? {} : { code: { text: display } };
  if (!isPattern) return { code: compact({ text: display ?? name }) as Json }; // the text is there
  const abbreviation = ABBREVIATIONS.get(word);
  const mapped = abbreviation === undefined ? [] : [{ system: systemUrl('v3-GTSAbbreviation'), code: abbreviation }];
  return { code: { coding: [...mapped, compact({ system: tableUrl('0335'), code: name, display })] } };
}
