/** Numbers in queries with their implicit precision. https://hl7.org/fhir/R4/search.html#number */

export interface NumberRange {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

const NUMBER = /^([+-]?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * The number and the range it stands for: half a unit of its last digit to either side (`100` → 99.5…100.5, `5.40` →
 * 5.395…5.405). `1e2` is 95…105 as the specification has it, so a mantissa without decimals counts as having one.
 */
export function parseNumber(text: string): NumberRange | undefined {
  const match = NUMBER.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', decimals = '', exponent] = match;
  const fraction = exponent !== undefined && decimals === '' ? '0' : decimals;
  // In whole tenths of the last digit, so that the ends are the nearest doubles of exact decimals.
  const tenths = BigInt(`${sign === '-' ? '-' : ''}${whole}${fraction}0`);
  const power = Number(exponent ?? 0) - fraction.length - 1;
  const at = (n: bigint): number => Number(`${n}e${power}`);
  const range = { value: Number(text), low: at(tenths - 5n), high: at(tenths + 5n) };
  return Number.isFinite(range.low) && Number.isFinite(range.high) ? range : undefined;
}
