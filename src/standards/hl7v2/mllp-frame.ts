/**
 * MLLP framing: `0B` message `1C 0D`. HL7 v2 transport specification, release 1, section 2.
 *
 * Knows no sockets: it is fed chunks and gives frames and faults. Every byte is looked at and copied a fixed number of
 * times, however small the chunks. A fault never costs the other frames of a chunk.
 */

const START = 0x0b;
const END = 0x1c;
const CR = 0x0d;
/** Keep-alives and padding between frames. */
const PADDING = new Set([0x00, 0x0d, 0x0a, 0x20]);

export interface MllpLimits {
  readonly frameBytes: number;
  /** So many bytes outside frames are passed over before one fault is reported. */
  readonly noiseBytes: number;
}

export const MLLP_LIMITS: MllpLimits = { frameBytes: 16 * 1024 * 1024, noiseBytes: 1024 };

export type MllpFault =
  /** Bytes outside frames. */
  | 'noise'
  /** A frame began inside one that had not ended; the unended is dropped. */
  | 'restarted'
  /** The end block had no CR; the frame is taken. */
  | 'end-without-cr'
  /** An end block character stood in the data; the frame goes on. */
  | 'end-in-data'
  /** A frame grew too long; it is dropped, and nothing more is read. */
  | 'oversize'
  /** The stream ended inside a frame, which is dropped. */
  | 'partial';

export type MllpEvent =
  | { readonly kind: 'frame'; readonly bytes: Buffer }
  /** `byteCount`: how much was dropped. `head`: its beginning, from which an answer can be made. */
  | { readonly kind: 'fault'; readonly fault: MllpFault; readonly byteCount: number; readonly head?: Buffer };

export interface MllpFramer {
  push(chunk: Buffer): MllpEvent[];
  /** The stream ended or its time is up: what becomes of the frame that is open. */
  end(): MllpEvent[];
  /** Bytes of the open frame; undefined between frames. */
  readonly openBytes: number | undefined;
}

const HEAD_BYTES = 4096;
const FIRST_CAPACITY = 4096;
/** What follows a start block inside a frame decides whether it starts one. */
const HEADERS = ['MSH', 'FHS', 'BHS'];

