/** HL7 v2 messages as FHIR transactions. Source: HL7 Version 2 to FHIR 1.0.0, https://hl7.org/fhir/uv/v2mappings/ */
import { type Issue, isError, issue } from '../../standards/fhir/outcome.ts';
import { parseDateTime } from '../../standards/hl7v2/date-time.ts';
import { kindOf, type Message } from '../../standards/hl7v2/message.ts';
import type { Segment } from '../../standards/hl7v2/segment.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { type TransactionBundle, type TransactionEntry, transactionBundle } from '../transaction-bundle.ts';
import { mapAdmissions } from './admission.ts';
import { mapScheduling } from './appointment.ts';
import { mapCharges } from './charges.ts';
import type { Json } from './compact.ts';
import { type Reading, SegmentCursor } from './cursor.ts';
import { mapDocument } from './document.ts';
import { Entries } from './entries.ts';
import { EVENTS, type EventRule, type Family } from './events.ts';
import { mapVaccinations } from './immunization.ts';
import { mapPlaces, mapStaff } from './master-file.ts';
import {
  mapDeletion,
  mapIdentifiers,
  mapLinks,
  mapMerges,
  mapMovedIdentifiers,
  mapMoves,
  mapUnlinks,
} from './merge.ts';
import { applyFieldRules, readExtensions } from './partner-rules.ts';
import { mapPharmacy } from './pharmacy.ts';
import { mapResults } from './report.ts';
import { mapOrders } from './service-request.ts';
import type { MappingContext, Translation } from './translation.ts';
import { boundIssues, findUnread, isMappedSegment } from './unread.ts';

const TYPES: ReadonlySet<string> = new Set([...EVENTS.keys()].map((kind) => kind.split('^', 1)[0] as string));

/** Whether messages of this type (MSH-9.1) are mapped at all. */
export const isSupportedType = (type: string): boolean => TYPES.has(type);

/** Whether messages of this type and event (`ADT^A01`) are mapped. */
export const isSupportedEvent = (kind: string): boolean => EVENTS.has(kind);

/**
 * A message as a transaction, with an issue for each thing that could not be mapped. The same message gives the same
 * bundle. An event that is not in `EVENTS` gives an error of code `not-supported`.
 */
export function mapToFhir(sent: Message, context: MappingContext): Mapped<TransactionBundle> {
  const { rules } = context;
  const message = rules === undefined ? sent : applyFieldRules(sent, rules);
  const rule = EVENTS.get(kindOf(message));
  if (rule === undefined) return { issues: [issue('not-supported', 'Messages of this event are not mapped', 'MSH-9')] };
  const missing = checkStructure(message, rule);
  if (missing.length > 0) return { issues: missing };
  const to = openTranslation(message, rule, context);
  MAPS[rule.family](to);
  const { issues } = to.reading;
  const extensions = rules && readExtensions(message, rules, to.reading);
  const { entries } = limitsOf(rule);
  if (to.entries.list.length > entries)
    issues.push(issue('too-costly', `The message is about more than ${entries} things`));
  const failed = issues.some(isError);
  const all = boundIssues([...issues, ...(failed ? [] : findUnread(message, to.reading))]);
  if (failed || to.entries.list.length === 0) return { issues: all };
  return { value: transactionBundle(extended(inOrder(to.entries.list), extensions)), issues: all };
}

const MAPS: Readonly<Record<Family, (to: Translation) => void>> = {
  adt: mapAdmissions,
  charges: mapCharges,
  deletion: mapDeletion,
  document: mapDocument,
  identifiers: mapIdentifiers,
  link: mapLinks,
  merge: mapMerges,
  move: mapMoves,
  'move-identifiers': mapMovedIdentifiers,
  orders: mapOrders,
  pharmacy: mapPharmacy,
  places: mapPlaces,
  results: mapResults,
  scheduling: mapScheduling,
  staff: mapStaff,
  unlink: mapUnlinks,
  vaccination: mapVaccinations,
};

interface Limits {
  readonly segments: number;
  /** Each makes an object of its own. An admission has some 300, a long order 2,000. */
  readonly parts: number;
  /** One message is one transaction. */
  readonly entries: number;
}

const LIMITS: Limits = { segments: 2000, parts: 20_000, entries: 1000 };
/** Results of a day in one message: 5,000 of them are known. */
const RESULT_LIMITS: Limits = { segments: 10_000, parts: 200_000, entries: 6000 };
const limitsOf = ({ family }: EventRule): Limits => (family === 'results' ? RESULT_LIMITS : LIMITS);

