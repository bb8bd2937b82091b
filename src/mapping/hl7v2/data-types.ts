/** Data types of HL7 v2 as FHIR's. Source: data type maps of HL7 Version 2 to FHIR 1.0.0. Each returns undefined for nothing. */
import type { Decimal } from '../../standards/fhir/json.ts';
import { endsBeforeStart } from '../period-order.ts';
import {
  ADDRESS_TYPE,
  ADDRESS_USE,
  type CodeTable,
  codeSystemUri,
  NAME_USE,
  TELECOM_SYSTEM,
  TELECOM_USE,
  tableUrl,
} from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem } from './cursor.ts';

const extension = (name: string, valueString: string | undefined): readonly Json[] =>
  valueString === undefined ? [] : [{ url: `http://hl7.org/fhir/StructureDefinition/${name}`, valueString }];

/**
 * CE, CWE, CNE, IS and ST as CodeableConcept. A code of `table` that has a counterpart gives this first and itself
 * second; one without is of the table's own system. A bare text without a table is text only.
 */
export const concept =
  (table?: CodeTable) =>
  (cursor: Cursor): Json | undefined => {
    const first = codingAt(cursor, 1, table);
    const codings = [first, codingAt(cursor, 4), codingAt(cursor, 10)].flat();
    const text = cursor.at(9).value;
    const bare = codings.length === 1 && codings[0]?.['system'] === undefined ? codings[0] : undefined;
    if (bare !== undefined) {
      const { code, display } = bare;
      return compact({
        coding: code !== undefined && display !== undefined ? [bare] : [],
        text: text ?? display ?? code,
      });
    }
    return compact({ coding: codings.filter((coding) => coding['code'] !== undefined), text: text ?? textOf(codings) });
  };

/** A display without a code says something in words. */
const textOf = (codings: readonly Json[]): unknown =>
  codings.some((coding) => coding['code'] !== undefined) ? undefined : codings.find((c) => c['display'])?.['display'];

/** Components from `from` on: code, display, system; the version stands apart. */
function codingAt(cursor: Cursor, from: number, table?: CodeTable): readonly Json[] {
  if (cursor.part.parts.length < from) return [];
  const code = oneLine(cursor.at(from).text);
  const display = cursor.at(from + 1).value;
  const name = cursor.at(from + 2).text;
  const version = cursor.at(from === 10 ? 13 : 6 + Math.ceil(from / 3)).value;
  if (code === '' && display === undefined) return [];
  const target = table?.targets.get(code) ?? table?.targets.get(code.toUpperCase());
  const original = compact({ system: systemOf(cursor, from, name, table), version, code, display });
  return [...(target === undefined ? [] : [{ ...target }]), ...(original === undefined ? [] : [original])];
}

/** Codes of SNOMED CT and the like have single spaces (R4: code). */
export const oneLine = (code: string): string => (/\s\s|[\t\n\r]/.test(code) ? code.replaceAll(/\s+/g, ' ') : code);

function systemOf(cursor: Cursor, from: number, name: string, table?: CodeTable): string | undefined {
  if (name !== '') return codeSystemUri(name) ?? localSystem(cursor.reading, name);
  const oid = from === 1 ? cursor.at(14).text : from === 4 ? cursor.at(17).text : '';
  if (/^[0-2](?:\.\d+)+$/.test(oid)) return `urn:oid:${oid}`;
  return from === 1 && table !== undefined ? tableUrl(table.number) : undefined;
}

/** The first coding alone, for elements of type Coding. */
export const coding =
  (table?: CodeTable) =>
  (cursor: Cursor): unknown => {
    const found = concept(table)(cursor);
    const [first] = (found?.['coding'] ?? []) as readonly Json[];
    return first ?? compact({ display: found?.['text'] });
  };

