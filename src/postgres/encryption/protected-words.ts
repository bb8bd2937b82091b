/**
 * The words under which protected texts and dates are found: the same for rows and questions. What few values share
 * their meaning with (a title, a country, the first half of a postcode) is no word by itself. SECURITY KS-08, KS-09
 */
import type { Atom } from '../../standards/fhir/search/parameter.ts';
import { normaliseText } from '../../standards/fhir/search/text.ts';

/** Forms that a row holds beside the usual ones, in the place of a type's code. */
export const EXACT = 'exact';
export const WORD = 'word';
export const DAY = 'day';

const TITLES = new Set('mr mrs ms miss mx dr prof sir dame lord lady rev jr sr md'.split(' '));
const OUTWARD_CODE = /^[a-z]{1,2}\d[a-z\d]?$/;
const DAY_MS = 24 * 60 * 60 * 1000;

/** Elements that take few values. */
const FEW_VALUES = new Set(['country', 'state', 'use', 'gender', 'language', 'maritalStatus']);

/** Whether an atom's values tell so little that they are not indexed at all. */
export function isLowEntropy({ leaves }: Atom): boolean {
  return leaves.every(
    ({ type, steps }) => type === 'boolean' || type === 'code' || FEW_VALUES.has(steps.at(-1)?.name ?? ''),
  );
}

/** The words of a stored text: the whole of it and each of its parts. */
export function wordsOf(text: string): readonly string[] {
  const whole = normaliseText(text);
  return [...new Set([whole, ...whole.split(/[^\p{L}\p{N}'-]+/u)])].filter(isTelling);
}

/** The word of a question, or undefined when nothing can be found by it. */
export function wordOf(text: string): string | undefined {
  const whole = normaliseText(text);
  return isTelling(whole) ? whole : undefined;
}

const isTelling = (word: string): boolean => word.length > 1 && !TITLES.has(word) && !OUTWARD_CODE.test(word);

/** A date of one day, which is found by equality only; undefined for a month, a year or a longer period. */
export const dayOf = (low: number, high: number): string | undefined =>
  high - low < DAY_MS ? `${low}:${high}` : undefined;
