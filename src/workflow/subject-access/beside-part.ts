/** What stands beside the record: what was deleted, messages, and who looked. SECURITY DP-03, AU-13 */
import type { RecordVisit } from '../../ports/audit.ts';
import type { Resource } from '../../ports/resource-store.ts';
import type { DeletedRecord } from '../../ports/subject-access.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { messagePart } from './message-part.ts';
import { dateOf } from './page.ts';
import {
  type CopyRecordParts,
  CopyTooOld,
  contentOf,
  type Found,
  type Item,
  readOrNothing,
  searchRecord,
  subjectOf,
} from './record-part.ts';

const MESSAGES_PAGE = 10;
const VISITS_PAGE = 200;
const DELETED_PAGE = 500;

export async function deletedOf(
  { deleted, baseUrl }: CopyRecordParts,
  patientId: string,
  cursor: string | undefined,
): Promise<Found> {
  const { records, next } = await deleted.list(patientId, DELETED_PAGE, cursor);
  if (records.length === 0) return { items: [], next };
  const id = `deleted-${cursor ?? 'first'}`.replaceAll(/[^A-Za-z0-9.-]/g, '-').slice(0, 64);
  const resource: Resource = {
    resourceType: 'List',
    id,
    status: 'current',
    mode: 'changes',
    title: 'Deleted records',
    subject: { reference: `Patient/${patientId}` },
    entry: records.map(deletedEntry),
  };
  return { items: [{ fullUrl: `${baseUrl}/List/${id}`, title: 'Deleted records', resource }], next };
}

const deletedEntry = ({ type, id, deletedAt }: DeletedRecord) => ({
  // An entry's date is for working lists alone (lst-3).
  flag: { text: `Deleted ${new Date(deletedAt).toISOString()}` },
  deleted: true,
  item: { reference: `${type}/${id}` },
});

/** Messages are found by what they left: a Provenance of the record names each. */
export async function messagesOf(
  parts: CopyRecordParts,
  patientId: string,
  cursor: string | undefined,
): Promise<Found> {
  const { matches, next } = await searchRecord(parts, 'Provenance', patientId, cursor, MESSAGES_PAGE);
  const subject = await subjectOf(parts, patientId, []);
  const items: Item[] = [];
  for (const id of new Set(matches.flatMap((version) => messageIdsOf(contentOf(version))))) {
    const message = await readOrNothing(() => parts.messages.read(parts.caller, id));
    const bundle = message && parts.decode(message);
    const resource = message && bundle && messagePart(parts.transform, message, bundle, subject);
    if (!resource) continue;
    const title = `${message.kind}, ${dateOf(message.receivedAt)}`;
    items.push({ fullUrl: `urn:uuid:${id}`, title, resource });
  }
  return { items, next };
}

interface Sourced {
  readonly entity?: readonly { readonly what?: { readonly identifier?: { readonly value?: string } } }[];
}

const messageIdsOf = (provenance: Resource): readonly string[] =>
  ((provenance as Sourced).entity ?? []).flatMap(
    ({ what }) => /^urn:uuid:([0-9a-f-]{36})$/.exec(what?.identifier?.value ?? '')?.[1] ?? [],
  );

export async function visitsOf(parts: CopyRecordParts, patientId: string, cursor: string | undefined): Promise<Found> {
  const { visits, next } = await parts.visits
    .entriesOfPatient(patientId, VISITS_PAGE, cursor)
    .catch((error: unknown) => {
      if (cursor !== undefined && error instanceof FhirError && error.status === 400) throw new CopyTooOld();
      throw error;
    });
  const names = await organizationNames(parts, visits);
  return {
    items: visits.map((visit, i) => {
      const resource = visitEvent(visit, names, patientId);
      return {
        fullUrl: `urn:mortar:visit:${visit.at}-${i}`,
        title: `${nameOf(visit)}, ${dateOf(visit.at)}`,
        resource,
      };
    }),
    next,
  };
}

/** People who are patients are named to nobody: it may be the patient, or one who shares something with them. */
const nameOf = ({ name, roles }: RecordVisit): string =>
  roles.length > 0 && roles.every((role) => role === 'PATIENT') ? 'You, or another person who may see this' : name;

async function organizationNames(
  { store, caller }: CopyRecordParts,
  visits: readonly RecordVisit[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Set(visits.flatMap(({ organizationIds }) => organizationIds));
  const names = new Map<string, string>();
  for (const id of ids) {
    const version = await readOrNothing(() => store.read(caller, 'Organization', id));
    names.set(id, String((version && contentOf(version)['name']) ?? `Organization ${id}`));
  }
  return names;
}

function visitEvent(visit: RecordVisit, organizations: ReadonlyMap<string, string>, patientId: string): Resource {
  const { at, action, roles, organizationIds, purpose } = visit;
  return {
    resourceType: 'AuditEvent',
    type: { system: 'http://terminology.hl7.org/CodeSystem/audit-event-type', code: 'rest' },
    action,
    recorded: new Date(at).toISOString(),
    outcome: '0',
    ...(purpose !== undefined && {
      purposeOfEvent: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: purpose }] }],
    }),
    agent: [
      { name: nameOf(visit), requestor: true, ...(roles.length > 0 && { role: roles.map((text) => ({ text })) }) },
      ...organizationIds.map((id) => ({
        name: organizations.get(id) ?? id,
        requestor: false,
        type: { text: 'organisation' },
      })),
    ],
    source: { observer: { display: 'Mortar' } },
    entity: [{ what: { reference: `Patient/${patientId}` } }],
  };
}
