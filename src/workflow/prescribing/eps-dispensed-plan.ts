/** What is to be written when the Spine is told of what was dispensed: each Task once, whatever was decided of it. docs/eps.md */
import type { Resource, TransactionWrite } from '../../ports/resource-store.ts';
import type { Queued } from '../eps/send.ts';
import { nodeOf, textIn } from './chart.ts';
import { changed, created, type Found, notice } from './desk.ts';
import type { Group } from './eps-group.ts';
import { withNotification } from './eps-notification.ts';

type Change = (task: Resource) => Resource;

export interface Plan {
  change(task: Found, change: Change): void;
  /** The message goes out, in the transaction of the writes. */
  send(task: Found, status: 'releasing' | 'notifying', queued: Queued): void;
  /** The Spine is not told: the pharmacy is. */
  fail(task: Found, status: 'refused' | 'not-sent', reason: string): void;
  readonly messages: readonly { readonly queued: Queued; readonly task: Found }[];
  writes(): readonly TransactionWrite[];
}

export interface PlanFor {
  readonly group: Group;
  /** ms UTC */
  readonly at: number;
  readonly newId: () => string;
}

export function createPlan({ group: { read }, at, newId }: PlanFor): Plan {
  const changes = new Map<Found, readonly Change[]>();
  const notices: Resource[] = [];
  const messages: { readonly queued: Queued; readonly task: Found }[] = [];
  const change = (task: Found, one: Change): void => void changes.set(task, [...(changes.get(task) ?? []), one]);
  return {
    change,
    messages,
    send(task, status, queued) {
      change(task, (one) => withNotification(one, status, at));
      messages.push({ queued, task });
    },
    fail(task, status, reason) {
      change(task, (one) => withNotification(one, status, at, reason));
      const told = notTold(read.patientId, task, reason, at);
      if (told) notices.push({ ...told, id: newId() });
    },
    writes: () => [
      ...[...changes].map(([task, all]) => changed(task, (one) => all.reduce((resource, next) => next(resource), one))),
      ...notices.map(created),
    ],
  };
}

/** To the pharmacy of a queue's Task: the Spine does not know what was dispensed. Undefined where it is nobody's. */
export function notTold(patientId: string, task: Found, reason: string, at: number): Resource | undefined {
  const owner = textIn(nodeOf(task.resource['owner'])['reference']);
  const text = `The Spine does not know that a prescription was dispensed. ${reason}`;
  return owner === undefined
    ? undefined
    : notice('dispense-notification-refused', patientId, owner, text, at, `Task/${task.id}`);
}
