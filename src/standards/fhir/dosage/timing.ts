/** When, how often and for how long. https://hl7.org/fhir/R4/datatypes.html#Timing */
import {
  equals,
  findNumber,
  findPart,
  findText,
  has,
  listText,
  missing,
  type Part,
  refuse,
  requiredNumber,
  requiredText,
  textsOf,
} from './part.ts';
import {
  AS_TIME,
  CONCEPT,
  codesOf,
  durationText,
  findQuantity,
  plural,
  RANGE,
  rangeText,
  TIME_UNITS,
  timeText,
} from './quantity.ts';

const TIMING = ['event', 'repeat', 'code'];
const REPEAT = [
  'boundsDuration',
  'boundsRange',
  'boundsPeriod',
  'count',
  'countMax',
  'duration',
  'durationMax',
  'durationUnit',
  'frequency',
  'frequencyMax',
  'period',
  'periodMax',
  'periodUnit',
  'dayOfWeek',
  'timeOfDay',
  'when',
  'offset',
];

export const timingOf = (dosage: Part): Part | undefined => findPart(dosage, 'timing', TIMING);
const repeatOf = (dosage: Part): Part | undefined => findPart(timingOf(dosage), 'repeat', REPEAT);

function unitAt(repeat: Part, name: string): string {
  const code = requiredText(repeat, name);
  return TIME_UNITS.get(code) ?? refuse('code-invalid', `${repeat.path}.${name}`, `${name} is no unit of time`);
}

/** `over 30 minutes (maximum 60 minutes)` */
export function duration(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  const value = findNumber(repeat, 'duration');
  const max = findNumber(repeat, 'durationMax');
  if (repeat === undefined || (value === undefined && max === undefined)) return undefined;
  const unit = unitAt(repeat, 'durationUnit');
  const text = `over ${timeText(value ?? missing(repeat, 'duration'), unit)}`;
  return max === undefined ? text : `${text} (maximum ${timeText(max, unit)})`;
}

/** Of one period without a number of times. */
const EACH: ReadonlyMap<string, string> = new Map([
  ['second', 'every second'],
  ['minute', 'every minute'],
  ['hour', 'hourly'],
  ['day', 'daily'],
  ['week', 'weekly'],
  ['month', 'monthly'],
  ['year', 'annually'],
]);

/**
 * `twice a day`, `every 4 to 6 hours`. Deviates: without a number of times it is once a period, as FHIR has it; the
 * national gateway fails where the period is not one.
 */
export function frequencyAndPeriod(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  if (repeat === undefined) return codedTiming(dosage);
  const times = timesText(repeat);
  const period = periodOf(repeat);
  if (times === undefined && period === undefined) return codedTiming(dosage);
  if (period === undefined) return times;
  if (times === undefined) return period.single ? EACH.get(period.unit) : period.text;
  return times === 'once' && !period.single ? period.text : `${times} ${period.text}`;
}

function timesText(repeat: Part): string | undefined {
  const frequency = findNumber(repeat, 'frequency');
  const max = findNumber(repeat, 'frequencyMax');
  if (frequency === undefined) return max === undefined ? undefined : `up to ${max} times`;
  if (max !== undefined) return `${frequency} to ${max} times`;
  return timesWords(frequency);
}

function timesWords(count: string): string {
  if (equals(count, 1)) return 'once';
  return equals(count, 2) ? 'twice' : `${count} times`;
}

interface Period {
  readonly text: string;
  readonly unit: string;
  /** One unit of time, and no longer. */
  readonly single: boolean;
}

function periodOf(repeat: Part): Period | undefined {
  const value = findNumber(repeat, 'period');
  const max = findNumber(repeat, 'periodMax');
  if (value === undefined && max === undefined) return undefined;
  const period = value ?? missing(repeat, 'period');
  const unit = unitAt(repeat, 'periodUnit');
  if (max !== undefined) return { text: `every ${period} to ${max} ${plural(unit, max)}`, unit, single: false };
  const single = equals(period, 1);
  const article = unit === 'hour' ? 'an' : 'a';
  return { text: single ? `${article} ${unit}` : `every ${period} ${plural(unit, period)}`, unit, single };
}