export function createMllpFramer(limits: MllpLimits = MLLP_LIMITS): MllpFramer {
  let frame: Buffer | undefined;
  let length = 0;
  let noise = 0;
  let endInData = false;
  let broken = false;
  /** The last bytes of a chunk whose meaning the next one tells; at most three. */
  let held: Buffer | undefined;

  const open = (): void => {
    frame = Buffer.allocUnsafe(FIRST_CAPACITY);
    length = 0;
    endInData = false;
  };

  const append = (chunk: Buffer, from: number, to: number, events: MllpEvent[]): boolean => {
    const needed = length + to - from;
    if (needed > limits.frameBytes) {
      events.push({ kind: 'fault', fault: 'oversize', byteCount: needed, head: headWith(chunk, from, to) });
      broken = true;
      frame = undefined;
      return false;
    }
    let target = frame as Buffer;
    if (needed > target.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(target.length * 2, limits.frameBytes)));
      target.copy(grown, 0, 0, length);
      frame = grown;
      target = grown;
    }
    chunk.copy(target, length, from, to);
    length = needed;
    return true;
  };

  const headWith = (chunk: Buffer, from: number, to: number): Buffer =>
    Buffer.concat([(frame as Buffer).subarray(0, length), chunk.subarray(from, to)]).subarray(0, HEAD_BYTES);

  const drop = (fault: MllpFault): MllpEvent => ({
    kind: 'fault',
    fault,
    byteCount: length,
    head: Buffer.from((frame as Buffer).subarray(0, Math.min(length, HEAD_BYTES))),
  });

  const complete = (events: MllpEvent[]): void => {
    events.push({ kind: 'frame', bytes: (frame as Buffer).subarray(0, length) });
    frame = undefined;
  };

  /** Between frames: up to the next start block. Returns where to go on. */
  const skip = (chunk: Buffer, from: number, events: MllpEvent[]): number => {
    const start = chunk.indexOf(START, from);
    const end = start === -1 ? chunk.length : start;
    const before = noise;
    for (let at = from; at < end; at++) if (!PADDING.has(chunk[at] as number)) noise++;
    if (before < limits.noiseBytes && noise >= limits.noiseBytes)
      events.push({ kind: 'fault', fault: 'noise', byteCount: noise });
    if (start !== -1) open();
    return start === -1 ? end : start + 1;
  };

  const scan = (chunk: Buffer, from: number, events: MllpEvent[]): void => {
    let at = from;
    // Where the next of each stands; looked for anew only when it has been passed.
    let nextEnd = -2;
    let nextStart = -2;
    while (at < chunk.length && !broken) {
      if (frame === undefined) {
        at = skip(chunk, at, events);
        continue;
      }
      if (nextEnd !== -1 && nextEnd < at) nextEnd = chunk.indexOf(END, at);
      if (nextStart !== -1 && nextStart < at) nextStart = chunk.indexOf(START, at);
      const mark = nextEnd === -1 ? nextStart : nextStart === -1 ? nextEnd : Math.min(nextEnd, nextStart);
      if (mark === -1) {
        append(chunk, at, chunk.length, events);
        return;
      }
      if (!append(chunk, at, mark, events)) return;
      const next = mark === nextEnd ? afterEnd(chunk, mark, events) : afterStart(chunk, mark, events);
      if (next === undefined) {
        held = Buffer.from(chunk.subarray(mark));
        return;
      }
      at = next;
    }
  };

  /** The byte after an end block character says what it was. Undefined: it has not come yet. */
  const afterEnd = (chunk: Buffer, mark: number, events: MllpEvent[]): number | undefined => {
    const following = chunk[mark + 1];
    if (following === undefined) return undefined;
    if (following === CR) {
      complete(events);
      return mark + 2;
    }
    if (following === START) {
      events.push({ kind: 'fault', fault: 'end-without-cr', byteCount: 0 });
      complete(events);
      return mark + 1;
    }
    if (!endInData) events.push({ kind: 'fault', fault: 'end-in-data', byteCount: 0 });
    endInData = true;
    append(chunk, mark, mark + 1, events);
    return mark + 1;
  };

  /** A start block character followed by a header begins a frame; else it is data. */
  const afterStart = (chunk: Buffer, mark: number, events: MllpEvent[]): number | undefined => {
    const following = chunk.toString('latin1', mark + 1, Math.min(mark + 4, chunk.length));
    if (following.length < 3 && HEADERS.some((name) => name.startsWith(following))) return undefined;
    if (HEADERS.includes(following)) {
      // Nothing but padding was dropped when a start block came twice.
      if (length > 0) events.push(drop('restarted'));
      open();
      return mark + 1;
    }
    append(chunk, mark, mark + 1, events);
    return mark + 1;
  };

  return {
    push(chunk) {
      const events: MllpEvent[] = [];
      if (broken || chunk.length === 0) return events;
      const bytes = held === undefined ? chunk : Buffer.concat([held, chunk]);
      held = undefined;
      scan(bytes, 0, events);
      return events;
    },
    end() {
      const events: MllpEvent[] = [];
      if (frame !== undefined && held?.[0] === END) {
        events.push({ kind: 'fault', fault: 'end-without-cr', byteCount: 0 });
        complete(events);
      } else if (frame !== undefined) events.push(drop('partial'));
      frame = undefined;
      held = undefined;
      return events;
    },
    get openBytes() {
      return frame === undefined ? undefined : length + (held?.length ?? 0);
    },
  };
}

/** A message as a frame. */
export const formatFrame = (message: Buffer): Buffer => Buffer.concat([Buffer.of(START), message, Buffer.of(END, CR)]);
