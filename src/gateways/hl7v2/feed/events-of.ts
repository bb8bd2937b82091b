/** Which message a change is told by. HL7 v2.5.1 chapters 3, 4, 7 and 10; docs/hl7v2.md "Feeds" */

import { documentEvent } from '../../../mapping/hl7v2/outbound/document.ts';
import { isGive } from '../../../mapping/hl7v2/outbound/give.ts';
import { VISIT_EVENTS } from '../../../mapping/hl7v2/outbound/kind-of-bundle.ts';
import type { Resource } from '../../../ports/resource-store.ts';
import type { FeedEvent } from '../../../ports/v2-feed.ts';
import { formatJson } from '../../../standards/fhir/json.ts';

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const same = (a: unknown, b: unknown): boolean => formatJson(a ?? null) === formatJson(b ?? null);

/** A message that tells of a change, and what stands in its ORC-1 for an order that was there before. */
export interface Telling {
  readonly kind: string;
  readonly orderControl?: 'XO' | 'RL';
}

/** Orders are told of as somebody asks and as somebody works them: the partner says which it wants. */
const PRESCRIBED = ['OMP^O09', 'RDE^O11'];
const REQUESTED = ['ORM^O01', 'OML^O21'];

type Rule = (event: FeedEvent) => readonly Telling[];

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['Patient', patientEvents],
  ['AllergyIntolerance', () => tell('ADT^A60')],
  ['Encounter', (event) => tell(`ADT^${visitEvent(event)}`)],
  ['Appointment', (event) => tell(`SIU^${appointmentEvent(event)}`)],
  ['MedicationRequest', (event) => orderEvents(event, PRESCRIBED)],
  ['ServiceRequest', (event) => orderEvents(event, REQUESTED)],
  ['MedicationDispense', (event) => (SUPPLIED.has(statusOf(event)) ? tell('RDS^O13') : [])],
  ['MedicationAdministration', (event) => (GIVEN.has(statusOf(event)) ? tell('RAS^O17') : [])],
  ['Task', giveEvents],
  ['Immunization', (event) => (VACCINATED.has(statusOf(event)) ? tell('VXU^V04') : [])],
  ['DocumentReference', documentEvents],
  ['Account', accountEvents],
  ['ChargeItem', (event) => (CHARGED.has(statusOf(event)) ? tell('DFT^P03') : [])],
  ['Practitioner', () => tell('MFN^M02')],
  // A role that is gone is told of by nothing: the person is not gone.
  ['PractitionerRole', ({ current }) => (current === undefined ? [] : tell('MFN^M02'))],
  ['Location', () => tell('MFN^M05')],
  ['DiagnosticReport', (event) => (REPORTED.has(statusOf(event)) ? tell('ORU^R01') : [])],
]);

/** Types of resources whose changes are told. */
export const TOLD_TYPES: ReadonlySet<string> = new Set(RULES.keys());

/** None where the change is nothing that is told: a draft, a plan, an order for a report. */
export const tellingsOf = (event: FeedEvent): readonly Telling[] => RULES.get(event.type)?.(event) ?? [];

const tell = (kind: string): readonly Telling[] => [{ kind }];

/** A resource that was deleted was an error. */
const statusOf = ({ current }: FeedEvent): string =>
  current === undefined ? 'entered-in-error' : text(current['status']);

/** `Patient/1` of the record that this one gave way to. */
export function replacedBy(patient: Resource | undefined): string | undefined {
  const link = list(patient?.['link']).find(({ type }) => type === 'replaced-by');
  return text((link?.['other'] as Json | undefined)?.['reference']) || undefined;
}

/** A record that gave way is told of once; from then on the one that stays is the person's. */
function patientEvents({ current, previous }: FeedEvent): readonly Telling[] {
  const [now, before] = [replacedBy(current), replacedBy(previous)];
  if (now !== undefined) return now === before ? [] : tell('ADT^A40');
  if (current === undefined) return before === undefined ? tell('ADT^A29') : [];
  if (before !== undefined) return tell('ADT^A37');
  return tell(previous === undefined ? 'ADT^A28' : 'ADT^A31');
}

