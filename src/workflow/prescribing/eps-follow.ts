/**
 * What the Spine's answers are to the request, the tokens and the pharmacy's queue: a cancellation that is confirmed or
 * refused, a prescription that the Spine does not take; everybody is told. MISSION M9; docs/prescribing.md "EPS"
 */
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import type { Criteria, TransactionWrite } from '../../ports/resource-store.ts';
import { INTERACTIONS } from '../../standards/hl7v3/interaction.ts';
import { stateOf as dispensingState } from '../dispensing/states.ts';
import { type Answered, itemChange, NEVER_SENT, reasonIn, resourcesIn } from '../eps/effects.ts';
import type { EpsFollow } from '../eps/follow.ts';
import type { NoticeCode } from '../notices/kinds.ts';
import { identifierIn, idIn, isOrder, listOf, nodeOf, textIn } from './chart.ts';
import { changed, created, type Found, findAllOf, idQuery, notice } from './desk.ts';
import { notTold } from './eps-dispensed-plan.ts';
import { type Group, groupOf } from './eps-group.ts';
import { notificationOf, withNotification } from './eps-notification.ts';
import { withState } from './request-task.ts';
import { nextState, type RequestState } from './states.ts';

export interface EpsFollowServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly newId: () => string;
  /** ms UTC */
  readonly now: () => number;
}

type Finding = Parameters<EpsFollow>[0];

export function createEpsFollow({ criteriaOf, newId, now }: EpsFollowServices): EpsFollow {
  const desk = { searchOf: criteriaOf };

  const tell = (
    { task, read }: Group,
    kind: NoticeCode,
    text: string,
    recipients: readonly (string | undefined)[],
  ): readonly TransactionWrite[] =>
    [...new Set(recipients)]
      .filter((one) => one !== undefined)
      .map((one) => created({ ...notice(kind, read.patientId, one, text, now(), `Task/${task.id}`), id: newId() }));

  const changeQueue = (entry: Found, status: 'ready' | 'cancelled', why: string): TransactionWrite =>
    changed(entry, ({ statusReason: _before, ...rest }) => ({
      ...rest,
      resourceType: 'Task',
      status,
      ...(status === 'cancelled' && { statusReason: { text: why } }),
      lastModified: new Date(now()).toISOString(),
    }));

  /** The Spine does not take the prescription: its tokens end, and so does the request. */
  async function refusePrescription(tx: Finding, { answer, own }: Answered): Promise<readonly TransactionWrite[]> {
    const mine = new Set(own.map(({ id }) => String(id)));
    const group = await groupOf(desk, tx, own.find(isOrder));
    if (!group) return [];
    const { task, read, orders, queue } = group;
    const why = textIn(reasonIn(answer)['text']) ?? '';
    const open = queue.filter((one) => mine.has(orderIdOf(one)) && isOpen(one));
    const isStanding = read.state === 'approved' || read.state === 'cancelling';
    const told = [`Patient/${read.patientId}`, ...pharmaciesOf(open), prescriberOf(orders), read.owner];
    return [
      ...open.map((one) => changeQueue(one, 'cancelled', why)),
      ...(isStanding
        ? [changed(task, (r) => withState(r, nextState(read.state, 'refuse-prescription'), now(), why))]
        : []),
      ...tell(group, 'prescription-refused', `Prescription ${read.reference} is withdrawn. ${why}`, told),
    ];
  }

  /** One item of a prescription; the request is settled with the last of those that wait. */
  async function answerCancellation(tx: Finding, answered: Answered): Promise<readonly TransactionWrite[]> {
    const itemId = identifierIn(resourcesIn(answered.asked, 'MedicationRequest')[0] ?? {}, ID_SYSTEM.orderItem);
    if (itemId === undefined) return [];
    const [found = []] = await findAllOf(desk, tx, [
      ['MedicationRequest', `identifier=${ID_SYSTEM.orderItem}|${itemId}`],
    ]);
    const [order] = found;
    const group = await groupOf(desk, tx, order?.resource);
    if (!order || !group) return [];
    const { task, read, orders, queue } = group;
    const { status, why } = outcomeOf(answered, String(order.resource['status']));
    const entry = queue.find((one) => orderIdOf(one) === order.id && isOpen(one));
    const isStill = status === 'active' || status === 'on-hold';
    const isHeld = entry !== undefined && dispensingState(entry.resource) === 'held';
    const writes: TransactionWrite[] = [];
    if (entry && !isStill) writes.push(changeQueue(entry, 'cancelled', why));
    if (entry && isStill && isHeld) writes.push(changeQueue(entry, 'ready', why));
    // Of an answer that was lost the effects know nothing.
    if (answered.verdict === 'accepted' && answered.answer === undefined)
      writes.push(changed(order, (r) => ({ ...r, status, statusReason: { text: why } })));
    const isLast = !queue.some((one) => one !== entry && dispensingState(one.resource) === 'held');
    const statuses = orders.map((one) => (one.id === order.id ? status : String(one.resource['status'])));
    const isGone = statuses.every((one) => one === 'cancelled' || one === 'entered-in-error');
    const next = isLast ? settledState(read.state, isGone) : undefined;
    if (next === undefined) {
      // Two answers at the same moment: the second sees what the first did.
      const lastModified = new Date(now()).toISOString();
      return [...writes, ...(writes.length > 0 ? [changed(task, (r) => ({ ...r, lastModified }))] : [])];
    }
    const reason = next === 'cancelled' || status !== 'cancelled' ? why : 'The Spine has not cancelled all of it';
    const told = [`Patient/${read.patientId}`, ...pharmaciesOf(queue), prescriberOf(orders), read.owner];
    const [kind, text]: readonly [NoticeCode, string] =
      next === 'cancelled'
        ? ['prescription-cancelled', `Prescription ${read.reference} is cancelled.`]
        : ['cancellation-refused', `Prescription ${read.reference} could not be cancelled. ${reason}`];
    return [...writes, changed(task, (r) => withState(r, next, now(), reason)), ...tell(group, kind, text, told)];
  }

  /** The Spine knows that an item was dispensed here, or does not want to. */
  async function answerNotification(
    tx: Finding,
    { own, verdict, answer }: Answered,
  ): Promise<readonly TransactionWrite[]> {
    const ids = own.filter((one) => notificationOf(one) !== undefined).map(({ id }) => String(id));
    if (ids.length === 0) return [];
    const [tasks = []] = await findAllOf(desk, tx, [['Task', idQuery(...ids)]]);
    if (verdict === 'accepted') {
      const orderIds = tasks.map(orderIdOf);
      const [orders = []] = await findAllOf(desk, tx, [['MedicationRequest', idQuery(...orderIds)]]);
      const endOf = (order: Found): string | undefined =>
        textIn(nodeOf(tasks.find((one) => orderIdOf(one) === order.id)?.resource['executionPeriod'])['end']);
      return [
        ...tasks.map((one) => changed(one, (task) => withNotification(task, 'notified', now()))),
        ...orders.map((one) => changed(one, itemChange(FULLY_DISPENSED, { dispensedAt: endOf(one) }))),
      ];
    }
    const isSent = verdict === 'refused';
    const why = isSent ? (textIn(reasonIn(answer)['text']) ?? '') : NEVER_SENT;
    return tasks.flatMap((one): readonly TransactionWrite[] => {
      const patientId = idIn(one.resource['for'], 'Patient') ?? '';
      const told = notTold(patientId, one, why, now());
      return [
        changed(one, (task) => withNotification(task, isSent ? 'refused' : 'not-sent', now(), why)),
        ...(told ? [created({ ...told, id: newId() })] : []),
      ];
    });
  }

  return async (tx, answered) => {
    if (answered.kind === INTERACTIONS.DispenseNotification) return answerNotification(tx, answered);
    if (answered.kind === INTERACTIONS.ParentPrescription)
      return answered.verdict === 'refused' ? refusePrescription(tx, answered) : [];
    return answered.kind === INTERACTIONS.CancellationRequest ? answerCancellation(tx, answered) : [];
  };
}

