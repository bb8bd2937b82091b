/**
 * Federal rules for filling, refilling and handing on prescriptions for controlled substances (reference section 23;
 * 21 CFR part 1306). States are stricter: what they ask for comes on top. Days are `2026-01-31`, quantities decimal text.
 */
import { addExact, compareExact } from './exact.ts';

export type Schedule = 'CI' | 'CII' | 'CIII' | 'CIV' | 'CV';

/** NCIt codes of schedules, as SCRIPT has them; C38046 (unspecified) is used for drugs that are not controlled. */
const SCHEDULES: ReadonlyMap<string, Schedule> = new Map([
  ['C48672', 'CI'],
  ['C48675', 'CII'],
  ['C48676', 'CIII'],
  ['C48677', 'CIV'],
  ['C48679', 'CV'],
]);

export const scheduleOf = (code: string | undefined): Schedule | undefined =>
  code === undefined ? undefined : SCHEDULES.get(code);

export type ControlledRule =
  | 'not-prescribable'
  | 'refills'
  | 'expired'
  | 'too-early'
  | 'fill-number'
  | 'quantity'
  | 'partial-time'
  | 'series-days'
  | 'series-date'
  | 'transfer';

export interface ControlledFault {
  readonly rule: ControlledRule;
  /** Where the law says so. */
  readonly law: string;
  /** In words that end a sentence which begins with "The prescription". */
  readonly what: string;
}

const fault = (rule: ControlledRule, law: string, what: string): ControlledFault => ({ rule, law, what });

/** How many refills the schedule allows; undefined: as the prescriber authorises. */
const REFILLS_MAX: Readonly<Record<Schedule, number | undefined>> = { CI: 0, CII: 0, CIII: 5, CIV: 5, CV: undefined };

/** CIII and CIV are not filled later than so many months after they were issued, partial fills of CV neither. */
const MONTHS_MAX = 6;

/** What of a prescription is against the law, before anything is filled. */
export function findPrescriptionFaults(schedule: Schedule, refills: number | undefined): readonly ControlledFault[] {
  if (schedule === 'CI')
    return [fault('not-prescribable', '21 CFR 1306.04', 'is for Schedule I, which nobody prescribes')];
  const most = REFILLS_MAX[schedule];
  if (refills === undefined || most === undefined || refills <= most) return [];
  return [
    schedule === 'CII'
      ? fault('refills', '21 CFR 1306.12', 'is for Schedule II and may not be refilled')
      : fault('refills', '21 CFR 1306.22', `may be refilled ${most} times at most`),
  ];
}

/** The last day on which it may be filled; undefined: federal law names none. */
export const lastDayOf = (schedule: Schedule, issuedOn: string): string | undefined =>
  schedule === 'CIII' || schedule === 'CIV' ? addMonths(issuedOn, MONTHS_MAX) : undefined;

export interface ControlledPrescription {
  readonly schedule: Schedule;
  readonly issuedOn: string;
  readonly earliestFillOn?: string;
  readonly quantity: string;
  /** After the first fill. */
  readonly refills: number;
  /** The patient is terminally ill or lives in a long-term care facility. */
  readonly isLongTermCare?: boolean;
}

export interface Fill {
  /** 0 the first fill, 1 the first refill; parts of one fill share it. */
  readonly number: number;
  readonly on: string;
  readonly quantity: string;
  /** Why less than all was given. */
  readonly reason?: 'short-of-stock' | 'requested';
}

/** Why the next fill may not be made; nothing: it may. `before`: in the order they were made. */
export function findFillFaults(
  prescription: ControlledPrescription,
  before: readonly Fill[],
  next: Fill,
): readonly ControlledFault[] {
  const { schedule, refills } = prescription;
  return [
    ...findPrescriptionFaults(schedule, refills),
    ...findDateFaults(prescription, before, next),
    ...findNumberFaults(prescription, before, next),
    ...findQuantityFaults(prescription, before, next),
    ...findPartialFaults(prescription, before, next),
  ];
}

function findDateFaults(
  { schedule, issuedOn, earliestFillOn }: ControlledPrescription,
  before: readonly Fill[],
  next: Fill,
): readonly ControlledFault[] {
  const last = lastDayOf(schedule, issuedOn);
  const isPart = schedule === 'CV' && before.some(({ number }) => number === next.number);
  const lastOfParts = isPart ? addMonths(issuedOn, MONTHS_MAX) : undefined;
  return [
    ...(next.on < issuedOn ? [fault('too-early', '21 CFR 1306.05', 'is filled before it was issued')] : []),
    ...(earliestFillOn !== undefined && next.on < earliestFillOn
      ? [fault('too-early', '21 CFR 1306.12(b)', 'is filled before its earliest fill date')]
      : []),
    ...(last !== undefined && next.on > last
      ? [fault('expired', '21 CFR 1306.22', 'was issued more than six months ago')]
      : []),
    ...(lastOfParts !== undefined && next.on > lastOfParts
      ? [fault('expired', '21 CFR 1306.23', 'was issued more than six months ago: nothing more of it is filled')]
      : []),
  ];
}

