/** The record itself, page by page: what is in the patient's compartment, redacted, with the files it points at. SECURITY DP-03 */

import type { AuditRows } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import type { Resource, ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { DeletedRecords } from '../../ports/subject-access.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { DESCEND, type Transform } from '../../standards/fhir/transform.ts';
import { headingOf } from './page.ts';
import { redact } from './redact.ts';
import { identifiersOf, referencesOf, type Subject } from './reference-target.ts';

export interface CopyRecordParts {
  /** Not the audited one: the whole copy is one entry of the trail. */
  readonly store: Pick<ResourceStore, 'read' | 'search'>;
  /** May read everything. */
  readonly caller: Caller;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** Of the Patient compartment, the Patient first. */
  readonly types: readonly string[];
  /** Of types outside the compartment: the parameters that may say whose they are. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  readonly messages: Pick<MessageLog, 'read'>;
  /** The message as a Bundle; undefined where it cannot be read. */
  readonly decode: (message: StoredMessage) => Resource | undefined;
  readonly visits: Pick<AuditRows, 'entriesOfPatient'>;
  readonly deleted: DeletedRecords;
  readonly transform: Transform;
  readonly baseUrl: string;
  readonly now: () => number;
}

/** The paging link of an earlier run is too old: the copy begins anew. */
export class CopyTooOld extends Error {}

/** One thing in the copy. */
export interface Item {
  readonly fullUrl: string;
  readonly title: string;
  readonly resource: Resource;
}

export interface Found {
  readonly items: readonly Item[];
  readonly next: string | undefined;
}

/** Resources a page; one may be as large as a request's body. */
const PAGE = 40;

/** What leads from a patient to resources of a type: a parameter, or the compartment. */
type Way = string | undefined;

const waysOf = ({ beside }: CopyRecordParts, type: string): readonly Way[] => beside.get(type) ?? [undefined];

export async function resourcesOf(
  parts: CopyRecordParts,
  type: string,
  patientId: string,
  cursor: string | undefined,
  way?: Way,
): Promise<Found> {
  const { matches, next } = await searchRecord(parts, type, patientId, cursor, PAGE, way);
  const ways = waysOf(parts, type);
  const ids = matches.map(({ id }) => id);
  // What another way led to is in the copy already.
  const before = new Set(await ownOf(parts, type, ids, patientId, ways.slice(0, ways.indexOf(way))));
  const resources = matches.filter(({ id }) => !before.has(`${type}/${id}`)).map(contentOf);
  const subject = await subjectOf(parts, patientId, resources);
  const redacted = resources.flatMap((resource) => redact(parts.transform, resource, subject) ?? []);
  const binaries = type === 'Binary' ? [] : await binariesOf(parts, redacted, subject);
  return { items: [...redacted, ...binaries].map((resource) => itemOf(parts, resource)), next };
}

const itemOf = ({ baseUrl }: CopyRecordParts, resource: Resource): Item => ({
  fullUrl: `${baseUrl}/${resource.resourceType}/${resource['id']}`,
  title: titleOf(resource),
  resource,
});

/** What a record is about, and when, in a line. */
function titleOf(resource: Resource): string {
  const concept = ['code', 'type', 'medicationCodeableConcept', 'vaccineCode', 'serviceType', 'category']
    .map((name) => resource[name])
    .flatMap((value) => (Array.isArray(value) ? value.slice(0, 1) : [value]))
    .map((value) => value as { text?: string; coding?: readonly { display?: string; code?: string }[] } | undefined)
    .map((value) => value?.text ?? value?.coding?.[0]?.display ?? value?.coding?.[0]?.code)
    .find((text) => text !== undefined);
  const when = [
    'start',
    'effectiveDateTime',
    'authoredOn',
    'recordedDate',
    'occurrenceDateTime',
    'date',
    'recorded',
    'created',
    'sent',
  ]
    .map((name) => resource[name])
    .find((value) => typeof value === 'string');
  return [concept ?? headingOf(resource.resourceType), ...(when === undefined ? [] : [String(when).slice(0, 10)])].join(
    ', ',
  );
}

export async function searchRecord(
  parts: CopyRecordParts,
  type: string,
  patientId: string,
  cursor: string | undefined,
  count: number,
  way?: Way,
): Promise<{ readonly matches: readonly StoredVersion[]; readonly next?: string }> {
  const request = requestOf(parts, type, patientId, count, way);
  try {
    return await parts.store.search(parts.caller, { ...request, ...(cursor !== undefined && { cursor }) });
  } catch (error) {
    if (cursor !== undefined && error instanceof FhirError && error.status === 400) throw new CopyTooOld();
    throw error;
  }
}

function requestOf(
  { searchOf }: CopyRecordParts,
  type: string,
  patientId: string,
  count: number,
  way: Way,
): SearchRequest {
  if (way !== undefined) return searchOf(type, `_count=${count}&${way}=Patient/${patientId}`);
  const request = searchOf(type, `_count=${count}`);
  const compartment = { kind: 'compartment', compartment: 'Patient', id: patientId } as const;
  return { ...request, conditions: [compartment, ...request.conditions] };
}

export const contentOf = ({ content }: StoredVersion): Resource => parseJson(content) as Resource; // stored text was checked

/** The patient, and which of the resources' references lead to their own record. */
export async function subjectOf(
  parts: CopyRecordParts,
  patientId: string,
  resources: readonly Resource[],
): Promise<Subject> {
  const { transform, baseUrl, types, beside } = parts;
  const asked = new Map<string, Set<string>>();
  for (const resource of resources)
    for (const reference of referencesOf(transform, resource, baseUrl)) {
      const [type = '', id = '', ...more] = reference.split('/');
      if (more.length > 0 || type === 'Patient' || !(types.includes(type) || beside.has(type))) continue;
      asked.set(type, (asked.get(type) ?? new Set()).add(id));
    }
  const own = await Promise.all([...asked].map(([type, ids]) => ownOf(parts, type, [...ids], patientId)));
  const known = new Set(own.flat());
  return {
    selves: new Set([`Patient/${patientId}`]),
    identifiers: new Set(await patientIdentifiers(parts, patientId)),
    baseUrl,
    isOwn: (reference) => known.has(reference),
  };
}

/** Those of the ids that are in the patient's record. */
async function ownOf(
  parts: CopyRecordParts,
  type: string,
  ids: readonly string[],
  patientId: string,
  ways: readonly Way[] = waysOf(parts, type),
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const way of ways)
    for (let at = 0; at < ids.length; at += PAGE) {
      const request = requestOf(parts, type, patientId, PAGE, way);
      const { matches } = await parts.store.search(parts.caller, {
        ...request,
        conditions: [{ kind: 'id', ids: ids.slice(at, at + PAGE) }, ...request.conditions],
      });
      for (const { id } of matches) found.add(`${type}/${id}`);
    }
  return [...found];
}

