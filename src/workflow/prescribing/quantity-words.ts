/**
 * A quantity in words, as a prescription for a controlled drug of Schedule 2 or 3 states it beside the figures (Misuse of
 * Drugs Regulations 2001, regulation 15(1)(f)): `twenty eight`, `two point five`. Pure.
 */

const UNITS =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
    ' ',
  );
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'.split(' ');
const THOUSAND = 1000;
const HUNDRED = 100;

/** Undefined for what is no quantity of medicine: less than nothing, nothing, a million and more, beyond three decimals. */
export function quantityInWords(quantity: number): string | undefined {
  const text = String(quantity);
  const [, whole, decimals] = /^(\d{1,6})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  if (whole === undefined || quantity <= 0) return undefined;
  const point = decimals === undefined ? [] : ['point', ...[...decimals].map((digit) => UNITS[Number(digit)] ?? '')];
  return [wholeInWords(Number(whole)), ...point].join(' ');
}

/** Below a million. */
function wholeInWords(number: number): string {
  if (number < UNITS.length) return UNITS[number] ?? '';
  if (number < HUNDRED) return [TENS[Math.floor(number / 10) - 2], rest(number % 10)].filter(Boolean).join(' ');
  const [size, name] = number < THOUSAND ? [HUNDRED, 'hundred'] : [THOUSAND, 'thousand'];
  const left = number % size;
  const joined = left > 0 && left < HUNDRED ? `and ${wholeInWords(left)}` : rest(left);
  return [wholeInWords(Math.floor(number / size)), name, joined].filter(Boolean).join(' ');
}

const rest = (number: number): string => (number === 0 ? '' : wholeInWords(number));
