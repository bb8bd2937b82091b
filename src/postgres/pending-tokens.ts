/**
 * How many tokens wait to be sorted into their index: searches read those that wait, so that they are few; but where many
 * resources come together, sorting more of them at once costs less for each.
 * https://www.postgresql.org/docs/current/gin.html#GIN-FAST-UPDATE
 */
import type { Statement } from './pools.ts';

/** KiB. A search reads those of a type in some hundredths of a millisecond … */
export const PENDING_KIB = 64;
/** … and in a tenth. */
const PENDING_MANY_KIB = 512;
/** Writes of a transaction, from which on more may wait. */
export const MANY_WRITES = 200;

/** For the transaction that sends it: whoever writes to the type next sorts in what it leaves. */
export const letMoreTokensWait: Statement = {
  name: 'pending-tokens',
  text: "select set_config('gin_pending_list_limit', $1, true)",
  values: [String(PENDING_MANY_KIB)],
};
