/** Acknowledgements: MSH, MSA and ERR. HL7 v2.5.1 sections 2.9.2, 2.15.5 and 2.15.8; v2.4 section 2.16.5 for the old ERR. */
import { type Issue, type IssueCode, type IssueSeverity, isError, textOf } from '../fhir/outcome.ts';
import { encodeText } from './character-set.ts';
import { formatInstant } from './date-time.ts';
import { type Encoding, readEncoding, STANDARD_ENCODING } from './encoding.ts';
import { type FieldInput, formatSegment } from './format.ts';
import { type Message, versionOf } from './message.ts';
import { parsePlace } from './place.ts';

/** Table 0008. */
export type AcknowledgementCode = 'AA' | 'AE' | 'AR' | 'CA' | 'CE' | 'CR';

export interface Acknowledgement {
  readonly code: AcknowledgementCode;
  readonly issues: readonly Issue[];
  /** When it is written, ms UTC. */
  readonly at: number;
  /** MSH-10 of the acknowledgement; cut to 20 characters before version 2.7. */
  readonly controlId: string;
}

/** Table 0357. */
export const ERROR_CODE_SYSTEM = 'http://terminology.hl7.org/CodeSystem/v2-0357';

const ERROR_TEXTS = new Map<string, string>([
  ['0', 'Message accepted'],
  ['100', 'Segment sequence error'],
  ['101', 'Required field missing'],
  ['102', 'Data type error'],
  ['103', 'Table value not found'],
  ['104', 'Value too long'],
  ['200', 'Unsupported message type'],
  ['201', 'Unsupported event code'],
  ['202', 'Unsupported processing id'],
  ['203', 'Unsupported version id'],
  ['204', 'Unknown key identifier'],
  ['205', 'Duplicate key identifier'],
  ['206', 'Application record locked'],
  ['207', 'Application internal error'],
]);

/** An issue that carries a coding of table 0357 says it itself. Those not listed are 207. */
const ERROR_CODES = new Map<IssueCode, string>([
  ['structure', '100'],
  ['required', '101'],
  ['invalid', '102'],
  ['value', '102'],
  ['invariant', '102'],
  ['code-invalid', '103'],
  ['too-long', '104'],
  ['not-supported', '201'],
  ['not-found', '204'],
  ['deleted', '204'],
  // Who sends is not known as one who may.
  ['forbidden', '204'],
  ['multiple-matches', '204'],
  ['duplicate', '205'],
  ['conflict', '206'],
  ['lock-error', '206'],
]);

const SEVERITIES: Record<IssueSeverity, string> = { fatal: 'F', error: 'E', warning: 'W', information: 'I' };

/** ERR segments a message; more would tell the sender nothing new. */
const ERRORS_MAX = 50;
const TEXT_MAX = 80;
const CONTROL_ID_MAX = 20;
const V2_7 = 270;
const V2_5 = 250;
const V2_4 = 240;
const V2_3_1 = 231;
/** Who answers when the message does not say to whom it was sent. */
const OURSELVES = 'MORTAR';

/** The number of table 0357 for an issue. */
function errorCodeOf({ code, details, severity }: Issue): string {
  const own = details?.coding.find(({ system }) => system === ERROR_CODE_SYSTEM)?.code;
  if (own !== undefined) return own;
  return severity === 'information' || severity === 'warning' ? '0' : (ERROR_CODES.get(code) ?? '207');
}

/** The acknowledgement of a message that could be read, in its own delimiters and character set. */
export function formatAcknowledgement(message: Message, answer: Acknowledgement): Buffer {
  const { header, encoding } = message;
  const raw = (n: number): FieldInput => ({ raw: header.field(n).raw });
  const version = versionOf(message) ?? V2_5;
  const head: FieldInput[] = [
    raw(5),
    raw(6),
    raw(3),
    raw(4),
    formatInstant(answer.at),
    undefined,
    typeOf(header.field(9).at(1).at(2).value, version),
    controlIdFor(answer.controlId, version),
    header.field(11).isEmpty ? 'P' : raw(11),
    header.field(12).isEmpty ? '2.5.1' : raw(12),
    ...Array<FieldInput>(5).fill(undefined),
    raw(18),
  ];
  return encodeText(write(head, header.field(10).raw, answer, encoding, version), encoding.charset);
}