function findNumberFaults(
  { schedule, refills }: ControlledPrescription,
  before: readonly Fill[],
  next: Fill,
): readonly ControlledFault[] {
  const law = schedule === 'CII' ? '21 CFR 1306.12' : '21 CFR 1306.22';
  const highest = before.reduce((most, { number }) => Math.max(most, number), -1);
  return [
    ...(next.number > refills ? [fault('refills', law, `has ${refills} refills, and this would be one more`)] : []),
    ...(next.number < highest || next.number > highest + 1
      ? [fault('fill-number', law, 'is filled out of turn: a fill has the number of the last or the next one')]
      : []),
  ];
}

function findQuantityFaults(
  { schedule, quantity }: ControlledPrescription,
  before: readonly Fill[],
  next: Fill,
): readonly ControlledFault[] {
  const law = schedule === 'CII' ? '21 CFR 1306.13' : '21 CFR 1306.23';
  const total = addExact(
    ...before.filter(({ number }) => number === next.number).map((one) => one.quantity),
    next.quantity,
  );
  const isSome = (compareExact(next.quantity, '0') ?? 0) > 0;
  const isTooMuch = total === undefined || compareExact(total, quantity) !== -1;
  const isExact = total !== undefined && compareExact(total, quantity) === 0;
  if (isSome && (!isTooMuch || isExact)) return [];
  return [fault('quantity', law, isSome ? 'would be filled with more than was prescribed' : 'is filled with nothing')];
}

/** The rest of a Schedule II prescription is given in time or not at all. */
function findPartialFaults(
  { schedule, issuedOn, isLongTermCare = false }: ControlledPrescription,
  before: readonly Fill[],
  next: Fill,
): readonly ControlledFault[] {
  const [first] = before.filter(({ number }) => number === next.number);
  if (schedule !== 'CII' || first === undefined) return [];
  const [last, law, what] = isLongTermCare
    ? [addDays(issuedOn, 60), '21 CFR 1306.13(c)', 'may be completed within 60 days of its issue']
    : first.reason === 'requested'
      ? [addDays(issuedOn, 30), '21 CFR 1306.13(b)', 'may be completed within 30 days of its issue']
      : [addDays(first.on, 3), '21 CFR 1306.13(a)', 'may be completed within 72 hours of its first part'];
  return next.on > last ? [fault('partial-time', law, `${what}, and a new one is needed`)] : [];
}

export interface SeriesPart {
  readonly issuedOn: string;
  readonly daysSupply: number;
  readonly earliestFillOn?: string;
}

const SERIES_DAYS_MAX = 90;

/** Several Schedule II prescriptions for one patient and drug, issued at once: 90 days in all, each with its date. */
export function findSeriesFaults(parts: readonly SeriesPart[]): readonly ControlledFault[] {
  const law = '21 CFR 1306.12(b)';
  const days = parts.reduce((sum, { daysSupply }) => sum + daysSupply, 0);
  const sorted = parts.toSorted((a, b) =>
    (a.earliestFillOn ?? a.issuedOn).localeCompare(b.earliestFillOn ?? b.issuedOn),
  );
  const isDated = sorted.every(({ earliestFillOn }, at) => at === 0 || earliestFillOn !== undefined);
  return [
    ...(days > SERIES_DAYS_MAX ? [fault('series-days', law, 'makes a supply of more than 90 days')] : []),
    ...(isDated ? [] : [fault('series-date', law, 'needs an earliest fill date, as all but the first of a series')]),
  ];
}

export interface Transfer {
  readonly schedule: Schedule;
  /** Fills that were made before. */
  readonly fills: number;
  readonly transfers: number;
  readonly isElectronic: boolean;
  /** Both pharmacies share one database that is up to date. */
  readonly sharesDatabase?: boolean;
}

/** Why it may not be handed on to another pharmacy; nothing: it may. */
export function findTransferFaults({
  schedule,
  fills,
  transfers,
  isElectronic,
  sharesDatabase = false,
}: Transfer): readonly ControlledFault[] {
  if (schedule === 'CI') return findPrescriptionFaults(schedule, 0);
  // 2023: an electronic prescription that was never filled goes once to another pharmacy for its first fill.
  if (fills === 0 && isElectronic)
    return transfers === 0 ? [] : [fault('transfer', '21 CFR 1306.08(e)', 'was handed on once, unfilled')];
  if (schedule === 'CII')
    return [fault('transfer', '21 CFR 1306.08(e)', 'is for Schedule II and is handed on unfilled only')];
  if (transfers === 0 || sharesDatabase) return [];
  return [fault('transfer', '21 CFR 1306.25', 'was handed on once')];
}

/** Days within which a written or electronic prescription follows an emergency order by voice. 21 CFR 1306.11(d) */
export const emergencyFollowUpBy = (orderedOn: string): string => addDays(orderedOn, 7);

export function addDays(day: string, days: number): string {
  const at = new Date(`${day}T00:00:00Z`);
  at.setUTCDate(at.getUTCDate() + days);
  return at.toISOString().slice(0, 10);
}

/** The same day of a later month, or its last day. */
export function addMonths(day: string, months: number): string {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const last = new Date(Date.UTC(year, month - 1 + months + 1, 0)).getUTCDate();
  return new Date(Date.UTC(year, month - 1 + months, Math.min(date, last))).toISOString().slice(0, 10);
}
