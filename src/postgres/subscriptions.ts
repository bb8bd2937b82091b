/** Subscribers and the events they are told of. docs/subscriptions.md, SECURITY CP-17, RL-17, IN-41 */
import type { Cipher } from '../ports/cipher.ts';
import type {
  NewEvent,
  StoredOwner,
  Subscriber,
  SubscriptionBook,
  SubscriptionEvent,
  SubscriptionOwner,
  SubscriptionState,
  SubscriptionTransaction,
} from '../ports/subscriptions.ts';
import { translated } from './database-error.ts';
import type { Pipeline, Row, Statement } from './pools.ts';

const SUBSCRIBER = 'id, version, state, channel, heartbeat_s, events::text';
const EVENT = 'seq::text, subscription, type, resource, version, operation, at::text, patients, number::text, dropped';
const contextOf = (id: string): string => `subscription ${id}`;
/** Owners of versions that hold no more are kept this long: what was under way is done by then. */
const ORPHAN_MS = 3_600_000;

export interface SubscriptionBookOptions {
  readonly writes: Pipeline;
  readonly cipher: Cipher;
  readonly now: () => number;
}

export function createSubscriptionBook({ writes, cipher, now }: SubscriptionBookOptions): SubscriptionBook {
  const query = (text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    translated(() => writes.query({ text, values: [...values] }));

  return {
    async findOwner(id, version) {
      const [row] = await query(
        'select owner::text, headers from mortar.subscription_owner where subscription = $1 and version = $2',
        [id, version],
      );
      return row && toOwner(row, (sealed) => cipher.open(sealed, contextOf(id)));
    },
    async find(id) {
      const [row] = await query(`select ${SUBSCRIBER} from mortar.subscription where id = $1`, [id]);
      return row && toSubscriber(row);
    },
    async listOpen() {
      return (await query(`select ${SUBSCRIBER} from mortar.subscription where state <> 'off' order by id`, [])).map(
        toSubscriber,
      );
    },
    async findEvent(seq) {
      const [row] = await query(`select ${EVENT} from mortar.subscription_event where seq = $1::bigint`, [seq]);
      return row && toEvent(row);
    },
    async number(seq) {
      // The subscriber's row is locked first, so that two of its events wait for one another.
      const [row] = await query(
        `with one as (
  select s.id, e.number, s.events from mortar.subscription_event e join mortar.subscription s on s.id = e.subscription
  where e.seq = $1::bigint for update of s, e
), counted as (
  update mortar.subscription s set events = s.events + 1 from one where s.id = one.id and one.number is null
  returning s.events
), numbered as (
  update mortar.subscription_event e set number = counted.events from counted where e.seq = $1::bigint returning e.number
)
select coalesce((select number from numbered), (select number from one))::text`,
        [seq],
      );
      if (row?.[0] === undefined || row[0] === null) throw new Error('an event that is told of is gone');
      return Number(row[0]);
    },
    async drop(seq) {
      await query('update mortar.subscription_event set dropped = true where seq = $1::bigint and number is null', [
        seq,
      ]);
    },
    async sent(id) {
      await query('update mortar.subscription set sent_at = $2 where id = $1', [id, now()]);
    },
    async list(id, from, to, limit) {
      const rows = await query(
        `select ${EVENT} from mortar.subscription_event
where subscription = $1 and number between $2::bigint and $3::bigint order by number limit $4`,
        [id, from, to, limit],
      );
      return rows.map(toEvent);
    },
    async listWaiting(id, limit) {
      const rows = await query(
        `select ${EVENT} from mortar.subscription_event
where subscription = $1 and number is null and not dropped order by seq limit $2`,
        [id, limit],
      );
      return rows.map(toEvent);
    },
    async listSilent() {
      const rows = await query(
        `select ${SUBSCRIBER} from mortar.subscription
where state = 'active' and channel <> 'websocket' and heartbeat_s is not null
  and coalesce(sent_at, since) + heartbeat_s * 1000::bigint <= $1::bigint`,
        [now()],
      );
      return rows.map(toSubscriber);
    },
    async purge(before, limit) {
      const [row] = await query(
        `with old as (
  delete from mortar.subscription_event where seq in
    (select seq from mortar.subscription_event where at < $1::bigint order by at limit $2) returning 1
), orphans as (
  delete from mortar.subscription_owner where (subscription, version) in
    (select o.subscription, o.version from mortar.subscription_owner o
     where o.at < $3::bigint and not exists
       (select from mortar.subscription s where s.id = o.subscription and s.version <= o.version) limit $2) returning 1
)
select (select count(*) from old)::int + (select count(*) from orphans)::int`,
        [before, limit, now() - ORPHAN_MS],
      );
      return row?.[0] as number; // counts are one row
    },
  };
}

export const createSubscriptionTransaction = (
  send: (statement: Statement) => Promise<readonly Row[]>,
  cipher: Cipher,
  now: () => number,
): SubscriptionTransaction => ({
  async addOwner(id, version, { owner, headers }) {
    const sealed = headers.length === 0 ? null : cipher.seal(Buffer.from(JSON.stringify(headers)), contextOf(id));
    await send({
      text: `insert into mortar.subscription_owner (subscription, version, owner, headers, at) values ($1, $2, $3, $4, $5)
on conflict (subscription, version) do nothing`,
      values: [id, version, JSON.stringify(owner), sealed, now()],
    });
  },
  async keepOwner(id, from, to, state) {
    await send({
      text: `insert into mortar.subscription_owner (subscription, version, owner, headers, at)
select subscription, $3, owner, headers, $4 from mortar.subscription_owner where subscription = $1 and version = $2
on conflict (subscription, version) do nothing`,
      values: [id, from, to, now()],
    });
    await send({
      text: 'update mortar.subscription set version = $3, state = $4 where id = $1 and version = $2',
      values: [id, from, to, state],
    });
  },
  async put({ id, version, state, channel, heartbeatS }) {
    await send({
      text: `insert into mortar.subscription (id, version, state, channel, heartbeat_s, since)
values ($1, $2, $3, $4, $5, $6)
on conflict (id) do update set version = $2, state = $3, channel = $4, heartbeat_s = $5`,
      values: [id, version, state, channel, heartbeatS ?? null, now()],
    });
  },
  async remove(id) {
    await send({ text: 'delete from mortar.subscription where id = $1', values: [id] });
  },
  async addEvents(events) {
    if (events.length === 0) return [];
    const rows = await send({
      name: 'subscription-events',
      text: `insert into mortar.subscription_event (subscription, type, resource, version, operation, at, patients)
select e->>0, e->>1, e->>2, (e->>3)::int, e->>4, (e->>5)::bigint,
  array(select jsonb_array_elements_text(e->6))
from jsonb_array_elements($1::text::jsonb) with ordinality as a(e, n) order by n
returning seq::text`,
      values: [JSON.stringify(events.map(columnsOf))],
    });
    return rows.map(([seq]) => seq as string);
  },
});

const columnsOf = (e: NewEvent): readonly unknown[] => [
  e.subscription,
  e.type,
  e.resource,
  e.version,
  e.operation,
  e.at,
  e.patients,
];

const toOwner = ([owner, headers]: Row, open: (sealed: Buffer) => Buffer): StoredOwner => ({
  owner: JSON.parse(owner as string) as SubscriptionOwner, // as `addOwner` wrote it
  headers: headers === null ? [] : (JSON.parse(open(headers as Buffer).toString()) as string[]),
});

const toSubscriber = ([id, version, state, channel, heartbeatS, events]: Row): Subscriber => ({
  id: id as string,
  version: version as number,
  state: state as SubscriptionState,
  channel: channel as string,
  ...(heartbeatS !== null && { heartbeatS: heartbeatS as number }),
  events: Number(events),
});

const toEvent = ([
  seq,
  subscription,
  type,
  resource,
  version,
  operation,
  at,
  patients,
  number,
  dropped,
]: Row): SubscriptionEvent => ({
  seq: seq as string,
  subscription: subscription as string,
  type: type as string,
  resource: resource as string,
  version: version as number,
  operation: operation as string,
  at: Number(at),
  patients: patients as string[],
  ...(number !== null && { number: Number(number) }),
  isDropped: dropped as boolean,
});
