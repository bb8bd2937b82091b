/** The message log and the job table on a database of their own, without the rest of the server. */
import { randomBytes } from 'node:crypto';
import { createCipher } from '../../src/pki/key-file.ts';
import type { MessageLog } from '../../src/ports/message-log.ts';
import { createJobs, type Jobs } from '../../src/postgres/jobs.ts';
import { createMessageLog } from '../../src/postgres/message-log.ts';
import { createPools, type Pools } from '../../src/postgres/pools.ts';
import { createDatabase, type TestDatabase } from './database.ts';
import { silentLog } from './log.ts';

export interface MessageStore {
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly messages: MessageLog;
  readonly jobs: Jobs;
  /** What another process on this database would hold. */
  openAnother(): Promise<{ readonly jobs: Jobs; readonly pools: Pools; end(): Promise<void> }>;
  stop(): Promise<void>;
}

export async function openMessageStore(): Promise<MessageStore> {
  const database = await createDatabase();
  const open = (): Pools =>
    createPools({
      connection: database.connection('app'),
      readConnections: 2,
      writeConnections: 2,
      transactionConnections: 2,
      log: silentLog,
    });
  const pools = open();
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  return {
    database,
    pools,
    messages: createMessageLog({ ...pools, cipher }),
    jobs: createJobs({ ...pools, now: Date.now }),
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
