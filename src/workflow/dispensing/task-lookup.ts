/**
 * Looks up queues' Tasks by the ids of their tokens: those that are asked for at the same time in one search. A lone one
 * is not delayed, and none is found otherwise than by itself. MISSION M10; SECURITY RX-02
 */
import type { StoredVersion } from '../../ports/resource-store.ts';
import { type FindTaskServices, type FoundTask, findVersions, readTask, tokenIdsOf } from './find-task.ts';

/** Undefined for an id of no stored token. */
export type LookUpTask = (tokenId: string) => Promise<FoundTask | undefined>;

/** So many go together at most. */
const TOGETHER_MAX = 64;
const IN_FLIGHT_MAX = 2;

interface Waiting {
  readonly tokenId: string;
  readonly resolve: (found: FoundTask | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/** `hasOrder`: with their orders. */
export function createTaskLookup(services: FindTaskServices, hasOrder = false): LookUpTask {
  let queue: Waiting[] = [];
  let inFlight = 0;
  let isScheduled = false;

  function pump(): void {
    isScheduled = false;
    while (queue.length > 0 && inFlight < IN_FLIGHT_MAX) {
      const group = queue.slice(0, TOGETHER_MAX);
      queue = queue.slice(TOGETHER_MAX);
      inFlight += 1;
      void lookUp(group).finally(() => {
        inFlight -= 1;
        pump();
      });
    }
  }

  async function lookUp(group: readonly Waiting[]): Promise<void> {
    const ids = [...new Set(group.map(({ tokenId }) => tokenId))];
    try {
      const { matches, included, isWhole } = await findVersions(services, ids, hasOrder);
      // Of one id there are more than there should be: they must not hide those of others.
      if (!isWhole && ids.length > 1) return void (await Promise.all(group.map((one) => lookUp([one]))));
      const found = new Map<string, StoredVersion[]>(ids.map((id) => [id, []]));
      for (const version of matches) for (const id of tokenIdsOf(version)) found.get(id)?.push(version);
      for (const { tokenId, resolve } of group) {
        const [version, another] = found.get(tokenId) ?? [];
        // Two Tasks of one id were not made by approval: neither is believed.
        resolve(version && !another ? readTask(version, services.tokens, included) : undefined);
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return (tokenId) =>
    new Promise((resolve, reject) => {
      queue.push({ tokenId, resolve, reject });
      if (isScheduled) return;
      isScheduled = true;
      setImmediate(pump);
    });
}
