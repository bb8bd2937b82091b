/** Parts of a structured Sig and the elements of a Dosage they become (reference section 6). */
import { DECIMAL } from './codecs.ts';
import type { Json } from './place.ts';
import type { Source } from './source.ts';
import { NCIT, SNOMED, UCUM } from './systems.ts';

/** SNOMED codes and texts of time units, and UCUM (https://hl7.org/fhir/R4/valueset-units-of-time.html). */
const TIME_UNITS: ReadonlyMap<string, string> = new Map([
  ['257997001', 's'],
  ['258701004', 'min'],
  ['258702006', 'h'],
  ['258703001', 'd'],
  ['258705008', 'wk'],
  ['258706009', 'mo'],
  ['258707000', 'a'],
]);
const TIME_WORDS: ReadonlyMap<string, string> = new Map([
  ['second', 's'],
  ['minute', 'min'],
  ['hour', 'h'],
  ['day', 'd'],
  ['week', 'wk'],
  ['month', 'mo'],
  ['year', 'a'],
]);

/** Times of day and meals by the words of the code; https://hl7.org/fhir/R4/valueset-event-timing.html */
const EVENTS: ReadonlyMap<string, string> = new Map([
  ['before meal', 'AC'],
  ['after meal', 'PC'],
  ['with meal', 'C'],
  ['before breakfast', 'ACM'],
  ['before lunch', 'ACD'],
  ['before dinner', 'ACV'],
  ['after breakfast', 'PCM'],
  ['after lunch', 'PCD'],
  ['after dinner', 'PCV'],
  ['with breakfast', 'CM'],
  ['with lunch', 'CD'],
  ['with dinner', 'CV'],
  ['bedtime', 'HS'],
  ['at bedtime', 'HS'],
  ['morning', 'MORN'],
  ['in the morning', 'MORN'],
  ['noon', 'NOON'],
  ['afternoon', 'AFT'],
  ['evening', 'EVE'],
  ['in the evening', 'EVE'],
  ['night', 'NIGHT'],
  ['at night', 'NIGHT'],
]);

export function conceptOf(source: Source | undefined): Json | undefined {
  const text = source?.peek('Text');
  const code = source?.peek('Code');
  const isSnomed = source?.peek('Qualifier') === 'SNOMED' && code !== undefined;
  if (text === undefined && !isSnomed) return undefined;
  return {
    ...(isSnomed && { coding: [{ system: SNOMED, code, ...(text && { display: text }) }] }),
    ...(text && { text }),
  };
}

export function quantityOf(value: unknown, unit: Source | undefined): Json {
  const text = unit?.peek('Text');
  const code = unit?.peek('Code');
  return { value, ...(text && { unit: text }), ...(code && { system: NCIT, code }) };
}

/**
 * All TimingAndDuration of an instruction; "twice a day for 10 days" has two. Where they say two things of one kind, or
 * either of two, none is taken: half of it would be another order than the text.
 */
export function readTimings(instruction: Source, dosage: Json, unmapped: Set<string>): void {
  const repeat: Json = {};
  const when: unknown[] = [];
  let isOne = instruction.all('MultipleTimingModifier').every(({ text }) => text?.toUpperCase() !== 'OR');
  for (const timing of instruction.all('TimingAndDuration')) {
    const { when: event, ...part } = readTiming(timing, dosage, unmapped);
    if (event !== undefined) when.push(event);
    if (Object.keys(part).some((name) => name in repeat)) isOne = false;
    Object.assign(repeat, part);
  }
  if (!isOne) unmapped.add('TimingAndDuration');
  else if (Object.keys(repeat).length > 0 || when.length > 0)
    dosage['timing'] = { repeat: { ...repeat, ...(when.length > 0 && { when }) } };
}

function readTiming(timing: Source, dosage: Json, unmapped: Set<string>): Json {
  const repeat: Json = {};
  readFrequency(timing, repeat, unmapped);
  readInterval(timing, repeat, unmapped);
  readDuration(timing, repeat, unmapped);
  readEvent(timing, repeat, unmapped);
  readRate(timing, dosage, unmapped);
  for (const name of ['DurationTrigger', 'StopIndicator', 'TimingClarifyingFreeText'])
    if (timing.find(name)) unmapped.add(name);
  return repeat;
}

