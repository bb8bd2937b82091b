/** Notices on their way: deliveries and what became of them, preferences, browsers. docs/notifications.md; SECURITY DP-10, RL-17 */
import { createHash, randomUUID } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import type {
  Delivery,
  KeptPushSubscription,
  NewDelivery,
  NoticeBook,
  NoticeTransaction,
  Preferences,
  PushSubscription,
  Ways,
} from '../ports/notices.ts';
import { nextTurn } from '../standards/turns.ts';
import { translated } from './database-error.ts';
import { inTransaction } from './in-transaction.ts';
import type { Pools, Row, Statement } from './pools.ts';

export interface NoticeBookOptions extends Pick<Pools, 'writes' | 'transactions'> {
  readonly cipher: Cipher;
  readonly now: () => number;
}

const DELIVERY = 'id::text, notice, recipient, patient, channel, kind, state, why, basis, done_at::text, apart';
/** Waits, or was given up: whoever runs that job again wants it sent. */
const OPEN = "(state = 'waiting' or state = 'dead' and why is null)";
const SUBSCRIPTIONS_MAX = 10;
const contextOf = (id: string): string => `push subscription ${id}`;

/** Id, state, why, basis, and with which other it went out. */
type SettledRow = readonly [string, string, string | null, string | null, string | null];

