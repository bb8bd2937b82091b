/** The controlled drugs register as files for inspectors: CSV (RFC 4180) and PDF. MISSION M10 */
import type { RegisterLine } from '../../ports/dispensing.ts';
import { formatPdf, lineAt, type PdfPage, textAt, wrap } from '../../standards/prescription-token/pdf.ts';

export interface ReportOf {
  readonly pharmacy: string;
  readonly code: string;
  /** ms UTC; `until` exclusive. */
  readonly from: number;
  readonly until: number;
  readonly madeAt: number;
  readonly by: string;
}

type Column = readonly [name: string, width: number, of: (line: RegisterLine) => string];

const COLUMNS: readonly Column[] = [
  ['at', 92, ({ at }) => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')}Z`],
  ['product', 150, ({ name }) => name],
  ['code', 70, ({ product }) => product],
  ['number', 40, ({ number }) => String(number)],
  ['type', 52, ({ type }) => type],
  ['quantity', 48, ({ change }) => String(change)],
  ['balance', 48, ({ balance }) => String(balance)],
  ['schedule', 40, ({ schedule = '' }) => schedule],
  ['prescription_id', 92, ({ tokenId = '' }) => tokenId],
  ['patient_id_type', 60, ({ identity }) => identity?.type ?? ''],
  ['patient_id_number', 80, ({ identity }) => identity?.number ?? ''],
  ['by', 90, ({ by }) => by.name],
  ['reason', 110, ({ reason = '' }) => reason],
];

export const registerCsv = (lines: readonly RegisterLine[]): string =>
  [COLUMNS.map(([name]) => name), ...lines.map((line) => COLUMNS.map(([, , of]) => of(line)))]
    .map((row) => `${row.map(csvField).join(',')}\r\n`)
    .join('');

/** Quoted where it needs to be; what a spreadsheet would take for a formula is made text, but for numbers. */
function csvField(text: string): string {
  const isFormula = /^[=+\-@\t\r]/.test(text) && !/^-?\d+(?:\.\d+)?$/.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// A3 across: twelve columns stay readable.
const PAGE = { width: 1190.55, height: 841.89 };
const MARGIN = 36;
const ROW = 12;
const SIZE = 8;
const HEAD = 78;

export function registerPdf(lines: readonly RegisterLine[], of: ReportOf): Buffer {
  const perPage = Math.floor((PAGE.height - 2 * MARGIN - HEAD) / ROW);
  const count = Math.max(1, Math.ceil(lines.length / perPage));
  const pages = Array.from({ length: count }, (_, i) =>
    page(lines.slice(i * perPage, (i + 1) * perPage), of, `${i + 1} / ${count}`),
  );
  return formatPdf(pages, 'Controlled drugs register');
}

function page(lines: readonly RegisterLine[], of: ReportOf, place: string): PdfPage {
  const top = PAGE.height - MARGIN;
  const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
  const head = top - HEAD + 16;
  return {
    ...PAGE,
    content: [
      textAt(MARGIN, top - 14, 16, `Controlled drugs register: ${of.pharmacy} (${of.code})`, 'bold'),
      textAt(MARGIN, top - 30, 9, `From ${day(of.from)} to ${day(of.until - 1)}, times in UTC`),
      textAt(MARGIN, top - 42, 9, `Made ${new Date(of.madeAt).toISOString()} by ${of.by}; page ${place}`),
      ...row(
        head,
        COLUMNS.map(([name]) => name.replaceAll('_', ' ')),
        'bold',
      ),
      lineAt(MARGIN, head - 4, PAGE.width - MARGIN, head - 4),
      ...lines.flatMap((line, i) =>
        row(
          head - 4 - (i + 1) * ROW,
          COLUMNS.map(([, , value]) => value(line)),
        ),
      ),
    ],
  };
}

function row(y: number, values: readonly string[], font: 'regular' | 'bold' = 'regular'): readonly string[] {
  const width = COLUMNS.reduce((sum, [, one]) => sum + one, 0);
  const scale = (PAGE.width - 2 * MARGIN) / width;
  let x = MARGIN;
  return values.map((value, i) => {
    const [own] = [(COLUMNS[i]?.[1] ?? 0) * scale];
    const [text = ''] = wrap(value, own - 4, SIZE, 1, font);
    const made = textAt(x, y, SIZE, text, font);
    x += own;
    return made;
  });
}
