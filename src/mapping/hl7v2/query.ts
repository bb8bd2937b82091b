/** QBP^Q22, find candidates, as a search for patients, and RSP^K22 with those that were found. HL7 v2.5.1 section 3.3.57. */
import { type Issue, isError, issue } from '../../standards/fhir/outcome.ts';
import { formatInstant, parseDateTime } from '../../standards/hl7v2/date-time.ts';
import { createMessage } from '../../standards/hl7v2/format.ts';
import { kindOf, type Message } from '../../standards/hl7v2/message.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { SEX } from './code-tables.ts';
import { type Cursor, localSystem, type Reading, SegmentCursor } from './cursor.ts';
import { formatDate } from './date-time.ts';
import { knownAuthority } from './identifiers.ts';
import { NHS_NUMBER, normaliseNhsNumber } from './nhs-number.ts';
import { writePatient } from './outbound/patient.ts';
import { SegmentWriter } from './outbound/segment-writer.ts';
import { Source } from './outbound/source.ts';

export interface CandidateQuery {
  /** `family=TESTPATIENT&birthdate=1984-05-17`, of Patient. */
  readonly search: string;
  /** How many are wanted (RCP-2). */
  readonly count: number;
  /** QPD-2. */
  readonly tag: string;
}

const COUNT_DEFAULT = 10;
const COUNT_MAX = 100;
const CRITERIA_MAX = 20;

export const isCandidateQuery = (message: Message): boolean => kindOf(message) === 'QBP^Q22';

/** The search a query asks for. A criterion that is not known is refused: leaving it out would find other people. */
export function readCandidateQuery(message: Message, timeZone: string): Mapped<CandidateQuery> {
  if (!isCandidateQuery(message)) return { issues: [issue('not-supported', 'Only QBP^Q22 is answered', 'MSH-9')] };
  const [qpd, rcp] = [message.find('QPD'), message.find('RCP')];
  if (qpd === undefined) return { issues: [issue('structure', 'The message has no QPD segment', 'QPD')] };
  const reading = readingOf(message, timeZone);
  const criteria = new SegmentCursor(qpd, reading).all(3);
  if (criteria.length === 0) return { issues: [issue('required', 'The query has no criteria', 'QPD-3')] };
  if (criteria.length > CRITERIA_MAX)
    return { issues: [issue('too-costly', `A query has ${CRITERIA_MAX} criteria at most`, 'QPD-3')] };
  const parameters = readCriteria(criteria);
  const issues: readonly Issue[] = reading.issues;
  if (parameters.length === 0 || issues.some(isError)) return { issues };
  const wanted = Number(rcp?.value(2) ?? '');
  const count = Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, COUNT_MAX) : COUNT_DEFAULT;
  const search = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&');
  return { value: { search, count, tag: qpd.value(2) }, issues };
}

function readingOf({ header }: Message, timeZone: string): Reading {
  const feed = encodeURIComponent((header.value(4) || header.value(3)).toWellFormed());
  return {
    issues: [],
    used: new Set(),
    timeZone,
    offset: parseDateTime(header.value(7))?.offset,
    feed,
    isUk: timeZone === 'Europe/London',
  };
}

type Parameter = readonly [name: string, value: string];

/** Fields that are one search parameter; `@PID.5.1.1` is asked as `@PID.5.1` by many. */
const PLAIN = new Map([
  ['5.1', 'family'],
  ['5.2', 'given'],
  ['11.3', 'address-city'],
  ['11.5', 'address-postalcode'],
  ['13.1', 'phone'],
  ['13.12', 'phone'],
]);

