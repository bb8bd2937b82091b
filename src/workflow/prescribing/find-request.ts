/** The request that somebody decides on, and who they are in the record. */
import type { CallerUser } from '../../ports/caller.ts';
import type { StoreTransaction } from '../../ports/resource-store.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import { type Found, findAllOf, idQuery, type Prescribing } from './desk.ts';
import { rulesBroken } from './items.ts';
import { type ReadTask, readRequestTask } from './request-task.ts';
import { REQUEST_REFERENCE } from './systems.ts';

/** All that resources may call the person. */
export const selvesOf = (user: CallerUser): readonly string[] => [
  ...(user.practitionerId === undefined ? [] : [`Practitioner/${user.practitionerId}`]),
  ...user.practitionerRoleIds.map((id) => `PractitionerRole/${id}`),
];

/** Of the person who decides, as resources name them. */
export const selfOf = (user: CallerUser): string => {
  if (user.practitionerId !== undefined) return `Practitioner/${user.practitionerId}`;
  const [role] = user.practitionerRoleIds;
  if (role !== undefined) return `PractitionerRole/${role}`;
  throw rulesBroken([
    { code: 'RX-NO-PRACTITIONER', message: 'Your account names no Practitioner: an administrator adds it' },
  ]);
};

export interface OpenRequest {
  readonly task: Found;
  readonly read: ReadTask;
  /** Of the proposals. */
  readonly proposals: readonly Found[];
}

/** The request, as far as who asks sees it. Throws not-found. */
export async function findRequest(
  desk: Prescribing,
  tx: Pick<StoreTransaction, 'findCurrent'>,
  id: string,
): Promise<OpenRequest> {
  const [tasks = [], proposals = []] = await findAllOf(desk, tx, [
    ['Task', idQuery(id)],
    [
      'MedicationRequest',
      `identifier=${REQUEST_REFERENCE}|REQ-${encodeURIComponent(id.toUpperCase())}&intent=proposal`,
    ],
  ]);
  const [task] = tasks;
  const read = task && readRequestTask(task.resource);
  if (!task || !read) throw notFound('That request');
  return { task, read, proposals: proposals.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}
