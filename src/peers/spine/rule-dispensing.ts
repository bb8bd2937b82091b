/** What was dispensed, what was told of it before, and what is taken back. eps/REFERENCE sections 8.2, 8.3 and 8.6. */
import { dispenseError, missing, prescribeError, Refusal, refuse } from './errors.ts';
import {
  DISPENSED_FROM,
  findIssue,
  type Issue,
  ITEM_FROM,
  ITEMS_OF,
  type ItemStatus,
  isItemStatus,
  isStatus,
  type Prescription,
  type Status,
} from './prescription.ts';
import type { Content } from './read-message.ts';
import { issueOf } from './rule-release.ts';
import type { Ruling, World } from './rules.ts';
import { carryOutPending } from './time-passes.ts';

type Supply = Extract<Content, { readonly kind: 'notification' | 'claim' }>;
type Withdraw = Extract<Content, { readonly kind: 'withdraw' }>;

/** The prescription and issue a notification or claim is about, held by its sender. */
export function findSupplied(message: Supply, { book, now }: World): { prescription: Prescription; issue: Issue } {
  const prescription = book.find(message.prescriptionId, now) ?? refuse(prescribeError('0005'));
  if (prescription.uuid !== message.uuid) return refuse(prescribeError('0005'));
  if (message.nhsNumber !== undefined && message.nhsNumber !== prescription.nhsNumber)
    return refuse(missing('NHS number does not match prescription'));
  const issue = findIssue(prescription, message.issue) ?? refuse(prescribeError('0005'));
  if (message.repeatHigh !== undefined && message.repeatHigh !== prescription.issues.length)
    return refuse(prescribeError('0018'));
  const { release } = issue;
  if (release === undefined) return refuse(prescribeError('0012'));
  if (release.odsCode !== message.agent.odsCode) throw new Refusal([dispenseError('0004')], release.agent);
  return { prescription, issue };
}

interface Standing {
  readonly status: Status;
  readonly items: Readonly<Record<string, ItemStatus>>;
}

export function ruleNotification(message: Supply, world: World): Ruling {
  const { prescription, issue } = findSupplied(message, world);
  const { release } = issue;
  if (message.releaseRequestId !== release?.requestId && message.releaseRequestId !== release?.responseId)
    return refuse(missing('release does not pertain to this prescription'));
  const last = issue.notifications.at(-1);
  if (message.replaces !== undefined && message.replaces !== last?.id) return refuse(prescribeError('0021'));
  if (message.replaces !== undefined && issue.status !== '0003') checkLast(prescription, issue);
  const before: Standing =
    message.replaces !== undefined && last !== undefined
      ? last.before
      : { status: issue.status, items: { ...issue.items } };
  const after = dispense(message, before);
  if (message.replaces !== undefined) issue.notifications.pop();
  issue.notifications.push({ id: message.id, at: world.now, before });
  stand(issue, after);
  settle(prescription, issue, world.now);
  return { changed: [prescription], reply: { kind: 'accepted' } };
}

/** What stands after the notification; refuses what cannot follow. */
function dispense({ status, items }: Supply, before: Standing): Standing {
  if (!isStatus(status) || !DISPENSED_FROM[before.status]?.includes(status)) return refuse(prescribeError('0012'));
  const after: Record<string, ItemStatus> = { ...before.items };
  for (const item of items) {
    const from = before.items[item.itemId] ?? refuse(prescribeError('0014'));
    if (!isItemStatus(item.status) || !ITEM_FROM[from]?.includes(item.status)) return refuse(prescribeError('0013'));
    after[item.itemId] = item.status;
  }
  const isAllowed = Object.values(after).every((item) => ITEMS_OF[status]?.includes(item));
  return isAllowed ? { status, items: after } : refuse(prescribeError('0012'));
}

function stand(issue: Issue, { status, items }: Standing): void {
  issue.status = status;
  Object.assign(issue.items, items);
}

/** When dispensing has ended, or is open again. */
function settle(prescription: Prescription, issue: Issue, now: number): void {
  if (issue.status === '0006' || issue.status === '0007') {
    issue.completedAt = now;
    carryOutPending(prescription, now);
  } else delete issue.completedAt;
}

/** Only the end of it all can be changed: a later issue that is out, or a claim, stands on it. */
function checkLast(prescription: Prescription, issue: Issue): void {
  if (issue.status !== '0006' && issue.status !== '0007' && issue.status !== '0003') refuse(prescribeError('0012'));
  const next = findIssue(prescription, issue.number + 1);
  if (next === undefined || next.status === '9000') return;
  if (next.status === '0001') next.status = '9000';
  else refuse(prescribeError('0012'));
}

export function ruleWithdraw(message: Withdraw, { book, now }: World): Ruling {
  const prescription = book.find(message.prescriptionId, now) ?? refuse(dispenseError('0003'));
  if (prescription.nhsNumber !== message.nhsNumber) return refuse(missing('NHS number does not match prescription'));
  const issue = issueOf(prescription, message.issue);
  if (issue.release === undefined) return refuse(prescribeError('0012'));
  if (issue.release.odsCode !== message.odsCode) throw new Refusal([dispenseError('0004')], issue.release.agent);
  const last = issue.notifications.at(-1);
  if (last?.id !== message.notificationId) return refuse(prescribeError('0021'));
  checkLast(prescription, issue);
  issue.notifications.pop();
  stand(issue, last.before);
  settle(prescription, issue, now);
  return { changed: [prescription], reply: { kind: 'accepted' } };
}
