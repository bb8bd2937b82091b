/** What people may ask of data about them: copies, corrections, an end to processing; a piece of the composition root. */

import { createRestrictionJobs } from './jobs/restriction-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import { copyJob, createSubjectAccessJobs } from './jobs/subject-access-jobs.ts';
import type { ContextLog } from './log.ts';
import { createCipher } from './pki/key-file.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { AuditLog, AuditRows } from './ports/audit.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { StoredMessage } from './ports/message-log.ts';
import type { Policy } from './ports/policy.ts';
import type { Resource, ResourceStore } from './ports/resource-store.ts';
import type { BulkStop } from './ports/subject-rights.ts';
import type { Pools } from './postgres/pools.ts';
import type { RidCodec } from './postgres/rid.ts';
import type { OpenStore } from './postgres/store.ts';
import { createCopyBook } from './postgres/subject-access/copy-book.ts';
import { createDeletedRecords } from './postgres/subject-access/deleted-records.ts';
import { createRectifications } from './postgres/subject-access/rectifications.ts';
import { createRestrictions } from './postgres/subject-access/restrictions.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { createPersonApi } from './rest/person-api.ts';
import { createRectificationRoutes } from './rest/rectification-api.ts';
import { createRestrictionRoutes } from './rest/restriction-api.ts';
import { createSubjectAccessRoutes } from './rest/subject-access-api.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { FhirError } from './standards/fhir/outcome.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { createTransform } from './standards/fhir/transform.ts';
import { createCopyRecord } from './workflow/subject-access/copy-record.ts';
import { refusalNote, restrictionFlag } from './workflow/subject-access/notes.ts';

export interface DataSubjectParts {
  readonly pools: Pools;
  /** Not the audited one: a copy is one entry of the trail. */
  readonly store: OpenStore;
  /** For what people look at themselves. */
  readonly audited: Pick<ResourceStore, 'read'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly definitions: Definitions;
  /** Parameters by which types outside the Patient compartment name patients. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  readonly baseUrl: string;
  readonly rids: Pick<RidCodec, 'rid'>;
  /** What a message of the log says, as FHIR. */
  readonly translate: (message: StoredMessage) => Resource | undefined;
  readonly visits: Pick<AuditRows, 'entriesOfPatient'>;
  readonly policy: Policy;
  readonly audit: AuditLog;
  readonly cipher: Cipher;
  readonly now: Clock;
  readonly log: ContextLog;
}

export interface DataSubjects {
  readonly jobs: readonly JobSet[];
  /** Whose data may only be stored: asked by everything that sends data out. */
  readonly stop: BulkStop;
  /** By the beginnings of their paths. */
  readonly doors: (authenticate: Authenticate) => readonly (readonly [prefix: string, handle: RequestHandler])[];
}

const CALLER = serviceCaller('jobs');

export function createDataSubjects(parts: DataSubjectParts): DataSubjects {
  const { pools, store, definitions, baseUrl, policy, audit, cipher, now, log } = parts;
  const book = createCopyBook({ ...pools, cipher, cipherOf: (key) => createCipher([{ number: 1, key }]) });
  const makePage = createCopyRecord({
    store,
    caller: CALLER,
    searchOf: parts.searchOf,
    types: ['Patient', ...Object.keys(definitions.compartments.Patient).filter((type) => type !== 'Patient')],
    beside: parts.beside,
    messages: store.messages,
    decode: parts.translate,
    visits: parts.visits,
    deleted: createDeletedRecords(pools.reads, parts.rids),
    transform: createTransform(definitions),
    baseUrl,
    now,
  });
  const restrictions = createRestrictions(pools, cipher);
  const writer = serviceCaller('subject-rights');
  const put = async (resource: Resource): Promise<void> =>
    void (await store.update(writer, resource.resourceType, String(resource['id']), () => resource));
  const patientExists = (id: string): Promise<boolean> => exists(store, id);
  const access = createSubjectAccessRoutes({
    book,
    begin: (id) => store.jobs.add([copyJob(id)]),
    patientExists,
    now,
  });
  const restriction = createRestrictionRoutes({
    book: restrictions,
    patientExists,
    flag: (entry) => put(restrictionFlag(entry)),
    resume: (patientId) => store.jobs.resume(patientId),
    now,
  });
  const rectification = createRectificationRoutes({
    book: createRectifications(pools, cipher),
    versionOf: (patientId, type, id) => versionOf(parts, patientId, type, id),
    mayRead: (caller, type, id) => isThere(() => parts.audited.read(caller, type, id)),
    note: (entry) => put(refusalNote(entry)),
    now,
  });
  return {
    stop: restrictions,
    jobs: [
      createSubjectAccessJobs({ book, jobs: store.jobs, makePage, audit, now, log }),
      createRestrictionJobs(store.jobs, restrictions),
    ],
    doors(authenticate) {
      const onError = (error: unknown): void => log.error('a request failed', { error });
      const api = (routes: typeof access): RequestHandler =>
        createPersonApi({ routes, authenticate, policy, audit, now, onError });
      return [
        ['/api/v2/subject-access', api(access)],
        ['/api/v2/restrictions', api(restriction)],
        ['/api/v2/rectifications', api(rectification)],
      ];
    },
  };
}

async function exists(store: OpenStore, patientId: string): Promise<boolean> {
  try {
    return await isThere(() => store.read(CALLER, 'Patient', patientId));
  } catch (error) {
    if (error instanceof FhirError && error.status === 410) return true; // what is left of the record is theirs
    throw error;
  }
}

/** False where there is none, or the caller may not see it. */
async function isThere(read: () => Promise<unknown>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (error) {
    if (error instanceof FhirError && (error.status === 404 || error.status === 403)) return false;
    throw error;
  }
}

/** The current version of what is in the patient's record. */
async function versionOf(
  { store, searchOf, definitions }: DataSubjectParts,
  patientId: string,
  type: string,
  id: string,
): Promise<number | undefined> {
  if (type !== 'Patient' && !Object.hasOwn(definitions.compartments.Patient, type)) return undefined;
  if (type === 'Patient' && id !== patientId) return undefined; // another's may be linked to it
  const request = searchOf(type, '_count=1');
  const compartment = { kind: 'compartment', compartment: 'Patient', id: patientId } as const;
  const { matches } = await store.search(CALLER, {
    ...request,
    conditions: [{ kind: 'id', ids: [id] }, compartment, ...request.conditions],
  });
  return matches[0]?.versionId;
}
