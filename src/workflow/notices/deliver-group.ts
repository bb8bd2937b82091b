/**
 * Tells of all that waits for one recipient by one channel of one kind in one message, unless another left a short while ago:
 * then later, or not at all. Whoever dies between two steps is followed by the same job, which finds what is left.
 * docs/notifications.md; SECURITY RL-15, RL-17, RL-24
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Delivery, NoticeBasis, NoticeBook, NoticeGroup, Ways } from '../../ports/notices.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { ProcessingStop } from '../../ports/subject-rights.ts';
import { deliverGroup, deliverOne } from './follow.ts';
import type { NoticeKind } from './kinds.ts';
import { judge } from './verdict.ts';

type Node = Readonly<Record<string, unknown>>;

export interface GroupDeliveryOptions {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly book: Pick<NoticeBook, 'waysOf' | 'sentTimes' | 'findGroup' | 'settle'>;
  readonly addJobs: (jobs: readonly NewJob[]) => Promise<void>;
  readonly stop: ProcessingStop;
  readonly resourcesOf: (references: readonly string[]) => Promise<ReadonlyMap<string, Node>>;
  /** One message of all these; they are settled by it. */
  readonly send: (those: readonly Delivery[], basis: NoticeBasis, ways: Ways | undefined, who: Node) => Promise<void>;
  readonly now: () => number;
}

const SERVICE = serviceCaller('notices');
/** Told of in one message; what is more comes with the next. */
const GROUP_MAX = 5000;

export function createGroupDelivery(
  options: GroupDeliveryOptions,
): (group: NoticeGroup, kind: NoticeKind) => Promise<void> {
  const { store, book, addJobs, stop, resourcesOf, send, now } = options;

  /** Those whose patients' data may not be sent wait by jobs of their own, and hold nobody else's. Resolves to the others. */
  async function unrestricted(waiting: readonly Delivery[]): Promise<readonly Delivery[]> {
    const patients = new Set(waiting.flatMap(({ patientId }) => patientId ?? []));
    const restricted = await stop.restrictedAmong([...patients]);
    const [held, others] = [[] as Delivery[], [] as Delivery[]];
    for (const one of waiting) (one.patientId !== undefined && restricted.has(one.patientId) ? held : others).push(one);
    await setApart(store, held, (one) => deliverOne(one));
    return others;
  }

  return async (group, kind) => {
    const { recipient } = group;
    const { groupMs = 0, budget } = kind;
    const since = now() - Math.max(groupMs, budget?.perMs ?? 0);
    const [ways, resources, times, waiting] = await Promise.all([
      book.waysOf([recipient]),
      resourcesOf([recipient]),
      book.sentTimes(group, since),
      book.findGroup(group, GROUP_MAX),
    ]);
    const those = await unrestricted(waiting);
    if (those.length > 0) {
      const who = resources.get(recipient);
      const verdict = judge(kind, group, ways.get(recipient), who, now());
      if (verdict.do === 'wait') return addJobs([deliverGroup(group, now() + verdict.ms)]);
      const ids = those.map(({ id }) => id);
      const last = times.at(-1) ?? Number.NEGATIVE_INFINITY;
      if (verdict.do === 'skip') await book.settle(ids, { state: 'skipped', why: verdict.why });
      else if (budget && times.filter((at) => at > now() - budget.perMs).length >= budget.count)
        await book.settle(ids, { state: 'skipped', why: 'in-the-digest' });
      else if (last + groupMs > now()) return addJobs([deliverGroup(group, last + groupMs)]);
      else await send(those, verdict.basis, ways.get(recipient), who as Node); // `judge` has looked
    }
    if (waiting.length === GROUP_MAX) await addJobs([deliverGroup(group)]);
  };
}

/** Each of them that was not apart gets the job, in the transaction in which it is set apart: it has one, and one alone. */
export async function setApart(
  store: Pick<ResourceStore, 'transaction'>,
  those: readonly Delivery[],
  jobOf: (one: Delivery) => NewJob,
): Promise<void> {
  if (those.length === 0) return;
  await store.transaction(SERVICE, async (tx) => {
    const moved = await tx.notices.setApart(those.map(({ id }) => id));
    await tx.jobs.add(those.filter(({ id }) => moved.has(id)).map(jobOf));
  });
}
