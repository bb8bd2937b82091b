/**
 * Reads of one moment as one row: under load a row, its indexes and its MAC for every read would cost half as much as
 * the reads. The row's number is that of its first event, the others follow; what they say lies sealed in its detail,
 * and its `pats` are the patients of all of them. DESIGN 6a; SECURITY AU-06, AU-07
 */
import type { Cipher } from '../../ports/cipher.ts';
import type { Lanes } from '../keys.ts';
import type { EntryDraft } from './drafts.ts';
import { type EntryFields, type EntryRow, SHARD } from './entry.ts';

/** In `kind`: no kind of event. */
export const SHEET = 1000;
/** Fewer are rows of their own. */
export const SHEET_MIN = 4;
export const SHEET_MAX = 64;

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
];

interface Packed {
  readonly callers: readonly PackedCaller[];
  readonly events: readonly PackedEvent[];
}

/** What succeeded, of one patient or none, with nothing to seal. */
export const fitsSheet = (draft: EntryDraft): boolean =>
  draft.outcome === 0 &&
  draft.detail === undefined &&
  draft.pats === undefined &&
  draft.rule === undefined &&
  draft.operation === undefined;

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
  const events = drafts.map((draft): PackedEvent => {
    const { rid, pat } = draft;
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
    if (pat) patients.set(`${pat.hi} ${pat.lo}`, pat);
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
    type: undefined,
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

/** The events of a sheet as entries of their own; undefined when its detail does not open. */
export function openSheet(
  sheet: EntryRow,
  cipher: Cipher,
  context: (at: number, id: Lanes) => string,
): readonly EntryRow[] | undefined {
  let packed: Packed;
  try {
    packed = JSON.parse(cipher.open(sheet.detail as Buffer, context(sheet.at, sheet.id)).toString()) as Packed; // ours
  } catch {
    return undefined;
  }
  const { callers, events } = packed;
  return events.map(([kind, place, correlation, type, ridHi, ridLo, ver, ref, patHi, patLo], n): EntryRow => {
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
      pats: undefined,
      purpose: purpose ?? undefined,
      rule: undefined,
      operation: undefined,
      correlation: correlation ?? undefined,
      address: address ?? undefined,
      token: token ?? undefined,
      detail: undefined,
      mac: sheet.mac,
    };
  });
}

const lanesOf = (hi: number | null, lo: number | null): Lanes | undefined =>
  hi === null || lo === null ? undefined : { hi, lo };

/** The `n`-th number after one; the numbers of a sheet do not run over the low lane. */
const nextLanes = ({ hi, lo }: Lanes, n: number): Lanes => ({ hi, lo: ((lo >>> 0) + n) | 0 });
