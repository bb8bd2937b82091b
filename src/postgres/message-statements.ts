/** How messages are written: sealed, and in texts that Postgres and its indexes can hold. */
import { createHash } from 'node:crypto';
import type { Cipher } from '../ports/cipher.ts';
import type { NewMessage, Settled, Settlement } from '../ports/message-log.ts';
import type { Issue } from '../standards/fhir/outcome.ts';
import { byteaNullableArray, textArray, textNullableArray, uuidArray } from './binary.ts';
import type { Statement } from './pools.ts';

const ISSUES_MAX = 200;
const ERROR_MAX = 1000;
const LABEL_MAX = 200;

/** What a raw message is bound to. */
export const rawContext = (id: string): string => `message ${id} raw`;
export const answerContext = (id: string): string => `message ${id} answer`;

/** Leaves a message alone whose id is there. */
export function queueStatement(cipher: Cipher, message: NewMessage, resources: readonly string[]): Statement {
  return {
    name: 'message-queue',
    text: `insert into mortar.message (id, direction, dialect, kind, control_id, sender, receiver, correlation,
  hash, state, raw, resources, asked_by, received_at, updated_at)
values ($1, 'out', $2, $3, $4, $5, $6, $7, $8, 'queued', $9, $10, $11, $12, $12)
on conflict (id) do nothing`,
    values: [
      message.id,
      message.dialect,
      label(message.kind),
      label(message.controlId),
      label(message.sender),
      label(message.receiver),
      label(message.correlation),
      message.hash,
      cipher.seal(message.raw, rawContext(message.id)),
      resources,
      label(message.askedBy),
      new Date(message.receivedAt),
    ],
  };
}

/** Leaves a message alone that has been applied before, or whose receiver has answered. */
export function settleStatement(cipher: Cipher, id: string, settlement: Settlement): Statement {
  const { state, answer, error, issues, resources, from } = settlement;
  return {
    name: 'message-settle',
    text: `update mortar.message set state = $2, answer = coalesce($3, answer), error = $4, issues = $5,
  resources = $6, attempts = attempts + 1, updated_at = now()
where id = $1 and state <> 'applied' and not (direction = 'out' and state in ('acknowledged', 'rejected'))
  and ($7::text is null or state = $7)
returning 1`,
    values: [
      id,
      state,
      answer ? cipher.seal(answer, answerContext(id)) : null,
      error === undefined ? null : errorText(error),
      issues && issues.length > 0 ? formatIssues(issues) : null,
      resources ?? [],
      from ?? null,
    ],
  };
}

/**
 * The same for many, as one row of how many were settled. Each is found by its id and takes what stands at the same place
 * of each list: a join would leave it to the statistics whether the whole log is gone through.
 */
export function settleManyText(): string {
  const place = 'array_position($1::uuid[], id)';
  return `update mortar.message set state = ($2::text[])[${place}], answer = coalesce(($3::bytea[])[${place}], answer),
  error = ($4::text[])[${place}], issues = ($5::text[])[${place}]::jsonb,
  resources = string_to_array(($6::text[])[${place}], ' '), attempts = attempts + 1, updated_at = now()
where id = any($1::uuid[]) and state <> 'applied' and not (direction = 'out' and state in ('acknowledged', 'rejected'))
  and coalesce(($7::text[])[${place}], state) = state
returning 1`;
}

/** Parameters of `settleManyText`. */
export const settleManyValues = (cipher: Cipher, settled: readonly Settled[]): unknown[] => [
  uuidArray(settled.map(({ id }) => Buffer.from(id.replaceAll('-', ''), 'hex'))),
  textArray(settled.map(({ settlement }) => settlement.state)),
  byteaNullableArray(settled.map(({ id, settlement: { answer } }) => answer && cipher.seal(answer, answerContext(id)))),
  textNullableArray(settled.map(({ settlement: { error } }) => (error === undefined ? undefined : errorText(error)))),
  textNullableArray(
    settled.map(({ settlement: { issues = [] } }) => (issues.length > 0 ? formatIssues(issues) : undefined)),
  ),
  textArray(settled.map(({ settlement: { resources = [] } }) => resources.join(' '))),
  textNullableArray(settled.map(({ settlement: { from } }) => from)),
];

/** An error as its column holds it. */
export const errorText = (error: string): string => storable(error).slice(0, ERROR_MAX);

/** Text as Postgres can hold it: without NUL and half characters. What a sender wrote is in the raw message. */
const storable = (text: string): string => text.toWellFormed().replaceAll('\u0000', '\uFFFD');

/** A code of the sender's as an index can hold it; one that had to be changed has a hash to be told from others. */
export function label(text: string | undefined): string | null {
  if (text === undefined) return null;
  const clean = storable(text);
  if (clean === text && clean.length <= LABEL_MAX) return clean;
  return `${clean.slice(0, LABEL_MAX)}… ${createHash('sha256').update(text, 'utf16le').digest('hex').slice(0, 16)}`;
}

const formatIssues = (issues: readonly Issue[]): string =>
  JSON.stringify(issues.slice(0, ISSUES_MAX), (_key, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  );
