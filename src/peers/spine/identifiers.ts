/** Check digits. eps/REFERENCE section 11. */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ+';
const SHORT_FORM = /^[0-9A-F]{6}-[0-9A-Z]{6}-[0-9A-F]{5}[0-9A-Z+]$/;

export const isShortForm = (id: string): boolean => SHORT_FORM.test(id);

/** ISO 7064 MOD 37-2 over all characters but the hyphens: what is left over must be 1. */
export function hasCheckCharacter(id: string): boolean {
  let rest = 0;
  const characters = [...id.replaceAll('-', '')];
  for (const [index, character] of characters.entries()) {
    rest += ALPHABET.indexOf(character);
    if (index < characters.length - 1) rest = (rest * 2) % 37;
  }
  return rest % 37 === 1;
}

/** Modulus 11 with weights 10 to 2. */
export function isNhsNumber(text: string): boolean {
  if (!/^\d{10}$/.test(text)) return false;
  const digits = [...text].map(Number);
  const sum = digits.slice(0, 9).reduce((total, digit, index) => total + digit * (10 - index), 0);
  const check = (11 - (sum % 11)) % 11;
  return check !== 10 && check === digits[9];
}
