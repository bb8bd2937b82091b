/** A Patient that is to be as something makes it, within a transaction. */
import type { Resource, TransactionWrite } from '../ports/resource-store.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';

/** `change` sees the version that is current when it is written; `ChangedMeanwhile` with `gone` where there is none any more. */
export const patientChange = (
  { id }: Resource,
  gone: string,
  change: (current: Resource) => Resource,
): TransactionWrite => ({
  kind: 'update',
  operation: 'update',
  type: 'Patient',
  id: String(id),
  change(current) {
    if (current === undefined) throw new ChangedMeanwhile(gone);
    return change(current);
  },
});
