/** Amounts as they are written: compared and added digit by digit, never through a binary float. */

/** `12.50` → 1250 with 2 digits behind the point; undefined for what is no plain decimal. */
function scaled(text: string): { readonly digits: bigint; readonly scale: number } | undefined {
  const [, sign = '', whole = '', fraction = ''] = /^([+-]?)(\d*)(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(whole + fraction);
  return { digits: sign === '-' ? -digits : digits, scale: fraction.length };
}

const raised = (digits: bigint, by: number): bigint => digits * 10n ** BigInt(by);

/** Less than 0, 0 or more than 0, as `toSorted` wants it; undefined where one is no decimal. */
export function compareExact(one: string, other: string): number | undefined {
  const [a, b] = [scaled(one), scaled(other)];
  if (!a || !b) return undefined;
  const [left, right] = [raised(a.digits, b.scale), raised(b.digits, a.scale)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The sum, with the digits behind the point that are needed; undefined where one is no decimal. */
export function addExact(...texts: readonly string[]): string | undefined {
  const parts = texts.map(scaled);
  const scale = Math.max(0, ...parts.map((part) => part?.scale ?? 0));
  let sum = 0n;
  for (const part of parts) {
    if (!part) return undefined;
    sum += raised(part.digits, scale - part.scale);
  }
  const digits = String(sum < 0n ? -sum : sum).padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  const fraction = scale === 0 ? '' : digits.slice(-scale).replace(/0+$/, '');
  return `${sum < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}