async function patientIdentifiers({ store, caller }: CopyRecordParts, patientId: string): Promise<readonly string[]> {
  const patient = await readOrNothing(() => store.read(caller, 'Patient', patientId));
  return patient ? identifiersOf(contentOf(patient)) : [];
}

export async function readOrNothing<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
    throw error;
  }
}

/** Files that what is left of the resources points at. */
async function binariesOf(
  parts: CopyRecordParts,
  resources: readonly Resource[],
  subject: Subject,
): Promise<Resource[]> {
  const ids = new Set<string>();
  for (const resource of resources)
    parts.transform(resource, ({ type }, value) => {
      const { url } = type === 'Attachment' ? (value as { readonly url?: string }) : {};
      const id = url === undefined ? undefined : /^(?:.*\/)?Binary\/([A-Za-z0-9.-]{1,64})$/.exec(url)?.[1];
      if (id !== undefined && (url === `Binary/${id}` || url === `${parts.baseUrl}/Binary/${id}`)) ids.add(id);
      return DESCEND;
    });
  const found: Resource[] = [];
  for (const id of ids) {
    const version = await readOrNothing(() => parts.store.read(parts.caller, 'Binary', id));
    const binary = version && contentOf(version);
    const context = (binary?.['securityContext'] as { readonly reference?: string } | undefined)?.reference;
    const isTheirs =
      context === undefined ||
      subject.selves.has(context) ||
      resources.some((one) => `${one.resourceType}/${one['id']}` === context);
    if (binary && isTheirs) found.push(binary);
  }
  return found;
}
