/** Reads a message. HL7 v2.5.1 sections 2.5 and 2.6; real-world faults are repaired, and each is told as an issue. */
import { type Issue, issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';
import { decodeBytes } from './character-set.ts';
import { readEncoding } from './encoding.ts';
import { type Line, Message } from './message.ts';

export interface MessageLimits {
  readonly bytes: number;
  readonly segments: number;
}

const MESSAGE_LIMITS: MessageLimits = { bytes: 64 * 1024 * 1024, segments: 100_000 };

/**
 * Reads one message. Segments are split when they are asked for. Repaired with a warning: line ends other than CR,
 * blank lines, segment names in lower case, white space before MSH. `value` is absent when there is no usable MSH.
 */
export function parseMessage(bytes: Buffer, limits: MessageLimits = MESSAGE_LIMITS): Mapped<Message> {
  if (bytes.length > limits.bytes) return refused('too-long', `The message is longer than ${limits.bytes} bytes`);
  const { text, charset, issues } = decodeBytes(bytes);
  const start = text.search(/\S/);
  const id = start === -1 ? '' : text.slice(start, start + 3).toUpperCase();
  if (id === 'FHS' || id === 'BHS') return refused('structure', 'This is a batch: its messages are read one by one');
  if (id !== 'MSH') return refused('structure', 'The message does not begin with MSH', 'MSH');
  const encoding = readEncoding(text.slice(start, start + 64), charset);
  if (encoding.value === undefined) return { issues: [...issues, ...encoding.issues] };
  const lines = splitLines(text.slice(start), limits.segments);
  if (lines.list.length > limits.segments)
    return refused('too-long', `The message has more than ${limits.segments} segments`);
  const faults: Issue[] = [...issues, ...encoding.issues, ...lines.issues];
  // A byte order mark counts as white space.
  if (start > 0 && text.slice(0, start) !== '\uFEFF')
    faults.push(warning('White space before MSH was passed over', 'MSH'));
  faults.push(...checkNames(lines.list));
  return { value: new Message(encoding.value, lines.list, bytes, text.slice(0, start)), issues: faults };
}

const refused = (code: Issue['code'], diagnostics: string, expression?: string): Mapped<Message> => ({
  issues: [issue(code, diagnostics, expression)],
});

const warning = (diagnostics: string, expression?: string): Issue => ({
  severity: 'warning',
  code: 'structure',
  diagnostics,
  ...(expression !== undefined && { expression: [expression] }),
});

/** At most one line more than `max`. */
function splitLines(text: string, max: number): { list: readonly Line[]; issues: readonly Issue[] } {
  if (!text.includes('\n') && !text.includes('\r\r') && !text.includes('\r '))
    return { list: splitAtCr(text, max), issues: [] };
  const list: Line[] = [];
  let blank = false;
  const terminators = /[\r\n]\s*/g;
  let from = 0;
  while (from < text.length && list.length <= max) {
    terminators.lastIndex = from;
    const end = terminators.exec(text);
    const terminator = end?.[0] ?? '';
    blank ||= terminator.length > (terminator.startsWith('\r\n') ? 2 : 1);
    list.push({ text: text.slice(from, end?.index), terminator });
    from = end === null ? text.length : end.index + terminator.length;
  }
  const issues: Issue[] = [];
  if (text.includes('\n')) issues.push(warning('Segments end in LF or CR LF instead of CR'));
  if (blank) issues.push(warning('Blank lines between segments were passed over'));
  return { list, issues };
}

/** The usual message: CR after each segment, the last perhaps without. */
function splitAtCr(text: string, max: number): readonly Line[] {
  const texts = text.split('\r', max + 2);
  const last = texts.pop() as string;
  const list: Line[] = texts.map((line) => ({ text: line, terminator: '\r' }));
  if (last !== '') list.push({ text: last, terminator: '' });
  return list;
}

/** Three characters, a letter first. At most one issue of each kind: a feed with this fault has it everywhere. */
function checkNames(lines: readonly Line[]): readonly Issue[] {
  let lowerCase: number | undefined;
  let odd: number | undefined;
  let header: number | undefined;
  for (let index = 1; index < lines.length; index++) {
    const { text } = lines[index] as Line;
    const [first, second, third] = [text.charCodeAt(0), text.charCodeAt(1), text.charCodeAt(2)];
    if (isUpper(first) && isUpperOrDigit(second) && isUpperOrDigit(third)) {
      if (text.startsWith('MSH')) header ??= index;
    } else if (/^[A-Za-z][A-Za-z0-9]{2}/.test(text)) lowerCase ??= index;
    else odd ??= index;
  }
  const issues: Issue[] = [];
  if (lowerCase !== undefined)
    issues.push(warning('Segment names in lower case were read as upper case', `segment ${lowerCase + 1}`));
  if (odd !== undefined)
    issues.push(warning('A line does not begin with the name of a segment: it was passed over', `segment ${odd + 1}`));
  if (header !== undefined) issues.push(issue('structure', 'Another message begins inside this one', 'MSH[2]'));
  return issues;
}

const isUpper = (code: number): boolean => code >= 65 && code <= 90;
const isUpperOrDigit = (code: number): boolean => isUpper(code) || (code >= 48 && code <= 57);
