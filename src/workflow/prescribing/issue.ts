/** A prescription without a request. MISSION M9 `POST /api/provider/prescriptions/issue`, `POST /api/v2/prescriptions` */
import type { Caller, CallerUser } from '../../ports/caller.ts';
import { type Node, practiceOf } from './chart.ts';
import type { Decided } from './decide.ts';
import type { Keep, Prescribing } from './desk.ts';
import { selfOf } from './find-request.ts';
import { ending, prepare } from './prepare.ts';
import { requestTask } from './request-task.ts';

export interface ToIssue {
  readonly patientId: string;
  readonly items: readonly Node[];
  readonly pharmacyId?: string;
  readonly encounterId?: string;
  readonly notes?: string;
}

export interface Issued extends Decided {
  /** Of the Task that holds the prescription's items together. */
  readonly id: string;
}

/** Orders, token, queue entries and all else as an approval writes them. Throws 404, 422. */
export async function issuePrescription(
  desk: Prescribing,
  caller: Caller,
  user: CallerUser,
  asked: ToIssue,
  keep: Keep<Issued>,
): Promise<Issued> {
  const { store, now } = desk;
  const catalogue = await desk.openCatalogue();
  return store.transaction(
    caller,
    async (tx) => {
      const at = now();
      const id = store.newId();
      const reference = `REQ-${id.toUpperCase()}`;
      const { patientId, pharmacyId, encounterId, notes } = asked;
      const optional = { ...(pharmacyId !== undefined && { pharmacyId }), ...(notes !== undefined && { notes }) };
      const prepared = await prepare(desk, tx, catalogue, {
        caller,
        user,
        patientId,
        items: asked.items,
        reference,
        taskId: id,
        at,
        list: 'items',
        basedOn: [],
        ...optional,
        ...(encounterId !== undefined && { encounterId }),
      });
      const owner = practiceOf(prepared.approval.patient) ?? selfOf(user);
      const pharmacy = prepared.approval.pharmacy?.['id'];
      const task = requestTask({
        id,
        reference,
        state: 'approved',
        intent: 'order',
        patientId,
        owner,
        requester: selfOf(user),
        at,
        ...optional,
        ...(pharmacy !== undefined && { pharmacyId: String(pharmacy) }),
      });
      const issued: Issued = {
        id,
        reference,
        patientId,
        prescriptionIds: prepared.ids,
        warnings: prepared.approval.warnings,
        event: 'approve',
        ...(prepared.eps && { eps: prepared.eps.state }),
      };
      // The Task is Mortar's own record of it. What is signed names only what is written with it.
      await tx.write(
        prepared.writes.map((write) => withoutTask(write, id)),
        ending(desk, tx, prepared, issued, keep),
        () => [{ id, resource: task }, ...prepared.beside],
      );
      return issued;
    },
    { mayShare: true },
  );
}

type Write = Awaited<ReturnType<typeof prepare>>['writes'][number];

/** A person's resource may refer to what is there: the Task is made beside it. */
function withoutTask(write: Write, taskId: string): Write {
  if (write.kind !== 'create' || write.resource.resourceType !== 'Provenance') return write;
  const target = (write.resource['target'] as readonly Node[]).filter((one) => one['reference'] !== `Task/${taskId}`); // made by us
  return { ...write, resource: { ...write.resource, target } };
}
