/** What a partner is told of a change, by the mapping from FHIR. docs/hl7v2.md "Feeds" */
import { isOwnKey, isPrescriptionNumber } from '../../../mapping/hl7v2/outbound/fields.ts';
import { mapFromFhir } from '../../../mapping/hl7v2/outbound/map-from-fhir.ts';
import type { OutboundContext } from '../../../mapping/hl7v2/outbound/outbound.ts';
import { withRemovals } from '../../../mapping/hl7v2/outbound/removals.ts';
import { restrictTo } from '../../../mapping/hl7v2/outbound/restrict.ts';
import { OWN_NUMBERS } from '../../../mapping/own-numbers.ts';
import type { Resource } from '../../../ports/resource-store.ts';
import type { FeedEvent, FeedProfile, FormattedV2, FormatV2 } from '../../../ports/v2-feed.ts';
import { type Issue, isError, issue } from '../../../standards/fhir/outcome.ts';
import { formatMessage } from '../../../standards/hl7v2/format.ts';
import type { Message } from '../../../standards/hl7v2/message.ts';
import { replacedBy, type Telling, tellingsOf } from './events-of.ts';

type Json = Readonly<Record<string, unknown>>;
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? (value as Json[]) : []);
const referenceOf = (value: unknown): string | undefined => {
  const { reference } = (value ?? {}) as { reference?: unknown };
  return typeof reference === 'string' ? reference.split('/_history/')[0] : undefined;
};

/** Events of a record that is there, whose fields that are gone are sent as `""`. */
const WITH_REMOVALS = new Set(['ADT^A31', 'ADT^A08']);

export const formatEvent: FormatV2 = (event, profile, controlId) => {
  const issues: Issue[] = [];
  const value: FormattedV2[] = [];
  for (const [n, telling] of tellingsOf(event).entries()) {
    if (!isWanted(profile, telling.kind)) continue;
    const made = formatOne(event, telling, profile, controlId(n));
    issues.push(...made.issues);
    if (made.value) value.push({ ...made.value, n });
  }
  return { value, issues };
};

/** `ADT`, `A31` or `ADT^A31`. */
export function isWanted({ kinds }: FeedProfile, kind: string): boolean {
  const [type = '', trigger = ''] = kind.split('^');
  return kinds.has(kind) || kinds.has(type) || (trigger !== '' && kinds.has(trigger));
}

function formatOne(event: FeedEvent, telling: Telling, profile: FeedProfile, controlId: string) {
  const { kind } = telling;
  const focus = withNumber(focusOf(event));
  const people = patientsOf(event, focus, kind);
  const context = contextOf(event, telling, profile, controlId);
  const { value, issues } = mapFromFhir(bundleOf(event, focus, people), context);
  if (value === undefined || issues.some(isError)) return { issues };
  const before = WITH_REMOVALS.has(kind) ? formatBefore(event, people, context) : undefined;
  const whole = before ? withRemovals(value, before) : value;
  const message = profile.fields ? restrictTo(whole, profile.fields) : whole;
  // Staff and places are nobody's.
  const isMaster = kind.startsWith('MFN');
  const patientId = people.find((reference) => reference.startsWith('Patient/'))?.slice('Patient/'.length);
  const formatted = { kind, raw: formatMessage(message), ...(patientId !== undefined && { patientId }) };
  if (people.length > 0 || isMaster) return { value: formatted, issues };
  return { issues: [...issues, issue('not-found', 'Whose it is cannot be told', event.type)] };
}

/** A deleted resource as it was, but that it was an error. */
function focusOf({ current, previous, type }: FeedEvent): Resource {
  if (current !== undefined) return current;
  const was = previous as Resource; // what was deleted was there
  if (type === 'Practitioner') return { ...was, active: false };
  if (type === 'Location') return { ...was, status: 'inactive' };
  if (type !== 'Patient') return { ...was, status: 'entered-in-error' };
  // Of somebody who is here no more only the numbers are told.
  return { resourceType: 'Patient', id: was['id'], identifier: was['identifier'], active: false };
}

function contextOf(
  { at, previous }: FeedEvent,
  { kind, orderControl }: Telling,
  profile: FeedProfile,
  controlId: string,
): OutboundContext {
  return {
    from: { application: profile.sendingApplication, facility: profile.sendingFacility },
    to: { application: profile.receivingApplication, facility: profile.receivingFacility },
    at,
    controlId,
    kind,
    version: profile.version,
    processingId: profile.processingId,
    acknowledgements: { accept: profile.acceptAcknowledgement, application: profile.applicationAcknowledgement },
    characterSet: profile.characterSet,
    ...(orderControl && { orderControl }),
    isNew: previous === undefined,
  };
}