/** The visit begins: by class, as table 0004 has it. */
const INPATIENT = new Set(['IMP', 'ACUTE', 'NONAC', 'SS', 'OBSENC']);
const isInpatient = (visit: Json | undefined): boolean =>
  INPATIENT.has(text((visit?.['class'] as Json | undefined)?.['code']));

function visitEvent(event: FeedEvent): string {
  const { current, previous } = event;
  const [now, before] = [statusOf(event), text(previous?.['status'])];
  if (now === before) {
    if (isInpatient(current) !== isInpatient(previous)) return isInpatient(current) ? 'A06' : 'A07';
    return same(placesOf(current), placesOf(previous)) ? 'A08' : 'A02';
  }
  if (now === 'in-progress' && before === 'finished') return 'A13';
  if (now === 'in-progress' && before === 'onleave') return 'A22';
  if (now === 'cancelled' && before === 'planned') return 'A38';
  if (now === 'in-progress') return isInpatient(current) ? 'A01' : 'A04';
  return VISIT_EVENTS.get(now) ?? 'A08';
}

/** Where the patient is. */
const placesOf = (visit: Json | undefined): unknown =>
  list(visit?.['location'])
    .filter(({ status = 'active' }) => status === 'active')
    .map(({ location }) => location);

const APPOINTMENT_STATES = new Map([
  ['cancelled', 'S15'],
  ['entered-in-error', 'S17'],
  ['noshow', 'S26'],
]);

function appointmentEvent(event: FeedEvent): string {
  const { current, previous } = event;
  const [now, before] = [statusOf(event), text(previous?.['status'])];
  const ended = APPOINTMENT_STATES.get(now);
  if (ended !== undefined) return now === before ? 'S14' : ended;
  if (previous === undefined || (now === 'booked' && !BOOKED_BEFORE.has(before))) return 'S12';
  return same(current?.['start'], previous['start']) && same(current?.['end'], previous['end']) ? 'S14' : 'S13';
}
const BOOKED_BEFORE = new Set(['booked', 'arrived', 'checked-in', 'fulfilled']);

const SUPPLIED = new Set(['completed', 'in-progress', 'cancelled', 'entered-in-error']);
const GIVEN = new Set(['completed', 'in-progress', 'stopped', 'not-done', 'entered-in-error']);
const REPORTED = new Set([
  'partial',
  'preliminary',
  'final',
  'amended',
  'corrected',
  'appended',
  'cancelled',
  'entered-in-error',
]);

/** Intents that ask somebody to do something. */
const ORDERS = new Set(['order', 'original-order', 'reflex-order', 'filler-order', 'instance-order']);

function orderEvents(event: FeedEvent, kinds: readonly string[]): readonly Telling[] {
  const { current, previous } = event;
  if (!ORDERS.has(text((current ?? previous)?.['intent'])) || statusOf(event) === 'draft') return [];
  const before = text(previous?.['status']);
  const orderControl = before === 'on-hold' ? 'RL' : before === 'active' ? 'XO' : undefined;
  return kinds.map((kind) => ({ kind, ...(orderControl && { orderControl }) }));
}

const VACCINATED = new Set(['completed', 'not-done', 'entered-in-error']);
const CHARGED = new Set(['billable', 'billed', 'aborted', 'entered-in-error']);

/** What is to be given is told of as long as nothing has become of it. */
function giveEvents(event: FeedEvent): readonly Telling[] {
  return statusOf(event) === 'requested' && isGive(event.current ?? {}) ? tell('RGV^O15') : [];
}

/** A document that is new, replaces another or adds to it; edited, of another availability, an error. */
function documentEvents(event: FeedEvent): readonly Telling[] {
  const { current, previous } = event;
  if (current === undefined) return tell('MDM^T11');
  if (previous === undefined || current['status'] === 'entered-in-error') return tell(`MDM^${documentEvent(current)}`);
  return tell(current['status'] === previous['status'] ? 'MDM^T08' : 'MDM^T04');
}

/** An account is opened, changed, and ended. */
function accountEvents(event: FeedEvent): readonly Telling[] {
  if (statusOf(event) !== 'active') return tell('BAR^P02');
  return tell(event.previous === undefined ? 'BAR^P01' : 'BAR^P05');
}
