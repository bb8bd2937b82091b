/** Separators in search values and their escapes. https://hl7.org/fhir/R4/search.html#escaping */

type Separator = ',' | '|' | '$';

/** The pieces between unescaped separators, their escapes still in place. */
export function splitEscaped(text: string, separator: Separator, piecesMax = Number.POSITIVE_INFINITY): string[] {
  if (!text.includes(separator)) return [text];
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length && pieces.length + 1 < piecesMax; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === separator) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
  }
  pieces.push(text.slice(start));
  return pieces;
}

/** `\,` `\|` `\$` `\\` without their backslash; one before any other character stands for itself. */
export function unescapeValue(text: string): string {
  if (!text.includes('\\')) return text;
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const escaped = text[at + 1];
    if (text[at] === '\\' && escaped !== undefined && ',|$\\'.includes(escaped)) {
      plain += escaped;
      at++;
    } else plain += text[at];
  }
  return plain;
}