function formatBefore(event: FeedEvent, people: readonly string[], context: OutboundContext): Message | undefined {
  if (event.previous === undefined) return undefined;
  return mapFromFhir(bundleOf(event, withNumber(event.previous), people), context).value;
}

/** Whom the message is about, the one whose queue it goes in first. */
function patientsOf(event: FeedEvent, focus: Resource, kind: string): readonly string[] {
  const own = `Patient/${event.id}`;
  if (kind === 'ADT^A40') return [replacedBy(focus) ?? own, own];
  if (kind === 'ADT^A37') return [own, replacedBy(event.previous) ?? own];
  if (event.type === 'Patient') return [own];
  const named =
    event.type === 'Appointment'
      ? list(focus['participant']).map(({ actor }) => referenceOf(actor))
      : subjectsOf(focus).map(referenceOf);
  return named.filter((reference) => reference?.startsWith('Patient/') === true) as string[]; // no undefined is one
}

/** Whose it is, as its type names them: an Account has several. */
const subjectsOf = (focus: Resource): readonly unknown[] =>
  [focus['subject'] ?? focus['patient'] ?? focus['for']].flat();

/** The visit, as its type names it: a DocumentReference has several. */
function visitOf(focus: Resource): string | undefined {
  const context = focus['context'] as Json | undefined;
  return referenceOf(focus['encounter'] ?? list(context?.['encounter'])[0] ?? context);
}

/** Types of which only what the message is about may be in it, however it is referred to. */
const ALONE = new Set([
  'MedicationAdministration',
  'Appointment',
  'MedicationRequest',
  'MedicationDispense',
  'DiagnosticReport',
  'Encounter',
  'ServiceRequest',
  'Immunization',
  'DocumentReference',
  'Account',
  'ChargeItem',
  'Practitioner',
]);

/** What the message is made of: the resource, and what it refers to as far as that is the same patient's. */
function bundleOf(event: FeedEvent, focus: Resource, people: readonly string[]): Json {
  const visit = visitOf(focus);
  const others = [...event.related].filter(([reference, { resourceType }]) => {
    if (reference === `${event.type}/${event.id}`) return false;
    if (resourceType === 'Patient') return people.includes(reference);
    if (resourceType === 'Encounter') return reference === visit;
    return !(ALONE.has(resourceType) && resourceType === event.type);
  });
  const entry = others.map(([fullUrl, resource]) => ({
    fullUrl,
    resource: NUMBERED.has(resource.resourceType) ? withNumber(resource) : resource,
  }));
  return { resourceType: 'Bundle', type: 'collection', entry: [{ resource: focus }, ...entry] };
}

/** What is told of under the number that its own message gave it. */
const NUMBERED = new Set(['Patient', 'Account', 'MedicationRequest', 'ServiceRequest']);

/** Under which number a thing is told of that has none of its own: our id. */
const NUMBER_TYPES = new Map([
  ['Patient', 'PI'],
  ['Encounter', 'VN'],
  ['Appointment', 'FILL'],
  ['MedicationRequest', 'PLAC'],
  ['MedicationDispense', 'FILL'],
  ['MedicationAdministration', 'FILL'],
  ['DiagnosticReport', 'FILL'],
  ['ServiceRequest', 'PLAC'],
  ['Immunization', 'FILL'],
  ['Practitioner', 'EI'],
  ['Account', 'AN'],
  // Of these a number needs no type.
  ['DocumentReference', ''],
  ['ChargeItem', ''],
]);
const ORDER_NUMBERS: ReadonlySet<unknown> = new Set(['PLAC', 'FILL', undefined]);

function withNumber(resource: Resource): Resource {
  const code = NUMBER_TYPES.get(resource.resourceType);
  const identifiers = list(resource['identifier']);
  const master = list([resource['masterIdentifier']].filter(Boolean));
  const known = [...identifiers, ...master].filter((identifier) => isNumber(identifier));
  const isOrder = code === 'PLAC' || code === 'FILL';
  if (code === undefined || known.some((one) => !isOrder || ORDER_NUMBERS.has(typeOf(one)))) return resource;
  const own = {
    ...(code !== '' && { type: { coding: [{ code }] } }),
    system: OWN_NUMBERS,
    value: resource['id'],
  };
  return { ...resource, identifier: [...identifiers, own] };
}

/** By which others may find the thing. */
const isNumber = (identifier: Json): boolean =>
  typeof identifier['value'] === 'string' && !isOwnKey(identifier) && !isPrescriptionNumber(identifier);

const typeOf = ({ type }: Json): unknown => list((type as Json | undefined)?.['coding'])[0]?.['code'];
