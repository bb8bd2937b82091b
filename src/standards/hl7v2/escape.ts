/** Escape sequences. HL7 v2.5.1 section 2.7. Decoded after splitting, encoded before joining, once each. */
import { decodeRun, encodeText } from './character-set.ts';
import type { Encoding } from './encoding.ts';

/** What a text held that could not be decoded and was kept or dropped. */
export type EscapeFault = 'unknown' | 'unclosed' | 'character-set';

/** `.sp`, `.sk` and the like repeat at most so often. */
const REPEAT_MAX = 100;

/**
 * Decodes the escapes of one leaf. An unknown or unclosed one stays as literal text; `onFault` is told. Line breaks
 * become newlines, highlighting and word wrap are dropped.
 */
export function decodeEscapes(raw: string, encoding: Encoding, onFault?: (fault: EscapeFault) => void): string {
  const { escape: mark } = encoding;
  let open = mark === '' ? -1 : raw.indexOf(mark);
  if (open === -1) return raw;
  let text = '';
  let from = 0;
  while (open !== -1) {
    const close = raw.indexOf(mark, open + 1);
    if (close === -1) {
      onFault?.('unclosed');
      break;
    }
    const decoded = decodeSequence(raw.slice(open + 1, close), encoding, onFault);
    text += raw.slice(from, open);
    // Unknown: its closing character may be the opening one of the next sequence.
    if (decoded === undefined) {
      onFault?.('unknown');
      text += raw.slice(open, close);
      from = close;
      open = close;
      if (raw.indexOf(mark, close + 1) === -1) break;
      continue;
    }
    text += decoded;
    from = close + 1;
    open = raw.indexOf(mark, from);
  }
  return text + raw.slice(from);
}

function decodeSequence(body: string, encoding: Encoding, onFault?: (fault: EscapeFault) => void): string | undefined {
  switch (body) {
    case 'F':
      return encoding.field;
    case 'S':
      return encoding.component;
    case 'R':
      return encoding.repetition;
    case 'T':
      return encoding.subcomponent;
    case 'E':
      return encoding.escape;
    case 'P':
      return encoding.truncation === '' ? undefined : encoding.truncation;
    case 'H':
    case 'N':
      return '';
  }
  if (body.startsWith('.')) return decodeFormatting(body);
  if (body.startsWith('X')) return decodeHexadecimal(body.slice(1), encoding);
  if (/^(?:C[\dA-F]{4}|M[\dA-F]{4}(?:[\dA-F]{2})?)$/i.test(body)) {
    onFault?.('character-set');
    return '';
  }
  // A local sequence means something by agreement only: kept as it was written.
  return body.startsWith('Z') ? encoding.escape + body + encoding.escape : undefined;
}

/** Formatting commands of FT, found in other types too. Section 2.7.6. */
function decodeFormatting(body: string): string | undefined {
  const [, command = '', count] = /^\.(br|sp|in|ti|sk|fi|nf|ce)([+-]?\d{0,6})$/.exec(body) ?? [];
  const times = Math.min(Math.abs(Number(count || 1)), REPEAT_MAX);
  switch (command) {
    case 'br':
    case 'ce':
      return '\n';
    case 'sp':
      return '\n'.repeat(times);
    case 'sk':
      return ' '.repeat(times);
    case 'in':
    case 'ti':
    case 'fi':
    case 'nf':
      return '';
    default:
      return undefined;
  }
}

function decodeHexadecimal(digits: string, encoding: Encoding): string | undefined {
  if (digits === '' || digits.length % 2 === 1 || !/^[\dA-Fa-f]+$/.test(digits)) return undefined;
  return decodeRun(Buffer.from(digits, 'hex'), encoding.charset).replaceAll('\r\n', '\n');
}

/**
 * Encodes a text as one leaf: delimiters, newlines and control characters. `decodeEscapes` gives it back. A message
 * without an escape character cannot hold delimiters; they become spaces.
 */
export function encodeEscapes(text: string, encoding: Encoding): string {
  let raw = '';
  for (const character of text) raw += encodeCharacter(character, encoding);
  // A text of two double quotes would be read as null.
  return raw === '""' && encoding.escape !== '' ? `${hexadecimal('"', encoding)}"` : raw;
}

function encodeCharacter(character: string, encoding: Encoding): string {
  const { escape: mark } = encoding;
  const letter = letterOf(character, encoding);
  if (letter !== undefined) return mark === '' ? ' ' : mark + letter + mark;
  if (character === '\n' && mark !== '') return `${mark}.br${mark}`;
  if (character >= ' ' && character !== '\u007f') return character;
  return mark === '' ? ' ' : hexadecimal(character, encoding);
}

const hexadecimal = (character: string, { escape: mark, charset }: Encoding): string =>
  `${mark}X${encodeText(character, charset).toString('hex').toUpperCase()}${mark}`;

function letterOf(character: string, encoding: Encoding): string | undefined {
  switch (character) {
    case encoding.field:
      return 'F';
    case encoding.component:
      return 'S';
    case encoding.repetition:
      return 'R';
    case encoding.subcomponent:
      return 'T';
    case encoding.escape:
      return 'E';
    case encoding.truncation:
      return 'P';
    default:
      return undefined;
  }
}
