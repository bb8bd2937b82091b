/**
 * A large Bundle in JSON, an entry at a time: others have their turn between. What is wrong with it, if anything, is said by
 * the reader of whole texts, so that a Bundle is taken or refused in the same words whatever its size. SECURITY RL-43, IN-01
 */
import { JSON_LIMITS, parseJson } from '../standards/fhir/json.ts';
import { nextTurn } from '../standards/turns.ts';

/** From here on. */
export const LARGE_BYTES = 256 * 1024;
/** Bytes that are read at once. */
const TURN_BYTES = 128 * 1024;
/** Entries lie in an array in an object, their resources in them. */
const LIST_LIMITS = { ...JSON_LIMITS, depth: JSON_LIMITS.depth - 1 };
const ENTRY_LIMITS = { ...JSON_LIMITS, depth: JSON_LIMITS.depth - 2 };
const RESOURCE_LIMITS = { ...JSON_LIMITS, depth: JSON_LIMITS.depth - 3 };

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const ENTRY = Buffer.from('"entry"');
const RESOURCE = Buffer.from('"resource"');
const [LIST_START, NEXT, NOTHING, LIST_END] = ['[', ',', '{}', ']'].map((text) => Buffer.from(text)) as [
  Buffer,
  Buffer,
  Buffer,
  Buffer,
];
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The value of the text; throws what `parseJson` throws. */
export async function readLargeBundle(body: Buffer): Promise<unknown> {
  const list = await findEntries(body);
  if (!list) return parseJson(body);
  try {
    const entry: unknown[] = [];
    let read = 0;
    for (const { from, to } of list.entries) {
      entry.push(parseJson(body.subarray(from, to), ENTRY_LIMITS));
      read += to - from;
      if (read < TURN_BYTES) continue;
      read = 0;
      await nextTurn();
    }
    return { ...frameOf(body, list), entry };
  } catch {
    return parseJson(body);
  }
}

/** A Bundle whose resources stay text until they are asked for. */
export interface OpenBundle {
  /** Its value, without the `resource` of each entry that `resourceAt` reads. */
  readonly value: unknown;
  hasResource(index: number): boolean;
  /** The resource of the entry at this place, read anew each time; undefined where it has none. Throws what `parseJson` throws for the whole text. */
  resourceAt(index: number): unknown;
}

/** Undefined for a text that is read as a whole, or refused. */
export async function openLargeBundle(body: Buffer): Promise<OpenBundle | undefined> {
  const list = await findEntries(body);
  if (!list) return undefined;
  const { entries } = list;
  try {
    const entry: unknown[] = [];
    for (let i = 0; i < entries.length; ) {
      const pieces: Buffer[] = [LIST_START];
      const first = i;
      for (let read = 0; i < entries.length && read < TURN_BYTES; i++) {
        const place = entries[i] as Place; // within the list
        if (i > first) pieces.push(NEXT);
        if (place.resource)
          pieces.push(
            body.subarray(place.from, place.resource.from),
            NOTHING,
            body.subarray(place.resource.to, place.to),
          );
        else pieces.push(body.subarray(place.from, place.to));
        read += place.to - place.from;
      }
      const heads = parseJson(Buffer.concat([...pieces, LIST_END]), LIST_LIMITS) as readonly object[]; // each began with a brace
      for (const [n, head] of heads.entries()) entry.push(entries[first + n]?.resource ? withoutResource(head) : head);
      await nextTurn();
    }
    return {
      value: { ...frameOf(body, list), entry },
      hasResource: (index) => entries[index]?.resource !== undefined,
      resourceAt(index) {
        const place = entries[index]?.resource;
        if (!place) return undefined;
        try {
          return parseJson(body.subarray(place.from, place.to), RESOURCE_LIMITS);
        } catch (error) {
          parseJson(body); // says where in the whole
          throw error;
        }
      },
    };
  } catch {
    return undefined;
  }
}

/** What is around the entries; the text began with a brace. */
const frameOf = (body: Buffer, { from, to }: Entries): object =>
  parseJson(Buffer.concat([body.subarray(0, from), body.subarray(to)])) as object;

function withoutResource(head: object): object {
  const { resource: _, ...rest } = head as { readonly resource?: unknown };
  return rest;
}

interface Range {
  readonly from: number;
  readonly to: number;
}

/** An entry, and in it the value of its first `resource` that is an object. */
interface Place extends Range {
  readonly resource: Range | undefined;
}

interface Entries extends Range {
  /** `from` to `to` is the text between the brackets. */
  readonly entries: readonly Place[];
}

/** Where the objects of the outermost `entry` lie; undefined for a text that is anything else. */
async function findEntries(body: Buffer): Promise<Entries | undefined> {
  const entries: Place[] = [];
  let depth = 0;
  let turnAt = TURN_BYTES;
  /** The first byte after the opening bracket. */
  let from = -1;
  let start = -1;
  /** The resource of the entry that is read. */
  let inner: { readonly from: number; to: number } | undefined;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = endOfString(body, at);
      if (end < 0) return undefined;
      if (from < 0) {
        if (depth === 1 && isText(body, at, end, ENTRY)) from = startOf(body, end, OPEN_LIST);
      } else if (depth === 2) return undefined;
      else if (depth === 3 && !inner && isText(body, at, end, RESOURCE)) {
        const opened = startOf(body, end, OPEN);
        if (opened >= 0) inner = { from: opened - 1, to: -1 };
      }
      at = end - 1;
    } else if (byte === OPEN || byte === OPEN_LIST) {
      if (from >= 0 && depth === 2) {
        if (byte !== OPEN) return undefined;
        start = at;
        inner = undefined;
      }
      depth += 1;
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      depth -= 1;
      if (from >= 0 && depth === 3 && inner && inner.to < 0) inner.to = at + 1;
      if (from >= 0 && depth === 2)
        entries.push({ from: start, to: at + 1, resource: inner && inner.to >= 0 ? inner : undefined });
      if (from >= 0 && depth === 1 && at >= from)
        return isListed(body, entries, from, at) ? { from, to: at, entries } : undefined;
    }
    if (at < turnAt) continue;
    turnAt = at + TURN_BYTES;
    await nextTurn();
  }
  return undefined;
}

const isText = (body: Buffer, from: number, to: number, text: Buffer): boolean =>
  to - from === text.length && body.compare(text, 0, text.length, from, to) === 0;

/** The first byte after the string's last quote; negative where it has no end. */
function endOfString(body: Buffer, quote: number): number {
  for (let at = body.indexOf(QUOTE, quote + 1); at >= 0; at = body.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (body[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return -1;
}

/** After a colon and `opening`; negative where something else follows. */
function startOf(body: Buffer, at: number, opening: number): number {
  let next = at;
  while (isSpace(body[next])) next++;
  if (body[next] !== COLON) return -1;
  next++;
  while (isSpace(body[next])) next++;
  return body[next] === opening ? next + 1 : -1;
}

/** Whether nothing but one comma stands between each two. */
function isListed(body: Buffer, entries: readonly Range[], from: number, to: number): boolean {
  let at = from;
  for (const [i, { from: start, to: end }] of entries.entries()) {
    let commas = 0;
    for (; at < start; at++)
      if (body[at] === COMMA) commas++;
      else if (!isSpace(body[at])) return false;
    if (commas !== (i === 0 ? 0 : 1)) return false;
    at = end;
  }
  for (; at < to; at++) if (!isSpace(body[at])) return false;
  return true;
}
