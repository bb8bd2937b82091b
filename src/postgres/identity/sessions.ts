/** Sessions of people in browsers, by the hash of the cookie. SECURITY LG-13, LG-14 */
import { randomUUID } from 'node:crypto';
import type { SessionStore, StoredSession } from '../../ports/people.ts';
import { translated } from '../database-error.ts';
import type { Row } from '../pools.ts';
import { PERSON_COLUMNS, PERSON_WIDTH, toPerson } from './people-row.ts';
import { type IdentityOptions, inTransaction, isId, type Send, toMs } from './people-statements.ts';
import { insertActing } from './upstream.ts';
import { ACTING_COLUMNS, toActingPerson } from './upstream-acting.ts';

const COLUMNS = `s.id, s.hash, s.person_id, s.security_version, s.auth_time, s.amr, s.address, s.agent, s.created_at,
  s.seen_at, s.ends_at`;
const WIDTH = 11;

export function createSessionStore({ writes, transactions, now }: IdentityOptions): SessionStore {
  const query: Send = (statement) => translated(() => writes.query(statement));

  return {
    add: ({ hash, userId, securityVersion, authTime, amr, address, agent, endsAt, acting }, max) =>
      inTransaction(transactions, async (send) => {
        // One at a time for each person, so that the count holds.
        await send({ text: 'select 1 from auth.person where id = $1 for update', values: [userId] });
        await send({
          text: `delete from auth.session where id in (
  select id from auth.session where person_id = $1 order by created_at desc, seen_at desc offset $2)`,
          values: [userId, max - 1],
        });
        const id = randomUUID();
        const at = new Date(now());
        await send({
          text: `insert into auth.session
  (id, hash, person_id, security_version, auth_time, amr, address, agent, created_at, seen_at, ends_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10)`,
          values: [
            id,
            hash,
            userId,
            securityVersion,
            new Date(authTime),
            amr,
            address ?? null,
            agent ?? null,
            at,
            new Date(endsAt),
          ],
        });
        if (acting) await insertActing(send, id, userId, acting);
        return id;
      }),

    async find(hash) {
      const [row] = await query({
        name: 'session-find',
        text: `select ${PERSON_COLUMNS}, ${COLUMNS}, ${ACTING_COLUMNS} from auth.session s
join auth.person p on p.id = s.person_id left join auth.acting a on a.session_id = s.id where s.hash = $1`,
        values: [hash],
      });
      const user = row && toActingPerson(toPerson(row), row.slice(PERSON_WIDTH + WIDTH), now());
      return row && user && { user, session: toSession(row.slice(PERSON_WIDTH)) };
    },

    async list(userId) {
      const rows = await query({
        name: 'session-list',
        text: `select ${COLUMNS} from auth.session s where s.person_id = $1 order by s.created_at desc`,
        values: [userId],
      });
      return rows.map(toSession);
    },

    touch: async (id, at) =>
      void (await query({
        name: 'session-touch',
        text: 'update auth.session set seen_at = $2 where id = $1 and seen_at < $2',
        values: [id, new Date(at)],
      })),

    async end(userId, id) {
      if (!isId(id)) return false;
      const rows = await query({
        name: 'session-end',
        text: 'delete from auth.session where id = $2 and person_id = $1 returning 1',
        values: [userId, id],
      });
      return rows.length > 0;
    },

    async endAll(userId, exceptId) {
      const rows = await query({
        name: 'session-end-all',
        text: 'delete from auth.session where person_id = $1 and id is distinct from $2::uuid returning 1',
        values: [userId, exceptId ?? null],
      });
      return rows.length;
    },
  };
}

function toSession(row: Row): StoredSession {
  const [id, hash, userId, securityVersion, authTime, amr, address, agent, createdAt, seenAt, endsAt] = row as [
    string,
    Buffer,
    string,
    number,
    Date,
    string[],
    string | null,
    string | null,
    Date,
    Date,
    Date,
  ];
  return {
    id,
    hash,
    userId,
    securityVersion,
    authTime: toMs(authTime),
    amr,
    ...(address !== null && { address }),
    ...(agent !== null && { agent }),
    createdAt: toMs(createdAt),
    seenAt: toMs(seenAt),
    endsAt: toMs(endsAt),
  };
}