/** The acknowledgement of bytes that are no message, with what can be found in them. */
export function formatUnreadableAcknowledgement(bytes: Buffer, answer: Acknowledgement): Buffer {
  const { fields, encoding } = scrapeHeader(bytes);
  const raw = (n: number): FieldInput => ({ raw: fields[n - 1] ?? '' });
  const head: FieldInput[] = [
    fields[4] ? raw(5) : OURSELVES,
    raw(6),
    raw(3),
    raw(4),
    formatInstant(answer.at),
    undefined,
    'ACK',
    controlIdFor(answer.controlId, V2_5),
    'P',
    '2.5.1',
  ];
  return Buffer.from(write(head, fields[9] ?? '', answer, encoding, V2_5), 'latin1');
}

/** MSH as far as it is there; nothing of it when its delimiters cannot be used. */
function scrapeHeader(bytes: Buffer): { fields: readonly string[]; encoding: Encoding } {
  const head = bytes.toString('latin1', 0, Math.min(bytes.length, 4096));
  const start = head.indexOf('MSH');
  const [line = ''] = (start === -1 ? '' : head.slice(start)).split(/[\r\n]/, 1);
  const read = line === '' ? undefined : readEncoding(line, 'utf8').value;
  if (read !== undefined) return { fields: line.split(read.field, 20), encoding: read };
  // The field separator alone may be sound; its fields then must not bring delimiters along.
  const fields = line.charAt(3) === '|' ? line.split('|', 20).map((text) => (/[\^~\\&]/.test(text) ? '' : text)) : [];
  return { fields, encoding: STANDARD_ENCODING };
}

function write(
  head: FieldInput[],
  receivedId: string,
  answer: Acknowledgement,
  encoding: Encoding,
  version: number,
): string {
  const issues = answer.issues.toSorted((a, b) => Number(isError(b)) - Number(isError(a))).slice(0, ERRORS_MAX);
  const worst = issues[0];
  const old = version < V2_5;
  const segments = [
    formatSegment('MSH', head, encoding),
    formatSegment(
      'MSA',
      [
        answer.code,
        { raw: receivedId },
        worst === undefined ? undefined : textOf(worst).slice(0, TEXT_MAX),
        undefined,
        undefined,
        old && worst !== undefined && isError(worst) ? codedError(worst) : undefined,
      ],
      encoding,
    ),
    ...issues.map((issue) => formatSegment('ERR', old ? oldError(issue) : newError(issue), encoding)),
  ];
  return segments.map((text) => `${text}\r`).join('');
}

const codedError = (issue: Issue): string[] => {
  const code = errorCodeOf(issue);
  return [code, ERROR_TEXTS.get(code) ?? '', 'HL70357'];
};

/** From version 2.5: ERR-2 location, ERR-3 code, ERR-4 severity, ERR-7 diagnostics, ERR-8 message for people. */
function newError(issue: Issue): FieldInput[] {
  const text = textOf(issue);
  const locations = placesOf(issue);
  return [
    undefined,
    locations.length === 0 ? undefined : { repeat: locations },
    codedError(issue),
    SEVERITIES[issue.severity],
    undefined,
    undefined,
    text,
    text.slice(0, 250),
  ];
}

/** Up to version 2.4: ERR-1 of segment, sequence, field and code. */
function oldError(issue: Issue): FieldInput[] {
  const [segment, occurrence, field] = placesOf(issue)[0] ?? [];
  return [[segment, occurrence, field, codedError(issue)]];
}

/** ERL: segment, its occurrence, field, repetition, component, subcomponent. */
function placesOf(issue: Issue): string[][] {
  return (issue.expression ?? []).slice(0, 10).flatMap((text) => {
    const place = parsePlace(text);
    if (place === undefined) return [];
    const { segment, occurrence = 1, field, repetition, component, subcomponent } = place;
    if (field === undefined) return [occurrence === 1 ? [segment] : [segment, String(occurrence)]];
    const inner = [repetition ?? (component === undefined ? undefined : 1), component, subcomponent];
    return [[segment, occurrence, field, ...inner].map((n) => (n === undefined ? '' : String(n)))];
  });
}

function typeOf(event: string, version: number): FieldInput {
  if (version < V2_3_1 || event === '') return 'ACK';
  return version < V2_4 ? ['ACK', event] : ['ACK', event, 'ACK'];
}

const controlIdFor = (id: string, version: number): string =>
  version < V2_7 ? id.replaceAll('-', '').slice(-CONTROL_ID_MAX) : id;
