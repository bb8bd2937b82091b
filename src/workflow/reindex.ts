/**
 * `$reindex`, step by step: each step is some batches, and keeps where the next goes on. Whoever asked must still be an
 * administrator at each. SECURITY SC-05
 */
import type { AsyncStep, AsyncWork, AsyncWorker } from '../ports/async-requests.ts';
import type { AuditLog } from '../ports/audit.ts';
import type { Caller } from '../ports/caller.ts';
import type { ReindexBatches } from '../ports/reindexing.ts';
import type { FindSubscriber, SubscriptionOwner } from '../ports/subscriptions.ts';
import { forbidden } from '../standards/fhir/outcome.ts';
import { isAdministrator } from './bulk/import.ts';

/** What is made again: all resources of the types, or one. */
export interface ReindexOrder {
  readonly owner: SubscriptionOwner;
  /** URL of the request, for the manifest. */
  readonly request: string;
  readonly types: readonly string[];
  readonly id?: string;
}

export interface ReindexOptions {
  readonly batches: ReindexBatches;
  readonly findCaller: FindSubscriber;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly keptMs?: number;
  /** Resources of a step, about. */
  readonly stepSize?: number;
}

export const REINDEX = 'reindex';
const STEP = 2000;
const KEPT_MS = 24 * 60 * 60 * 1000;

/** `after`: within the type at `type`. */
interface Place {
  readonly type: number;
  readonly after?: string;
  readonly resources: number;
}

export function createReindexWorker(options: ReindexOptions): AsyncWorker {
  const { batches, findCaller, audit, now } = options;
  const stepSize = options.stepSize ?? STEP;

  async function callerOf({ owner }: ReindexOrder, id: string): Promise<Caller> {
    const caller = await findCaller(owner, `reindex-${id}`.slice(0, 64));
    if (!caller || !isAdministrator(caller)) throw forbidden();
    return caller;
  }

  async function advance({ types, id }: ReindexOrder, from: Place, signal: AbortSignal): Promise<Place> {
    const type = types[from.type] as string; // a place is within the types
    if (id !== undefined) {
      await batches.one(type, id, signal);
      return { type: types.length, resources: 1 };
    }
    const { last, count } = await batches.batch(type, from.after, signal);
    const resources = from.resources + count;
    return last === undefined ? { type: from.type + 1, resources } : { type: from.type, after: last, resources };
  }

  async function step({ id, payload, checkpoint }: AsyncWork, signal: AbortSignal): Promise<AsyncStep> {
    const order = payload as unknown as ReindexOrder; // as the door asked for it
    const caller = await callerOf(order, id);
    const from = (checkpoint as unknown as Place | undefined) ?? { type: 0, resources: 0 }; // what the last step left
    let place = from;
    while (place.type < order.types.length && place.resources - from.resources < stepSize) {
      signal.throwIfAborted();
      place = await advance(order, place, signal);
    }
    if (place.type < order.types.length)
      return {
        pieces: [],
        checkpoint: { ...place },
        progress: `${place.resources} resources, ${place.type} of ${order.types.length} types`,
      };
    const detail = { types: order.types.join(' ').slice(0, 200), count: String(place.resources) };
    await audit.record({ kind: 'operation', operation: 'reindex', caller, outcome: 0, rule: 'done', detail });
    return {
      pieces: [],
      result: {
        transactionTime: new Date(now()).toISOString(),
        request: order.request,
        types: order.types.length,
        resources: place.resources,
      },
    };
  }

  return { kind: REINDEX, step, keptMs: options.keptMs ?? KEPT_MS };
}