/** Undefined where the request stays as it is: what a practice cancels at the Spine itself was never `cancelling`. */
function settledState(state: RequestState, isGone: boolean): RequestState | undefined {
  if (state === 'cancelling') return nextState(state, isGone ? 'confirm-cancellation' : 'refuse-cancellation');
  if (state === 'approved' && isGone) return nextState(nextState(state, 'cancel'), 'confirm-cancellation');
  return undefined;
}

/** How the order is from now on, and in whose words. */
function outcomeOf({ verdict, answer }: Answered, current: string): { readonly status: string; readonly why: string } {
  if (verdict === 'dead') return { status: current, why: NEVER_SENT };
  if (answer === undefined)
    return { status: verdict === 'accepted' ? 'cancelled' : current, why: 'The Spine has done it' };
  const response = resourcesIn(answer, 'MedicationRequest')[0];
  if (!response) return { status: current, why: textIn(reasonIn(answer)['text']) ?? '' };
  const said = String(response['status']);
  const history = listOf(response['extension']).flatMap(({ extension }) => listOf(extension));
  const coding = nodeOf(history.find(({ url }) => url === 'status')?.['valueCoding']);
  const words = textIn(coding['display']) ?? textIn(coding['code']) ?? said;
  return { status: said === 'unknown' ? current : said, why: `The Spine says: ${words}` };
}

/** Of an item that was handed over in full. */
const FULLY_DISPENSED = '0001';

const orderIdOf = ({ resource }: Found): string => idIn(resource['focus'], 'MedicationRequest') ?? '';
const isOpen = ({ resource }: Found): boolean => ['ready', 'held'].includes(dispensingState(resource));
const pharmaciesOf = (queue: readonly Found[]): readonly (string | undefined)[] =>
  queue.map(({ resource }) => referenceIn(resource['owner']));
const prescriberOf = (orders: readonly Found[]): string | undefined => referenceIn(orders[0]?.resource['requester']);
const referenceIn = (value: unknown): string | undefined => textIn(nodeOf(value)['reference']);