/** Codes of HL7's GTSAbbreviation. https://terminology.hl7.org/CodeSystem-v3-GTSAbbreviation.html */
const CODED: ReadonlyMap<string, string> = new Map([
  ['QD', 'once a day'],
  ['BID', 'twice a day'],
  ['TID', '3 times a day'],
  ['QID', '4 times a day'],
  ['QOD', 'every 2 days'],
  ['Q1H', 'every hour'],
  ['Q2H', 'every 2 hours'],
  ['Q3H', 'every 3 hours'],
  ['Q4H', 'every 4 hours'],
  ['Q6H', 'every 6 hours'],
  ['Q8H', 'every 8 hours'],
  ['AM', 'every morning'],
  ['PM', 'every afternoon'],
  ['BED', 'at bedtime'],
  ['WK', 'weekly'],
  ['MO', 'monthly'],
]);

/** A code says all that the structure says, bounds aside; it speaks where the structure says nothing of how often. */
function codedTiming(dosage: Part): string | undefined {
  const code = findPart(timingOf(dosage), 'code', CONCEPT);
  if (code === undefined) return undefined;
  const known = codesOf(code).map((one) => CODED.get(one));
  const words = known.find((one) => one !== undefined) ?? findText(code, 'text');
  return words ?? refuse('not-supported', code.path, 'The code of the timing is none that is known, and has no text');
}

interface Event {
  readonly words: string;
  /** With a time before or after it; absent where that has no meaning. */
  readonly offset?: string;
}

const at = (words: string): Event => ({ words });
const relative = (words: string, offset = words): Event => ({ words, offset });

/** https://hl7.org/fhir/R4/valueset-event-timing.html */
const EVENTS: ReadonlyMap<string, Event> = new Map([
  ['MORN', at('during the morning')],
  ['MORN.early', at('during the early morning')],
  ['MORN.late', at('during the late morning')],
  ['NOON', relative('around 12:00pm', 'after 12:00pm')],
  ['AFT', at('during the afternoon')],
  ['AFT.early', at('during the early afternoon')],
  ['AFT.late', at('during the late afternoon')],
  ['EVE', at('during the evening')],
  ['EVE.early', at('during the early evening')],
  ['EVE.late', at('during the late evening')],
  ['NIGHT', at('during the night')],
  ['PHS', relative('once asleep', 'after falling asleep')],
  ['HS', relative('before sleep')],
  ['WAKE', relative('upon waking', 'after waking')],
  ['C', at('at a meal')],
  ['CM', at('at breakfast')],
  ['CD', at('at lunch')],
  ['CV', at('at dinner')],
  ['AC', relative('before a meal')],
  ['ACM', relative('before breakfast')],
  ['ACD', relative('before lunch')],
  ['ACV', relative('before dinner')],
  ['PC', relative('after a meal')],
  ['PCM', relative('after breakfast')],
  ['PCD', relative('after lunch')],
  ['PCV', relative('after dinner')],
]);

/**
 * `30 minutes before breakfast`. Deviates: an offset without an event, or from one that it has no meaning with (FHIR's
 * rule tim-9), is refused; where the event does not say so it is after it, as FHIR has it.
 */
export function offsetAndWhen(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  const offset = findNumber(repeat, 'offset');
  const codes = textsOf(repeat, 'when');
  if (repeat === undefined || (offset === undefined && codes.length === 0)) return undefined;
  if (codes.length === 0) return missing(repeat, 'when');
  const events = codes.map((code, n) => {
    const event = EVENTS.get(code) ?? refuse('code-invalid', `${repeat.path}.when[${n}]`, 'The event is none of FHIR');
    if (offset === undefined || equals(offset, 0)) return event.words;
    return event.offset ?? refuse('invariant', `${repeat.path}.offset`, `No time can be before or after ${code}`);
  });
  const text = listText(events);
  return offset === undefined || equals(offset, 0) ? text : `${offsetText(offset)} ${text}`;
}

/** In minutes, told in the largest unit that leaves none over. */
function offsetText(minutes: string): string {
  const count = Number(minutes);
  if (count % 60 !== 0) return timeText(minutes, 'minute');
  return count % 1440 === 0 ? timeText(String(count / 1440), 'day') : timeText(String(count / 60), 'hour');
}

