/**
 * Text as string search compares it: case, accents and extra white space do not count.
 * https://hl7.org/fhir/R4/search.html#string
 */

const NON_ASCII = /[^\0-\x7f]/;
const COMBINING = /\p{M}+/gu;
const WHITE_SPACE = /\s+/g;

/** Lower case, without accents and other combining marks, white space folded to single spaces and trimmed. */
export function normaliseText(text: string): string {
  // Compatibility forms first: they can decompose into capitals.
  const plain = NON_ASCII.test(text)
    ? foldLetters(text.normalize('NFKD').toLowerCase().replace(COMBINING, ''))
    : text.toLowerCase();
  return plain.replace(WHITE_SPACE, ' ').trim();
}

/** Letters that do not decompose into a base letter and a mark. */
const LETTERS: ReadonlyMap<string, string> = new Map([
  ['ß', 'ss'],
  ['æ', 'ae'],
  ['œ', 'oe'],
  ['ø', 'o'],
  ['đ', 'd'],
  ['ð', 'd'],
  ['þ', 'th'],
  ['ł', 'l'],
  ['ı', 'i'],
  ['ħ', 'h'],
  ['’', "'"],
  ['‘', "'"],
]);
const FOLDED = /[ßæœøđðþłıħ’‘]/g;
const foldLetters = (text: string): string => text.replace(FOLDED, (letter) => LETTERS.get(letter) ?? letter);
