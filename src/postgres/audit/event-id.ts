/** Ids of the AuditEvents that are rendered from entries: `trail-<ms>-<number>`, with `-<n>` for the n-th patient of a page. */
import { toBigInt } from '../hash.ts';
import type { Lanes } from '../keys.ts';

export interface EventId {
  readonly at: number;
  /** Of the entry, as a decimal. */
  readonly id: string;
  /** Which patient's event, of an entry with several. */
  readonly n: number | undefined;
}

const FORM = /^trail-([0-9a-z]{1,10})-([0-9a-f]{16})(?:-(0|[1-9][0-9]?))?$/;

/** Without the patient's number, which the renderer adds. */
export const formatEventId = (at: number, id: Lanes): string =>
  `trail-${at.toString(36)}-${BigInt.asUintN(64, toBigInt(id.hi, id.lo)).toString(16).padStart(16, '0')}`;

export function parseEventId(text: string): EventId | undefined {
  const [, at = '', hex = '', n] = FORM.exec(text) ?? [];
  const ms = Number.parseInt(at, 36);
  if (!Number.isSafeInteger(ms)) return undefined;
  return { at: ms, id: String(BigInt.asIntN(64, BigInt(`0x${hex}`))), n: n === undefined ? undefined : Number(n) };
}
