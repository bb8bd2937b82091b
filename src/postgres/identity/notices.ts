/** Notices that wait to be sent. Each comes with its job or not at all. SECURITY RL-15, ST-13 */
import { randomUUID } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type { Notice, NoticeJobKind, NoticeStore } from '../../ports/notify.ts';
import { translated } from '../database-error.ts';
import { createJobs } from '../jobs.ts';
import { type IdentityOptions, inTransaction, isId } from './people-statements.ts';

const KIND: NoticeJobKind = 'notice-send';

const contextOf = (id: string): string => `notice ${id}`;

export function createNotices(options: IdentityOptions & { readonly cipher: Cipher }): NoticeStore {
  const { writes, transactions, cipher, now } = options;
  const jobs = createJobs({ writes, now });
  return {
    add: (notice, lifetimeMs) =>
      inTransaction(transactions, async (send) => {
        const id = randomUUID();
        await send({
          text: 'insert into auth.notice (id, content, created_at, expires_at) values ($1, $2, $3, $4)',
          values: [
            id,
            cipher.seal(Buffer.from(JSON.stringify(notice)), contextOf(id)),
            new Date(now()),
            new Date(now() + lifetimeMs),
          ],
        });
        // Nobody is told of the job: whoever takes jobs looks for due ones within a second.
        await jobs.transaction(send, () => {}).add([{ kind: KIND, payload: { notice: id } }]);
      }),

    find: (id) =>
      translated(async () => {
        if (!isId(id)) return undefined;
        const [row] = await writes.query({
          name: 'notice-find',
          text: 'select content from auth.notice where id = $1 and expires_at > $2',
          values: [id, new Date(now())],
        });
        return row && (JSON.parse(cipher.open(row[0] as Buffer, contextOf(id)).toString()) as Notice); // as `add` sealed it
      }),

    remove: (id) =>
      translated(async () => {
        if (!isId(id)) return;
        await writes.query({ name: 'notice-remove', text: 'delete from auth.notice where id = $1', values: [id] });
      }),
  };
}
