/**
 * Requests that are answered later, in `mortar.async_request`, and the pieces of their results in `mortar.async_piece`.
 * Each has a key of its own, wrapped by the key file's: when its time is over the key is destroyed with the pieces.
 * https://hl7.org/fhir/R4/async.html; SECURITY KS-07
 */
import { randomBytes } from 'node:crypto';
import type {
  AsyncFailure,
  AsyncRequest,
  AsyncRequests,
  AsyncState,
  AsyncValue,
  AsyncWork,
} from '../ports/async-requests.ts';
import type { Cipher } from '../ports/cipher.ts';
import { createAsyncPieces, sealValue, valueContext } from './async-pieces.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

export interface AsyncRequestsOptions {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  /** Wraps the keys of requests. */
  readonly cipher: Cipher;
  /** A cipher of a key of 32 bytes. */
  readonly cipherOf: (key: Buffer) => Cipher;
  /** Of one result; 16 GiB unless given. */
  readonly resultBytesMax?: number;
}

const RESULT_BYTES_MAX = 16 * 1024 ** 3;
/** How long it is known that a result has gone. */
const REMEMBERED_MS = 24 * 60 * 60 * 1000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const keyContext = (id: string): string => `async ${id} key`;

const COLUMNS = `id, kind, owner, state, key, payload, outcome, progress, (extract(epoch from asked_at) * 1000)::float8,
  (extract(epoch from ended_at) * 1000)::float8, (extract(epoch from expires_at) * 1000)::float8`;

