/** Characters that could forge lines or turn text around become visible escapes. SECURITY AU-15 */

/** C0 and C1 controls, line and paragraph separators, bidi marks, the byte order mark, halves of surrogate pairs. */
function isUnsafe(code: number): boolean {
  return (
    code < 0x20 ||
    (code >= 0x7f && code <= 0x9f) ||
    code === 0x061c ||
    code === 0x200e ||
    code === 0x200f ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    code === 0xfeff ||
    (code >= 0xd800 && code <= 0xdfff)
  );
}

/** The text with such characters as `\u000a`, cut after `lengthMax` characters. */
export function escapeControls(text: string, lengthMax = 256): string {
  const cut = text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
  let isClean = true;
  for (let i = 0; i < cut.length && isClean; i++) {
    const code = cut.charCodeAt(i);
    isClean = code < 0x7f ? code >= 0x20 : !isUnsafe(code);
  }
  if (isClean) return cut;
  // By code points: a whole surrogate pair is a character of its own, a half is none.
  return Array.from(cut, (character) => {
    const code = character.codePointAt(0) as number;
    return isUnsafe(code) ? `\\u${code.toString(16).padStart(4, '0')}` : character;
  }).join('');
}
