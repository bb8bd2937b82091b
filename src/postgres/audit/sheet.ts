/**
 * Reads and searches of one moment as one row: under load a row, its indexes and its MAC for every one of them would cost
 * as much as they do themselves. The row's number is that of its first event, the others follow; what they say lies sealed
 * in its detail, and its `pats` are the patients of all of them. DESIGN 6a; SECURITY AU-06, AU-07
 */
import type { Cipher } from '../../ports/cipher.ts';
import { eventCount } from '../../standards/fhir/audit-event/render.ts';
import type { Lanes } from '../keys.ts';
import type { EntryDetail, EntryDraft } from './drafts.ts';
import { type EntryFields, type EntryRow, SHARD } from './entry.ts';

/** In `kind`: no kind of event. */
export const SHEET = 1000;
/** Fewer are rows of their own. */
export const SHEET_MIN = 2;
export const SHEET_MAX = 64;
/** Of one event, as JSON; what is longer has a row of its own. */
const DETAIL_MAX = 2000;
const PATIENTS_MAX = 100;

type Optional<T> = T | null;
type PackedCaller = [agent: string, purpose: Optional<string>, address: Optional<string>, token: Optional<string>];
type PackedEvent = [
  kind: number,
  caller: number,
  correlation: Optional<string>,
  type: Optional<number>,
  ridHi: Optional<number>,
  ridLo: Optional<number>,
  ver: Optional<number>,
  ref: Optional<string>,
  patHi: Optional<number>,
  patLo: Optional<number>,
  ...more: [] | [More],
];
/** Of a search or an operation. */
interface More {
  /** Both lanes of each. */
  readonly pats?: readonly number[];
  readonly operation?: string;
  readonly detail?: EntryDetail;
}

interface Packed {
  readonly callers: readonly PackedCaller[];
  readonly events: readonly PackedEvent[];
}

/** What succeeded, and is no longer than others. */
export const fitsSheet = ({ outcome, rule, pats, detail }: EntryDraft): boolean =>
  outcome === 0 &&
  rule === undefined &&
  (pats === undefined || pats.length <= PATIENTS_MAX) &&
  (detail === undefined || JSON.stringify(detail).length <= DETAIL_MAX);

/** An entry, or an event of a sheet, whose detail is open then. */
export interface ReadEntry extends EntryRow {
  readonly opened?: EntryDetail;
}

/** One row of `SHEET_MAX` events at most. `id`: of the first. */
export function packSheet(
  drafts: readonly EntryDraft[],
  at: number,
  id: Lanes,
  seal: (content: Buffer) => Buffer,
): EntryFields {
  const callers: PackedCaller[] = [];
  const places = new Map<string, number>();
  const patients = new Map<string, Lanes>();
  let count = 0;
  const events = drafts.map((draft): PackedEvent => {
    const { rid, pat, pats = pat ? [pat] : [] } = draft;
    count += eventCount(pats.length);
    const caller: PackedCaller = [
      draft.agent.toString('hex'),
      draft.purpose ?? null,
      draft.address ?? null,
      draft.token ?? null,
    ];
    const key = caller.join('\n');
    let place = places.get(key);
    if (place === undefined) {
      place = callers.push(caller) - 1;
      places.set(key, place);
    }
    for (const one of pats) patients.set(`${one.hi} ${one.lo}`, one);
    return [
      draft.kind,
      place,
      draft.correlation ?? null,
      draft.type ?? null,
      rid?.hi ?? null,
      rid?.lo ?? null,
      draft.ver ?? null,
      draft.ref ?? null,
      pat?.hi ?? null,
      pat?.lo ?? null,
      ...moreOf(draft),
    ];
  });
  const [first] = drafts as [EntryDraft]; // never empty
  return {
    shard: SHARD,
    at,
    id,
    kind: SHEET,
    outcome: 0,
    agent: first.agent,
    // As many AuditEvents, where those are more than events: one of several patients is one for each.
    type: count > drafts.length ? count : undefined,
    rid: undefined,
    ver: drafts.length,
    ref: undefined,
    pat: undefined,
    pats: patients.size > 0 ? [...patients.values()] : undefined,
    purpose: undefined,
    rule: undefined,
    operation: undefined,
    correlation: undefined,
    address: undefined,
    token: undefined,
    detail: seal(Buffer.from(JSON.stringify({ callers, events } satisfies Packed))),
  };
}

function moreOf({ pats, operation, detail }: EntryDraft): [] | [More] {
  if (pats === undefined && operation === undefined && detail === undefined) return [];
  return [
    {
      ...(pats && { pats: pats.flatMap(({ hi, lo }) => [hi, lo]) }),
      ...(operation !== undefined && { operation }),
      ...(detail && { detail }),
    },
  ];
}

/** The events of a sheet as entries of their own; undefined when its detail does not open. */
export function openSheet(
  sheet: EntryRow,
  cipher: Cipher,
  context: (at: number, id: Lanes) => string,
): readonly ReadEntry[] | undefined {
  let packed: Packed;
  try {
    packed = JSON.parse(cipher.open(sheet.detail as Buffer, context(sheet.at, sheet.id)).toString()) as Packed; // ours
  } catch {
    return undefined;
  }
  const { callers, events } = packed;
  return events.map(([kind, place, correlation, type, ridHi, ridLo, ver, ref, patHi, patLo, more], n): ReadEntry => {
    const [agent, purpose, address, token] = callers[place] as PackedCaller; // packed with it
    return {
      shard: sheet.shard,
      at: sheet.at,
      id: nextLanes(sheet.id, n),
      kind,
      outcome: 0,
      agent: Buffer.from(agent, 'hex'),
      type: type ?? undefined,
      rid: lanesOf(ridHi, ridLo),
      ver: ver ?? undefined,
      ref: ref ?? undefined,
      pat: lanesOf(patHi, patLo),
      pats: more?.pats && pairsOf(more.pats),
      purpose: purpose ?? undefined,
      rule: undefined,
      operation: more?.operation,
      correlation: correlation ?? undefined,
      address: address ?? undefined,
      token: token ?? undefined,
      detail: undefined,
      mac: sheet.mac,
      ...(more?.detail && { opened: more.detail }),
    };
  });
}

function pairsOf(numbers: readonly number[]): Lanes[] {
  const pairs: Lanes[] = [];
  for (let i = 0; i + 1 < numbers.length; i += 2)
    pairs.push({ hi: numbers[i] as number, lo: numbers[i + 1] as number });
  return pairs;
}

const lanesOf = (hi: number | null, lo: number | null): Lanes | undefined =>
  hi === null || lo === null ? undefined : { hi, lo };

/** The `n`-th number after one; the numbers of a sheet do not run over the low lane. */
const nextLanes = ({ hi, lo }: Lanes, n: number): Lanes => ({ hi, lo: ((lo >>> 0) + n) | 0 });
