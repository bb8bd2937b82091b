/** Topics that were posted, as this process knows them: read once, then followed with the log that events are found in. */
import type { Caller } from '../../ports/caller.ts';
import type { ChangePage, ChangePosition } from '../../ports/change-feed.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { TOPIC_CODE, TOPIC_SYSTEM } from '../../standards/fhir/subscription/topic-extensions.ts';
import { TOPICS_MAX, type TopicRegistry } from '../../standards/fhir/subscription/topic-registry.ts';

export interface KeptTopicsOptions {
  readonly registry: TopicRegistry;
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** May read all. */
  readonly service: Caller;
}

export interface KeptTopics extends Pick<TopicRegistry, 'find' | 'list' | 'check'> {
  /** Takes in a version that was just committed. */
  note(version: StoredVersion): void;
  /** Reads what there is now. */
  refresh(): Promise<void>;
  /**
   * Takes in what a page of the log says of topics; where another process has read pages meanwhile, reads all anew. The page
   * has the versions of `TOPIC_TYPE` in it.
   */
  follow(page: ChangePage): Promise<void>;
}

export const TOPIC_TYPE = 'Basic';
const PAGE = 200;

export function createKeptTopics({ registry, store, searchOf, service }: KeptTopicsOptions): KeptTopics {
  let last: Pick<ChangePage, 'from' | 'to'> | undefined;

  const note = ({ id, versionId, operation, content }: StoredVersion): void => {
    const resource = operation === 'delete' || content === '' ? undefined : parseJson(content);
    registry.put(id, versionId, resource as Readonly<Record<string, unknown>> | undefined); // stored text was checked
  };

  async function refresh(): Promise<void> {
    const before = registry.versions();
    const found = new Set<string>();
    let request = searchOf(TOPIC_TYPE, `code=${TOPIC_SYSTEM}|${TOPIC_CODE}&_sort=_id&_count=${PAGE}`);
    // Writers that race may be a few over the limit.
    while (found.size < 2 * TOPICS_MAX) {
      const { matches, next } = await store.search(service, request);
      for (const version of matches) {
        found.add(version.id);
        note(version);
      }
      if (next === undefined) break;
      request = { ...request, cursor: next };
    }
    for (const [id, version] of before) if (!found.has(id)) registry.drop(id, version);
  }

  return {
    find: registry.find,
    list: registry.list,
    check: registry.check,
    note,
    refresh,
    async follow(page) {
      const isNext = last !== undefined && (isSame(page.from, last.to) || isSame(page.from, last.from));
      if (!isNext) await refresh();
      for (const version of page.versions) if (version.type === TOPIC_TYPE) note(version);
      last = page;
    },
  };
}

const isSame = (a: ChangePosition, b: ChangePosition): boolean =>
  a.xid === b.xid && a.rid === b.rid && a.versionId === b.versionId;
