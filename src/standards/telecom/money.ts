/**
 * Amounts with the sign overpunched on their last digit, and numbers with implied decimals. Everything is counted in
 * whole units of the last decimal, as BigInt: never through a binary float. Reference sections 15, 15.1
 */

const POSITIVE = '{ABCDEFGHI';
const NEGATIVE = '}JKLMNOPQR';

/** `65000{` is 650000n, `125}` is -1250n. A plain digit at the end is read as positive. Undefined: it is no amount. */
export function parseOverpunch(text: string): bigint | undefined {
  const last = text.at(-1) ?? '';
  const leading = text.slice(0, -1);
  if (!/^\d*$/.test(leading) || text === '') return undefined;
  if (/^\d$/.test(last)) return BigInt(text);
  const positive = POSITIVE.indexOf(last);
  if (positive >= 0) return BigInt(`${leading}${positive}`);
  const negative = NEGATIVE.indexOf(last);
  return negative >= 0 ? -BigInt(`${leading}${negative}`) : undefined;
}

/** As short as it goes: zero is `{`. */
export function formatOverpunch(units: bigint): string {
  const isNegative = units < 0n;
  const digits = String(isNegative ? -units : units);
  const last = Number(digits.at(-1));
  const sign = (isNegative ? NEGATIVE : POSITIVE).charAt(last);
  return digits.length === 1 && last === 0 ? '{' : `${digits.slice(0, -1)}${sign}`;
}

/** 650150n with two decimals is `6501.50`. */
export function formatUnits(units: bigint, decimals: number): string {
  const digits = String(units < 0n ? -units : units).padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const fraction = decimals === 0 ? '' : `.${digits.slice(-decimals)}`;
  return `${units < 0n ? '-' : ''}${whole}${fraction}`;
}

/** `6501.5` with two decimals is 650150n. Undefined: no plain decimal, or with digits beyond the last decimal. */
export function parseUnits(text: string, decimals: number): bigint | undefined {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d{1,18})(?:\.(\d{1,18}))?$/.exec(text) ?? [];
  if (sign === undefined || /[1-9]/.test(fraction.slice(decimals))) return undefined;
  const units = BigInt(`${whole}${fraction.slice(0, decimals).padEnd(decimals, '0')}`);
  return sign === '-' ? -units : units;
}
