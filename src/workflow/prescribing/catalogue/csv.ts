/** Comma-separated values as RFC 4180 has them. */

/** Rows of fields, empty lines left out; each with the line it begins on. Throws where a quote is not closed. */
export function parseCsv(text: string): readonly { readonly line: number; readonly fields: readonly string[] }[] {
  const rows: { line: number; fields: string[] }[] = [];
  let line = 1;
  let fields: string[] = [];
  let begin = 1;
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|\r|$)/gy;
  pattern.lastIndex = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (pattern.lastIndex < text.length || fields.length > 0) {
    const match = pattern.exec(text);
    if (!match) throw new Error(`line ${line}: a quote is not closed, or something follows one`);
    const [whole, quoted, plain = '', end] = match;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    line += whole.match(/\r\n|\n|\r/g)?.length ?? 0;
    if (end === ',') continue;
    if (fields.length > 1 || fields[0] !== '') rows.push({ line: begin, fields });
    fields = [];
    begin = line;
    if (end === '') break;
  }
  return rows;
}