/** What the message is about stands first, what it only mentions last. */
const ORDER = ['Patient', 'Encounter', 'Appointment', 'DiagnosticReport', 'MedicationRequest'];
const rankOf = ({ resource, request }: TransactionEntry): number => {
  const rank = ORDER.indexOf(resource.resourceType);
  return rank !== -1 ? rank : request.method === 'PUT' ? ORDER.length : ORDER.length + 1;
};
const inOrder = (entries: readonly TransactionEntry[]): TransactionEntry[] =>
  entries.toSorted((a, b) => rankOf(a) - rankOf(b));

/** The first resource of a type that the message is about has what the partner's file makes of other fields. */
function extended(
  entries: readonly TransactionEntry[],
  extensions: ReadonlyMap<string, readonly Json[]> = new Map(),
): readonly TransactionEntry[] {
  const left = new Map(extensions);
  return entries.map((entry) => {
    const { resource, request } = entry;
    const own = request.method === 'PUT' ? left.get(resource.resourceType) : undefined;
    if (own === undefined) return entry;
    left.delete(resource.resourceType);
    const before = (resource['extension'] ?? []) as readonly Json[];
    return { ...entry, resource: { ...resource, extension: [...before, ...own] } };
  });
}

/** Segments and fields without which nothing can be done; an issue of place and code 100 or 101 in the answer. */
function checkStructure(message: Message, rule: EventRule): readonly Issue[] {
  const issues: Issue[] = [];
  if (message.header.field(10).isEmpty) issues.push(issue('required', 'The message has no control id', 'MSH-10'));
  const { patients = 'one', needs = [] } = rule;
  const pids = message.all('PID');
  if (patients !== 'none' && pids.length === 0)
    issues.push(issue('structure', 'The message has no PID segment', 'PID'));
  for (const pid of pids.slice(0, PATIENTS_MAX))
    if ([2, 3, 4].every((n) => pid.field(n).isEmpty || pid.field(n).isNull))
      issues.push(issue('required', 'The patient has no identifier', `${placeOf(pid)}-3`));
  if (patients === 'one' && pids.length > 1)
    issues.push(issue('structure', 'A message of this event is about one patient', 'PID[2]'));
  for (const id of needs)
    if (message.find(id) === undefined) issues.push(issue('structure', `The message has no ${id} segment`, id));
  const mapped = message.segments.filter(({ id }) => isMappedSegment(id));
  const limits = limitsOf(rule);
  if (mapped.length > limits.segments)
    issues.push(issue('too-costly', `The message has more than ${limits.segments} segments to be mapped`));
  else if (pids.length > PATIENTS_MAX)
    issues.push(issue('too-costly', `The message is about more than ${PATIENTS_MAX} patients`));
  else if (
    hasTooManyParts(
      mapped.map(({ text }) => text),
      limits.parts,
    )
  )
    issues.push(issue('too-costly', `The message has more than ${limits.parts} parts to be mapped`));
  return issues;
}

const PATIENTS_MAX = 100;
const placeOf = ({ id, occurrence }: Segment): string => (occurrence > 1 ? `${id}[${occurrence}]` : id);

/** Counts characters that divide or escape, whatever the message uses for them: each makes an object of its own. */
function hasTooManyParts(texts: readonly string[], most: number): boolean {
  // No text has more parts than characters.
  if (texts.reduce((length, text) => length + text.length, 0) <= most) return false;
  let count = 0;
  for (const text of texts)
    for (let i = 0; i < text.length; i += 1) {
      const code = text.charCodeAt(i);
      const isLetterOrDigit = (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122);
      if (!isLetterOrDigit && code !== 32 && code < 127 && ++count > most) return true;
    }
  return false;
}

function openTranslation(message: Message, rule: EventRule, context: MappingContext): Translation {
  const { header } = message;
  const sender = header.value(4) || header.value(3);
  const country = header.value(17);
  const reading: Reading = {
    issues: [],
    hasRead: false,
    timeZone: context.timeZone,
    offset: parseDateTime(header.value(7))?.offset,
    feed: encodeURIComponent(sender.toWellFormed()),
    isUk: country === '' ? context.timeZone === 'Europe/London' : /^(?:GBR|GB|UK)$/.test(country),
  };
  const evn = message.find('EVN');
  const cursor = evn && new SegmentCursor(evn, reading);
  const times = [cursor?.at(6), cursor?.at(2), new SegmentCursor(header, reading).at(7)];
  const eventTime = times.find((time) => time?.isValued)?.dateTime;
  const { receivedAt } = context;
  return { message, rule, reading, entries: new Entries(), eventTime, receivedAt };
}
