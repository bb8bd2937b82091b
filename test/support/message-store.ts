/** The message log and the job table on a database of their own, without the rest of the server. */
import { randomBytes } from 'node:crypto';
import { createCipher } from '../../src/pki/key-file.ts';
import type { AddedJob, NewJob } from '../../src/ports/jobs.ts';
import type { MessageLog, MessageTransaction, NewMessage } from '../../src/ports/message-log.ts';
import { createJobs, type Jobs } from '../../src/postgres/jobs.ts';
import { createMessageLog } from '../../src/postgres/message-log.ts';
import { createMessageTransaction } from '../../src/postgres/message-transaction.ts';
import { createPools, type Pools, type Row, type Statement } from '../../src/postgres/pools.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { silentLog } from './log.ts';

export interface MessageStore {
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly messages: MessageLog;
  readonly jobs: Jobs;
  /** A transaction of the message log alone. Throws what `work` throws, and keeps nothing then. */
  transaction(work: (messages: MessageTransaction) => Promise<void>): Promise<void>;
  /** Commits a message to be sent together with its job. */
  queue(queued: { readonly message: NewMessage; readonly job: NewJob }): Promise<void>;
  /** What another process on this database would hold. */
  openAnother(): Promise<{ readonly jobs: Jobs; readonly pools: Pools; end(): Promise<void> }>;
  stop(): Promise<void>;
}

/** `transactionConnections`: more for what comes in at once, as a transaction waits for one no longer than ten seconds. */
export async function openMessageStore({ transactionConnections = 2 } = {}): Promise<MessageStore> {
  const database = await createDatabase();
  const open = (): Pools =>
    createPools({
      connection: database.connection('app'),
      readConnections: 2,
      writeConnections: 2,
      transactionConnections,
      log: silentLog,
    });
  const pools = open();
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const jobs = createJobs({ ...pools, now: Date.now });
  return {
    database,
    pools,
    messages: createMessageLog({ ...pools, cipher }),
    jobs,
    async transaction(work) {
      const client = await pools.transactions.connect();
      const send = async ({ text, values }: Statement): Promise<readonly Row[]> =>
        (await client.query({ text, values: [...values], rowMode: 'array' })).rows as Row[];
      try {
        await client.query('begin');
        await work(createMessageTransaction(cipher, send));
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
    async queue({ message, job }) {
      const client = await pools.transactions.connect();
      const send = async ({ text, values }: Statement): Promise<readonly Row[]> =>
        (await client.query({ text, values: [...values], rowMode: 'array' })).rows as Row[];
      const added: AddedJob[] = [];
      try {
        await client.query('begin');
        await createMessageTransaction(cipher, send).queue(message);
        await jobs.transaction(send, (more) => void added.push(...more)).add([job]);
        await client.query('commit');
      } finally {
        client.release();
      }
      jobs.announce(added);
    },
    async openAnother() {
      const others = open();
      return { jobs: createJobs({ ...others, now: Date.now }), pools: others, end: () => others.end() };
    },
    async stop() {
      await pools.end();
      await database.drop();
    },
  };
}
