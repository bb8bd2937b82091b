/**
 * Which changes are events of a topic for a subscriber: with its rights, as an event tells what the criteria look at. What it
 * could not see before counts as not there. A change is asked once a page by those with the same rights.
 * https://hl7.org/fhir/R5/subscriptiontopic.html, SECURITY CP-06, CP-17
 */
import type { Caller } from '../../ports/caller.ts';
import type { Log } from '../../ports/log.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import { PathError } from '../../standards/fhir/fhirpath/values.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type { Condition, SearchRequest } from '../../standards/fhir/search/request.ts';
import { interactionOf, meetsQuery, type Topic, type Trigger } from '../../standards/fhir/subscription/topics.ts';

export interface TriggersOptions {
  readonly store: Pick<ResourceStore, 'vread'>;
  readonly judge: (caller: Caller, version: StoredVersion, conditions: readonly Condition[]) => Promise<boolean>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly service: Caller;
  readonly log: Log;
}

export interface Triggers {
  /** The version before; undefined where there was none, or it was a deletion. */
  previousOf(version: StoredVersion): Promise<StoredVersion | undefined>;
  /**
   * Whether a change is an event of the topic, for somebody who may see the change. Throws a `FhirError` where its criteria
   * cannot be searched by any more, or (403) by this caller.
   */
  isEvent(caller: Caller, topic: Topic, version: StoredVersion): Promise<boolean>;
}

type Json = Readonly<Record<string, unknown>>;

/** Of one page of changes. */
export function createTriggers({ store, judge, searchOf, service, log }: TriggersOptions): Triggers {
  const previous = new Map<StoredVersion, Promise<StoredVersion | undefined>>();
  const seen = new Map<Caller, Map<StoredVersion, Promise<StoredVersion | undefined>>>();
  const answers = new Map<Caller, Map<Topic, Map<StoredVersion, Promise<boolean>>>>();
  const told = new Set<Topic>();

  const readPrevious = async ({ type, id, versionId }: StoredVersion): Promise<StoredVersion | undefined> => {
    if (versionId <= 1) return undefined;
    const found = await store.vread(service, type, id, versionId - 1).catch(absent);
    return found?.content === '' || found?.operation === 'delete' ? undefined : found;
  };

  const previousSeen = (caller: Caller, version: StoredVersion): Promise<StoredVersion | undefined> =>
    remembered(
      remembered(seen, caller, () => new Map<StoredVersion, Promise<StoredVersion | undefined>>()),
      version,
      async () => {
        const before = await previousOf(version);
        return before && (await judge(caller, before, [])) ? before : undefined;
      },
    );

  async function meets(caller: Caller, trigger: Trigger, topic: Topic, version: StoredVersion): Promise<boolean> {
    const before = await previousSeen(caller, version);
    const now = version.operation === 'delete' ? undefined : version;
    if (!trigger.interactions.has(interactionOf(version.operation, before !== undefined))) return false;
    if (trigger.isMet) {
      try {
        if (!trigger.isMet(contentOf(now), contentOf(before))) return false;
      } catch (error) {
        if (!(error instanceof PathError)) throw error;
        if (!told.has(topic)) log.warn('a change could not be judged by a topic', { topic: topic.url, error });
        told.add(topic);
        return false;
      }
    }
    const { query } = trigger;
    if (!query) return true;
    const sides = { current: now, previous: before };
    return meetsQuery(query, { current: now !== undefined, previous: before !== undefined }, (side, search) =>
      // Asked of a side that is there.
      judge(caller, sides[side] as StoredVersion, searchOf(trigger.type, search).conditions),
    );
  }

  async function ask(caller: Caller, topic: Topic, version: StoredVersion): Promise<boolean> {
    for (const trigger of topic.triggers)
      if (trigger.type === version.type && (await meets(caller, trigger, topic, version))) return true;
    return false;
  }

  const previousOf = (version: StoredVersion): Promise<StoredVersion | undefined> =>
    remembered(previous, version, () => readPrevious(version));

  return {
    previousOf,
    isEvent(caller, topic, version) {
      const byTopic = remembered(answers, caller, () => new Map<Topic, Map<StoredVersion, Promise<boolean>>>());
      const mine = remembered(byTopic, topic, () => new Map<StoredVersion, Promise<boolean>>());
      return remembered(mine, version, () => ask(caller, topic, version));
    },
  };
}

/** Whether a change can be an event at all, before anything is read. */
export const mayTrigger = ({ triggers }: Topic, { type, operation }: StoredVersion): boolean =>
  triggers.some(
    (one) =>
      one.type === type &&
      (operation === 'delete'
        ? one.interactions.has('delete')
        : one.interactions.has('create') || one.interactions.has('update')),
  );

export function remembered<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}

const contentOf = (version: StoredVersion | undefined): Json | undefined =>
  version && (parseJson(version.content) as Json); // as it was stored

export function absent(error: unknown): undefined {
  if (error instanceof FhirError && (error.status === 404 || error.status === 410)) return undefined;
  throw error;
}
