/** Quantities, ranges, ratios and concepts as words. https://hl7.org/fhir/R4/datatypes.html */
import {
  equals,
  findPart,
  findText,
  has,
  missing,
  type Part,
  partsOf,
  refuse,
  requiredNumber,
  requiredPart,
  requiredText,
} from './part.ts';

/** UCUM's units of time, as FHIR's timing has them. */
export const TIME_UNITS: ReadonlyMap<string, string> = new Map([
  ['s', 'second'],
  ['min', 'minute'],
  ['h', 'hour'],
  ['d', 'day'],
  ['wk', 'week'],
  ['mo', 'month'],
  ['a', 'year'],
]);

const UNITS: ReadonlySet<string> = new Set(TIME_UNITS.values());

/** Other units keep their form: no rule tells the plural of `suppository` from that of `ml`. */
export const plural = (unit: string, value: string): string =>
  UNITS.has(unit) && !equals(value, 1) ? `${unit}s` : unit;

export const timeText = (value: string, unit: string): string => `${value} ${plural(unit, value)}`;

/** A comparator is not among them: `less than 5` is no dose. */
const QUANTITY = ['value', 'unit', 'system', 'code'];
const UCUM = 'http://unitsofmeasure.org';

export const quantityPart = (part: Part, name: string): Part => requiredPart(part, name, QUANTITY);
export const findQuantity = (part: Part | undefined, name: string): Part | undefined => findPart(part, name, QUANTITY);

export const quantityText = (quantity: Part): string =>
  `${requiredNumber(quantity, 'value')} ${requiredText(quantity, 'unit')}`;

/** A length of time. Its code says more surely than its unit whether it is one of many. */
export const durationText = (quantity: Part): string =>
  timeText(requiredNumber(quantity, 'value'), timeUnitOf(quantity));

function timeUnitOf(quantity: Part): string {
  const code = findText(quantity, 'code');
  const ofCode = code === undefined ? undefined : TIME_UNITS.get(code);
  const system = findText(quantity, 'system');
  if (ofCode !== undefined && (system === undefined || system === UCUM)) return ofCode;
  const unit = requiredText(quantity, 'unit');
  return UNITS.has(unit.replace(/s$/, '')) ? unit.replace(/s$/, '') : unit;
}

type Words = (quantity: Part) => { readonly value: string; readonly unit: string; readonly text: string };

export const AS_DOSE: Words = (quantity) => {
  const value = requiredNumber(quantity, 'value');
  const unit = requiredText(quantity, 'unit');
  return { value, unit, text: `${value} ${unit}` };
};
export const AS_TIME: Words = (quantity) => {
  const value = requiredNumber(quantity, 'value');
  const unit = timeUnitOf(quantity);
  return { value, unit, text: timeText(value, unit) };
};

export const RANGE = ['low', 'high'];

/** `10 to 20 ml`, or one end of it alone. */
export function rangeText(range: Part, words: Words): string {
  const low = findQuantity(range, 'low');
  const high = findQuantity(range, 'high');
  if (low === undefined && high === undefined) return missing(range, 'low');
  if (low === undefined) return `up to ${words(high as Part).text}`;
  if (high === undefined) return `at least ${words(low).text}`;
  const [from, to] = [words(low), words(high)];
  return from.unit === to.unit ? `${from.value} to ${to.text}` : `${from.text} to ${to.text}`;
}

export const RATIO = ['numerator', 'denominator'];

/** `at a rate of 10 ml per hour`, `… every 2 hours` */
export function rateText(ratio: Part): string {
  const numerator = quantityText(quantityPart(ratio, 'numerator'));
  const denominator = quantityPart(ratio, 'denominator');
  const value = requiredNumber(denominator, 'value');
  return equals(value, 1)
    ? `${numerator} per ${timeUnitOf(denominator)}`
    : `${numerator} every ${durationText(denominator)}`;
}

export const CONCEPT = ['coding', 'text'];
const CODING = ['system', 'version', 'code', 'display', 'userSelected'];

export const findConcept = (part: Part, name: string): string | undefined => {
  const concept = findPart(part, name, CONCEPT);
  return concept && conceptText(concept);
};

export const conceptTexts = (part: Part, name: string): readonly string[] =>
  partsOf(part, name, CONCEPT).map(conceptText);

/**
 * The codings of a concept mean the same: the one that was chosen speaks, else the first that has words, else the text.
 * Deviates: the national gateway joins the words of all of them.
 */
function conceptText(concept: Part): string {
  const codings = partsOf(concept, 'coding', CODING).filter((coding) => has(coding, 'display'));
  const coding = codings.find(({ members }) => members['userSelected'] === true) ?? codings[0];
  const text = findText(coding, 'display') ?? findText(concept, 'text');
  return text ?? refuse('required', concept.path, 'A concept has neither the words of a coding nor a text');
}

/** The codes themselves, of whichever system. */
export const codesOf = (concept: Part): readonly string[] =>
  partsOf(concept, 'coding', CODING).flatMap((coding) => findText(coding, 'code') ?? []);
