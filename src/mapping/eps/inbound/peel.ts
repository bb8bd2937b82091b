/**
 * Takes the wrapping off what the Spine answers: MIME parts, a SOAP envelope, or nothing at all. What is within is read
 * as XML and found by namespace and name. https://www.rfc-editor.org/rfc/rfc2046#section-5.1
 */
import { Buffer } from 'node:buffer';
import { issue } from '../../../standards/fhir/outcome.ts';
import type { Mapped } from '../../../standards/mapped.ts';
import { readXml, XML_LIMITS } from '../../../standards/xml/read.ts';
import type { XmlElement } from '../../../standards/xml/tree.ts';

const PARTS_MAX = 8;

/** The documents of the answer, one a part. Every fault says in which part and on which line. */
export function peel(content: Buffer | string): Mapped<readonly XmlElement[]> {
  const text = textOf(content);
  if (text === undefined) return refused('The answer is not valid UTF-8');
  if (text.length > XML_LIMITS.bytes) return refused(`The answer is longer than ${XML_LIMITS.bytes} bytes`);
  const head = text.trimStart();
  if (head === '') return refused('The answer is empty');
  if (head.startsWith('<')) return documents([{ text: head, line: linesBefore(text, text.length - head.length) }]);
  return partsOf(text);
}

interface Part {
  readonly text: string;
  /** Lines of the answer before the part. */
  readonly line: number;
}

function documents(parts: readonly Part[]): Mapped<readonly XmlElement[]> {
  const roots: XmlElement[] = [];
  for (const { text, line } of parts) {
    const encoding = ENCODING.exec(text.slice(0, DECLARATION_MAX))?.[2];
    if (encoding !== undefined && !/^(?:utf-8|us-ascii)$/i.test(encoding))
      return refused('The XML declares another encoding than UTF-8', `${line + 1}:1`);
    const { value, issues } = readXml(text);
    if (value === undefined) return { issues: issues.map((one) => (line === 0 ? one : within(one, line))) };
    roots.push(value);
  }
  return { value: roots, issues: [] };
}

/** No XML declaration is longer; beyond it nothing is looked for. */
const DECLARATION_MAX = 256;
const ENCODING = /^(<\?xml\s[^>]*?)\bencoding\s*=\s*["']([^"'>]*)["']/i;

/** The reader counts lines from the beginning of the part. */
const within = <T extends { readonly diagnostics?: string }>(one: T, line: number): T => ({
  ...one,
  diagnostics: `${one.diagnostics ?? ''} (the part begins on line ${line + 1} of the answer)`,
});

/** The boundary is the first line that begins with two hyphens; white space before it, as some senders have, is let pass. */
function partsOf(text: string): Mapped<readonly XmlElement[]> {
  const lines = text.split(/\r?\n/);
  const first = lines.findIndex((line) => /^\s*--\S/.test(line));
  if (first < 0) return refused('The answer is neither XML nor MIME parts');
  const boundary = (lines[first] ?? '').trim();
  const parts: Part[] = [];
  let start = first + 1;
  for (let n = start; n <= lines.length; n++) {
    const line = lines[n]?.trim();
    if (line !== undefined && line !== boundary && line !== `${boundary}--`) continue;
    const body = bodyStart(lines, start, n);
    if (typeof body === 'string') return refused(body, `${start + 1}:1`);
    const content = lines.slice(body, n).join('\n').trim();
    if (content !== '') parts.push({ text: content, line: firstFull(lines, body) });
    if (parts.length > PARTS_MAX) return refused(`The answer has more than ${PARTS_MAX} parts`);
    if (line !== boundary) break;
    start = n + 1;
  }
  return parts.length === 0 ? refused('The MIME parts are empty') : documents(parts);
}

/** After the headers and the empty line; the text of what is wrong with them otherwise. */
function bodyStart(lines: readonly string[], start: number, end: number): number | string {
  let n = start;
  for (; n < end && (lines[n] ?? '').trim() !== ''; n++) {
    const [name = '', value = ''] = (lines[n] ?? '').split(/:(.*)/s).map((text) => text.trim().toLowerCase());
    if (name === 'content-transfer-encoding' && !PLAIN.has(value))
      return 'A MIME part has another transfer encoding than 7bit, 8bit and binary';
    // A part without headers begins with its content.
    if ((lines[n] ?? '').trim().startsWith('<')) return n;
  }
  return n;
}

const PLAIN: ReadonlySet<string> = new Set(['7bit', '8bit', 'binary']);

function firstFull(lines: readonly string[], from: number): number {
  let n = from;
  while (n < lines.length && (lines[n] ?? '').trim() === '') n += 1;
  return n;
}

function textOf(content: Buffer | string): string | undefined {
  if (typeof content === 'string') return content.replace(/^\uFEFF/, '');
  // An answer in UTF-16 is one document: MIME headers have none.
  const encoding = UTF_16.find(([mark]) => content.subarray(0, 2).equals(mark))?.[1] ?? 'utf-8';
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(content);
    return encoding === 'utf-8' ? text : withoutUtf16(text);
  } catch {
    return undefined;
  }
}

/** What is decoded is declared no more. */
const withoutUtf16 = (text: string): string =>
  text
    .slice(0, DECLARATION_MAX)
    .replace(ENCODING, (whole: string, before: string, encoding: string) =>
      encoding.toLowerCase() === 'utf-16' ? before : whole,
    ) + text.slice(DECLARATION_MAX);

const UTF_16 = [
  [Buffer.from([0xfe, 0xff]), 'utf-16be'],
  [Buffer.from([0xff, 0xfe]), 'utf-16le'],
] as const;

const linesBefore = (text: string, at: number): number => text.slice(0, at).split('\n').length - 1;

const refused = (diagnostics: string, expression?: string): Mapped<readonly XmlElement[]> => ({
  issues: [issue('structure', diagnostics, expression)],
});
