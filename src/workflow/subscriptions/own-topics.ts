/**
 * A store that refuses topics which cannot be served, and who may not say what others are told of. Who may write a Basic
 * may write one that is a topic where they are a program, or somebody who writes definitions. SECURITY AZ-01, CP-17
 */
import type { Caller } from '../../ports/caller.ts';
import type { Policy } from '../../ports/policy.ts';
import type { Resource, ResourceStore, TransactionWrite, WriteResult } from '../../ports/resource-store.ts';
import { FhirError, issue, unprocessable } from '../../standards/fhir/outcome.ts';
import { isTopicResource } from '../../standards/fhir/subscription/topic-extensions.ts';
import { type KeptTopics, TOPIC_TYPE } from './kept-topics.ts';

export interface OwnTopicsOptions {
  readonly topics: Pick<KeptTopics, 'check' | 'note'>;
  readonly policy: Pick<Policy, 'decide'>;
}

export function withOwnTopics<S extends ResourceStore>(store: S, { topics, policy }: OwnTopicsOptions): S {
  const mayDefine = (caller: Caller): boolean =>
    caller.kind === 'client' ||
    caller.kind === 'service' ||
    (caller.kind === 'user' && policy.decide(caller, 'SearchParameter', 'u').allowed);

  /** Throws where the resource is a topic, or was one, that this caller may not write or that cannot be served. */
  function checked(caller: Caller, id: string, resource: Resource, before?: Resource): Resource {
    const isTopic = isTopicResource(resource);
    if (!isTopic && !(before && isTopicResource(before))) return resource;
    if (!mayDefine(caller)) throw new FhirError(403, [issue('forbidden', NOT_THEIRS)]);
    const issues = isTopic ? topics.check(id, resource) : [];
    if (issues.length > 0) throw unprocessable(issues);
    return resource;
  }
  function checkedWrite(caller: Caller, write: TransactionWrite): TransactionWrite {
    const writer = write.caller ?? caller;
    if (write.kind === 'create') {
      checked(writer, write.id, write.resource);
      return write;
    }
    if (write.kind === 'delete' || write.type !== TOPIC_TYPE) return write;
    if (write.kind === 'make') return { ...write, make: () => checked(writer, write.id, write.make()) };
    return { ...write, change: (current) => checked(writer, write.id, write.change(current), current) };
  }
  const tell = (results: readonly (WriteResult | undefined)[]): void => {
    for (const result of results)
      if (result?.version.type === TOPIC_TYPE && result.outcome !== 'existing' && result.outcome !== 'left-out')
        topics.note(result.version);
  };

  const wrapped: ResourceStore = {
    ...store,
    async create(caller, resource, id) {
      const result = await store.create(caller, checked(caller, id, resource), id);
      tell([result]);
      return result;
    },
    async update(caller, type, id, change, options) {
      if (type !== TOPIC_TYPE) return store.update(caller, type, id, change, options);
      const result = await store.update(
        caller,
        type,
        id,
        (current) => checked(caller, id, change(current), current),
        options,
      );
      tell([result]);
      return result;
    },
    async delete(caller, type, id, ifMatch) {
      const result = await store.delete(caller, type, id, ifMatch);
      tell([result]);
      return result;
    },
    async transaction(caller, work, options) {
      const written: WriteResult[] = [];
      const made = await store.transaction(
        caller,
        (tx) =>
          work({
            ...tx,
            async write(writes, last, beside) {
              if (!writes.some(mayBeTopic)) return tx.write(writes, last, beside);
              const asked = writes.map((write) => checkedWrite(caller, write));
              const results = await tx.write(asked, last, beside);
              written.push(...results.filter((result) => result?.version.type === TOPIC_TYPE));
              return results;
            },
          }),
        options,
      );
      // Only what was committed counts.
      tell(written);
      return made;
    },
  };
  return wrapped as S; // the same functions, and what else the store has
}

const mayBeTopic = (write: TransactionWrite): boolean =>
  (write.kind === 'create' ? write.resource.resourceType : write.type) === TOPIC_TYPE;

const NOT_THEIRS =
  'A SubscriptionTopic says what others are told of: it is written by programs with system/ scopes, and by administrators';
