/**
 * What of a page of changes a subscriber is to be told: what its search finds with its rights, and the topic calls an event.
 * Those who ask the same with the same rights are answered by one search. SECURITY CP-06, CP-17
 */
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import type { NewEvent } from '../../ports/subscriptions.ts';
import type { SearchPart } from '../../standards/fhir/subscription/topic-filter.ts';
import type { Topic } from '../../standards/fhir/subscription/topics.ts';
import { createTriggers, mayTrigger, remembered, type TriggersOptions } from './triggers.ts';

export interface EventFinderOptions extends TriggersOptions {
  /** Searches of it leave no trail: what a subscriber learns is written down when it is told. */
  readonly store: Pick<ResourceStore, 'search' | 'vread'>;
}

/** What a subscription follows at the moment. */
export interface Followed {
  readonly topic?: Topic;
  /** One a type. */
  readonly parts: readonly SearchPart[];
}

/** The events of one subscription among the versions, in their order. Throws a `FhirError` for what cannot be searched. */
export type FindEvents = (
  subscription: string,
  caller: Caller,
  followed: Followed,
  versions: readonly StoredVersion[],
) => Promise<readonly NewEvent[]>;

const isDeletion = ({ operation }: StoredVersion): boolean => operation === 'delete';

/** Of one page of changes: what was found once is not searched for again. */
export function createEventFinder(options: EventFinderOptions): FindEvents {
  const { store, judge, searchOf, service } = options;
  const triggers = createTriggers(options);
  const searches = new Map<Caller, Map<string, Promise<ReadonlyMap<string, number>>>>();

  /** Current versions by id, of those that the search finds for the caller. */
  const currentOf = (caller: Caller, { type, query }: SearchPart, ids: readonly string[]) => {
    const text = [query, `_id=${ids.join(',')}`, `_count=${ids.length}`].filter((part) => part !== '').join('&');
    const mine = remembered(searches, caller, () => new Map<string, Promise<ReadonlyMap<string, number>>>());
    return remembered(mine, `${type}?${text}`, async () => {
      const { matches } = await store.search(caller, searchOf(type, text));
      return new Map(matches.map(({ id, versionId }) => [id, versionId]));
    });
  };

  /** Those of the versions that are current no more: the search says nothing of what they were. */
  async function replacedOf(type: string, versions: readonly StoredVersion[]): Promise<readonly StoredVersion[]> {
    if (versions.length === 0) return [];
    const latest = await currentOf(service, { type, query: '' }, idsOf(versions));
    return versions.filter(({ id, versionId }) => latest.get(id) !== versionId);
  }

  /** What the subscriber would be told of: found now, or would have been as it was, or as it was before its deletion. */
  async function foundOf(caller: Caller, part: SearchPart, mine: readonly StoredVersion[]) {
    const live = mine.filter((one) => !isDeletion(one));
    const current = live.length === 0 ? new Map<string, number>() : await currentOf(caller, part, idsOf(live));
    const isCurrent = ({ id, versionId }: StoredVersion): boolean => (current.get(id) ?? 0) >= versionId;
    const found = new Set(live.filter(isCurrent));
    const { conditions } = searchOf(part.type, part.query);
    for (const one of await replacedOf(
      part.type,
      live.filter((version) => !isCurrent(version)),
    ))
      if (await judge(caller, one, conditions)) found.add(one);
    for (const one of mine.filter(isDeletion)) {
      const last = await triggers.previousOf(one);
      if (last && (await judge(caller, last, conditions))) found.add(one);
    }
    return found;
  }

  return async (subscription, caller, { topic, parts }, versions) => {
    // R4 tells of what criteria find, which a deletion is not; a topic may tell of it.
    const wanted = versions.filter(
      (version) =>
        parts.some(({ type }) => type === version.type) && (topic ? mayTrigger(topic, version) : !isDeletion(version)),
    );
    const found = new Set<StoredVersion>();
    for (const part of parts) {
      const mine = wanted.filter(({ type }) => type === part.type);
      if (mine.length > 0) for (const one of await foundOf(caller, part, mine)) found.add(one);
    }
    const events: NewEvent[] = [];
    for (const one of wanted) {
      if (!found.has(one) || (topic && !(await triggers.isEvent(caller, topic, one)))) continue;
      const shown = isDeletion(one) ? await triggers.previousOf(one) : one;
      events.push(eventOf(subscription, one, patientsOf(shown ?? one)));
    }
    return events;
  };
}

const idsOf = (versions: readonly StoredVersion[]): readonly string[] => [...new Set(versions.map(({ id }) => id))];

const eventOf = (subscription: string, version: StoredVersion, patients: readonly string[]): NewEvent => ({
  subscription,
  type: version.type,
  resource: version.id,
  version: version.versionId,
  operation: version.operation,
  at: version.lastUpdated,
  patients,
});

const PATIENT = /\bPatient\/([A-Za-z0-9.-]{1,64})/g;

/** Every patient whom the resource names: whoever asks that their data be kept in is among them. SECURITY DP-05 */
function patientsOf({ type, id, content }: StoredVersion): readonly string[] {
  const named = [...content.matchAll(PATIENT)].map(([, found]) => found as string);
  return [...new Set(type === 'Patient' ? [id, ...named] : named)];
}
