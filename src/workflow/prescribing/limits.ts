/** How much may be supplied, for how long a prescription stands, and when it may be repeated. MISSION M9 */
import type { CatalogueEntry } from './catalogue/entry.ts';
import { readDosing, unitsPerDay } from './dosing.ts';

const DAY_MS = 24 * 60 * 60_000;
/** A repeat may be asked for so many days before the last supply ends. */
export const EARLY_DAYS = 7;

/** Days of supply of one prescription, days for which it may be dispensed, and whether it may repeat, by UK schedule. */
export const SCHEDULE_LIMITS: ReadonlyMap<
  string,
  { readonly supplyDays: number; readonly validDays: number; readonly mayRepeat: boolean }
> = new Map([
  ['1', { supplyDays: 0, validDays: 0, mayRepeat: false }],
  ['2', { supplyDays: 28, validDays: 28, mayRepeat: false }],
  ['3', { supplyDays: 28, validDays: 28, mayRepeat: false }],
  ['4', { supplyDays: 28, validDays: 28, mayRepeat: true }],
  ['5', { supplyDays: 183, validDays: 183, mayRepeat: true }],
]);
/** Six months. */
export const VALID_DAYS = 183;

export const limitsOf = (
  entry: CatalogueEntry | undefined,
): { supplyDays: number; validDays: number; mayRepeat: boolean } => {
  const schedule = entry?.ukSchedule ?? entry?.nafdacSchedule ?? entry?.usSchedule;
  return SCHEDULE_LIMITS.get(schedule ?? '') ?? { supplyDays: VALID_DAYS, validDays: VALID_DAYS, mayRepeat: true };
};

/** Days that a quantity lasts, where the instructions say how much a day. */
export function supplyDays({
  entry,
  quantity,
  instructions,
}: {
  readonly entry?: CatalogueEntry;
  readonly quantity: number;
  readonly instructions: string;
}): number | undefined {
  const daily = unitsPerDay(readDosing(instructions, entry?.strength));
  return daily === undefined || daily <= 0 ? undefined : Math.floor(quantity / daily);
}

/** From when it may be asked for again, ms UTC; undefined where nobody knows how long it lasts. */
export const earliestRepeat = ({
  suppliedDays,
  authoredAt,
}: {
  readonly suppliedDays?: number;
  readonly authoredAt: number;
}): number | undefined =>
  suppliedDays === undefined ? undefined : authoredAt + Math.max(0, suppliedDays - EARLY_DAYS) * DAY_MS;