/** A code of a required binding; undefined, with a warning, for one that is not known. */
export const codeOf =
  (codes: ReadonlyMap<string, string>) =>
  (cursor: Cursor): string | undefined => {
    const { text } = cursor;
    const found = codes.get(text) ?? codes.get(text.toUpperCase());
    if (text !== '' && found === undefined) cursor.warn('code-invalid', 'The code is not known');
    return found;
  };

export const text = (cursor: Cursor): string | undefined => cursor.value;
export const dateTime = (cursor: Cursor): string | undefined => cursor.dateTime;
export const date = (cursor: Cursor): string | undefined => cursor.date;
export const boolean = (cursor: Cursor): boolean | undefined => cursor.boolean;

/** A time with hours, which elements of type instant need; a date alone is told. */
export function instant(cursor: Cursor): string | undefined {
  const value = cursor.dateTime;
  if (value === undefined || value.includes('T')) return value;
  cursor.warn('value', 'A date without a time was left out here');
  return undefined;
}

/** What a person reads of a code. */
export const words = (cursor: Cursor): string | undefined => wordsOf(concept()(cursor));

export function wordsOf(value: Json | undefined): string | undefined {
  const [first] = (value?.['coding'] ?? []) as readonly Json[];
  return (value?.['text'] ?? first?.['display'] ?? first?.['code']) as string | undefined;
}

/** What makes a code the same: its coding, else its words. */
export function keyOfConcept(value: Json): string {
  const [first] = (value['coding'] ?? []) as readonly Json[];
  return first === undefined ? String(value['text']).toUpperCase() : `${first['system']}|${first['code']}`;
}

/** An end before the start is left out with a warning: no Period is such (per-1). */
export function period(start: Cursor, end: Cursor): Json | undefined {
  const [from, until] = [start.dateTime, end.dateTime];
  if (from === undefined || until === undefined || !endsBeforeStart(from, until))
    return compact({ start: from, end: until });
  end.warn('value', 'This is before the beginning: it was left out');
  return { start: from };
}

/** XPN; the repetition that has no type is official when it is the first. */
export const humanName = (cursor: Cursor): Json | undefined => nameAt(cursor, 1, cursor.at(7), [12, 13]);

/** The name in an XCN, whose first component is a number. */
export const personName = (cursor: Cursor): Json | undefined => nameAt(cursor, 2, cursor.at(10), [19, 20]);

function nameAt(cursor: Cursor, first: number, type: Cursor, [from, to]: readonly [number, number]): Json | undefined {
  const family = cursor.at(first);
  const part = (n: number): string | undefined => cursor.at(first + n).value;
  const extensions = [
    ...extension('humanname-own-prefix', family.at(2).value),
    ...extension('humanname-own-name', family.at(3).value),
    ...extension('humanname-partner-prefix', family.at(4).value),
    ...extension('humanname-partner-name', family.at(5).value),
  ];
  const [given, more, suffix, prefix, degree] = [part(1), part(2), part(3), part(4), part(5)];
  const parts = compact({
    family: family.value,
    _family: extensions.length > 0 && family.value !== undefined ? { extension: extensions } : undefined,
    given: [given, more].filter((name) => name !== undefined),
    prefix: prefix === undefined ? undefined : [prefix],
    suffix: [suffix, degree].filter((name) => name !== undefined),
  });
  const use = nameUse(type, cursor, first);
  return parts && compact({ use, ...parts, period: period(cursor.at(from), cursor.at(to)) });
}

function nameUse(type: Cursor, cursor: Cursor, first: number): string | undefined {
  const code = type.text;
  if (code === '') return first === 1 && (cursor.part.place.repetition ?? 1) === 1 ? 'official' : undefined;
  return NAME_USE.get(code) ?? (code === 'B' ? 'official' : undefined);
}

/** The first name is the patient's own; an alias has no use unless it says. */
export const alias = (cursor: Cursor): Json | undefined => {
  const name = humanName(cursor);
  if (name === undefined) return undefined;
  const { use, ...rest } = name;
  return cursor.at(7).text === '' ? rest : { ...(use !== undefined && { use }), ...rest };
};

