/** TQ1, and the TQ of versions before 2.5, as what Timing holds. Source: segment map TQ1[MedicationRequest]. */
import type { Decimal } from '../../standards/fhir/json.ts';
import { compact, type Json, present } from './compact.ts';
import type { Cursor, SegmentCursor } from './cursor.ts';
import { period, quantity } from './data-types.ts';
import { findMeal, type Pattern, parsePattern } from './repeat-pattern.ts';

/** One timing of an order, from TQ1 or from a TQ of versions before 2.5. */
export interface Timed {
  readonly sequence: number | undefined;
  /** CQ; read only where the order has no dose of its own. */
  readonly dose?: Cursor;
  readonly patterns: readonly Pattern[];
  readonly repeat: Json | undefined;
  readonly priority?: Cursor;
  readonly texts: readonly string[];
  readonly instructions: readonly string[];
}

/** CQ: a number and its unit in one field. */
export const cq = (cursor: Cursor): Json | undefined =>
  cursor.isValued ? quantity(cursor.at(1), cursor.at(2)) : undefined;

/** TQ1 of an order. HL7 v2.5.1 section 4.5.4. */
export function readTimings(segments: readonly SegmentCursor[]): readonly Timed[] {
  let sequence: number | undefined;
  let together = false;
  return segments.map((tq1) => {
    // Simultaneous timings share their number.
    sequence = together ? sequence : positive(tq1.at(1));
    together = tq1.at(12).isValued && tq1.at(12).text === 'S';
    const patterns = tq1.all(3).map(patternOf);
    return {
      sequence,
      dose: tq1.at(2),
      patterns,
      repeat: compact({
        ...bounds(tq1.at(7), tq1.at(8), durationOf(tq1.at(6))),
        ...lasting(tq1.at(13)),
        timeOfDay: present(tq1.all(4).map(timeOfDay)),
        count: positive(tq1.at(14)),
      }),
      priority: tq1.at(9).at(1),
      texts: present([tq1.at(11).isValued ? tq1.at(11).value : undefined]),
      instructions: present([tq1.at(10).isValued ? tq1.at(10).value : undefined]),
    };
  });
}

/** RPT: a pattern, or a period of its own; an event of the day and the time between. */
function patternOf(rpt: Cursor): Pattern {
  const pattern = parsePattern(rpt.at(1).at(1).text, rpt.at(1).at(2).value);
  if (pattern.repeat !== undefined) {
    rpt.at(1).ignore();
    return pattern;
  }
  const own = compact({ ...ownPeriod(rpt), ...ownEvent(rpt) });
  return own === undefined ? pattern : { ...pattern, repeat: own };
}

function ownPeriod(rpt: Cursor): Readonly<Record<string, unknown>> {
  const length = rpt.at(5).isValued ? rpt.at(5).number : undefined;
  const periodUnit = TIME_UNITS.get(rpt.at(6).text.toLowerCase());
  return length === undefined || periodUnit === undefined ? {} : { frequency: 1, period: length, periodUnit };
}

function ownEvent(rpt: Cursor): Readonly<Record<string, unknown>> {
  const event = findMeal(rpt.at(8).text);
  if (event === undefined) return {};
  const seconds = Number(rpt.at(9).text) * (SECONDS.get(TIME_UNITS.get(rpt.at(10).text.toLowerCase()) ?? 'min') ?? 60);
  const offset = Math.round(seconds / 60);
  // An offset is from a moment, and a meal itself is none (tim-9).
  return { when: [event], ...(offset > 0 && !/^C[MDV]?$/.test(event) && { offset }) };
}

const TIME_UNITS = new Map([
  ...['s', 'sec'].map((name): [string, string] => [name, 's']),
  ['min', 'min'],
  ...['h', 'hr', 'hrs', 'hour'].map((name): [string, string] => [name, 'h']),
  ...['d', 'day', 'days'].map((name): [string, string] => [name, 'd']),
  ...['wk', 'w', 'week'].map((name): [string, string] => [name, 'wk']),
  ...['mo', 'l', 'month'].map((name): [string, string] => [name, 'mo']),
]);
const SECONDS = new Map([
  ['s', 1],
  ['min', 60],
  ['h', 3600],
  ['d', 86_400],
]);

/** How long each time lasts. */
function lasting(cursor: Cursor): Readonly<Record<string, unknown>> {
  const unit = cursor.isValued ? TIME_UNITS.get(cursor.at(2).at(1).text.toLowerCase()) : undefined;
  if (unit === undefined) return {};
  return { duration: cursor.at(1).number, durationUnit: unit };
}

