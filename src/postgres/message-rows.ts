/** How messages are read: their columns, and pages of them. */
import type { LoggedMessage, MessageFilter, MessageState } from '../ports/message-log.ts';
import { badValue, type Issue } from '../standards/fhir/outcome.ts';
import type { Row, Statement } from './pools.ts';

export const MESSAGE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const SUMMARY = `id, direction, dialect, kind, control_id, sender, receiver, correlation, encode(hash, 'hex'), state,
  attempts, error, issues, resources, relation, first_id, asked_by,
  (extract(epoch from received_at) * 1000)::float8, (extract(epoch from updated_at) * 1000)::float8`;
export const SUMMARY_COLUMNS = 19;

type Summary = [
  string,
  'in' | 'out',
  string,
  string,
  string | null,
  string | null,
  string | null,
  string | null,
  string,
  MessageState,
  number,
  string | null,
  readonly Issue[] | null,
  readonly string[],
  'conflict' | 'correction' | null,
  string | null,
  string | null,
  number,
  number,
];

export function toLogged(row: Row): LoggedMessage {
  const [id, direction, dialect, kind, controlId, sender, receiver, correlation, ...rest] = row as unknown as Summary;
  const [hash, state, attempts, error, issues, resources, relation, firstId, askedBy, receivedAt, updatedAt] = rest;
  return {
    id,
    direction,
    dialect,
    kind,
    ...(controlId !== null && { controlId }),
    ...(sender !== null && { sender }),
    ...(receiver !== null && { receiver }),
    ...(correlation !== null && { correlation }),
    hash,
    state,
    attempts,
    ...(error !== null && { error }),
    ...(issues !== null && { issues }),
    resources,
    ...(relation !== null && firstId !== null && { relation: { kind: relation, firstId } }),
    ...(askedBy !== null && { askedBy }),
    receivedAt: Math.round(receivedAt),
    updatedAt: Math.round(updatedAt),
  };
}

/** In the order of their coming; message_received gives the order, and message_open narrows where a state is asked for. */
export function listStatement(filter: MessageFilter, limit: number, cursor: string | undefined): Statement {
  const values: unknown[] = [];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  const conditions: string[] = [];
  const equal: [string, string | undefined][] = [
    ['state', filter.state],
    ['dialect', filter.dialect],
    ['kind', filter.kind],
    ['direction', filter.direction],
    ['sender', filter.sender],
    ['control_id', filter.controlId],
  ];
  for (const [column, value] of equal) if (value !== undefined) conditions.push(`${column} = ${bind(value)}`);
  if (filter.since !== undefined) conditions.push(`received_at >= ${bind(new Date(filter.since))}`);
  if (filter.until !== undefined) conditions.push(`received_at < ${bind(new Date(filter.until))}`);
  if (cursor !== undefined) {
    const [at, id] = parseCursor(cursor);
    conditions.push(`(received_at, id) ${filter.oldestFirst ? '>' : '<'} (${bind(new Date(at))}, ${bind(id)})`);
  }
  const where = conditions.length > 0 ? `\nwhere ${conditions.join(' and ')}` : '';
  const order = filter.oldestFirst ? 'received_at, id' : 'received_at desc, id desc';
  return {
    text: `select ${SUMMARY} from mortar.message${where}\norder by ${order} limit ${bind(limit)}`,
    values,
  };
}

export const formatCursor = (row: Row): string => {
  const { receivedAt, id } = toLogged(row);
  return Buffer.from(`${receivedAt} ${id}`).toString('base64url');
};

function parseCursor(cursor: string): [number, string] {
  const [at = '', id = ''] = Buffer.from(cursor, 'base64url').toString('latin1').split(' ');
  if (!/^\d{1,15}$/.test(at) || !MESSAGE_ID.test(id))
    throw badValue('The cursor is not one of a page of this list: begin again without it');
  return [Number(at), id];
}
