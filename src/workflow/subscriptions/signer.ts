/** Who signs with the secret of a Subscription: its subscriber, with the rights of this moment. docs/subscriptions.md "Signed" */
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { SubscriptionBook } from '../../ports/subscriptions.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { secretIn } from '../../standards/fhir/subscription/read-subscription.ts';
import type { Plans } from './plans.ts';

export interface Signer {
  readonly key: Buffer;
  /** Undefined when their rights have ended. */
  caller(): Promise<Caller | undefined>;
}

export interface SignerOptions {
  readonly store: Pick<ResourceStore, 'read'>;
  /** May read Subscriptions. */
  readonly service: Caller;
  readonly book: Pick<SubscriptionBook, 'find'>;
  readonly plans: Pick<Plans, 'headers' | 'subscriber'>;
}

export type FindSigner = (subscriptionId: string) => Promise<Signer | undefined>;

/** Of a Subscription that was confirmed and is not off, where it has a secret. */
export function createFindSigner({ store, service, book, plans }: SignerOptions): FindSigner {
  /** The book follows a moment later. */
  async function isCurrent(id: string, version: number): Promise<boolean> {
    try {
      return (await store.read(service, 'Subscription', id)).versionId === version;
    } catch (error) {
      if (error instanceof FhirError && [404, 410].includes(error.status)) return false;
      throw error;
    }
  }

  return async (id) => {
    const found = await book.find(id);
    if (found?.state !== 'active' && found?.state !== 'error') return undefined;
    if (!(await isCurrent(id, found.version))) return undefined;
    const { key } = secretIn(await plans.headers(id, found.version));
    return key && { key, caller: () => plans.subscriber(id, found.version) };
  };
}