export function createNoticeBook({ writes, transactions, cipher, now }: NoticeBookOptions): NoticeBook {
  const query = (name: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    translated(() => writes.query({ name, text, values: [...values] }));

  const settleTogether = oncePerTick(async (rows: readonly SettledRow[]) => {
    const column = (i: number): unknown[] => rows.map((row) => row[i]);
    await query(
      'notice-settle',
      // By their keys also where it is planned while there are few.
      `update mortar.notice_delivery d
set state = u.state, why = u.why, basis = u.basis, sent_with = u.sent_with, done_at = $6
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[]) u(id, state, why, basis, sent_with)
where d.id = any($1::bigint[]) and d.id = u.id and (d.state = 'waiting' or d.state = 'dead' and d.why is null)`,
      [column(0), column(1), column(2), column(3), column(4), now()],
    );
  });

  return {
    async findWaiting(ids) {
      const rows = await query(
        'notice-waiting',
        `select ${DELIVERY} from mortar.notice_delivery where id = any($1::bigint[]) and ${OPEN} order by id`,
        [ids],
      );
      return rows.map(toDelivery);
    },
    async findGroup({ recipient, channel, kind }, limit) {
      const rows = await query(
        'notice-group',
        // notice_delivery_group
        `select ${DELIVERY} from mortar.notice_delivery
where recipient = $1 and channel = $2 and kind = $3 and state = 'waiting' and not apart order by id limit $4`,
        [recipient, channel, kind, limit],
      );
      return rows.map(toDelivery);
    },
    async sentTimes({ recipient, channel, kind }, from) {
      const rows = await query(
        'notice-sent-times',
        // notice_delivery_sent
        `select done_at::text from mortar.notice_delivery
where recipient = $1 and channel = $2 and kind = $3 and state = 'sent' and sent_with is null and done_at >= $4
order by done_at`,
        [recipient, channel, kind, from],
      );
      return rows.map(([at]) => Number(at));
    },
    async countSent(recipients, from) {
      const rows = await query(
        'notice-count-sent',
        // notice_delivery_sent
        `select recipient, channel, count(*)::int from mortar.notice_delivery
where recipient = any($1) and state = 'sent' and sent_with is null and done_at >= $2 group by 1, 2`,
        [recipients, from],
      );
      return new Map(rows.map(([recipient, channel, n]) => [`${recipient} ${channel}`, n as number]));
    },
    settle(ids, settled) {
      const [first] = ids;
      return settleTogether(
        ids.map((id) => [
          id,
          settled.state,
          settled.why ?? null,
          settled.basis ?? null,
          id === first ? null : (first ?? null),
        ]),
      );
    },
    async ofNotices(noticeIds, recipients) {
      const rows = await query(
        'notice-of',
        `select ${DELIVERY} from mortar.notice_delivery where notice = any($1) and recipient = any($2) order by id`,
        [noticeIds, recipients],
      );
      return rows.map(toDelivery);
    },
    async purge(before, limit) {
      const rows = await query(
        'notice-purge',
        `delete from mortar.notice_delivery where id in
  (select id from mortar.notice_delivery where created_at < $1 order by created_at limit $2) returning 1`,
        [before, limit],
      );
      return rows.length;
    },

    async waysOf(recipients) {
      if (recipients.length === 0) return new Map();
      const rows = await query(
        'notice-ways',
        `select r, (select content::text from mortar.notice_preference where recipient = r),
  exists (select from mortar.push_subscription where recipient = r),
  case when r like 'Patient/%' then
    (select email from auth.person where patient_ids @> array[substr(r, 9)] and not is_disabled
       and email_verified_at is not null and email not like '%.invalid' order by created_at limit 1)
  when r like 'Practitioner/%' then
    (select email from auth.person where practitioner_id = substr(r, 14) and not is_disabled
       and email_verified_at is not null and email not like '%.invalid' order by created_at limit 1)
  end
from unnest($1::text[]) r`,
        [recipients],
      );
      return new Map(rows.map(toWays));
    },
    changePreferences: (recipient, change, by) =>
      inTransaction(transactions, async (send) => {
        // Of two that change them at once the second waits for the first, also where there are none yet.
        await send({ text: 'select pg_advisory_xact_lock(hashtextextended($1, 46))', values: [recipient] });
        const [row] = await send({
          text: 'select content::text from mortar.notice_preference where recipient = $1',
          values: [recipient],
        });
        const next = change(row && readPreferences(row[0]));
        await send({
          text: `insert into mortar.notice_preference (recipient, content, changed_at, changed_by)
values ($1, $2::text::jsonb, $3, $4)
on conflict (recipient) do update set content = excluded.content, changed_at = excluded.changed_at, changed_by = excluded.changed_by`,
          values: [recipient, JSON.stringify(next), now(), by],
        });
      }),

    async addPushSubscription(recipient, subscription) {
      const id = randomUUID();
      const endpoint = createHash('sha256').update(subscription.endpoint).digest();
      const sealed = cipher.seal(Buffer.from(JSON.stringify(subscription)), contextOf(id));
      await inTransaction(transactions, async (send) => {
        await send({ text: 'delete from mortar.push_subscription where endpoint = $1', values: [endpoint] });
        await send({
          text: `insert into mortar.push_subscription (id, recipient, endpoint, content, created_at) values ($1, $2, $3, $4, $5)
on conflict (endpoint) do update set id = excluded.id, recipient = excluded.recipient, content = excluded.content, created_at = excluded.created_at`,
          values: [id, recipient, endpoint, sealed, now()],
        });
        await send({
          text: `delete from mortar.push_subscription where id in
  (select id from mortar.push_subscription where recipient = $1 order by created_at desc, id offset ${SUBSCRIPTIONS_MAX})`,
          values: [recipient],
        });
      });
      return id;
    },
    async pushSubscriptions(recipient) {
      const rows = await query(
        'push-subscriptions',
        `select id::text, content, created_at::text from mortar.push_subscription where recipient = $1
order by created_at desc limit ${SUBSCRIPTIONS_MAX}`,
        [recipient],
      );
      return rows.map((row): KeptPushSubscription => {
        const [id, content, createdAt] = row as [string, Buffer, string]; // as selected
        const opened = JSON.parse(cipher.open(content, contextOf(id)).toString()) as PushSubscription; // as it was sealed
        return { ...opened, id, createdAt: Number(createdAt) };
      });
    },
    async removePushSubscription(recipient, id) {
      if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return false;
      const rows = await query(
        'push-subscription-remove',
        'delete from mortar.push_subscription where recipient = $1 and id = $2::uuid returning 1',
        [recipient, id],
      );
      return rows.length > 0;
    },
  };
}

/** What comes in one tick, in one call: five that go out side by side are one commit and not five. */
function oncePerTick<R>(send: (rows: readonly R[]) => Promise<void>): (rows: readonly R[]) => Promise<void> {
  let waiting: R[] = [];
  let sending: Promise<void> | undefined;
  return (rows) => {
    waiting.push(...rows);
    sending ??= nextTurn().then(() => {
      const all = waiting;
      waiting = [];
      sending = undefined;
      return all.length > 0 ? send(all) : undefined;
    });
    return sending;
  };
}

export const createNoticeTransaction = (
  send: (statement: Statement) => Promise<readonly Row[]>,
  now: () => number,
): NoticeTransaction => ({
  async add(deliveries) {
    if (deliveries.length === 0) return [];
    const rows = await send({
      name: 'notice-add',
      text: `insert into mortar.notice_delivery (notice, recipient, patient, channel, kind, created_at)
select e->>0, e->>1, e->>2, e->>3, e->>4, $2::bigint
from jsonb_array_elements($1::text::jsonb) with ordinality as a(e, n) order by n
on conflict (notice, recipient, channel) do nothing
returning ${DELIVERY}`,
      values: [JSON.stringify(deliveries.map(columnsOf)), now()],
    });
    return rows.map(toDelivery);
  },
  async setApart(ids) {
    const rows = await send({
      name: 'notice-set-apart',
      text: `update mortar.notice_delivery set apart = true
where id = any($1::bigint[]) and state = 'waiting' and not apart returning id::text`,
      values: [ids],
    });
    return new Set(rows.map(([id]) => id as string));
  },
  async rejoin(ids) {
    await send({
      name: 'notice-rejoin',
      text: `update mortar.notice_delivery set apart = false, state = 'waiting', done_at = null
where id = any($1::bigint[]) and ${OPEN}`,
      values: [ids],
    });
  },
});

const columnsOf = (one: NewDelivery): readonly unknown[] => [
  one.noticeId,
  one.recipient,
  one.patientId ?? null,
  one.channel,
  one.kind,
];

function toDelivery(row: Row): Delivery {
  const [id, noticeId, recipient, patientId, channel, kind, state, why, basis, doneAt] = row as (string | null)[]; // as selected
  return {
    isApart: row[10] as boolean,
    id: id as string,
    noticeId: noticeId as string,
    recipient: recipient as string,
    ...(patientId != null && { patientId }),
    channel: channel as Delivery['channel'],
    kind: kind as string,
    state: state as Delivery['state'],
    ...(why != null && { why: why as NonNullable<Delivery['why']> }),
    ...(basis != null && { basis: basis as NonNullable<Delivery['basis']> }),
    ...(doneAt != null && { doneAt: Number(doneAt) }),
  };
}

const readPreferences = (text: unknown): Preferences => JSON.parse(String(text)) as Preferences; // as it was written

function toWays([recipient, preferences, hasPush, email]: Row): readonly [string, Ways] {
  return [
    recipient as string,
    {
      hasPush: hasPush as boolean,
      ...(preferences !== null && { preferences: readPreferences(preferences) }),
      ...(email !== null && { accountEmail: email as string }),
    },
  ];
}
