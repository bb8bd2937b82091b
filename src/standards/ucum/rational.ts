/** Exact numbers: a whole number over another, in lowest terms, the lower one positive. */
export interface Rational {
  readonly top: bigint;
  readonly bottom: bigint;
}

export const ONE: Rational = { top: 1n, bottom: 1n };

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
}

function make(top: bigint, bottom: bigint): Rational {
  const divisor = gcd(top, bottom) || 1n;
  return { top: top / divisor, bottom: bottom / divisor };
}

export const add = (a: Rational, b: Rational): Rational =>
  make(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
export const times = (a: Rational, b: Rational): Rational => make(a.top * b.top, a.bottom * b.bottom);
/** `a` is positive. */
export const inverse = (a: Rational): Rational => ({ top: a.bottom, bottom: a.top });

export function power(a: Rational, exponent: number): Rational {
  const [base, times_] = exponent < 0 ? [inverse(a), -exponent] : [a, exponent];
  return { top: base.top ** BigInt(times_), bottom: base.bottom ** BigInt(times_) };
}

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/;

/** The number that a decimal stands for, `1.50` or `2e-3`; undefined when it is none. */
export function parseRational(text: string): Rational | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', decimals = '', exponent = '0'] = match;
  const digits = BigInt(`${whole}${decimals}`) * (sign === '-' ? -1n : 1n);
  const scale = Number(exponent) - decimals.length;
  return scale >= 0 ? make(digits * 10n ** BigInt(scale), 1n) : make(digits, 10n ** BigInt(-scale));
}

/** Digits of the quotient, far beyond the 17 that a double holds. */
const DIGITS = 40;

/** The double nearest to the number: equal numbers give equal doubles, however they were come by. */
export function toNumber({ top, bottom }: Rational): number {
  if (top === 0n) return 0;
  const size = (top < 0n ? -top : top).toString().length - bottom.toString().length;
  const shift = DIGITS - size;
  const digits = shift >= 0 ? (top * 10n ** BigInt(shift)) / bottom : top / (bottom * 10n ** BigInt(-shift));
  return Number(`${digits}e${-shift}`);
}
