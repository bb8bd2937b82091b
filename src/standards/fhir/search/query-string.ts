/**
 * Query strings as flat pairs: no bracket has a meaning and repeated names stay separate pairs (SECURITY IN-11).
 * https://url.spec.whatwg.org/#urlencoded-parsing
 */

export type Pair = readonly [name: string, value: string];

/** The pairs, and how many could not be read: bad percent-encoding, bytes that are no UTF-8, control characters. */
export function parseQueryString(query: string): { readonly pairs: readonly Pair[]; readonly broken: number } {
  const pairs: Pair[] = [];
  let broken = 0;
  for (const piece of query.split('&')) {
    if (piece === '') continue;
    const equals = piece.indexOf('=');
    const name = decode(equals < 0 ? piece : piece.slice(0, equals));
    const value = equals < 0 ? '' : decode(piece.slice(equals + 1));
    if (name === undefined || value === undefined) broken++;
    else pairs.push([name, value]);
  }
  return { pairs, broken };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/;

function decode(text: string): string | undefined {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    return isPlain(decoded) ? decoded : undefined;
  } catch {
    return undefined; // URIError, the only thing decodeURIComponent throws
  }
}

/** Whether the text has neither control characters nor half a surrogate pair. */
export const isPlain = (text: string): boolean => text.isWellFormed() && !CONTROL.test(text);

/** Characters that stay readable in a query. https://www.rfc-editor.org/rfc/rfc3986#section-3.4 */
const READABLE: ReadonlyMap<string, string> = new Map([
  ['%3A', ':'],
  ['%2C', ','],
  ['%2F', '/'],
  ['%24', '$'],
  ['%40', '@'],
]);

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/%(?:3A|2C|2F|24|40)/g, (hex) => READABLE.get(hex) ?? hex);

/** The query of a self link, without `?`. https://hl7.org/fhir/R4/search.html#conformance */
export const formatQueryString = (pairs: readonly Pair[]): string =>
  pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join('&');
