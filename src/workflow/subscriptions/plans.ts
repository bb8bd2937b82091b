/** Subscriptions as they are told: the plan of each, with its subscriber as of now. docs/subscriptions.md */
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { FindSubscriber, SubscriptionBook } from '../../ports/subscriptions.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { readSubscription, type SubscriptionPlan } from '../../standards/fhir/subscription/read-subscription.ts';

export interface PlansOptions {
  readonly store: Pick<ResourceStore, 'vread' | 'transaction'>;
  readonly book: SubscriptionBook;
  readonly findSubscriber: FindSubscriber;
  /** May read all, and write Subscriptions. */
  readonly service: Caller;
}

export interface Plans {
  /** Undefined where this version is none that can be told. */
  find(id: string, version: number): Promise<SubscriptionPlan | undefined>;
  headers(id: string, version: number): Promise<readonly string[]>;
  /**
   * The subscriber with the rights of this moment; undefined when they have ended. `known`: who was found a moment ago, by
   * owner; whose subscriptions are many is looked for once.
   */
  subscriber(id: string, version: number, known?: KnownSubscribers): Promise<Caller | undefined>;
  /**
   * Says in the resource how it goes; nothing when it was written anew meanwhile. `isEnded`: nothing more is told until
   * the subscriber writes it again.
   */
  tell(
    id: string,
    version: number,
    status: 'active' | 'error' | 'off',
    error?: string,
    isEnded?: boolean,
  ): Promise<void>;
}

export type KnownSubscribers = Map<string, Promise<Caller | undefined>>;

const CACHE_MAX = 2000;

export function createPlans({ store, book, findSubscriber, service }: PlansOptions): Plans {
  const cache = new Map<string, SubscriptionPlan | undefined>();
  return {
    async find(id, version) {
      const key = `${id}/${version}`;
      if (cache.has(key)) return cache.get(key);
      const { content } = await store.vread(service, 'Subscription', id, version);
      const plan = content === '' ? undefined : readSubscription(parseJson(content) as Record<string, unknown>).value;
      if (cache.size >= CACHE_MAX) cache.clear();
      cache.set(key, plan);
      return plan;
    },
    async headers(id, version) {
      return (await book.findOwner(id, version))?.headers ?? [];
    },
    async subscriber(id, version, known) {
      const owner = await book.findOwner(id, version);
      if (!owner) return undefined;
      const key = JSON.stringify(owner.owner);
      const found = known?.get(key) ?? findSubscriber(owner.owner, `subscription-${id}`.slice(0, 64));
      known?.set(key, found);
      return found;
    },
    async tell(id, version, status, error, isEnded = status === 'off') {
      try {
        await store.transaction(service, async (tx) => {
          const [result] = await tx.write([
            {
              kind: 'update',
              operation: 'update',
              type: 'Subscription',
              id,
              ifMatch: version,
              change: (current) => {
                const { error: _before, ...rest } = current ?? { resourceType: 'Subscription' };
                return { ...rest, resourceType: 'Subscription', status, ...(error !== undefined && { error }) };
              },
            },
          ]);
          const to = result?.version.versionId ?? version;
          await tx.subscriptions.keepOwner(id, version, to, isEnded ? 'off' : status);
        });
      } catch (error) {
        // Written anew or deleted meanwhile: it begins again.
        if (!(error instanceof FhirError && [404, 409, 410, 412].includes(error.status))) throw error;
      }
    },
  };
}
