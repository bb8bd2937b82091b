/** Queries for patients (QBP^Q21, Q22 and Q23) as searches, and RSP with those that were found. HL7 v2.5.1 sections 3.3.56 to 3.3.58. */
import { type Issue, isError, issue } from '../../standards/fhir/outcome.ts';
import { formatInstant, parseDateTime } from '../../standards/hl7v2/date-time.ts';
import { createMessage } from '../../standards/hl7v2/format.ts';
import { kindOf, type Message } from '../../standards/hl7v2/message.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { SEX } from './code-tables.ts';
import type { Json } from './compact.ts';
import { type Cursor, localSystem, type Reading, SegmentCursor } from './cursor.ts';
import { formatDate } from './date-time.ts';
import { knownAuthority } from './identifiers.ts';
import { NHS_NUMBER, normaliseNhsNumber } from './nhs-number.ts';
import { writePatient } from './outbound/patient.ts';
import { SegmentWriter } from './outbound/segment-writer.ts';
import { Source } from './outbound/source.ts';

/** A search for patients. */
export interface PatientQuery {
  readonly type: 'Patient';
  /** `family=TESTPATIENT&birthdate=1984-05-17` */
  readonly search: string;
  /** How many are wanted (RCP-2). */
  readonly count: number;
}

const COUNT_DEFAULT = 10;
const COUNT_MAX = 100;
const CRITERIA_MAX = 20;
export const QUERY_TYPE = 'QBP';
/** Demographics of one person, candidates, the numbers of one person: each with the event of its answer. */
const ANSWERS = new Map([
  ['QBP^Q21', 'K21'],
  ['QBP^Q22', 'K22'],
  ['QBP^Q23', 'K23'],
]);

export const isQuery = (message: Message): boolean => ANSWERS.has(kindOf(message));

/** The search a query asks for. A criterion that is not known is refused: leaving it out would find other people. */
export function readQuery(message: Message, timeZone: string): Mapped<PatientQuery> {
  const kind = kindOf(message);
  if (!isQuery(message)) return { issues: [issue('not-supported', 'Q21, Q22 and Q23 are answered', 'MSH-9')] };
  const [qpd, rcp] = [message.find('QPD'), message.find('RCP')];
  if (qpd === undefined) return { issues: [issue('structure', 'The message has no QPD segment', 'QPD')] };
  const reading = readingOf(message, timeZone);
  const criteria = new SegmentCursor(qpd, reading).all(3);
  if (criteria.length === 0) return { issues: [issue('required', 'The query has no criteria', 'QPD-3')] };
  if (criteria.length > CRITERIA_MAX)
    return { issues: [issue('too-costly', `A query has ${CRITERIA_MAX} criteria at most`, 'QPD-3')] };
  const parameters = kind === 'QBP^Q22' ? readCriteria(criteria) : readPerson(criteria);
  const issues: readonly Issue[] = reading.issues;
  if (parameters.length === 0 || issues.some(isError)) return { issues };
  const wanted = Number(rcp?.value(2) ?? '');
  const count = Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, COUNT_MAX) : COUNT_DEFAULT;
  const search = parameters.map(([name, value]) => `${name}=${encodeURIComponent(value.toWellFormed())}`).join('&');
  // A record that gave way to another is not the person's any more.
  return { value: { type: 'Patient', search: `${search}&active:not=false`, count }, issues };
}

/** Q21 and Q23: the number of one person, a CX. */
function readPerson(criteria: readonly Cursor[]): readonly Parameter[] {
  const [person, another] = criteria;
  if (person === undefined || another !== undefined || person.at(1).text === '') {
    (another ?? person)?.tell('error', 'value', 'One number of one person is asked about');
    return [];
  }
  const assigner = person.at(4);
  return [['identifier', tokenOf(person.at(1).text, assigner.isValued ? assigner : undefined)]];
}

function readingOf({ header }: Message, timeZone: string): Reading {
  const feed = encodeURIComponent((header.value(4) || header.value(3)).toWellFormed());
  return {
    issues: [],
    hasRead: false,
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

export interface FoundPatients {
  /** As they are stored, the best first; no more than were wanted. */
  readonly resources: readonly unknown[];
  /** How many there are in all. */
  readonly total: number;
  /** When it is written, ms UTC. */
  readonly at: number;
  /** MSH-10. */
  readonly controlId: string;
}

/** RSP^K21, K22 or K23 in the version and delimiters of the query: OK with a PID each, or NF. */
export function writeFound(query: Message, answer: FoundPatients): Message {
  const { encoding, header } = query;
  const out = new SegmentWriter(encoding);
  const country = header.value(17);
  const qpd = query.find('QPD');
  const name = { raw: qpd?.field(1).raw ?? '' };
  const event = ANSWERS.get(kindOf(query)) ?? 'K22';
  out.write('MSH', {
    3: { raw: header.field(5).raw },
    4: { raw: header.field(6).raw },
    5: { raw: header.field(3).raw },
    6: { raw: header.field(4).raw },
    7: formatInstant(answer.at),
    9: ['RSP', event, event === 'K23' ? 'RSP_K23' : 'RSP_K21'],
    10: answer.controlId,
    11: { raw: header.field(11).raw },
    12: { raw: header.field(12).raw },
    17: country,
    18: { raw: header.field(18).raw },
  });
  out.write('MSA', { 1: 'AA', 2: { raw: header.field(10).raw } });
  const { resources, total } = answer;
  const left = String(Math.max(total - resources.length, 0));
  out.write('QAK', {
    1: { raw: qpd?.field(2).raw ?? '' },
    2: resources.length === 0 ? 'NF' : 'OK',
    3: name,
    4: String(total),
    5: String(resources.length),
    6: left,
  });
  out.write('QPD', { 1: name, 2: { raw: qpd?.field(2).raw ?? '' }, 3: { raw: qpd?.field(3).raw ?? '' } });
  const isUk = country === '' || /^(?:GBR|GB|UK)$/.test(country);
  for (const patient of resources) {
    const from = new Source(patient);
    const [content] = from.all('Patient');
    const told = event === 'K23' ? onlyNumbers(content) : content;
    if (told !== undefined) writePatient(told, { from, out, version: 250, isUk, orderControl: 'NW', isNew: false });
  }
  return createMessage(out.texts, encoding);
}

const onlyNumbers = (patient: Json | undefined): Json | undefined =>
  patient && { resourceType: 'Patient', identifier: patient['identifier'] };