/** XAD. In UK feeds the fourth component is the county. */
export function address(cursor: Cursor): Json | undefined {
  const street = cursor.at(1);
  const lines = [street.value, street.at(2).value, street.at(3).value, cursor.at(2).value, cursor.at(19).value];
  const country = cursor.at(6).value;
  const isUk = cursor.reading.isUk && (country === undefined || /^(?:GBR?|UK|ENG|SCT|WLS|NIR)$/i.test(country));
  const region = cursor.at(4).value;
  const county = cursor.at(9).value;
  const postalCode = cursor.at(5).value;
  const kind = cursor.at(7).text;
  const parts = compact({
    line: lines.filter((line) => line !== undefined),
    city: cursor.at(3).value,
    district: county ?? (isUk ? region : undefined),
    state: isUk && county === undefined ? undefined : region,
    postalCode: isUk && postalCode !== undefined ? normalisePostcode(postalCode) : postalCode,
    country,
  });
  return (
    parts &&
    compact({
      use: ADDRESS_USE.get(kind),
      type: ADDRESS_TYPE.get(kind),
      ...parts,
      period: period(cursor.at(13), cursor.at(14)),
    })
  );
}

/** `LS14AP` as `LS1 4AP`; what does not look like a postcode stays. */
function normalisePostcode(text: string): string {
  const [, outward, inward] = /^([A-Z]{1,2}\d[A-Z\d]?)\s*(\d[A-Z]{2})$/i.exec(text) ?? [];
  return outward === undefined || inward === undefined ? text : `${outward} ${inward}`.toUpperCase();
}

/** XTN. `use`: what the field stands for when the number does not say. */
export const telecom =
  (use?: string) =>
  (cursor: Cursor): Json | undefined => {
    const useCode = cursor.at(2).text;
    const equipment = cursor.at(3).text;
    const mail = cursor.at(4).value;
    const isMail = equipment === 'Internet' || equipment === 'X.400' || mail !== undefined || useCode === 'NET';
    const value = isMail ? (mail ?? cursor.value) : numberOf(cursor);
    if (value === undefined) return undefined;
    return compact({
      system: isMail ? 'email' : (TELECOM_SYSTEM.get(equipment) ?? 'phone'),
      value,
      use: equipment === 'CP' ? 'mobile' : (TELECOM_USE.get(useCode) ?? (useCode === '' ? use : undefined)),
      rank: rankOf(cursor, useCode),
      period: period(cursor.at(13), cursor.at(14)),
    });
  };

function numberOf(cursor: Cursor): string | undefined {
  const [whole, sent] = [cursor.at(12).value, cursor.value];
  if (whole !== undefined) return whole;
  const local = cursor.at(7).value;
  if (local === undefined) return sent;
  const [country, area, more] = [cursor.at(5).value, cursor.at(6).value, cursor.at(8).value];
  return [country && `+${country.replace(/^\+/, '')}`, area, local, more && `X${more}`].filter(Boolean).join(' ');
}

function rankOf(cursor: Cursor, useCode: string): number | undefined {
  const sent = Number(cursor.at(18).text);
  if (Number.isInteger(sent) && sent > 0) return sent;
  return useCode === 'EMR' ? 1 : useCode === 'ORN' ? 2 : undefined;
}

/** A quantity; the unit is a coding only when its system is UCUM. */
export function quantity(value: Cursor, unit: Cursor): Json | undefined {
  const number = value.number;
  return number === undefined ? undefined : measured(number, unit);
}

/** A number with the unit in a CE or CWE. */
export function measured(value: number | Decimal, unit: Cursor, comparator?: string): Json {
  const [code, display, system] = [unit.at(1).value, unit.at(2).value, unit.at(3).text];
  const isUcum = codeSystemUri(system) === 'http://unitsofmeasure.org';
  return compact({
    value,
    comparator,
    unit: display ?? code,
    ...(isUcum && code !== undefined && { system: 'http://unitsofmeasure.org', code }),
  }) as Json; // a number is there
}
