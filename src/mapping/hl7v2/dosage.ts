/** RXR and the doses of RXO and RXE as Dosage. Source: segment maps TQ1 and RXR[MedicationRequest]. */
import { ADMINISTRATION_METHOD, BODY_SITE, ROUTE, ROUTE_SNOMED } from './code-tables.ts';
import { compact, type Json, present } from './compact.ts';
import type { Cursor, SegmentCursor } from './cursor.ts';
import { concept, quantity, words } from './data-types.ts';
import type { OrderPart } from './order-groups.ts';
import { cq, type Timed } from './timing.ts';

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
  const sig = present(segment.all(fields.sig).map(words)).join(' ');
  const taper = timings.filter(({ dose }) => dose?.isValued).length > 1;
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
    const own = ordered === undefined ? timed.dose && cq(timed.dose) : undefined;
    const dose = ordered ?? (own && { doseQuantity: own });
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

function doseOf(segment: SegmentCursor, fields: DoseFields): Json | undefined {
  const unit = segment.at(fields.unit);
  const low = quantity(segment.at(fields.low), unit);
  const high = segment.at(fields.high).isValued ? quantity(segment.at(fields.high), unit) : undefined;
  if (low === undefined || high === undefined)
    return low === undefined && high === undefined ? undefined : { doseQuantity: low ?? high };
  const [least, most] = [String(low['value']), String(high['value'])];
  if (Number(least) > Number(most)) {
    segment.at(fields.high).tell('error', 'business-rule', 'The most is less than the least: send which dose is meant');
    return undefined;
  }
  return least === most ? { doseQuantity: low } : { doseRange: { low, high } };
}

function maximumOf(cursor: Cursor): Json | undefined {
  const numerator = cq(cursor);
  const denominator = { value: 1, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' };
  return numerator && { numerator, denominator };
}

/** The first RXR; its route in the words of FHIR, of SNOMED CT and of the sender. */
export function routeOf(routes: readonly SegmentCursor[]): Readonly<Record<string, unknown>> {
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
  const { offset: _, ...clock } = rest;
  const safe = 'timeOfDay' in rest ? clock : when === undefined ? rest : { ...rest, when };
  const code = patterns.find((pattern) => pattern.code !== undefined)?.code;
  return {
    timing: compact({ repeat: compact(safe), code }),
    asNeeded: first === undefined ? false : patterns.some((pattern) => pattern.asNeeded),
  };
}

const NO_TIMING: Timed = {
  sequence: undefined,
  patterns: [],
  repeat: undefined,
  texts: [],
  instructions: [],
};
