/** Counts of a queue for who asks: what a Consent keeps from them is not counted. SECURITY CP-03, FA-06 */
import type { Caller } from '../../ports/caller.ts';
import type { Counted, DispenseQueue, Doubtful, QueueCounts } from '../../ports/dispense-queue.ts';
import type { ConsentAsker, Filter, Policy } from '../../ports/policy.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';

export interface QueueCountServices {
  /** Not audited: nothing of it is shown. */
  readonly visible: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly policy: Pick<Policy, 'filterFor'>;
  readonly queue: Pick<DispenseQueue, 'open' | 'doubtful'>;
}

export interface CallerCounts {
  /** As Consents speak of the caller; none of whom no Consent is asked. */
  askersOf(caller: Caller): readonly ConsentAsker[];
  /** Without what the caller may not see. */
  visibleCounts(caller: Caller, counted: Counted): Promise<QueueCounts>;
  /** What is open at a pharmacy. */
  open(caller: Caller, pharmacyId: string): Promise<QueueCounts>;
  /** Ids of the Tasks of a pharmacy that are kept from the caller, whatever became of them. */
  hidden(caller: Caller, pharmacyId: string): Promise<readonly string[]>;
}

/** Tasks that are looked at in one go, and how many at all: of those beyond it none is counted. */
const CHUNK = 500;
const LOOKED_AT_MAX = 20 * CHUNK;

export function createCallerCounts({ visible, searchOf, policy, queue }: QueueCountServices): CallerCounts {
  const askersOf = (caller: Caller): readonly ConsentAsker[] => askersIn(policy.filterFor(caller, 'Task', 's'));

  async function hiddenAmong(caller: Caller, doubtful: readonly Doubtful[]): Promise<readonly Doubtful[]> {
    const seen = new Set<string>();
    for (let from = 0; from < Math.min(doubtful.length, LOOKED_AT_MAX); from += CHUNK) {
      const ids = doubtful.slice(from, from + CHUNK).map(({ taskId }) => taskId);
      const request = searchOf('Task', `_count=${ids.length}`);
      const conditions: readonly Condition[] = [...request.conditions, { kind: 'id', ids }];
      const { matches } = await visible.search(caller, { ...request, conditions, count: ids.length });
      for (const { id } of matches) seen.add(id);
    }
    return doubtful.filter(({ taskId }) => !seen.has(taskId));
  }

  async function visibleCounts(caller: Caller, { counts, doubtful }: Counted): Promise<QueueCounts> {
    if (doubtful.length === 0) return counts;
    const left = { ...counts };
    // One that was dispensed since they were counted is hidden and counted no more.
    for (const { rank } of await hiddenAmong(caller, doubtful)) left[rank] = Math.max(0, left[rank] - 1);
    return left;
  }

  return {
    askersOf,
    visibleCounts,
    open: async (caller, pharmacyId) => visibleCounts(caller, await queue.open(pharmacyId, askersOf(caller))),
    async hidden(caller, pharmacyId) {
      const askers = askersOf(caller);
      if (askers.length === 0) return [];
      const hidden = await hiddenAmong(caller, await queue.doubtful(pharmacyId, askers));
      return hidden.map(({ taskId }) => taskId);
    },
  };
}

/**
 * A pharmacist of a pharmacy, whoever it is: as its queue is shown there, so the pharmacy itself is told of it. What a Consent
 * keeps from one person by name is theirs alone, and is counted.
 */
export const pharmacyCaller = (pharmacyId: string): Caller => ({
  kind: 'user',
  name: 'pharmacy',
  correlationId: 'pharmacy',
  scopes: [{ level: 'user', type: 'Task', letters: ['r', 's'] }],
  otherScopes: [],
  user: {
    id: 'pharmacy',
    name: 'pharmacy',
    roles: ['PHARMACIST'],
    practitionerRoleIds: [],
    organizationIds: [pharmacyId],
    patientIds: [],
    authTime: 0,
    amr: [],
  },
});

function askersIn(filter: Filter): readonly ConsentAsker[] {
  if (filter.kind === 'undenied') return [filter.asker];
  return filter.kind === 'all' || filter.kind === 'any' ? filter.of.flatMap(askersIn) : [];
}
