/**
 * A prescription as the design before kept it: one JSON document, its names in either spelling (`issuedAt`, `issued_at`).
 * docs/prescribing.md "From the system before"
 */
import { parseJson } from '../../../standards/fhir/json.ts';
import { listOf, type Node, nodeOf, textIn } from '../chart.ts';

export const LEGACY_STATUSES = ['active', 'completed', 'cancelled'] as const;

export interface LegacyPerson {
  readonly id: string;
  readonly firstName?: string;
  readonly lastName?: string;
  /** `1983-11-02`; of a patient. */
  readonly dob?: string;
  /** Of a doctor. */
  readonly licenceNumber?: string;
}

/** Texts as they were written. */
export interface LegacyItem {
  readonly medication: string;
  readonly rxnormCode?: string;
  readonly dose?: string;
  readonly route?: string;
  readonly frequency?: string;
  readonly duration?: string;
  readonly quantity?: string;
  readonly instructions?: string;
}

export interface LegacyPrescription {
  readonly id: string;
  readonly status: (typeof LEGACY_STATUSES)[number];
  /** ms UTC */
  readonly issuedAt: number;
  readonly expiresAt?: number;
  readonly notes?: string;
  readonly patient: LegacyPerson;
  readonly doctor: LegacyPerson;
  readonly items: readonly LegacyItem[];
}

export interface LegacyRecord {
  /** From 1: the place in the file. */
  readonly number: number;
  /** As far as it is known. */
  readonly id?: string;
  readonly value?: LegacyPrescription;
  /** What keeps it from being taken, each with its element; no values. */
  readonly faults: readonly string[];
}

const TEXT_MAX = 10_000;
const ITEMS_MAX = 200;

/** The records of a file: a JSON array, or one JSON object a line. Throws `Error` where it is neither. */
export function readLegacyFile(text: string): readonly LegacyRecord[] {
  const isArray = /^\s*\[/.test(text);
  const documents = isArray
    ? listOf(parseJson(text)).map((document) => () => document as unknown)
    : text.split('\n').flatMap((line) => (line.trim() === '' ? [] : [() => parseJson(line)]));
  if (documents.length === 0)
    throw new Error('the file holds no prescription: it is a JSON array, or one object a line');
  const seen = new Set<string>();
  return documents.map((document, i) => {
    const record = readRecord(document, i + 1);
    if (record.id === undefined) return record;
    const isRepeated = seen.has(record.id);
    seen.add(record.id);
    return isRepeated ? { number: record.number, id: record.id, faults: ['id: another prescription has it'] } : record;
  });
}

function readRecord(document: () => unknown, number: number): LegacyRecord {
  let content: unknown;
  try {
    content = document();
  } catch {
    return { number, faults: ['it is not JSON'] };
  }
  const node = nodeOf(content);
  const faults: string[] = [];
  const id = textOf(node, ['id'], faults, true);
  const status = textOf(node, ['status'], faults, true);
  if (status !== undefined && !isStatus(status)) faults.push('status: active, completed or cancelled');
  const issuedAt = instantOf(node, ['issuedAt', 'issued_at'], faults, true);
  const expiresAt = instantOf(node, ['expiresAt', 'expires_at'], faults);
  const notes = textOf(node, ['notes'], faults);
  const patient = personOf(node, 'patient', faults);
  const doctor = personOf(node, 'doctor', faults);
  const items = listOf(node['items']).map((item, i) => itemOf(item, `items[${i}]`, faults));
  if (items.length === 0) faults.push('items: at least one');
  if (items.length > ITEMS_MAX) faults.push(`items: at most ${ITEMS_MAX}`);
  const known = { number, ...(id !== undefined && { id }) };
  if (faults.length > 0 || !isStatus(status) || id === undefined || issuedAt === undefined || !patient || !doctor)
    return { ...known, faults };
  const optional = { ...(expiresAt !== undefined && { expiresAt }), ...(notes !== undefined && { notes }) };
  return { ...known, faults, value: { id, status, issuedAt, patient, doctor, items, ...optional } };
}

const isStatus = (text: string | undefined): text is LegacyPrescription['status'] =>
  LEGACY_STATUSES.some((status) => status === text);

function textOf(node: Node, names: readonly string[], faults: string[], isNeeded = false, at = ''): string | undefined {
  const value = names.map((name) => node[name]).find((one) => one !== undefined && one !== null && one !== '');
  const place = at + (names[0] ?? '');
  const text = (typeof value === 'number' ? String(value) : textIn(value))?.trim();
  if (value !== undefined && text === undefined) faults.push(`${place}: a text`);
  else if (isNeeded && (text === undefined || text === '')) faults.push(`${place}: it is missing`);
  else if ((text ?? '').length > TEXT_MAX) faults.push(`${place}: at most ${TEXT_MAX} characters`);
  return text === '' ? undefined : text;
}

/** ISO 8601 with a zone, or a date, which is its beginning in UTC. */
function instantOf(node: Node, names: readonly string[], faults: string[], isNeeded = false): number | undefined {
  const text = textOf(node, names, faults, isNeeded);
  if (text === undefined) return undefined;
  const isWhole = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text);
  const at = isWhole ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) faults.push(`${names[0]}: a date, or a time with its zone, as 2024-01-01T10:00:00Z`);
  return Number.isNaN(at) ? undefined : at;
}

/** `patient: {id, first_name …}`, or `patientId` alone. */
function personOf(node: Node, name: 'patient' | 'doctor', faults: string[]): LegacyPerson | undefined {
  const person = nodeOf(node[name]);
  const at = `${name}.`;
  const id = textOf(
    { ...node, ...person },
    Object.keys(person).length > 0 ? ['id'] : [`${name}Id`, `${name}_id`],
    faults,
    true,
    Object.keys(person).length > 0 ? at : '',
  );
  const texts = (own: string, ...names: string[]): object => {
    const text = textOf(person, names, faults, false, at);
    return text === undefined ? {} : { [own]: text };
  };
  const dob = textOf(person, ['dob', 'birthDate'], faults, false, at);
  if (dob !== undefined && !/^\d{4}-\d\d-\d\d$/.test(dob)) faults.push(`${at}dob: a date, as 1983-11-02`);
  if (id === undefined) return undefined;
  return {
    id,
    ...texts('firstName', 'firstName', 'first_name'),
    ...texts('lastName', 'lastName', 'last_name', 'name'),
    ...(dob !== undefined && { dob }),
    ...texts('licenceNumber', 'licenseNumber', 'license_number'),
  };
}

function itemOf(item: Node, place: string, faults: string[]): LegacyItem {
  const at = `${place}.`;
  const medicine = nodeOf(item['medication']);
  const names = ['medication', 'medicationName', 'medication_name', 'name'];
  const plain = textIn(item['medication']) === undefined ? { ...item, medication: medicine['name'] } : item;
  const medication = textOf(plain, names, faults, true, at) ?? '';
  const texts = (own: string, ...others: string[]): object => {
    const text = textOf(own === 'rxnormCode' ? { ...medicine, ...item } : item, others, faults, false, at);
    return text === undefined ? {} : { [own]: text };
  };
  return {
    medication,
    ...texts('rxnormCode', 'rxnormCode', 'rxnorm_code'),
    ...Object.assign(
      {},
      ...(['dose', 'route', 'frequency', 'duration', 'quantity', 'instructions'] as const).map((name) =>
        texts(name, name),
      ),
    ),
  };
}
