/** The arithmetic of claims and payments, in whole cents. Reference section 20 */
import { findSegment, findValue, type TelecomSegment, valuesOf } from './message.ts';
import { formatUnits, parseOverpunch } from './money.ts';

const DECIMALS = 2;

export const formatCents = (cents: bigint): string => formatUnits(cents, DECIMALS);

/** The amount of a field in cents; undefined where there is none, or none that can be read. */
export function centsOf(segment: TelecomSegment | undefined, id: string): bigint | undefined {
  const value = findValue(segment, id);
  return value === undefined ? undefined : parseOverpunch(value);
}

const sumOf = (segment: TelecomSegment | undefined, ids: readonly string[]): bigint =>
  ids.reduce((sum, id) => sum + (centsOf(segment, id) ?? 0n), 0n);

const sumOfAll = (segment: TelecomSegment | undefined, id: string): bigint =>
  valuesOf(segment, id).reduce((sum, value) => sum + (parseOverpunch(value) ?? 0n), 0n);

/** A figure and what it should be. */
export interface Balance {
  readonly stated: bigint;
  readonly computed: bigint;
}

/** Parts of 430-DU. */
const GROSS_PARTS = ['D9', 'DC', 'BE', 'E3', 'HA', 'GE'];

/** 430-DU = 409-D9 + 412-DC + 477-BE + 438-E3 + Σ 480-H9 + 481-HA + 482-GE. Undefined where no DU is stated. */
export function grossAmountDue(pricing: TelecomSegment | undefined): Balance | undefined {
  const stated = centsOf(pricing, 'DU');
  if (stated === undefined) return undefined;
  return { stated, computed: sumOf(pricing, GROSS_PARTS) + sumOfAll(pricing, 'H9') };
}

/** What the payers before left to the patient: some copay programmes want it as 430-DU. */
export const patientResponsibility = (cob: TelecomSegment | undefined): bigint => sumOfAll(cob, 'NQ');

const PAID_PARTS = ['F6', 'F7', 'FL', 'J1', 'AW', 'AX'];

/** 509-F9 = F6 + F7 + FL + J1 + AW + AX + Σ J4 − J5 − F5. Undefined where no F9 is stated. */
export function totalPaid(pricing: TelecomSegment | undefined): Balance | undefined {
  const stated = centsOf(pricing, 'F9');
  if (stated === undefined) return undefined;
  return {
    stated,
    computed: sumOf(pricing, PAID_PARTS) + sumOfAll(pricing, 'J4') - sumOf(pricing, ['J5', 'F5']),
  };
}

const PATIENT_PARTS = ['FH', 'FI', '4U', 'FK', 'UJ', 'UK', 'UM', 'UN', 'UP', 'NZ', 'EQ'];

/** 505-F5 = FH + FI + 4U + FK + UJ + UK + UM + UN + UP + NZ + EQ − UD. Undefined where no part is stated. */
export function patientPay(pricing: TelecomSegment | undefined): Balance | undefined {
  const stated = centsOf(pricing, 'F5');
  if (stated === undefined || !PATIENT_PARTS.some((id) => centsOf(pricing, id) !== undefined)) return undefined;
  return { stated, computed: sumOf(pricing, PATIENT_PARTS) - sumOf(pricing, ['UD']) };
}

/** What the ingredients of a compound cost. Undefined where none says so. */
export function compoundCost(segments: readonly TelecomSegment[]): Balance | undefined {
  const compound = findSegment(segments, '10');
  const stated = centsOf(findSegment(segments, '11'), 'D9');
  if (stated === undefined || valuesOf(compound, 'EE').length === 0) return undefined;
  return { stated, computed: sumOfAll(compound, 'EE') };
}
