/**
 * What a line of an import writes, before it is read: type and id of its resource, seen from its first bytes where they
 * come first, as they mostly do. https://hl7.org/fhir/R4/json.html#resources
 */

export interface LineHead {
  readonly type: string;
  readonly id: string | undefined;
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [0x7b, 0x7d, 0x5b, 0x5d];
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

/**
 * Undefined for a line that is anything but an object whose `resourceType`, and `id` if there is one, are texts without
 * escapes: the reader says what becomes of it. A line whose head is told may be faulty all the same; what the reader takes
 * from it has this type and this id.
 */
export function headOf(line: Buffer): LineHead | undefined {
  let at = skipSpace(line, 0);
  if (line[at] !== OPEN) return undefined;
  let type: string | undefined;
  let id: string | undefined;
  for (;;) {
    at = skipSpace(line, at + 1);
    const nameEnd = endOfText(line, at);
    if (nameEnd < 0) return undefined;
    const name = nameOf(line, at, nameEnd);
    at = skipSpace(line, nameEnd);
    if (line[at] !== COLON) return undefined;
    at = skipSpace(line, at + 1);
    const from = at;
    at = name === undefined ? endOfValue(line, from) : endOfText(line, from);
    if (at < 0) return undefined;
    if (name === 'resourceType') type ??= line.toString('utf8', from + 1, at - 1);
    if (name === 'id') id ??= line.toString('utf8', from + 1, at - 1);
    if (type !== undefined && id !== undefined) return { type, id };
    at = skipSpace(line, at);
    if (line[at] === CLOSE) return type === undefined ? undefined : { type, id };
    if (line[at] !== COMMA) return undefined;
  }
}

function skipSpace(line: Buffer, from: number): number {
  let at = from;
  while (isSpace(line[at])) at++;
  return at;
}

/** After the last quote of the text that begins here; negative where there is none, or one with an escape. */
function endOfText(line: Buffer, from: number): number {
  if (line[from] !== QUOTE) return -1;
  for (let at = from + 1; at < line.length; at++) {
    if (line[at] === QUOTE) return at + 1;
    if (line[at] === BACKSLASH) return -1;
  }
  return -1;
}

/** The name between these quotes, where it is one of those that are looked for. */
function nameOf(line: Buffer, from: number, to: number): 'resourceType' | 'id' | undefined {
  if (to - from === ID.length && line.compare(ID, 0, ID.length, from, to) === 0) return 'id';
  if (to - from === TYPE.length && line.compare(TYPE, 0, TYPE.length, from, to) === 0) return 'resourceType';
  return undefined;
}
const ID = Buffer.from('"id"');
const TYPE = Buffer.from('"resourceType"');

/** After the value that begins here; negative where it has no end. */
function endOfValue(line: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < line.length; at++) {
    const byte = line[at];
    if (byte === QUOTE) {
      for (at++; line[at] !== QUOTE; at++) {
        if (at >= line.length) return -1;
        if (line[at] === BACKSLASH) at++;
      }
      if (depth === 0) return at + 1;
    } else if (byte === OPEN || byte === OPEN_LIST) depth += 1;
    else if (byte === CLOSE || byte === CLOSE_LIST) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (byte === COMMA && depth === 0) return at;
  }
  return -1;
}
