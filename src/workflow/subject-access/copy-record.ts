/**
 * Makes the copy of a record page by page: every page is a piece of the Bundle and the same piece of the HTML, and says
 * where the next one begins, so that nothing is ever held whole and a copy goes on where it stopped. SECURITY DP-03
 */
import type { AuditRows, RecordVisit } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import type { Resource, ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { CopyCounts, CopyForm, CopyProgress, DeletedRecord, DeletedRecords } from '../../ports/subject-access.ts';
import { formatJson, parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { DESCEND, type Transform } from '../../standards/fhir/transform.ts';
import { messagePart } from './message-part.ts';
import { dateOf, headingOf, pageArticle, pageFoot, pageHead, pageHeading, pageNote } from './page.ts';
import { identifiersOf, redact, referencesOf, type Subject } from './redact.ts';

export interface CopyRecordParts {
  /** Not the audited one: the whole copy is one entry of the trail. */
  readonly store: Pick<ResourceStore, 'read' | 'search'>;
  /** May read everything. */
  readonly caller: Caller;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** Of the Patient compartment, the Patient first. */
  readonly types: readonly string[];
  readonly messages: Pick<MessageLog, 'read'>;
  /** The message as a Bundle; undefined where it cannot be read. */
  readonly decode: (message: StoredMessage) => Resource | undefined;
  readonly visits: Pick<AuditRows, 'entriesOfPatient'>;
  readonly deleted: DeletedRecords;
  readonly transform: Transform;
  readonly baseUrl: string;
  readonly now: () => number;
}

export interface CopyPage {
  readonly page: Readonly<Record<CopyForm, string>>;
  readonly done: CopyProgress;
}

/** The paging link of an earlier run is too old: the copy begins anew. */
export class CopyTooOld extends Error {}

/** One thing in the copy. */
interface Item {
  readonly fullUrl: string;
  readonly title: string;
  readonly resource: Resource;
}

interface Found {
  readonly items: readonly Item[];
  readonly next: string | undefined;
}

type Count = keyof CopyCounts;

interface Step {
  readonly heading: string;
  readonly counts: Count;
  readonly find: (patientId: string, cursor: string | undefined) => Promise<Found>;
}

/** Resources a page; one may be as large as a request's body. */
const PAGE = 40;
const MESSAGES_PAGE = 10;
const VISITS_PAGE = 200;
const DELETED_PAGE = 500;

export const NOTHING_YET: CopyProgress = { page: 0, step: 0, counts: { resources: 0, messages: 0, visits: 0 } };

/** Returns what makes the page after `from`; undefined where there is none. */
export function createCopyRecord(
  parts: CopyRecordParts,
): (patientId: string, from: CopyProgress) => Promise<CopyPage | undefined> {
  const steps: readonly Step[] = [
    ...parts.types.map((type): Step => step(headingOf(type), 'resources', (...of) => resourcesOf(parts, type, ...of))),
    ...BESIDE.map(
      ([type, parameter]): Step =>
        step(headingOf(type), 'resources', (...of) => resourcesOf(parts, type, ...of, parameter)),
    ),
    step('What has been deleted', 'resources', (...of) => deletedOf(parts, ...of)),
    step('Messages about you', 'messages', (...of) => messagesOf(parts, ...of)),
    step('Who looked at your record', 'visits', (...of) => visitsOf(parts, ...of)),
  ];

  return async (patientId, from) => {
    const current = steps[from.step];
    if (!current) return undefined;
    const { items, next } = await current.find(patientId, from.cursor);
    const isLast = next === undefined && from.step === steps.length - 1;
    const counts = { ...from.counts, [current.counts]: from.counts[current.counts] + items.length };
    const isFirst = from.page === 0;
    const total = Object.values(from.counts).reduce((sum, one) => sum + one, 0);
    const entries = items.map(
      ({ fullUrl, resource }) => `{"fullUrl":${JSON.stringify(fullUrl)},"resource":${formatJson(resource)}}`,
    );
    const joined = entries.join(',\n');
    const made = parts.now();
    return {
      page: {
        bundle: [
          isFirst
            ? `{"resourceType":"Bundle","type":"collection","timestamp":"${new Date(made).toISOString()}","entry":[\n`
            : '',
          total > 0 && joined !== '' ? ',\n' : '',
          joined,
          isLast ? '\n]}\n' : '',
        ].join(''),
        html: [
          isFirst ? pageHead(made) : '',
          from.cursor === undefined && (items.length > 0 || current.counts !== 'resources')
            ? pageHeading(current.heading)
            : '',
          from.cursor === undefined && items.length === 0 && current.counts !== 'resources' ? pageNote('None.') : '',
          ...items.map(({ title, resource }) => pageArticle(title, resource)),
          isLast ? pageFoot : '',
        ].join(''),
      },
      done: {
        page: from.page + 1,
        step: next === undefined ? from.step + 1 : from.step,
        ...(next !== undefined && { cursor: next }),
        counts,
      },
    };
  };
}

/** Types outside the compartment that say by this parameter whose they are. */
const BESIDE = [
  ['Task', 'patient'],
  ['Device', 'patient'],
] as const;

const step = (heading: string, counts: Count, find: Step['find']): Step => ({ heading, counts, find });

async function resourcesOf(
  parts: CopyRecordParts,
  type: string,
  patientId: string,
  cursor: string | undefined,
  parameter?: string,
): Promise<Found> {
  const { matches, next } = await search(parts, type, patientId, cursor, PAGE, parameter);
  const resources = matches.map(contentOf);
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

async function search(
  { store, caller, searchOf }: CopyRecordParts,
  type: string,
  patientId: string,
  cursor: string | undefined,
  count: number,
  parameter?: string,
): Promise<{ readonly matches: readonly StoredVersion[]; readonly next?: string }> {
  const request = searchOf(
    type,
    parameter === undefined ? `_count=${count}` : `_count=${count}&${parameter}=Patient/${patientId}`,
  );
  const compartment = { kind: 'compartment', compartment: 'Patient', id: patientId } as const;
  try {
    return await store.search(caller, {
      ...request,
      conditions: [...(parameter === undefined ? [compartment] : []), ...request.conditions],
      ...(cursor !== undefined && { cursor }),
    });
  } catch (error) {
    if (cursor !== undefined && error instanceof FhirError && error.status === 400) throw new CopyTooOld();
    throw error;
  }
}

const contentOf = ({ content }: StoredVersion): Resource => parseJson(content) as Resource; // stored text was checked

/** The patient, and which of the resources' references lead to their own record. */
async function subjectOf(parts: CopyRecordParts, patientId: string, resources: readonly Resource[]): Promise<Subject> {
  const { transform, baseUrl, types } = parts;
  const asked = new Map<string, Set<string>>();
  for (const resource of resources)
    for (const reference of referencesOf(transform, resource, baseUrl)) {
      const [type = '', id = '', ...more] = reference.split('/');
      if (more.length > 0 || type === 'Patient' || !(types.includes(type) || BESIDE.some(([one]) => one === type)))
        continue;
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
): Promise<string[]> {
  const parameter = BESIDE.find(([one]) => one === type)?.[1];
  const { store, caller, searchOf } = parts;
  const found: string[] = [];
  for (let at = 0; at < ids.length; at += PAGE) {
    const some = ids.slice(at, at + PAGE);
    const request = searchOf(
      type,
      parameter === undefined ? `_count=${PAGE}` : `_count=${PAGE}&${parameter}=Patient/${patientId}`,
    );
    const { matches } = await store.search(caller, {
      ...request,
      conditions: [
        { kind: 'id', ids: some },
        ...(parameter === undefined ? [{ kind: 'compartment', compartment: 'Patient', id: patientId } as const] : []),
        ...request.conditions,
      ],
    });
    found.push(...matches.map(({ id }) => `${type}/${id}`));
  }
  return found;
}

async function patientIdentifiers({ store, caller }: CopyRecordParts, patientId: string): Promise<readonly string[]> {
  const patient = await readOrNothing(() => store.read(caller, 'Patient', patientId));
  return patient ? identifiersOf(contentOf(patient)) : [];
}

async function readOrNothing<T>(read: () => Promise<T>): Promise<T | undefined> {
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

async function deletedOf(
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
  deleted: true,
  date: new Date(deletedAt).toISOString(),
  item: { reference: `${type}/${id}` },
});

/** Messages are found by what they left: a Provenance of the record names each. */
async function messagesOf(parts: CopyRecordParts, patientId: string, cursor: string | undefined): Promise<Found> {
  const { matches, next } = await search(parts, 'Provenance', patientId, cursor, MESSAGES_PAGE);
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

async function visitsOf(parts: CopyRecordParts, patientId: string, cursor: string | undefined): Promise<Found> {
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
