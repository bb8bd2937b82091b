/**
 * Messages that come at the same time are logged together: one statement, one commit. A lone one is never delayed.
 * docs/gateway.md
 */
import type { NewMessage } from '../ports/message-log.ts';
import { byteaNullableArray, float8Array, textArray, textNullableArray, uuidArray } from './binary.ts';
import { label } from './message-statements.ts';
import type { Pipeline, Statement } from './pools.ts';

const BATCH_MAX = 64;
const IN_FLIGHT_MAX = 2;

export interface MessageInsert {
  readonly message: NewMessage;
  /** Sealed. */
  readonly raw: Buffer;
  readonly relation: 'conflict' | 'correction' | undefined;
  readonly firstId: string | undefined;
}

export interface MessageInserts {
  /** Resolves after the commit; false when such a message is there already. Rejects with its own error. */
  insert(one: MessageInsert): Promise<boolean>;
}

interface Waiting extends MessageInsert {
  readonly resolve: (isNew: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export function createMessageInserts(writes: Pipeline): MessageInserts {
  let waiting: Waiting[] = [];
  let inFlight = 0;
  let isScheduled = false;

  async function insertNow(group: readonly Waiting[]): Promise<void> {
    const rows = await writes.query(insertStatement(group));
    const made = new Set(rows.map(([id]) => id));
    for (const one of group) one.resolve(made.has(one.message.id));
  }

  async function insertGroup(group: readonly Waiting[]): Promise<void> {
    try {
      await insertNow(group);
    } catch (error) {
      if (group.length === 1) {
        for (const one of group) one.reject(error);
        return;
      }
      // One of them is at fault, or the database is away: each is tried by itself and gets its own error.
      await Promise.all(group.map((one) => insertNow([one]).catch(one.reject)));
    }
  }

  function pump(): void {
    isScheduled = false;
    while (waiting.length > 0 && inFlight < IN_FLIGHT_MAX) {
      const group = waiting.slice(0, BATCH_MAX);
      waiting = waiting.slice(BATCH_MAX);
      inFlight++;
      void insertGroup(group).finally(() => {
        inFlight--;
        pump();
      });
    }
  }

  return {
    insert: (one) =>
      new Promise((resolve, reject) => {
        waiting.push({ ...one, resolve, reject });
        if (isScheduled) return;
        isScheduled = true;
        setImmediate(pump);
      }),
  };
}

const hexBytes = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');

const insertStatement = (group: readonly MessageInsert[]): Statement => {
  const texts = (of: (one: NewMessage) => string | undefined): Buffer =>
    textNullableArray(group.map(({ message }) => label(of(message)) ?? undefined));
  return {
    name: 'message-insert',
    // message_control serves the first of a control id, message_relation what is related to it. Of two in one statement
    // that are the same the second is passed over like one that was there.
    text: `insert into mortar.message (id, direction, dialect, kind, control_id, sender, receiver, correlation,
  hash, relation, first_id, state, raw, received_at, updated_at)
select m.id, m.direction, m.dialect, m.kind, m.control_id, m.sender, m.receiver, m.correlation, m.hash, m.relation,
  m.first_id::uuid, case m.relation when 'conflict' then 'rejected' else 'received' end, m.raw, t.at, t.at
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bytea[],
  $10::text[], $11::text[], $12::bytea[], $13::float8[])
  m(id, direction, dialect, kind, control_id, sender, receiver, correlation, hash, relation, first_id, raw, at),
  to_timestamp(m.at / 1000) t(at)
on conflict do nothing
returning id`,
    values: [
      uuidArray(group.map(({ message }) => hexBytes(message.id))),
      textArray(group.map(({ message }) => message.direction)),
      textArray(group.map(({ message }) => message.dialect)),
      texts(({ kind }) => kind),
      texts(({ controlId }) => controlId),
      texts(({ sender }) => sender),
      texts(({ receiver }) => receiver),
      texts(({ correlation }) => correlation),
      byteaNullableArray(group.map(({ message }) => message.hash)),
      textNullableArray(group.map(({ relation }) => relation)),
      textNullableArray(group.map(({ firstId }) => firstId)),
      byteaNullableArray(group.map(({ raw }) => raw)),
      float8Array(
        group.map(({ message }) => message.receivedAt),
        group.length,
      ),
    ],
  };
};
