/**
 * The store as the FHIR API writes to it, where prescriptions are handed over against a code or with a photo: what says there
 * that one was dispensed carries neither, and is taken where the pharmacy has confirmed a code. MISSION M10; docs/pharmacy.md
 */

import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { CollectionCodes } from '../../ports/collection-codes.ts';
import type { PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { ResourceStore, TransactionWrite, WriteResult } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { type WriteCheck, withWriteCheck } from '../checked-writes.ts';
import { ruled } from './controlled.ts';
import { type FoundTask, readTask } from './find-task.ts';
import type { Node, Pharmacies } from './pharmacies.ts';
import { isPhotoNeeded, type PhotoRules } from './photo.ts';
import { DISPENSING_CODES } from './queue-entry.ts';
import { stateOf } from './states.ts';

export interface DispenseGuard {
  /** Not audited. */
  readonly plain: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tokens: Pick<PrescriptionTokens, 'open'>;
  readonly pharmacies: Pick<Pharmacies, 'idsOf'>;
  readonly codes: Pick<CollectionCodes, 'isConfirmed'>;
  readonly isCodeNeeded: (found: FoundTask) => boolean;
  readonly photos: PhotoRules;
  /** Of the FHIR API, without a trailing slash. */
  readonly baseUrl: string;
  readonly now: () => number;
}

const SERVICE = serviceCaller('dispensing');
const TYPES: ReadonlySet<string> = new Set(['Task', 'MedicationDispense']);
const NOT_CONFIRMED =
  'This prescription is handed over against a code: POST /api/prescriptions/:id/collection-code, and …/collection-code/confirm with what the patient says, before it is written that it was dispensed';
const NO_PHOTO = 'This prescription is handed over with a photo, by POST /api/prescriptions/dispense';
const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated

/** Looks at what was written before it is committed, and at the entry of the queue as it was before. Throws 422. */
export function withDispenseGuard<S extends ResourceStore>(store: S, guard: () => DispenseGuard): S {
  /** Searches by which the entries are found that this says were dispensed. */
  function entriesOf({ version }: WriteResult): readonly string[] {
    if (!TYPES.has(version.type) || version.operation === 'delete' || version.content === '') return [];
    const resource = parseJson(version.content) as Node; // stored: it is valid
    if (resource['status'] !== 'completed') return [];
    if (version.type === 'Task') return [`_id=${version.id}`];
    const base = `${guard().baseUrl}/`;
    return listOf(resource['authorizingPrescription']).flatMap(({ reference }) => {
      const text = String(reference ?? '');
      const local = text.startsWith(base) ? text.slice(base.length) : text;
      const [, id] = /^MedicationRequest\/([A-Za-z0-9.-]{1,64})(?:\/|$)/.exec(local) ?? [];
      return id === undefined ? [] : [`focus=MedicationRequest/${id}&code=${DISPENSING_CODES}|dispense`];
    });
  }

  async function check(caller: Caller, results: readonly WriteResult[]): Promise<void> {
    const queries = [...new Set(results.flatMap(entriesOf))];
    if (queries.length === 0) return;
    const { plain, searchOf, tokens, pharmacies, codes, isCodeNeeded, photos, now } = guard();
    const pages = await Promise.all(queries.map((query) => plain.search(SERVICE, searchOf('Task', query))));
    const open = pages
      .flatMap(({ matches }) => matches.flatMap((version): FoundTask | readonly [] => readTask(version, tokens) ?? []))
      .filter((found) => stateOf(found.task) === 'ready');
    if (open.some((found) => isPhotoNeeded(photos, found))) throw ruled('photo-missing', NO_PHOTO);
    const coded = open.filter(isCodeNeeded);
    if (coded.length === 0) return;
    const own = await pharmacies.idsOf(caller);
    for (const { token } of coded) {
      const confirmed = await Promise.all(own.map((id) => codes.isConfirmed(token.tokenId, id, now())));
      if (!confirmed.includes(true)) throw ruled('code-missing', NOT_CONFIRMED);
    }
  }

  const writeCheck = (caller: Caller): WriteCheck => ({
    isAsked: (writes) =>
      writes.some((write) => TYPES.has(write.kind === 'create' ? write.resource.resourceType : write.type)),
    check: (results) => check(caller, results),
  });

  /** One write, in a transaction that is undone where it is refused. */
  const alone = (caller: Caller, write: TransactionWrite): Promise<WriteResult> =>
    store.transaction(caller, async (tx) => {
      const results = await tx.write([write]);
      await check(caller, results);
      return results[0] as WriteResult; // one was written
    });

  const wrapped: Pick<ResourceStore, 'create' | 'update' | 'transaction'> = {
    create: (caller, resource, id) =>
      TYPES.has(resource.resourceType)
        ? alone(caller, { kind: 'create', resource, id })
        : store.create(caller, resource, id),
    update: (caller, type, id, change, options) =>
      TYPES.has(type)
        ? alone(caller, { kind: 'update', operation: 'update', type, id, change, ...options })
        : store.update(caller, type, id, change, options),
    transaction: (caller, work, options) =>
      store.transaction(caller, (tx) => work(withWriteCheck(tx, writeCheck(caller))), options),
  };
  return { ...store, ...wrapped };
}
