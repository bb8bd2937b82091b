/** A store whose transactions share where they may; a piece of the composition root. docs/gateway.md "Together" */
import { createTransactionGroup } from './gateways/transaction-group.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { ResourceStore } from './ports/resource-store.ts';

/** Has no right to anything: all that is done in a shared transaction is done in the name of who asked for it. */
const NOBODY = serviceCaller('shared');

export function withSharedTransactions<S extends ResourceStore>(store: S): S {
  const group = createTransactionGroup((work) => store.transaction(NOBODY, work));
  const wrapped: ResourceStore = {
    ...store,
    transaction: (caller, work, options) =>
      options?.mayShare === true
        ? group(work, { caller, transact: (alone) => store.transaction(caller, alone) })
        : store.transaction(caller, work),
  };
  return wrapped as S; // the same functions, and what else the store has
}
