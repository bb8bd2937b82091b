/** Identities of other providers, steps on the way through them, and as what people act. SECURITY NH-03 to NH-09 */
import { randomUUID } from 'node:crypto';
import type { Acting, ProviderId, UpstreamIdentity, UpstreamStore } from '../../ports/upstream.ts';
import { translated } from '../database-error.ts';
import type { Row } from '../pools.ts';
import { PERSON_COLUMNS, toPerson } from './people-row.ts';
import { type IdentityOptions, inTransaction, isId, type Send, toMs } from './people-statements.ts';
import { insertPerson } from './users.ts';

const OF_IDENTITY = `select ${PERSON_COLUMNS} from auth.upstream_identity i join auth.person p on p.id = i.person_id
where i.issuer = $1 and i.subject = $2`;
const ADD_IDENTITY = `insert into auth.upstream_identity (id, issuer, subject, provider, person_id, created_at)
values ($1, $2, $3, $4, $5, $6) on conflict (issuer, subject) do nothing returning id`;
const ADD_ACTING = 'insert into auth.acting (session_id, person_id, content, ends_at) values ($1, $2, $3, $4)';

/** How long it is known that a session was one of another provider: longer than anything granted in it lives. */
const ACTING_KEPT_MS = 400 * 24 * 3_600_000;

export function createUpstreamStore({ writes, transactions, now }: IdentityOptions): UpstreamStore {
  const query: Send = (statement) => translated(() => writes.query(statement));

  const findPerson: UpstreamStore['findPerson'] = async ({ issuer, subject }) => {
    const [row] = await query({ name: 'upstream-person', text: OF_IDENTITY, values: [issuer, subject] });
    return row && toPerson(row);
  };

  return {
    findPerson,

    async findOrAddPerson(key, provider, person) {
      const known = await findPerson(key);
      if (known) return known;
      return inTransaction(transactions, async (send) => {
        // One at a time for each identity, so that of two sign-ins at once one makes the account.
        const lock = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';
        await send({ text: lock, values: [`upstream ${key.issuer} ${key.subject}`] });
        const [row] = await send({ text: OF_IDENTITY, values: [key.issuer, key.subject] });
        if (row) return toPerson(row);
        const { id } = await insertPerson(send, person, undefined, now());
        await send({
          text: ADD_IDENTITY,
          values: [randomUUID(), key.issuer, key.subject, provider, id, new Date(now())],
        });
        const [added] = await send({ text: OF_IDENTITY, values: [key.issuer, key.subject] });
        if (!added) throw new Error('the identity that was just added is not there');
        return toPerson(added);
      });
    },

    async link({ issuer, subject }, provider, personId) {
      const values = [randomUUID(), issuer, subject, provider, personId, new Date(now())];
      return (await query({ name: 'upstream-link', text: ADD_IDENTITY, values })).length > 0;
    },

    async list(personId) {
      const rows = await query({
        name: 'upstream-list',
        text: `select id, issuer, subject, provider, person_id, created_at from auth.upstream_identity
where person_id = $1 order by created_at limit 100`,
        values: [personId],
      });
      return rows.map(toIdentity);
    },

    async unlink(personId, id) {
      if (!isId(id)) return false;
      const rows = await query({
        name: 'upstream-unlink',
        text: 'delete from auth.upstream_identity where id = $2 and person_id = $1 returning 1',
        values: [personId, id],
      });
      return rows.length > 0;
    },

    addStep: async (kind, hash, content, expiresAt) =>
      void (await query({
        name: 'upstream-step-add',
        text: `insert into auth.upstream_step (hash, kind, content, expires_at) values ($1, $2, $3, $4)
on conflict (hash) do update set kind = $2, content = $3, expires_at = $4`,
        values: [hash, kind, content, new Date(expiresAt)],
      })),

    async findStep(kind, hash) {
      const [row] = await query({
        name: 'upstream-step-find',
        text: 'select content from auth.upstream_step where hash = $1 and kind = $2 and expires_at > $3',
        values: [hash, kind, new Date(now())],
      });
      return row?.[0] as Buffer | undefined; // bytea
    },

    async takeStep(kind, hash) {
      const [row] = await query({
        name: 'upstream-step-take',
        text: 'delete from auth.upstream_step where hash = $1 and kind = $2 and expires_at > $3 returning content',
        values: [hash, kind, new Date(now())],
      });
      return row?.[0] as Buffer | undefined; // bytea
    },

    async addActing(personId, acting) {
      const id = randomUUID();
      await insertActing(query, id, personId, acting);
      return id;
    },

    endActing: async (sessionId) =>
      void (await query({
        name: 'acting-end',
        text: 'update auth.acting set ends_at = least(ends_at, $2) where session_id = $1',
        values: [sessionId, new Date(now())],
      })),

    async endSessions({ issuer, subject }) {
      const [row] = await query({
        name: 'upstream-end-sessions',
        text: `with who as (
  select person_id, provider from auth.upstream_identity where issuer = $1 and subject = $2
), over as (
  update auth.acting a set ends_at = $3 from who
  where a.person_id = who.person_id and a.content -> 'nhs' ->> 'provider' = who.provider and a.ends_at > $3
  returning a.session_id
), gone as (
  delete from auth.session s using over where s.id = over.session_id
)
select person_id from who`,
        values: [issuer, subject, new Date(now())],
      });
      return row?.[0] as string | undefined; // uuid
    },

    async purge(limit) {
      const steps = await query({
        text: `delete from auth.upstream_step where hash in (
  select hash from auth.upstream_step where expires_at <= $1 limit $2) returning 1`,
        values: [new Date(now()), limit],
      });
      const acting = await query({
        text: `delete from auth.acting where session_id in (
  select session_id from auth.acting where ends_at <= $1 limit $2) returning 1`,
        values: [new Date(now() - ACTING_KEPT_MS), limit],
      });
      return steps.length + acting.length;
    },
  };
}

/** Keeps as what somebody acts in a session. */
export async function insertActing(send: Send, sessionId: string, personId: string, acting: Acting): Promise<void> {
  const { endsAt, ...content } = acting;
  await send({ text: ADD_ACTING, values: [sessionId, personId, JSON.stringify(content), new Date(endsAt)] });
}

function toIdentity(row: Row): UpstreamIdentity {
  const [id, issuer, subject, provider, personId, createdAt] = row as [
    string,
    string,
    string,
    ProviderId,
    string,
    Date,
  ];
  return { id, issuer, subject, provider, personId, createdAt: toMs(createdAt) };
}