/** TQ, the timing of versions before 2.5 (ORC-7, RXE-1). HL7 v2.3.1 section 4.4. */
export const readLegacyTimings = (cursors: readonly Cursor[]): readonly Timed[] =>
  cursors.map((tq, index) => ({
    sequence: cursors.length > 1 ? index + 1 : undefined,
    dose: tq.at(1),
    patterns: tq.at(2).isValued ? [parsePattern(tq.at(2).at(1).text)] : [],
    repeat: compact({
      ...bounds(tq.at(4), tq.at(5), legacyDuration(tq.at(3))),
      timeOfDay: present(tq.at(2).at(2).text.split(',').map(clockTime)),
      count: positive(tq.at(12)) ?? legacyCount(tq.at(3)),
    }),
    priority: tq.at(6),
    texts: present([tq.at(8).value]),
    instructions: present([tq.at(7).value]),
  }));

function bounds(start: Cursor, end: Cursor, duration: Json | undefined): Readonly<Record<string, unknown>> {
  const boundsPeriod = period(start, end);
  // The end, where it is known, wins over the length; a beginning and a length say more than a beginning alone.
  if (boundsPeriod === undefined) return { boundsDuration: duration };
  const { start: from, end: until } = boundsPeriod as { start?: string; end?: string };
  const counted = until === undefined && from !== undefined ? endAfter(from, duration) : undefined;
  return { boundsPeriod: counted === undefined ? boundsPeriod : { ...boundsPeriod, end: counted } };
}

const MILLISECONDS = new Map([
  ['s', 1000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
  ['wk', 604_800_000],
]);

/** An instant so much later, in UTC; undefined where it cannot be counted. */
export function endAfter(from: string, duration: Json | undefined): string | undefined {
  const size = MILLISECONDS.get(String(duration?.['code']));
  const count = Number(String(duration?.['value']));
  if (size === undefined || !from.includes('T') || !(count > 0 && count < 100_000)) return undefined;
  const end = new Date(Date.parse(from) + size * count).toISOString();
  return end.startsWith('+') ? undefined : end.replace('.000Z', 'Z');
}

const DURATION_UNITS = new Map([
  ['S', 's'],
  ['M', 'min'],
  ['H', 'h'],
  ['D', 'd'],
  ['W', 'wk'],
  ['L', 'mo'],
]);

/** CQ with a unit of time. */
function durationOf(cursor: Cursor): Json | undefined {
  const value = cursor.isValued ? cursor.at(1).number : undefined;
  if (value === undefined) return undefined;
  const unit = cursor.at(2).at(1).text;
  const code = DURATION_UNITS.get(unit.slice(0, 1).toUpperCase());
  return ucum(value, code, unit);
}

const ucum = (value: number | Decimal, code: string | undefined, unit: string): Json =>
  code === undefined
    ? (compact({ value, unit }) as Json) // a number is there
    : { value, unit: code, system: 'http://unitsofmeasure.org', code };

/** `D7`, `W2`, `H6`, `M30`, `L1`. */
function legacyDuration(cursor: Cursor): Json | undefined {
  const [, letter, digits] = /^([SMHDWL])(\d{1,4})$/.exec(cursor.text) ?? [];
  return letter === undefined ? undefined : ucum(Number(digits), DURATION_UNITS.get(letter), '');
}

/** `X4`: four times. */
function legacyCount(cursor: Cursor): number | undefined {
  const [, digits] = /^X(\d{1,4})$/.exec(cursor.text) ?? [];
  return digits === undefined || Number(digits) === 0 ? undefined : Number(digits);
}

function positive(cursor: Cursor): number | undefined {
  const text = cursor.isValued ? cursor.text : '';
  return /^\d{1,9}$/.test(text) && Number(text) > 0 ? Number(text) : undefined;
}

function timeOfDay(cursor: Cursor): string | undefined {
  const time = clockTime(cursor.text);
  if (time === undefined) cursor.warn('value', 'This is not a time: it was left out');
  return time;
}

/** `0930`, `093000`, `09:30`. */
export function clockTime(text: string): string | undefined {
  const [, hour, minute, second = '00'] = /^([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?$/.exec(text.trim()) ?? [];
  return hour === undefined ? undefined : `${hour}:${minute}:${second}`;
}
