/** What happens to prescriptions when nobody does anything: they become ready, expire, and are not claimed in time. */
import {
  currentIssue,
  DONE,
  EXPIRES_TO,
  type Issue,
  ITEM_EXPIRES_TO,
  type ItemStatus,
  type Prescription,
} from './prescription.ts';
import { DAY_MS } from './time.ts';

/** How long after the end of dispensing a claim can come. */
export const CLAIM_DAYS = 180;

/** Changes the prescription to what it is at `now` (ms UTC) and returns it. */
export function letTimePass(prescription: Prescription, now: number): Prescription {
  for (const [index, issue] of prescription.issues.entries()) {
    const before = prescription.issues[index - 1];
    const isTurn = before === undefined || DONE.includes(before.status);
    if ((issue.status === '9000' || issue.status === '9001') && isTurn && now >= issue.availableFrom)
      issue.status = '0001';
    if (now >= issue.expiresAt) expire(issue);
    if (issue.status === '0006' && now >= (issue.completedAt ?? now) + CLAIM_DAYS * DAY_MS) issue.status = '0009';
  }
  return prescription;
}

function expire(issue: Issue): void {
  const status = EXPIRES_TO[issue.status];
  if (status === undefined) return;
  issue.status = status;
  issue.completedAt = issue.expiresAt;
  for (const [id, item] of Object.entries(issue.items)) issue.items[id] = ITEM_EXPIRES_TO[item] ?? item;
}

/** Cancels items of issues that nobody has taken yet; an issue with nothing left is cancelled. */
export function cancelItems(prescription: Prescription, itemIds: readonly string[], now: number): void {
  for (const issue of prescription.issues) {
    if (issue.status !== '0001' && issue.status !== '9000' && issue.status !== '9001') continue;
    for (const id of itemIds) issue.items[id] = '0005';
    const gone: readonly ItemStatus[] = ['0005', '0006'];
    if (!Object.values(issue.items).every((item) => gone.includes(item))) continue;
    issue.status = '0005';
    issue.completedAt = now;
  }
}

/** Cancellations that waited for the dispenser are carried out. */
export function carryOutPending(prescription: Prescription, now: number): void {
  cancelItems(
    prescription,
    prescription.pending.map(({ itemId }) => itemId),
    now,
  );
  prescription.pending.splice(0);
}

/** The issue that a cancellation is about: the first that is not done, else the last. */
export const openIssue = (prescription: Prescription): Issue =>
  prescription.issues.find(({ status }) => !DONE.includes(status)) ?? currentIssue(prescription);