function readFrequency(timing: Source, repeat: Json, unmapped: Set<string>): void {
  const source = timing.find('Frequency');
  if (source === undefined) return;
  const periodUnit = unitOf(source.find('FrequencyUnits'));
  const [frequency, frequencyMax] = numbersIn(source, 'FrequencyNumericValue');
  const isWhole = isPositive(frequency) && (frequencyMax === undefined || isPositive(frequencyMax));
  if (periodUnit === undefined || !isWhole) unmapped.add('Frequency');
  else Object.assign(repeat, { frequency, period: 1, periodUnit }, frequencyMax !== undefined && { frequencyMax });
}

function readInterval(timing: Source, repeat: Json, unmapped: Set<string>): void {
  const source = timing.find('Interval');
  if (source === undefined) return;
  const periodUnit = unitOf(source.find('IntervalUnits'));
  const [period, periodMax] = numbersIn(source, 'IntervalNumericValue');
  if (periodUnit === undefined || period === undefined) unmapped.add('Interval');
  else Object.assign(repeat, { frequency: 1, period, periodUnit }, periodMax !== undefined && { periodMax });
}

function readDuration(timing: Source, repeat: Json, unmapped: Set<string>): void {
  const source = timing.find('Duration');
  if (source === undefined) return;
  const unit = unitOf(source.find('DurationText'));
  const [value] = numbersIn(source, 'DurationNumericValue');
  if (unit === undefined || value === undefined) unmapped.add('Duration');
  else repeat['boundsDuration'] = { value, unit, system: UCUM, code: unit };
}

/** An event alone; "30 minutes before" and the like are left to the text. */
function readEvent(timing: Source, repeat: Json, unmapped: Set<string>): void {
  const source = timing.find('AdministrationTiming');
  if (source === undefined) return;
  const isAlone = source.element.children.every(
    (node) => typeof node === 'string' || node.name === 'AdministrationTimingEvent',
  );
  const when = EVENTS.get(singular(source.peek('AdministrationTimingEvent/Text') ?? ''));
  if (when === undefined || !isAlone) unmapped.add('AdministrationTiming');
  else repeat['when'] = when;
}

function readRate(timing: Source, dosage: Json, unmapped: Set<string>): void {
  const source = timing.find('RateOfAdministration');
  if (source === undefined) return;
  const unit = unitOf(source.find('TimePeriodBasis'));
  const [value] = numbersIn(source, 'RateOfAdministration');
  if (unit === undefined || value === undefined) {
    unmapped.add('RateOfAdministration');
    return;
  }
  const rateRatio = {
    numerator: quantityOf(value, source.find('RateUnitOfMeasure')),
    denominator: { value: 1, unit, system: UCUM, code: unit },
  };
  const [dose] = Array.isArray(dosage['doseAndRate']) ? (dosage['doseAndRate'] as Json[]) : []; // made here only
  dosage['doseAndRate'] = [{ ...dose, rateRatio }];
}

/** "As needed for pain"; an indication that is no condition for taking it is left to the text. */
export function readIndication(indications: readonly Source[], unmapped: Set<string>): Json {
  const [first, ...more] = indications;
  const isAsNeeded = /as needed/i.test(first?.peek('IndicationPrecursor/Text') ?? '');
  if (first === undefined) return {};
  if (!isAsNeeded || more.length > 0) {
    unmapped.add('IndicationForUse');
    return {};
  }
  const reason = conceptOf(first.find('IndicationText')) ?? conceptOf(first.find('IndicationValue'));
  return reason ? { asNeededCodeableConcept: reason } : { asNeededBoolean: true };
}

/** R4 has room for one. */
export function readMaximum(restrictions: readonly Source[], unmapped: Set<string>): Json {
  const [first, ...more] = restrictions;
  if (first === undefined) return {};
  const at = 'MaximumDoseRestriction';
  const [value] = numbersIn(first, `${at}NumericValue`);
  const [duration] = numbersIn(first, `${at}DurationValue`);
  const unit = unitOf(first.find(`${at}DurationUnit`));
  if (more.length > 0 || value === undefined || duration === undefined || unit === undefined) {
    unmapped.add(at);
    return {};
  }
  const numerator = quantityOf(value, first.find(`${at}Form`) ?? first.find(`${at}Units`));
  return { maxDosePerPeriod: { numerator, denominator: { value: duration, unit, system: UCUM, code: unit } } };
}

const numbersIn = (source: Source, name: string): readonly unknown[] =>
  source.all(name).map(({ text }) => DECIMAL.decode(text ?? ''));

const isPositive = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value > 0;

const singular = (text: string): string => text.toLowerCase().replace(/s$/, '');

const unitOf = (source: Source | undefined): string | undefined =>
  TIME_UNITS.get(source?.peek('Code') ?? '') ?? TIME_WORDS.get(singular(source?.peek('Text') ?? ''));
