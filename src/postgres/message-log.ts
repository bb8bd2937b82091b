/** The message log: `mortar.message`. docs/gateway.md, SECURITY RL-11, RL-12, KS-07 */
import type { Cipher } from '../ports/cipher.ts';
import type { MessageLog, MessageState, OutgoingFilter, Reception, StoredMessage } from '../ports/message-log.ts';
import { notFound } from '../standards/fhir/outcome.ts';
import { translated } from './database-error.ts';
import { createMessageInserts } from './message-inserts.ts';
import { formatCursor, listStatement, MESSAGE_ID, SUMMARY, SUMMARY_COLUMNS, toLogged } from './message-rows.ts';
import { answerContext, errorText, label, rawContext, settleStatement } from './message-statements.ts';
import type { Pipeline, Row } from './pools.ts';

export interface MessageLogOptions {
  readonly reads: Pipeline;
  readonly writes: Pipeline;
  readonly cipher: Cipher;
}

export function createMessageLog({ reads, writes, cipher }: MessageLogOptions): MessageLog {
  const inserts = createMessageInserts(writes);
  const openAnswer = (id: string, sealed: unknown): { answer?: Buffer } =>
    sealed === null ? {} : { answer: cipher.open(sealed as Buffer, answerContext(id)) };

  /** The first message with this control id; there is one, as its index entry was met. */
  async function findFirst(dialect: string, sender: string, controlId: string): Promise<Row | undefined> {
    const rows = await writes.query({
      name: 'message-first',
      text: `select id, hash, state, attempts, answer from mortar.message
where dialect = $1 and coalesce(sender, '') = $2 and control_id = $3 and direction = 'in' and relation is null`,
      values: [dialect, sender, controlId],
    });
    return rows[0];
  }

  /** Whether a correction with other content than this has been applied already. */
  async function isCorrected(firstId: string, hash: Buffer): Promise<boolean> {
    const rows = await writes.query({
      name: 'message-corrected',
      text: `select 1 from mortar.message
where first_id = $1 and relation = 'correction' and state = 'applied' and hash <> $2 limit 1`,
      values: [firstId, hash],
    });
    return rows.length > 0;
  }

  return {
    receive: (message) =>
      translated(async (): Promise<Reception> => {
        const { id, hash, correctionOf } = message;
        const raw = cipher.seal(message.raw, rawContext(id));
        const insert = (relation?: 'conflict' | 'correction', firstId?: string): Promise<boolean> =>
          inserts.insert({ message, raw, relation, firstId });
        const findRelated = async (relation: string, firstId: string): Promise<Row> => {
          const rows = await writes.query({
            name: 'message-related',
            text: `select id, state, attempts, answer from mortar.message
where first_id = $1 and relation = $2 and hash = $3`,
            values: [firstId, relation, hash],
          });
          if (!rows[0]) throw new Error('a message that was just met is gone');
          return rows[0];
        };
        const correct = async (of: string): Promise<Reception> => {
          if (await insert('correction', of)) return { kind: 'new', id };
          const [known, state, attempts, answer] = await findRelated('correction', of);
          return duplicate(
            known as string,
            state as MessageState,
            attempts as number,
            openAnswer(known as string, answer),
          );
        };
        if (correctionOf !== undefined) return correct(correctionOf);
        if (await insert()) return { kind: 'new', id };
        const first = await findFirst(message.dialect, label(message.sender) ?? '', label(message.controlId) ?? '');
        if (!first) throw new Error('a message with this control id was just met and is gone');
        const [firstId, firstHash, state, attempts, answer] = first as [string, Buffer, MessageState, number, unknown];
        if (hash.equals(firstHash)) return duplicate(firstId, state, attempts, openAnswer(firstId, answer));
        if (message.mayCorrect === true && state === 'rejected' && !(await isCorrected(firstId, hash)))
          return correct(firstId);
        if (await insert('conflict', firstId)) return { kind: 'conflict', id, firstId };
        const related = await findRelated('conflict', firstId);
        return { kind: 'conflict', id: related[0] as string, firstId, ...openAnswer(related[0] as string, related[3]) };
      }),

    settle: (id, settlement) =>
      translated(async () => {
        const rows = await writes.query(settleStatement(cipher, id, settlement));
        return rows.length > 0;
      }),

    failAttempt: (id, error) =>
      translated(async () => {
        const [row] = await writes.query({
          name: 'message-fail',
          // Resends in quick succession are one attempt: a fault that passes must not make a dead letter in a second.
          text: `update mortar.message set error = $2,
  attempts = attempts + case when attempts = 0 or updated_at < now() - interval '10 s' then 1 else 0 end,
  updated_at = case when attempts = 0 or updated_at < now() - interval '10 s' then now() else updated_at end
where id = $1 and state <> 'applied' returning attempts`,
          values: [id, errorText(error)],
        });
        return { attempts: (row?.[0] as number | undefined) ?? 0 };
      }),

    read: (_caller, id) =>
      translated(async () => {
        const [row] = MESSAGE_ID.test(id)
          ? await reads.query({
              name: 'message-read',
              text: `select ${SUMMARY}, raw, answer, exists (
    select 1 from mortar.message c where c.first_id = m.id and c.relation = 'correction' and c.state = 'applied')
from mortar.message m where id = $1`,
              values: [id],
            })
          : [];
        if (!row) throw notFound(`Message ${MESSAGE_ID.test(id) ? id : 'with that id'}`);
        const [raw, answer, isCorrected] = row.slice(SUMMARY_COLUMNS) as [Buffer, Buffer | null, boolean];
        const message: StoredMessage = {
          ...toLogged(row),
          isCorrected,
          raw: cipher.open(raw, rawContext(id)),
          ...openAnswer(id, answer),
        };
        return message;
      }),

    list: (_caller, filter, count, cursor) =>
      translated(async () => {
        const rows = await reads.query(listStatement(filter, count + 1, cursor));
        const messages = rows.slice(0, count).map(toLogged);
        const last = rows.length > count ? rows[count - 1] : undefined;
        return { messages, ...(last && { next: formatCursor(last) }) };
      }),

    findOutgoing: (filter, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'message-outgoing',
          text: `select ${SUMMARY}, raw, answer ${OUTGOING}
order by received_at, id limit $9`,
          values: [...outgoingValues(filter), limit],
        });
        return rows.map((row) => {
          const [raw, answer] = row.slice(SUMMARY_COLUMNS) as [Buffer, Buffer | null];
          const logged = toLogged(row);
          return {
            ...logged,
            isCorrected: false,
            raw: cipher.open(raw, rawContext(logged.id)),
            ...openAnswer(logged.id, answer),
          };
        });
      }),

    countOutgoing: (filter, most) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'message-outgoing-count',
          text: `select count(*)::int from (select 1 ${OUTGOING} limit $9) found`,
          values: [...outgoingValues(filter), most],
        });
        return (rows[0] as Row)[0] as number;
      }),

    count: (_caller) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'message-count',
          text: 'select dialect, state, count(*)::int from mortar.message group by 1, 2 order by 1, 2',
          values: [],
        });
        return rows.map(([dialect, state, count]) => ({
          dialect: dialect as string,
          state: state as MessageState,
          count: count as number,
        }));
      }),

    findStale: (before, limit) =>
      translated(async () => {
        const rows = await reads.query({
          name: 'message-stale',
          // message_open
          text: `select id, dialect, sender from mortar.message
where state = 'received' and direction = 'in' and updated_at < $1
order by received_at, id limit $2`,
          values: [new Date(before), limit],
        });
        return rows.map(([id, dialect, sender]) => ({
          id: id as string,
          dialect: dialect as string,
          sender: sender as string | null,
        }));
      }),

    purge: (before, limit) =>
      translated(async () => {
        const rows = await writes.query({
          name: 'message-purge',
          // Related ones go first, as they refer to the first; it follows on the next round. While a legal hold stands,
          // none goes: a message does not say whom it is about.
          text: `delete from mortar.message where id in (
  select m.id from mortar.message m
  where m.received_at < $1 and m.state in ('applied', 'rejected', 'acknowledged')
    and not exists (select 1 from mortar.message r where r.first_id = m.id)
    and not exists (select 1 from protection.hold h where h.state in ('active', 'lifting'))
  order by m.received_at limit $2)
returning 1`,
          values: [new Date(before), limit],
        });
        return rows.length;
      }),
  };
}

// message_control_id where the id is known, else message_open
const OUTGOING = `from mortar.message
where direction = 'out' and dialect = $1 and state = any($2) and ($3::text is null or sender = $3)
  and ($4::text is null or receiver = $4) and ($5::text is null or control_id = $5)
  and ($6::text is null or correlation = $6) and ($7::timestamptz is null or (received_at, id) > ($7, $8::uuid))`;

const outgoingValues = ({ dialect, states, after, ...filter }: OutgoingFilter): unknown[] => [
  dialect,
  states,
  label(filter.sender),
  label(filter.receiver),
  label(filter.controlId),
  label(filter.correlation),
  after === undefined ? null : new Date(after.receivedAt),
  after?.id ?? null,
];

const duplicate = (id: string, state: MessageState, attempts: number, answer: { answer?: Buffer }): Reception => ({
  kind: 'duplicate',
  id,
  state,
  attempts,
  ...answer,
});
