/**
 * Follows the change log for Communications that are to be told of outside the app too, and queues a delivery for each
 * channel: rows, jobs and the position move in one transaction, so that a crash neither loses nor doubles one. What writes
 * a Communication knows nothing of channels. docs/notifications.md, SECURITY RL-17
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { ChangeFeed } from '../../ports/change-feed.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { NewDelivery, NoticeBook, NoticeChannel, NoticeGroup, Ways } from '../../ports/notices.ts';
import type { ResourceStore, StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { isConflict } from '../../standards/fhir/outcome.ts';
import { NOTICE_CATEGORY } from '../prescribing/systems.ts';
import type { NoticeKind } from './kinds.ts';
import { basisOf } from './preferences.ts';

/** The job that delivers several, each to somebody else: their ids with commas between. */
export const DELIVER = 'notice-deliver';
/** The job of one that waits apart from others. */
export const DELIVER_ONE = 'notice-deliver-one';
/** The job that tells of all that waits for one recipient by one channel of one kind; one of them waits at a time. */
export const DELIVER_GROUP = 'notice-deliver-group';
const BATCH = 50;
const CONSUMER = 'notices';
const PAGE = 1000;
const TYPES = new Set(['Communication']);
const SERVICE = serviceCaller('notices');
/** A Communication that comes with a message of long ago is no news. */
const NEWS_MS = 24 * 60 * 60_000;

type Node = Readonly<Record<string, unknown>>;

export interface FollowOptions {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly changes: Pick<ChangeFeed, 'read'>;
  readonly book: Pick<NoticeBook, 'waysOf'>;
  readonly kinds: ReadonlyMap<string, NoticeKind>;
  /** Those there is a way for. */
  readonly channels: readonly NoticeChannel[];
  readonly now: () => number;
}

/**
 * Queues what has come since the last turn. Resolves to how many deliveries were queued; the turn is over where another process
 * was first, and the next goes on where the position stands.
 */
export function createNoticeFollow({
  store,
  changes,
  book,
  kinds,
  channels,
  now,
}: FollowOptions): () => Promise<number> {
  return async () => {
    let total = 0;
    for (;;) {
      const page = await changes.read(CONSUMER, TYPES, PAGE);
      if (page.from === page.to) return total;
      const possible = page.versions.flatMap((version) => deliveriesOf(version, kinds, channels, now()));
      const ways = await book.waysOf([...new Set(possible.map(({ recipient }) => recipient))]);
      const deliveries = possible.filter((one) => isWorth(one, ways.get(one.recipient), kinds));
      try {
        await store.transaction(SERVICE, async (tx) => {
          await tx.consumers.advance(CONSUMER, page.from, page.to);
          await tx.jobs.add(jobsOf(await tx.notices.add(deliveries), kinds));
        });
      } catch (error) {
        if (isConflict(error)) return total;
        throw error;
      }
      total += deliveries.length;
      if (!page.isFull) return total;
    }
  };
}

/** Nothing is queued for ways that nobody has opened. That they are still open is asked again as it leaves. */
function isWorth({ kind, channel }: NewDelivery, ways: Ways | undefined, kinds: FollowOptions['kinds']): boolean {
  const known = kinds.get(kind);
  if (!known || !basisOf(known, channel, ways?.preferences)) return false;
  return channel !== 'push' || ways?.hasPush === true;
}

/** Those that go out together with others have one job that waits; the rest is done by the fifty. */
function jobsOf(added: readonly (NewDelivery & { readonly id: string })[], kinds: FollowOptions['kinds']): NewJob[] {
  const isGrouped = ({ kind }: NewDelivery): boolean => kinds.get(kind)?.groupMs !== undefined;
  const ids = added.filter((one) => !isGrouped(one)).map(({ id }) => id);
  const chunks = Array.from({ length: Math.ceil(ids.length / BATCH) }, (_, i) => ids.slice(i * BATCH, (i + 1) * BATCH));
  const groups = new Map(added.filter(isGrouped).map((one) => [groupName(one), deliverGroup(one)]));
  return [...chunks.map((chunk) => ({ kind: DELIVER, payload: { deliveries: chunk.join(',') } })), ...groups.values()];
}

const groupName = ({ recipient, channel, kind }: NoticeGroup): string => `${recipient} ${channel} ${kind}`;

/**
 * What comes while it waits adds none, and what comes once it was taken adds the next, which runs after it.
 * `runAt`: ms UTC; at once without it.
 */
export const deliverGroup = ({ recipient, channel, kind }: NoticeGroup, runAt?: number): NewJob => {
  const name = groupName({ recipient, channel, kind });
  return {
    kind: DELIVER_GROUP,
    key: name,
    gather: name,
    payload: { recipient, channel, kind },
    ...(runAt !== undefined && { runAt }),
  };
};

/** `runAt`: ms UTC; at once without it. */
export const deliverOne = ({ id, ...of }: NoticeGroup & { readonly id: string }, runAt?: number): NewJob => ({
  kind: DELIVER_ONE,
  key: groupName(of),
  gather: id,
  payload: { delivery: id },
  ...(runAt !== undefined && { runAt }),
});

/** One for each channel that may be used; whether it is, and where to, is asked when it leaves. */
export function deliveriesOf(
  { id, versionId, content, operation }: Pick<StoredVersion, 'id' | 'versionId' | 'content' | 'operation'>,
  kinds: ReadonlyMap<string, NoticeKind>,
  channels: readonly NoticeChannel[],
  now: number,
): readonly NewDelivery[] {
  // What was told once is not told again because it was changed.
  if (operation === 'delete' || versionId > 1) return [];
  const communication = parseJson(content) as Node; // stored: it is valid
  const kind = kinds.get(codeOf(communication) ?? '');
  if (!kind || communication['status'] === 'entered-in-error' || isOld(communication, now)) return [];
  const patientId = idIn(communication['subject'], 'Patient');
  return listOf(communication['recipient']).flatMap((recipient) => {
    const type = kind.to.find((one) => idIn(recipient, one) !== undefined);
    if (type === undefined) return [];
    return (
      channels
        // Text messages and browsers are people's.
        .filter((channel) => type !== 'Organization' || channel === 'email')
        .map((channel) => ({
          noticeId: id,
          kind: kind.code,
          recipient: `${type}/${idIn(recipient, type)}`,
          ...(patientId !== undefined && { patientId }),
          channel,
        }))
    );
  });
}

const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated

const codeOf = ({ category }: Node): string | undefined =>
  listOf(category)
    .flatMap(({ coding }) => listOf(coding))
    .filter(({ system }) => system === NOTICE_CATEGORY)
    .map(({ code }) => (typeof code === 'string' ? code : ''))[0];

const isOld = ({ sent }: Node, now: number): boolean => typeof sent === 'string' && Date.parse(sent) < now - NEWS_MS;

function idIn(reference: unknown, type: string): string | undefined {
  const text = (reference as Node | undefined)?.['reference'];
  const [, id] = typeof text === 'string' ? (/^[A-Z][A-Za-z]+\/([A-Za-z0-9.-]{1,64})$/.exec(text) ?? []) : [];
  return typeof text === 'string' && text.startsWith(`${type}/`) ? id : undefined;
}
