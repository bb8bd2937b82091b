/** The message log within a transaction of the store: what is settled or queued is so with the resources, or not at all. */
import type { Cipher } from '../ports/cipher.ts';
import type { MessageTransaction } from '../ports/message-log.ts';
import { errorCode } from './database-error.ts';
import { queueStatement, settleManyText, settleManyValues, settleStatement } from './message-statements.ts';
import type { Row, Statement } from './pools.ts';

const DIVISION_BY_ZERO = '22012';

/** The log on the connection of a store's transaction. */
export function createMessageTransaction(
  cipher: Cipher,
  send: (statement: Statement) => Promise<readonly Row[]>,
): MessageTransaction {
  /**
   * Of two that settle or queue the same message the second waits here for the first, finds it done, and must not commit:
   * a count of fewer than asked for fails the transaction, whose commit is on its way already.
   */
  async function once(name: string, { text, values }: Statement, count = 1): Promise<boolean> {
    try {
      await send({
        name,
        text: `with done as (${text}) select 1 / (count(*) = $${values.length + 1}::int)::int from done`,
        values: [...values, count],
      });
      return true;
    } catch (error) {
      if (errorCode(error) === DIVISION_BY_ZERO) return false;
      throw error;
    }
  }

  return {
    // Sealed before anything is sent: what fails here must keep the commit from leaving.
    settle: (id, settlement) => once('message-settle-once', settleStatement(cipher, id, settlement)),
    settleAll: (settled) =>
      once('message-settle-all', { text: settleManyText(), values: settleManyValues(cipher, settled) }, settled.length),
    async queue(message, resources = []) {
      await send(queueStatement(cipher, message, resources));
    },
    queueOnce(message, resources) {
      const { text, values } = queueStatement(cipher, message, resources);
      return once('message-queue-once', { text: `${text} returning 1`, values });
    },
  };
}