const DAYS: ReadonlyMap<string, string> = new Map([
  ['mon', 'Monday'],
  ['tue', 'Tuesday'],
  ['wed', 'Wednesday'],
  ['thu', 'Thursday'],
  ['fri', 'Friday'],
  ['sat', 'Saturday'],
  ['sun', 'Sunday'],
]);

/** `on Monday and Friday at 09:00` */
export function dayAndTime(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  const days = textsOf(repeat, 'dayOfWeek').map(
    (day, n) => DAYS.get(day) ?? refuse('code-invalid', `${repeat?.path}.dayOfWeek[${n}]`, 'The day is none of FHIR'),
  );
  const times = textsOf(repeat, 'timeOfDay').map((time, n) => clockText(time, `${repeat?.path}.timeOfDay[${n}]`));
  const parts = [days.length > 0 ? `on ${listText(days)}` : '', times.length > 0 ? `at ${listText(times)}` : ''];
  return parts.filter((part) => part !== '').join(' ') || undefined;
}

function clockText(time: string, path: string): string {
  const [, minutes, seconds] = /^((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d)(?:\.\d+)?$/.exec(time) ?? [];
  if (minutes === undefined) return refuse('value', path, 'The time of day is not written like 09:00:00');
  return seconds === '00' ? minutes : `${minutes}:${seconds}`;
}

/** `for 7 days`, `from 16/11/2026 to 23/11/2026` */
export function bounds(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  if (['boundsDuration', 'boundsRange', 'boundsPeriod'].filter((name) => has(repeat, name)).length > 1)
    return refuse('structure', `${repeat?.path}.bounds`, 'There are bounds of more than one kind');
  const length = findQuantity(repeat, 'boundsDuration');
  if (length !== undefined) return `for ${durationText(length)}`;
  const range = findPart(repeat, 'boundsRange', RANGE);
  if (range !== undefined) return `for ${rangeText(range, AS_TIME)}`;
  const period = findPart(repeat, 'boundsPeriod', ['start', 'end']);
  if (period === undefined) return undefined;
  const [start, end] = ['start', 'end'].map((name) => dateAt(period, name));
  if (start === undefined && end === undefined) return missing(period, 'start');
  if (start === undefined) return `until ${end}`;
  return end === undefined ? `from ${start}` : `from ${start} to ${end}`;
}

const dateAt = (period: Part, name: string): string | undefined => {
  const text = findText(period, name);
  return text === undefined ? undefined : dateText(text, `${period.path}.${name}`);
};

/**
 * As it is written, in the sender's own time. Deviates: a time of day is told, where the national gateway tells the day
 * alone, and a month or a year is not taken for its first day.
 */
function dateText(text: string, path: string): string {
  const [, year, month, day, time] =
    /^(\d{4})(?:-(0[1-9]|1[0-2])(?:-(0[1-9]|[12]\d|3[01])(?:T(\d{2}:\d{2}:\d{2}(?:\.\d+)?)(?:Z|[+-]\d{2}:\d{2}))?)?)?$/.exec(
      text,
    ) ?? [];
  if (year === undefined) return refuse('value', path, 'The date is not written like 2026-11-16');
  const date = [day, month, year].filter((part) => part !== undefined).join('/');
  return time === undefined || time.startsWith('00:00:00') ? date : `${date} at ${clockText(time, path)}`;
}

/** `take 3 to 5 times` */
export function count(dosage: Part): string | undefined {
  const repeat = repeatOf(dosage);
  if (repeat === undefined || (!has(repeat, 'count') && !has(repeat, 'countMax'))) return undefined;
  const times = requiredNumber(repeat, 'count');
  const max = findNumber(repeat, 'countMax');
  return max === undefined ? `take ${timesWords(times)}` : `take ${times} to ${max} times`;
}

/** `on 16/11/2026 and 18/11/2026` */
export function event(dosage: Part): string | undefined {
  const timing = timingOf(dosage);
  const dates = textsOf(timing, 'event').map((date, n) => dateText(date, `${timing?.path}.event[${n}]`));
  return dates.length === 0 ? undefined : `on ${listText(dates)}`;
}
