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
/** Entries lie in an array in an object. */
const ENTRY_LIMITS = { ...JSON_LIMITS, depth: JSON_LIMITS.depth - 2 };

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const ENTRY = Buffer.from('"entry"');
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/** The value of the text; throws what `parseJson` throws. */
export async function readLargeBundle(body: Buffer): Promise<unknown> {
  const list = await findEntries(body);
  if (!list) return parseJson(body);
  try {
    const frame = parseJson(Buffer.concat([body.subarray(0, list.from), body.subarray(list.to)]));
    const entry: unknown[] = [];
    let read = 0;
    for (const [from, to] of list.entries) {
      entry.push(parseJson(body.subarray(from, to), ENTRY_LIMITS));
      read += to - from;
      if (read < TURN_BYTES) continue;
      read = 0;
      await nextTurn();
    }
    return { ...(frame as object), entry }; // the text began with a brace
  } catch {
    return parseJson(body);
  }
}

interface Entries {
  /** The text between the brackets. */
  readonly from: number;
  readonly to: number;
  readonly entries: readonly (readonly [from: number, to: number])[];
}

/** Where the objects of the outermost `entry` lie; undefined for a text that is anything else. */
async function findEntries(body: Buffer): Promise<Entries | undefined> {
  const entries: [number, number][] = [];
  let depth = 0;
  let turnAt = TURN_BYTES;
  /** The first byte after the opening bracket. */
  let from = -1;
  let start = -1;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (byte === QUOTE) {
      const end = endOfString(body, at);
      if (end < 0) return undefined;
      if (depth === 1 && from < 0 && end - at === ENTRY.length && body.compare(ENTRY, 0, ENTRY.length, at, end) === 0)
        from = startOfList(body, end);
      else if (from >= 0 && depth === 2) return undefined;
      at = end - 1;
    } else if (byte === OPEN || byte === OPEN_LIST) {
      if (from >= 0 && depth === 2) {
        if (byte !== OPEN) return undefined;
        start = at;
      }
      depth += 1;
    } else if (byte === CLOSE || byte === CLOSE_LIST) {
      depth -= 1;
      if (from >= 0 && depth === 2) entries.push([start, at + 1]);
      if (from >= 0 && depth === 1 && at >= from)
        return isListed(body, entries, from, at) ? { from, to: at, entries } : undefined;
    }
    if (at < turnAt) continue;
    turnAt = at + TURN_BYTES;
    await nextTurn();
  }
  return undefined;
}

/** The first byte after the string's last quote; negative where it has no end. */
function endOfString(body: Buffer, quote: number): number {
  for (let at = body.indexOf(QUOTE, quote + 1); at >= 0; at = body.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (body[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return -1;
}

/** After `: [`; negative where something else follows. */
function startOfList(body: Buffer, at: number): number {
  let next = at;
  while (isSpace(body[next])) next++;
  if (body[next] !== COLON) return -1;
  next++;
  while (isSpace(body[next])) next++;
  return body[next] === OPEN_LIST ? next + 1 : -1;
}

/** Whether nothing but one comma stands between each two. */
function isListed(body: Buffer, entries: readonly (readonly [number, number])[], from: number, to: number): boolean {
  let at = from;
  for (const [i, [start, end]] of entries.entries()) {
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
