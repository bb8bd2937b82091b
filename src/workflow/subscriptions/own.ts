/**
 * A store that keeps, with each version of a Subscription, who wrote it: with those rights it is told. What cannot work is
 * refused at once, and values of header fields are never shown again. SECURITY CP-17, IN-41
 */
import type { Caller } from '../../ports/caller.ts';
import type {
  Resource,
  ResourceStore,
  StoreTransaction,
  TransactionWrite,
  WriteResult,
} from '../../ports/resource-store.ts';
import type { StoredOwner, SubscriptionOwner } from '../../ports/subscriptions.ts';
import { unprocessable } from '../../standards/fhir/outcome.ts';
import {
  maskHeader,
  readSubscription,
  type SubscriptionPlan,
  type TopicBook,
} from '../../standards/fhir/subscription/read-subscription.ts';

export interface OwnedOptions {
  readonly ownerOf: (caller: Caller) => Promise<SubscriptionOwner | undefined>;
  /** Throws for criteria that cannot be searched by, and channels that are not served here. */
  readonly check: (plan: SubscriptionPlan) => void;
  /** Read anew before one of them is named. */
  readonly topics: TopicBook & { refresh(): Promise<void> };
}

const TYPE = 'Subscription';

export function withSubscriptionOwners<S extends ResourceStore>(store: S, { ownerOf, check, topics }: OwnedOptions): S {
  /** As it is stored: waiting to begin, without what is secret. */
  function stamp(resource: Resource, headers: string[]): Resource {
    if (resource['status'] === 'off' && resource.resourceType === TYPE) {
      const { error: _told, ...rest } = resource;
      return masked(rest as Resource);
    }
    const { value, issues } = readSubscription(resource, topics);
    if (value === undefined) throw unprocessable(issues);
    check(value);
    headers.push(...value.headers);
    const { error: _told, ...rest } = resource;
    return masked({ ...rest, status: 'requested' } as Resource);
  }

  async function write(
    tx: StoreTransaction,
    caller: Caller,
    ...[writes, last, beside]: Parameters<StoreTransaction['write']>
  ): Promise<readonly WriteResult[]> {
    if (!writes.some(isSubscription)) return tx.write(writes, last, beside);
    // Another process may have taken one in a moment ago.
    const [owner] = await Promise.all([ownerOf(caller), topics.refresh()]);
    const kept = new Map<number, string[]>();
    const stamped = writes.map((one, i): TransactionWrite => {
      if (!isSubscription(one) || one.kind === 'delete') return one;
      const headers: string[] = [];
      kept.set(i, headers);
      if (one.kind === 'create') return { ...one, resource: stamp(one.resource, headers) };
      if (one.kind === 'make')
        return {
          ...one,
          make() {
            headers.length = 0;
            return stamp(one.make(), headers);
          },
        };
      return {
        ...one,
        change(current) {
          headers.length = 0;
          return stamp(one.change(current), headers);
        },
      };
    });
    const note = async (results: readonly WriteResult[]): Promise<void> => {
      const owned = owner === undefined ? [] : [...kept];
      await Promise.all([
        ...owned.map(([i, headers]) => {
          const { version, outcome } = results[i] as WriteResult; // one a write
          const stored: StoredOwner = { owner: owner as SubscriptionOwner, headers };
          return outcome === 'unchanged' || outcome === 'left-out'
            ? undefined
            : tx.subscriptions.addOwner(version.id, version.versionId, stored);
        }),
        last?.(results),
      ]);
    };
    if (last) return tx.write(stamped, note, beside);
    const results = await tx.write(stamped, undefined, beside);
    await note(results);
    return results;
  }

  const alone = async (caller: Caller, one: TransactionWrite): Promise<WriteResult> => {
    const [result] = await store.transaction(caller, (tx) => write(tx, caller, [one]));
    return result as WriteResult; // one a write
  };

  const wrapped: ResourceStore = {
    ...store,
    create: (caller, resource, id) =>
      resource.resourceType === TYPE
        ? alone(caller, { kind: 'create', resource, id })
        : store.create(caller, resource, id),
    update: (caller, type, id, change, options = {}) =>
      type === TYPE
        ? alone(caller, { kind: 'update', operation: 'update', type, id, change, ...options })
        : store.update(caller, type, id, change, options),
    transaction: (caller, work, options) =>
      store.transaction(
        caller,
        (tx) => work({ ...tx, write: (writes, last, beside) => write(tx, caller, writes, last, beside) }),
        options,
      ),
  };
  return wrapped as S; // the same functions, and what else the store has
}

const isSubscription = (write: TransactionWrite): boolean =>
  write.kind === 'create' ? write.resource.resourceType === TYPE : write.type === TYPE;

function masked(resource: Resource): Resource {
  const channel = resource['channel'] as { readonly header?: readonly string[] } | undefined;
  if (!Array.isArray(channel?.header)) return resource;
  return { ...resource, channel: { ...channel, header: channel.header.map(maskHeader) } };
}
