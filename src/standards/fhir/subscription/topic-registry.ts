/**
 * The topics of the server and those that were posted. Of one url without a version the newest counts; of two with one url
 * and version the one with the lowest id, so that every process takes the same.
 * https://hl7.org/fhir/R5/references.html#canonical
 */
import { type Issue, issue } from '../outcome.ts';
import { readTopic, type TopicContext } from './read-topic.ts';
import { isTopicResource } from './topic-extensions.ts';
import { TOPICS, type Topic } from './topics.ts';

type Json = Readonly<Record<string, unknown>>;

export interface TopicRegistry {
  /** What a Subscription names, with or without `|version`. */
  find(canonical: string): Topic | undefined;
  /** All that may be subscribed to, the server's own first. */
  list(): readonly Topic[];
  /** What keeps a resource from being stored under this id; nothing for what is no topic. */
  check(id: string, resource: Json): readonly Issue[];
  /** Takes in a stored version; older ones than the known one do nothing. */
  put(id: string, version: number, resource: Json | undefined): void;
  /** Takes away what is not there any more, unless another version than this was put meanwhile. */
  drop(id: string, version: number): void;
  /** Versions of all that are kept, whatever their status. */
  versions(): ReadonlyMap<string, number>;
}

/** Each change is asked of by those that somebody follows; all are kept in memory. */
export const TOPICS_MAX = 200;
/** Of resources seen, so that an older version does not undo a newer one. */
const SEEN_MAX = 10_000;

interface Kept {
  readonly id: string;
  readonly version: number;
  readonly topic?: Topic;
}

export function createTopicRegistry(context: TopicContext): TopicRegistry {
  const kept = new Map<string, Kept>();
  const seen = new Map<string, number>();
  let byCanonical: ReadonlyMap<string, Topic> = new Map();

  function rebuild(): void {
    const found = new Map<string, Topic>();
    const inOrder = [...kept.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    for (const { topic } of inOrder) if (topic && !found.has(canonicalOf(topic))) found.set(canonicalOf(topic), topic);
    byCanonical = found;
  }
  const newestOf = (url: string): Topic | undefined =>
    [...byCanonical.values()]
      .filter((one) => one.url === url)
      .sort((a, b) => compareVersions(b.version ?? '', a.version ?? ''))[0];

  return {
    find: (canonical) =>
      TOPICS.find(({ url }) => url === canonical) ??
      byCanonical.get(canonical.includes('|') ? canonical : `${canonical}|`) ??
      newestOf(canonical),
    list: () => [...TOPICS, ...byCanonical.values()],
    versions: () => new Map([...kept.values()].map(({ id, version }) => [id, version])),
    check(id, resource) {
      if (!isTopicResource(resource)) return [];
      const { value, issues } = readTopic(resource, context);
      if (issues.length > 0) return issues;
      const others = [...kept.values()].filter((one) => one.id !== id);
      const same = value && others.find(({ topic }) => topic && canonicalOf(topic) === canonicalOf(value));
      if (same)
        return [
          issue(
            'duplicate',
            `Basic/${same.id} is an active topic of this url and version: give another`,
            'Basic.extension',
          ),
        ];
      if (others.length >= TOPICS_MAX)
        return [issue('too-costly', `There are at most ${TOPICS_MAX} topics: delete one first`)];
      return [];
    },
    put(id, version, resource) {
      if (version <= (seen.get(id) ?? 0)) return;
      const isTopic = resource !== undefined && isTopicResource(resource);
      if (!isTopic && !kept.has(id)) return;
      seen.delete(id);
      seen.set(id, version);
      if (seen.size > SEEN_MAX) seen.delete(seen.keys().next().value as string); // the oldest; there is one
      if (isTopic) {
        const { value: topic } = readTopic(resource, context, true);
        kept.set(id, { id, version, ...(topic && { topic }) });
      } else kept.delete(id);
      rebuild();
    },
    drop(id, version) {
      if (kept.get(id)?.version !== version) return;
      kept.delete(id);
      rebuild();
    },
  };
}

const canonicalOf = ({ url, version = '' }: Topic): string => `${url}|${version}`;

/** `1.10` is newer than `1.9`, and `2.0.0` than `2.0.0-ballot`. */
function compareVersions(a: string, b: string): number {
  const [[mainA = '', preA], [mainB = '', preB]] = [split(a), split(b)];
  const order = new Intl.Collator('en', { numeric: true }).compare;
  return (
    order(mainA, mainB) || Number(preA === undefined) - Number(preB === undefined) || order(preA ?? '', preB ?? '')
  );
}

function split(version: string): readonly [string?, string?] {
  const dash = version.indexOf('-');
  return dash < 0 ? [version] : [version.slice(0, dash), version.slice(dash + 1)];
}
