/**
 * How it stands with telling the Spine of what was dispensed here: on the Task of the pharmacy's queue, beside its own
 * state. docs/eps.md "What was dispensed here"; https://hl7.org/fhir/R4/task-definitions.html#Task.businessStatus
 */
import type { Resource } from '../../ports/resource-store.ts';
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';
import { DISPENSING_CODES } from '../dispensing/queue-entry.ts';
import { inputOf } from '../dispensing/tokens.ts';
import { listOf, type Node, nodeOf, textIn } from './chart.ts';

export const EPS_NOTIFICATION = codeSystemUrl('eps-notification');
const STATUSES = ['releasing', 'notifying', 'notified', 'refused', 'not-sent'] as const;

/**
 * `releasing`: the pharmacy asks the Spine for the prescription; `notifying`: the notification is on its way; `notified`:
 * the Spine has it; `refused`: the Spine says no; `not-sent`: something is missing, or the Spine was away for too long.
 */
export type NotificationStatus = (typeof STATUSES)[number];

export interface Notification {
  readonly status: NotificationStatus;
  /** Why it was refused, or not sent. */
  readonly reason?: string;
}

/** Undefined where nothing is to be told, or nothing was done yet. */
export function notificationOf(task: Node): Notification | undefined {
  const business = nodeOf(task['businessStatus']);
  const code = listOf(business['coding']).find(({ system }) => system === EPS_NOTIFICATION)?.['code'];
  const status = STATUSES.find((one) => one === code);
  const reason = textIn(business['text']);
  return status && { status, ...(reason !== undefined && { reason }) };
}

const REASON_MAX = 500;

/** The Task of which the Spine is told, or was not. `at`: ms UTC. */
export const withNotification = (
  task: Resource,
  status: NotificationStatus,
  at: number,
  reason?: string,
): Resource => ({
  ...task,
  businessStatus: {
    coding: [{ system: EPS_NOTIFICATION, code: status }],
    ...(reason !== undefined && { text: reason.slice(0, REASON_MAX) }),
  },
  lastModified: new Date(at).toISOString(),
});

/** The Task of which the Spine is to be told anew. */
export function withoutNotification({ businessStatus: _before, ...task }: Resource, at: number): Resource {
  return { ...task, resourceType: 'Task', lastModified: new Date(at).toISOString() };
}

const RELEASE = 'eps-release';

/** The Spine's answer that gave the prescription to the pharmacy, by its id; undefined while the Spine has not. */
export const releaseIdOf = (task: Node): string | undefined => inputOf(task, RELEASE);

export const withRelease = (task: Resource, releaseId: string): Resource => ({
  ...task,
  input: [
    ...listOf(task['input']),
    { type: { coding: [{ system: DISPENSING_CODES, code: RELEASE }] }, valueString: releaseId },
  ],
});
