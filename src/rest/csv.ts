/** Cells of CSV reports. RFC 4180; SECURITY WB-05 */

/** Quoted where it must be; what a spreadsheet would take for a formula gets an apostrophe before it. */
export function csvCell(value: string | number | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