export function createAsyncRequests(options: AsyncRequestsOptions): AsyncRequests {
  const { reads, writes, cipher, cipherOf } = options;
  const keyOf = (id: string, wrapped: Buffer): Cipher => cipherOf(cipher.open(wrapped, keyContext(id)));
  const open = (own: Cipher, id: string, what: string, sealed: Buffer): AsyncValue =>
    JSON.parse(own.open(sealed, valueContext(id, what)).toString()) as AsyncValue; // what sealValue wrote

  function toRequest(row: Row): AsyncRequest {
    const [id, kind, owner, state, wrapped, payload, outcome, progress, askedAt, endedAt, expiresAt] = row as [
      string,
      string,
      string,
      AsyncState,
      Buffer | null,
      Buffer | null,
      Buffer | null,
      string | null,
      number,
      number | null,
      number | null,
    ];
    const own = wrapped === null ? undefined : keyOf(id, wrapped);
    const ended = own && outcome !== null ? open(own, id, 'outcome', outcome) : undefined;
    return {
      id,
      kind,
      owner,
      state,
      payload: own && payload !== null ? open(own, id, 'payload', payload) : {},
      askedAt: Math.round(askedAt),
      ...(progress !== null && { progress }),
      ...(state === 'done' && ended && { result: ended }),
      ...(state === 'failed' && ended && { failure: ended as unknown as AsyncFailure }), // as `fail` sealed it
      ...(endedAt !== null && { endedAt: Math.round(endedAt) }),
      ...(expiresAt !== null && { expiresAt: Math.round(expiresAt) }),
    };
  }

  /** The cipher of a request in one of these states; undefined when it has none. */
  async function openKey(id: string, states: readonly AsyncState[]): Promise<Cipher | undefined> {
    const [row] = await writes.query({
      name: 'async-key',
      text: 'select key from mortar.async_request where id = $1 and state = any($2)',
      values: [id, states],
    });
    return row && row[0] !== null ? keyOf(id, row[0] as Buffer) : undefined;
  }

  return {
    ...createAsyncPieces({ reads, writes, resultBytesMax: options.resultBytesMax ?? RESULT_BYTES_MAX, openKey }),

    fail: (id, failure, { endedAt, expiresAt }) =>
      translated(async () => {
        const own = await openKey(id, ['waiting', 'running']);
        if (!own) return;
        await writes.query({
          name: 'async-fail',
          text: `update mortar.async_request
set state = 'failed', outcome = $2, checkpoint = null, ended_at = $3, expires_at = $4
where id = $1 and state in ('waiting', 'running')`,
          values: [id, sealValue(own, id, 'outcome', failure), new Date(endedAt), new Date(expiresAt)],
        });
      }),

    ask: ({ id, kind, owner, payload, askedAt }, { ownerMax, max }) =>
      translated(async () => {
        const key = randomBytes(32);
        const rows = await writes.query({
          name: 'async-ask',
          text: `insert into mortar.async_request (id, kind, owner, key, payload, asked_at)
select $1, $2, $3, $4, $5, $6
where (select count(*) from mortar.async_request where owner = $3 and state in ('waiting', 'running', 'done', 'failed')) < $7
  and (select count(*) from mortar.async_request where state in ('waiting', 'running')) < $8
on conflict do nothing
returning 1`,
          values: [
            id,
            kind,
            owner,
            cipher.seal(key, keyContext(id)),
            sealValue(cipherOf(key), id, 'payload', payload),
            new Date(askedAt),
            ownerMax,
            max,
          ],
        });
        return rows.length === 1;
      }),

    find: (id) =>
      translated(async () => {
        if (!UUID.test(id)) return undefined;
        const [row] = await writes.query({
          name: 'async-find',
          text: `select ${COLUMNS} from mortar.async_request where id = $1`,
          values: [id],
        });
        return row && toRequest(row);
      }),

    begin: (id) =>
      translated(async () => {
        const [row] = await writes.query({
          name: 'async-begin',
          text: `with before as (
  select id, is_begun from mortar.async_request where id = $1 and state in ('waiting', 'running') for update
)
update mortar.async_request r set state = 'running', is_begun = true from before b where r.id = b.id
returning kind, owner, key, payload, checkpoint, step, b.is_begun, (extract(epoch from asked_at) * 1000)::float8`,
          values: [id],
        });
        if (!row) return undefined;
        const [kind, owner, wrapped, payload, checkpoint, step, isInterrupted, askedAt] = row as [
          string,
          string,
          Buffer,
          Buffer,
          Buffer | null,
          number,
          boolean,
          number,
        ];
        const own = keyOf(id, wrapped);
        return {
          id,
          kind,
          owner,
          payload: open(own, id, 'payload', payload),
          askedAt: Math.round(askedAt),
          step,
          isInterrupted,
          ...(checkpoint !== null && { checkpoint: open(own, id, 'checkpoint', checkpoint) }),
        } satisfies AsyncWork;
      }),

    cancel: (id) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'async-cancel',
          text: `with ended as (
  update mortar.async_request
  set state = 'cancelled', key = null, payload = null, checkpoint = null, outcome = null,
    ended_at = now(), expires_at = now()
  where id = $1 and state in ('waiting', 'running', 'done', 'failed')
  returning id
), removed as (
  delete from mortar.async_piece p using ended e where p.request_id = e.id
)
select 1 from ended`,
          values: [id],
        });
        return rows.length === 1;
      }),

    waiting: (limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'async-waiting',
          text: `select id, kind from mortar.async_request where state in ('waiting', 'running') order by asked_at limit $1`,
          values: [limit],
        });
        return (rows as unknown as [string, string][]).map(([id, kind]) => ({ id, kind }));
      }),

    expire: (now, limit) =>
      translated(async () => {
        const remove: Statement = {
          name: 'async-forget',
          text: `delete from mortar.async_request where id in (
  select id from mortar.async_request
  where state in ('cancelled', 'gone') and expires_at <= $1 order by expires_at limit $2)`,
          values: [new Date(now - REMEMBERED_MS), limit],
        };
        const rows = await writes.query({
          name: 'async-expire',
          text: `with due as (
  select id from mortar.async_request where state in ('done', 'failed') and expires_at <= $1
  order by expires_at limit $2 for update skip locked
), gone as (
  update mortar.async_request r
  set state = 'gone', key = null, payload = null, checkpoint = null, outcome = null
  from due d where r.id = d.id
  returning r.id, r.kind, r.owner
), removed as (
  delete from mortar.async_piece p using due d where p.request_id = d.id
)
select id, kind, owner from gone`,
          values: [new Date(now), limit],
        });
        await writes.query(remove);
        return (rows as unknown as [string, string, string][]).map(([id, kind, owner]) => ({ id, kind, owner }));
      }),
  };
}
