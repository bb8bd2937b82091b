/** TQ1, TQ, RXR and the doses of RXO and RXE as Dosage. Source: segment maps TQ1 and RXR[MedicationRequest]. */
import type { Decimal } from '../../standards/fhir/json.ts';
import { ADMINISTRATION_METHOD, BODY_SITE, ROUTE, ROUTE_SNOMED } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import type { Cursor, SegmentCursor } from './cursor.ts';
import { concept, period, quantity } from './data-types.ts';
import type { OrderPart } from './order-groups.ts';
import { type Pattern, parsePattern } from './repeat-pattern.ts';

/** One timing of an order, from TQ1 or from a TQ of versions before 2.5. */
export interface Timed {
  readonly sequence: number | undefined;
  readonly dose: Json | undefined;
  readonly patterns: readonly Pattern[];
  readonly repeat: Json | undefined;
  readonly priority?: Cursor;
  readonly texts: readonly string[];
  readonly instructions: readonly string[];
}

export interface MappedTiming {
  readonly dosages: readonly Json[];
  /** Of the first timing that says: table 0485. */
  readonly priority: Cursor | undefined;
}

/** Where RXO and RXE keep the same things. */
export interface DoseFields {
  readonly low: number;
  readonly high: number;
  readonly unit: number;
  readonly sig: number;
  readonly rate: number;
  readonly rateUnit: number;
  /** RXE-19. */
  readonly maximum?: number;
}

/** One Dosage for each timing, each with the order's dose, route and words. */
export function mapDosages(
  part: OrderPart,
  fields: DoseFields,
  timings: readonly Timed[],
  routes: readonly SegmentCursor[],
): MappedTiming {
  const { segment } = part;
  const sig = present(segment.all(fields.sig).map(wordsOf)).join(' ');
  const taper = timings.filter(({ dose }) => dose !== undefined).length > 1;
  const ordered = taper ? undefined : doseOf(segment, fields);
  // A dose of the order beside doses of each step would contradict the later ones.
  if (taper && segment.at(fields.low).isValued)
    segment
      .at(fields.low)
      .warn('business-rule', 'The doses are those of the timings (TQ1-2): the dose of the order is left out');
  const rate = quantity(segment.at(fields.rate), segment.at(fields.rateUnit));
  const maximum = fields.maximum === undefined ? undefined : maximumOf(segment.at(fields.maximum));
  const route = routeOf(routes);
  const list = timings.length > 0 ? timings : [NO_TIMING];
  const dosages = list.map((timed) => {
    const { asNeeded, timing } = timingOf(timed);
    const dose = ordered ?? (timed.dose && { doseQuantity: timed.dose });
    return compact({
      sequence: timed.sequence ?? undefined,
      text: [sig, ...timed.texts].filter((text) => text !== '').join('; '),
      additionalInstruction: timed.instructions.map((text) => ({ text })),
      timing,
      asNeededBoolean: asNeeded || undefined,
      ...route,
      doseAndRate: present([compact({ ...dose, rateQuantity: rate })]),
      maxDosePerPeriod: maximum,
    });
  });
  return { dosages: present(dosages), priority: timings.find(({ priority }) => priority?.isValued)?.priority };
}

const wordsOf = (cursor: Cursor): string | undefined => {
  const value = concept()(cursor);
  const [first] = (value?.['coding'] ?? []) as readonly Json[];
  return (value?.['text'] ?? first?.['display'] ?? first?.['code']) as string | undefined;
};

function doseOf(segment: SegmentCursor, fields: DoseFields): Json | undefined {
  const unit = segment.at(fields.unit);
  const low = quantity(segment.at(fields.low), unit);
  const high = segment.at(fields.high).isValued ? quantity(segment.at(fields.high), unit) : undefined;
  if (low === undefined || high === undefined)
    return low === undefined && high === undefined ? undefined : { doseQuantity: low ?? high };
  return String(low['value']) === String(high['value']) ? { doseQuantity: low } : { doseRange: { low, high } };
}

/** CQ: a number and its unit in one field. */
const cq = (cursor: Cursor): Json | undefined => (cursor.isValued ? quantity(cursor.at(1), cursor.at(2)) : undefined);

