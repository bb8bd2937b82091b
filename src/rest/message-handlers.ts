/** One message or many: listed, looked at from every side, worked again, compared with the record. */
import { isUtf8 } from 'node:buffer';
import type { LoggedMessage, StoredMessage } from '../ports/message-log.ts';
import { badRequest, badValue, notFound } from '../standards/fhir/outcome.ts';
import { iso } from './instant.ts';
import type { Answer, Call, MessageApiOptions } from './message-desk.ts';
import { readCount, readFilter } from './message-filter.ts';

/** Sees what a message says of patients. */
export const CONTENT = 'messages:content';

export async function list({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const filter = readFilter(query, ['_count', 'cursor']);
  const count = readCount(query.get('_count'));
  const { messages, next } = await desk.messages.list(caller, filter, count, query.get('cursor'));
  return {
    status: 200,
    json: { messages: messages.map(shown), ...(next !== undefined && { next: nextUrl(query, next) }) },
  };
}

function nextUrl(query: ReadonlyMap<string, string>, cursor: string): string {
  const parameters = new URLSearchParams([...query].filter(([name]) => name !== 'cursor'));
  parameters.set('cursor', cursor);
  return `/gateway/messages?${parameters}`;
}

export async function show({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  const { parsed, fhir, issues } = desk.view(message);
  return {
    status: 200,
    json: {
      ...shown(message),
      issues: message.issues ?? issues,
      raw: asText(message.raw),
      ...(message.answer && { answer: asText(message.answer) }),
      ...(parsed !== undefined && { parsed }),
      ...(fhir !== undefined && { fhir }),
    },
  };
}

export async function raw({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  return { status: 200, content: message.raw, mediaType: desk.mediaTypeOf(message.dialect) };
}

export async function lineage({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const found = desk.lineage(await desk.messages.read(caller, segments[2] as string));
  if (found === undefined) throw notFound('The lineage of this message');
  return { status: 200, json: { lineage: found } };
}

export async function answerBytes({ desk }: MessageApiOptions, { caller, segments }: Call): Promise<Answer> {
  const message = await desk.messages.read(caller, segments[2] as string);
  if (!message.answer) throw notFound('An answer to this message');
  return { status: 200, content: message.answer, mediaType: desk.mediaTypeOf(message.dialect) };
}

export async function replay({ desk, door }: MessageApiOptions, { caller, segments, body }: Call): Promise<Answer> {
  const id = segments[2] as string;
  const { id: replayedId, verdict, answer } = await desk.replay(caller, id, body.length > 0 ? body : undefined);
  const shows = door.policy.allows(caller, CONTENT).allowed;
  return { status: 200, json: { id: replayedId ?? id, verdict, ...(shows && { answer: asText(answer) }) } };
}

export async function replayMany({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const filter = readFilter(query, []);
  if (filter.state !== 'dead' && filter.state !== 'rejected' && filter.state !== 'received')
    throw badRequest('Say which messages: state=dead, state=rejected or state=received', 'state');
  return { status: 202, json: { ...(await desk.replayMany(caller, filter)) } };
}

export async function reconciliation({ desk }: MessageApiOptions, { caller, query }: Call): Promise<Answer> {
  const { sender, since, until, ...others } = readFilter(query, ['cursor']);
  const [other] = Object.keys(others);
  if (other !== undefined) throw badValue('Reconciliation takes sender, since and until', other);
  if (sender === undefined || sender === '') throw badValue('Say whose messages: sender=PAS|RXX', 'sender');
  const filter = { sender, ...(since !== undefined && { since }), ...(until !== undefined && { until }) };
  return { status: 200, json: await desk.reconcile(caller, filter, query.get('cursor')) };
}

const shown = ({ receivedAt, updatedAt, ...message }: LoggedMessage): object => {
  const { raw: _raw, answer: _answer, ...rest } = message as StoredMessage; // without its bytes where it has them
  return { ...rest, receivedAt: iso(receivedAt), updatedAt: iso(updatedAt) };
};

const asText = (bytes: Buffer): { readonly encoding: 'utf-8' | 'latin1'; readonly text: string } =>
  isUtf8(bytes)
    ? { encoding: 'utf-8', text: bytes.toString() }
    : { encoding: 'latin1', text: bytes.toString('latin1') };
