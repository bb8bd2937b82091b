/** Keys of the operator: one for each node, as each has a data folder of its own. `src/postgres/identity/operator-keys.ts` */
import type { JwkSet } from './clients.ts';

export interface OperatorKeys {
  /** Says that the node is there and that this is its key, in place of one it had before. */
  keep(node: string, jwk: JwkSet['keys'][number]): Promise<void>;
  /** Of the nodes that have been there in the last day. */
  list(): Promise<JwkSet>;
}
