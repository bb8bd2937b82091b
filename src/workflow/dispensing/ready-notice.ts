/**
 * Tells the patient that a prescription is ready to collect, where somebody has written so into the Task by FHIR. Who says it
 * by `POST /api/prescriptions/:id/ready` has told them already: then nothing is done. MISSION M10, M13; docs/pharmacy.md
 */
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { Resource, ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { notice } from '../prescribing/desk.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import { type FoundTask, readTask } from './find-task.ts';
import type { Node, Pharmacies } from './pharmacies.ts';
import { readyToCollectAt } from './ready-to-collect.ts';
import { stateOf } from './states.ts';

export interface ReadyNoticeOptions {
  readonly store: Pick<ResourceStore, 'read' | 'search' | 'transaction'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tokens: Pick<PrescriptionTokens, 'open'>;
  readonly pharmacies: Pick<Pharmacies, 'find'>;
  readonly now: () => number;
}

const SERVICE = serviceCaller('dispensing');
/** Of one patient since the prescription was issued. */
const NOTICES_MAX = 200;

/** What the patient is told, as a Communication without an id. */
export const readyNotice = (
  { taskId, patientId, token }: Pick<FoundTask, 'taskId' | 'patientId' | 'token'>,
  pharmacyName: string,
  at: number,
): Resource =>
  notice(
    'prescription-ready',
    patientId,
    `Patient/${patientId}`,
    `Prescription ${token.tokenId} is ready to collect from ${pharmacyName}.`,
    at,
    `Task/${taskId}`,
  );

/** For a Task by its id: once, whoever tries, and while it is ready and no later. Throws 404 and 410 where it is gone. */
export function createReadyNotice({
  store,
  searchOf,
  tokens,
  pharmacies,
  now,
}: ReadyNoticeOptions): (taskId: string) => Promise<void> {
  /** The endpoint wrote it with the Task, under an id of no meaning. */
  async function isTold({ taskId, patientId, task }: FoundTask): Promise<boolean> {
    const since = typeof task['authoredOn'] === 'string' ? `&sent=ge${encodeURIComponent(task['authoredOn'])}` : '';
    const query = `subject=Patient/${patientId}&category=${NOTICE_CATEGORY}|prescription-ready${since}&_sort=-sent&_count=${NOTICES_MAX}`;
    const { matches } = await store.search(SERVICE, searchOf('Communication', query));
    return matches.some(({ content }) => {
      const { about = [] } = parseJson(content) as { readonly about?: readonly Node[] }; // stored: it is valid
      return about.some(({ reference }) => reference === `Task/${taskId}`);
    });
  }

  return async (taskId) => {
    const found = readTask(await store.read(SERVICE, 'Task', taskId), tokens);
    const at = now();
    if (found?.pharmacyId === undefined || readyToCollectAt(found.task) === undefined) return;
    if (stateOf(found.task) !== 'ready' || found.token.expiresAt <= at || (await isTold(found))) return;
    const pharmacy = await pharmacies.find(found.pharmacyId);
    const id = nameUuid('ready-to-collect', taskId);
    const resource = { ...readyNotice(found, pharmacy?.name ?? 'your pharmacy', at), id };
    await store.transaction(SERVICE, (tx) =>
      tx.write([
        { kind: 'update', operation: 'update', type: 'Communication', id, change: (current) => current ?? resource },
      ]),
    );
  };
}