function maximumOf(cursor: Cursor): Json | undefined {
  const numerator = cq(cursor);
  const denominator = { value: 1, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' };
  return numerator && { numerator, denominator };
}

/** The first RXR; its route in the words of FHIR, of SNOMED CT and of the sender. */
function routeOf(routes: readonly SegmentCursor[]): Readonly<Record<string, unknown>> {
  const [first, ...more] = routes;
  for (const { segment, reading } of more)
    reading.issues.push({
      severity: 'warning',
      code: 'not-supported',
      diagnostics: 'Only the first route of an order is mapped',
      expression: [`RXR[${segment.occurrence}]`],
    });
  if (first === undefined) return {};
  const route = concept(ROUTE)(first.at(1));
  const snomed = ROUTE_SNOMED.targets.get(first.field(1).value);
  const codings = (route?.['coding'] ?? []) as readonly Json[];
  return {
    site: concept(BODY_SITE)(first.at(2)),
    route: route && (snomed === undefined ? route : { ...route, coding: [{ ...snomed }, ...codings] }),
    method: concept(ADMINISTRATION_METHOD)(first.at(4)),
  };
}

function timingOf({ patterns, repeat }: Timed): { timing: Json | undefined; asNeeded: boolean } {
  const [first] = patterns;
  const merged = compact({ ...Object.assign({}, ...patterns.map((pattern) => pattern.repeat)), ...repeat });
  // A time of day and an event of the day exclude each other (tim-10).
  const { when, ...rest } = (merged ?? {}) as Record<string, unknown>;
  const safe = 'timeOfDay' in rest || when === undefined ? rest : { ...rest, when };
  const code = patterns.find((pattern) => pattern.code !== undefined)?.code;
  return {
    timing: compact({ repeat: compact(safe), code }),
    asNeeded: first === undefined ? false : patterns.some((pattern) => pattern.asNeeded),
  };
}

/** TQ1 of an order. HL7 v2.5.1 section 4.5.4. */
export const readTimings = (segments: readonly SegmentCursor[]): readonly Timed[] =>
  segments.map((tq1) => ({
    sequence: positive(tq1.at(1)),
    dose: cq(tq1.at(2)),
    patterns: tq1.all(3).map((rpt) => parsePattern(rpt.at(1).at(1).text, rpt.at(1).at(2).value)),
    repeat: compact({
      ...bounds(tq1.at(7), tq1.at(8), durationOf(tq1.at(6))),
      timeOfDay: present(tq1.all(4).map(timeOfDay)),
      count: positive(tq1.at(14)),
    }),
    priority: tq1.at(9).at(1),
    texts: present([tq1.at(11).isValued ? tq1.at(11).value : undefined]),
    instructions: present([tq1.at(10).isValued ? tq1.at(10).value : undefined]),
  }));

/** TQ, the timing of versions before 2.5 (ORC-7, RXE-1). HL7 v2.3.1 section 4.4. */
export const readLegacyTimings = (cursors: readonly Cursor[]): readonly Timed[] =>
  cursors.map((tq, index) => ({
    sequence: cursors.length > 1 ? index + 1 : undefined,
    dose: cq2(tq.at(1)),
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

const NO_TIMING: Timed = {
  sequence: undefined,
  dose: undefined,
  patterns: [],
  repeat: undefined,
  texts: [],
  instructions: [],
};

/** The quantity of a TQ is a component, its unit a subcomponent. */
const cq2 = (cursor: Cursor): Json | undefined => (cursor.isValued ? quantity(cursor.at(1), cursor.at(2)) : undefined);

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
function endAfter(from: string, duration: Json | undefined): string | undefined {
  const size = MILLISECONDS.get(String(duration?.['code']));
  const count = Number(String(duration?.['value']));
  if (size === undefined || !from.includes('T') || !(count > 0 && count < 100_000)) return undefined;
  return new Date(Date.parse(from) + size * count).toISOString().replace('.000Z', 'Z');
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
function clockTime(text: string): string | undefined {
  const [, hour, minute, second = '00'] = /^([01]\d|2[0-3]):?([0-5]\d)(?::?([0-5]\d))?$/.exec(text.trim()) ?? [];
  return hour === undefined ? undefined : `${hour}:${minute}:${second}`;
}