function readCriteria(criteria: readonly Cursor[]): readonly Parameter[] {
  const parameters: Parameter[] = [];
  const identifier: { value?: string; assigner?: Cursor } = {};
  for (const criterion of criteria) {
    const [, place] = /^@?PID\.(\d{1,2}(?:\.\d{1,2}){0,2})$/.exec(criterion.at(1).text) ?? [];
    const value = criterion.at(2);
    const short = place?.replace(/\.1$/, '');
    const plain = PLAIN.get(place ?? '') ?? PLAIN.get(short ?? '');
    if (place === undefined || value.text === '') refuse(criterion);
    else if (plain !== undefined) parameters.push([plain, escapeValue(value.text)]);
    else if (short === '3' || place === '3.1') identifier.value = value.text;
    else if (place === '3.4' || place === '3.4.1') identifier.assigner = value;
    else if (short === '7' && value.date !== undefined) parameters.push(['birthdate', dateOf(value)]);
    else if (short === '8' && SEX.has(value.text.toUpperCase()))
      parameters.push(['gender', SEX.get(value.text.toUpperCase()) ?? '']);
    else refuse(criterion);
  }
  if (identifier.value !== undefined)
    parameters.unshift(['identifier', tokenOf(identifier.value, identifier.assigner)]);
  else if (identifier.assigner !== undefined) refuse(identifier.assigner);
  return parameters;
}

const refuse = (cursor: Cursor): void => cursor.tell('error', 'not-supported', 'There is no search by this criterion');

const dateOf = (cursor: Cursor): string => {
  const parsed = cursor.parsedDateTime;
  return parsed === undefined ? '' : formatDate(parsed);
};

/** With the assigner's system, where one was named. */
function tokenOf(value: string, assigner: Cursor | undefined): string {
  const system = assigner && (knownAuthority(assigner.text) ?? localSystem(assigner.reading, assigner.text));
  const number = system === NHS_NUMBER ? (normaliseNhsNumber(value) ?? value) : value;
  return system === undefined ? escapeValue(number) : `${escapeValue(system)}|${escapeValue(number)}`;
}

/** https://hl7.org/fhir/R4/search.html#escaping */
const escapeValue = (text: string): string => text.replaceAll(/[\\$,|]/g, (c) => `\\${c}`);

export interface CandidateAnswer {
  /** As they are stored, the best first; no more than were wanted. */
  readonly patients: readonly unknown[];
  /** How many there are in all. */
  readonly total: number;
  /** When it is written, ms UTC. */
  readonly at: number;
  /** MSH-10. */
  readonly controlId: string;
}

/** RSP^K22 in the version and delimiters of the query: OK with a PID each, or NF. */
export function writeCandidates(query: Message, answer: CandidateAnswer): Message {
  const { encoding, header } = query;
  const out = new SegmentWriter(encoding);
  const country = header.value(17);
  const qpd = query.find('QPD');
  const name = { raw: qpd?.field(1).raw ?? '' };
  out.write('MSH', {
    3: { raw: header.field(5).raw },
    4: { raw: header.field(6).raw },
    5: { raw: header.field(3).raw },
    6: { raw: header.field(4).raw },
    7: formatInstant(answer.at),
    9: ['RSP', 'K22', 'RSP_K21'],
    10: answer.controlId,
    11: { raw: header.field(11).raw },
    12: { raw: header.field(12).raw },
    17: country,
    18: { raw: header.field(18).raw },
  });
  out.write('MSA', { 1: 'AA', 2: { raw: header.field(10).raw } });
  const { patients, total } = answer;
  const found = patients.length === 0 ? 'NF' : 'OK';
  const left = String(Math.max(total - patients.length, 0));
  out.write('QAK', {
    1: { raw: qpd?.field(2).raw ?? '' },
    2: found,
    3: name,
    4: String(total),
    5: String(patients.length),
    6: left,
  });
  out.write('QPD', { 1: name, 2: { raw: qpd?.field(2).raw ?? '' }, 3: { raw: qpd?.field(3).raw ?? '' } });
  const isUk = country === '' || /^(?:GBR|GB|UK)$/.test(country);
  for (const patient of patients) {
    const from = new Source(patient);
    const [content] = from.all('Patient');
    if (content !== undefined) writePatient(content, { from, out, version: 250, isUk });
  }
  return createMessage(out.texts, encoding);
}
