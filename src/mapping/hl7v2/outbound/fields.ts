/** Data types of FHIR as those of HL7 v2: the way back of data-types.ts and identifiers.ts. */
import type { ComponentInput, FieldInput, Leaf } from '../../../standards/hl7v2/format.ts';
import { type CodeTable, codeSystemName, reverseTable, tableUrl } from '../code-tables.ts';
import { type Json, present } from '../compact.ts';
import { authorityName } from '../identifiers.ts';
import { listOf, objectOf, type Source, textOf, textsOf } from './source.ts';

/** One repetition. */
export type Repetition = readonly ComponentInput[];

/** Several repetitions; nothing for none. */
export const repeated = (list: readonly (Repetition | string | undefined)[]): FieldInput => {
  const repeat = present(list);
  return repeat.length === 0 ? undefined : { repeat };
};

/** `2026-03-02T10:15:00+01:00` as `20260302101500+0100`; what is no date is nothing. */
export function dtm(value: unknown): string | undefined {
  const text = textOf(value) ?? '';
  const [, date, time = '', fraction = '', zone = ''] =
    /^(\d{4}(?:-\d\d(?:-\d\d)?)?)(?:T(\d\d:\d\d(?::\d\d)?)(\.\d{1,4})?\d*(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  if (date === undefined) return undefined;
  const offset = zone === 'Z' ? '+0000' : zone.replace(':', '');
  return date.replaceAll('-', '') + time.replaceAll(':', '') + fraction + offset;
}

/** The three parts of an HD that name a system: a known authority, the sender's own name, or an address of its kind. */
function hd(system: string | undefined): readonly Leaf[] {
  if (system === undefined) return [];
  const known = authorityName(system);
  if (known !== undefined) return [known];
  if (system.startsWith('urn:v2:')) {
    const name = system.split(':')[3];
    return name === undefined ? [] : [decode(name)];
  }
  if (system.startsWith('urn:oid:')) return [undefined, system.slice(8), 'ISO'];
  if (system.startsWith('urn:uuid:')) return [undefined, system.slice(9), 'UUID'];
  return [undefined, system, 'URI'];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Identifiers made by the mapper from what makes a thing the same say nothing to anybody else. */
export const isOwnKey = (identifier: Json): boolean => identifier['system'] === 'urn:ietf:rfc:3986';

const typeOf = (identifier: Json): string | undefined =>
  textOf(listOf(objectOf(identifier['type'])?.['coding'])[0]?.['code']);

export function cx(identifier: Json): Repetition | undefined {
  const value = textOf(identifier['value']);
  if (value === undefined || isOwnKey(identifier)) return undefined;
  const period = objectOf(identifier['period']);
  const type = typeOf(identifier);
  return [
    value,
    undefined,
    undefined,
    hd(textOf(identifier['system'])),
    type,
    undefined,
    dtm(period?.['start']),
    dtm(period?.['end']),
  ];
}

/** EI; its namespace are components, where that of a CX is one. */
export function ei(identifier: Json | undefined): Repetition | undefined {
  const value = textOf(identifier?.['value']);
  if (identifier === undefined || value === undefined) return undefined;
  return [value, ...hd(textOf(identifier['system']))];
}

/** The identifier of a kind, of those that mean something to others. */
export function identifierOf(resource: Json | undefined, type: string): Json | undefined {
  return listOf(resource?.['identifier']).find((identifier) => typeOf(identifier) === type);
}
export const plainIdentifier = (resource: Json | undefined): Json | undefined =>
  listOf(resource?.['identifier']).find(
    (identifier) => typeOf(identifier) === undefined && !isOwnKey(identifier) && !isPrescriptionNumber(identifier),
  );

/** The number on the label (RXE-15, RXD-7), by which no order is found. */
export const isPrescriptionNumber = (identifier: Json): boolean =>
  textOf(objectOf(identifier['type'])?.['text']) === 'Prescription number';

/** CodeableConcept as CWE: a code of `table` first, however FHIR names it; the words as original text. */
export function cwe(value: unknown, table?: CodeTable): Repetition | undefined {
  const concept = objectOf(value);
  if (concept === undefined) return undefined;
  const codings = listOf(concept['coding']);
  const own = table && codings.find((coding) => coding['system'] === tableUrl(table.number));
  const mapped = table && codings.flatMap((coding) => reverseTable(table, coding) ?? [])[0];
  const first = own === undefined ? (mapped === undefined ? codings[0] : undefined) : own;
  const others = codings.filter((coding) => coding !== first && (mapped === undefined || !isTarget(coding, table)));
  const lead: Repetition = first === undefined ? [mapped, undefined, undefined] : codingParts(first, table);
  const second = others[0] === undefined ? [] : codingParts(others[0]);
  const words = textOf(concept['text']);
  if (codings.length === 0) return words === undefined ? undefined : [undefined, words];
  const [a, b, c] = [...lead, undefined, undefined, undefined];
  const [d, e, f] = [...second, undefined, undefined, undefined];
  // A code without a system has its words already.
  const isSaid = words === b && c === undefined && mapped === undefined && others.length === 0;
  return [a, b, c, d, e, f, undefined, undefined, isSaid ? undefined : words];
}

const isTarget = (coding: Json, table: CodeTable | undefined): boolean =>
  table !== undefined && reverseTable(table, coding) !== undefined;

/** A code of the field's own table needs no name of the table. */
const codingParts = (coding: Json, table?: CodeTable): Repetition => {
  const system = textOf(coding['system']);
  const isOwn = table !== undefined && system === tableUrl(table.number);
  return [
    textOf(coding['code']),
    textOf(coding['display']),
    isOwn || system === undefined ? undefined : codeSystemName(system),
  ];
};

/** A Coding as CWE. */
export const coded = (coding: unknown, table?: CodeTable): Repetition | undefined =>
  objectOf(coding) === undefined ? undefined : cwe({ coding: [coding] }, table);

/** Subcomponents, where a code stands inside a component. */
export const asComponent = (field: Repetition | undefined): ComponentInput =>
  field?.map((part) => (Array.isArray(part) ? part[0] : (part as Leaf)));

const NAME_TYPES = new Map([
  ['official', 'L'],
  ['usual', 'D'],
  ['maiden', 'M'],
  ['nickname', 'N'],
  ['temp', 'TEMP'],
  ['anonymous', 'MSK'],
  ['old', 'BAD'],
]);

export function xpn(name: Json): Repetition | undefined {
  const parts = nameParts(name);
  if (parts === undefined) return undefined;
  const period = objectOf(name['period']);
  const use = NAME_TYPES.get(textOf(name['use']) ?? '') ?? 'U';
  return [
    ...parts,
    undefined,
    use,
    undefined,
    undefined,
    undefined,
    undefined,
    dtm(period?.['start']),
    dtm(period?.['end']),
  ];
}

/** Family, given, further given names, suffix, prefix: the first five of an XPN, and what follows the number in an XCN. */
function nameParts(name: Json | undefined): Repetition | undefined {
  const [given, ...more] = textsOf(name?.['given']);
  const [suffix] = textsOf(name?.['suffix']);
  const family = textOf(name?.['family']);
  if (name === undefined || (family === undefined && given === undefined)) {
    const text = textOf(name?.['text']);
    return text === undefined ? undefined : [text];
  }
  return [family, given, more.join(' ') || undefined, suffix, textsOf(name['prefix']).join(' ') || undefined];
}

const ADDRESS_USES = new Map([
  ['home', 'H'],
  ['work', 'B'],
  ['temp', 'C'],
  ['old', 'BA'],
  ['billing', 'BI'],
]);

/** In UK messages the county is the fourth component. */
export function xad(address: Json): Repetition | undefined {
  const [line, ...more] = textsOf(address['line']);
  const period = objectOf(address['period']);
  const use = ADDRESS_USES.get(textOf(address['use']) ?? '') ?? (address['type'] === 'postal' ? 'M' : undefined);
  const [state, district] = [textOf(address['state']), textOf(address['district'])];
  const parts: Repetition = [
    line ?? textOf(address['text']),
    more.join(', ') || undefined,
    textOf(address['city']),
    state ?? district,
    textOf(address['postalCode']),
    textOf(address['country']),
    use,
    undefined,
    state === undefined ? undefined : district,
    ...[undefined, undefined, undefined],
    dtm(period?.['start']),
    dtm(period?.['end']),
  ];
  return parts.some((part) => part !== undefined) ? parts : undefined;
}

const EQUIPMENT = new Map([
  ['phone', 'PH'],
  ['fax', 'FX'],
  ['pager', 'BP'],
  ['email', 'Internet'],
  ['url', 'Internet'],
  ['other', 'TTY'],
]);
const TELECOM_USES = new Map([
  ['home', 'PRN'],
  ['work', 'WPN'],
  ['mobile', 'PRS'],
  ['temp', 'VHN'],
]);

export function xtn(point: Json): Repetition | undefined {
  const value = textOf(point['value']);
  const [system, use] = [textOf(point['system']) ?? 'phone', textOf(point['use']) ?? ''];
  if (value === undefined) return undefined;
  const isMobile = use === 'mobile' && system === 'phone';
  const equipment = isMobile ? 'CP' : EQUIPMENT.get(system);
  if (system === 'email') return [undefined, use === 'work' ? 'WPN' : 'NET', equipment, value];
  return [value, isMobile ? 'PRS' : TELECOM_USES.get(use), equipment];
}

/** A person by reference: the number, the name, whose number it is. */
export function xcn(reference: unknown, from: Source): readonly Repetition[] {
  const found = from.resolve(reference);
  const role = found?.['resourceType'] === 'PractitionerRole' ? found : undefined;
  const person = role === undefined ? found : from.resolve(role['practitioner']);
  const display = textOf(objectOf(role?.['practitioner'])?.['display']) ?? textOf(objectOf(reference)?.['display']);
  const name = nameParts(listOf(person?.['name'])[0]) ?? (display === undefined ? [] : [display]);
  const identifiers = listOf(person?.['identifier']).filter((identifier) => !isOwnKey(identifier));
  const five = Array.from({ length: 5 }, (_, index) => name[index]);
  const one = (identifier?: Json): Repetition => [
    textOf(identifier?.['value']),
    ...five,
    undefined,
    undefined,
    hd(textOf(identifier?.['system'])),
    undefined,
    undefined,
    undefined,
    identifier && typeOf(identifier),
  ];
  if (identifiers.length > 0) return identifiers.map(one);
  return name.length > 0 ? [one()] : [];
}

/** A person as the first component of an NDL: a CNN, whose parts are subcomponents. */
export const cnn = (reference: unknown, from: Source): readonly Repetition[] =>
  xcn(reference, from).map((person) => {
    const [authority, id] = (person[8] ?? []) as readonly Leaf[];
    const parts = person.slice(0, 6).map((part) => (typeof part === 'string' ? part : undefined));
    return [[...parts, undefined, undefined, authority, id]];
  });

/** An organisation by reference. */
export function xon(reference: unknown, from: Source): Repetition | undefined {
  const found = from.resolve(reference);
  const organization = found?.['resourceType'] === 'PractitionerRole' ? from.resolve(found['organization']) : found;
  const isOne = organization?.['resourceType'] === 'Organization';
  const identifier = isOne ? listOf(organization?.['identifier'])[0] : undefined;
  // The display of a role names the person.
  const display = objectOf(found === organization ? reference : found?.['organization'])?.['display'];
  const name = textOf(isOne ? organization?.['name'] : undefined) ?? textOf(display);
  const value = textOf(identifier?.['value']);
  if (value === undefined) return isOne && name !== undefined ? [name] : undefined;
  return [name, undefined, value, undefined, undefined, hd(textOf(identifier?.['system']))];
}

/** Value and unit as two fields. */
export function amount(quantity: unknown): {
  readonly value: string | undefined;
  readonly unit: Repetition | undefined;
} {
  const found = objectOf(quantity);
  const [unit, code, system] = [textOf(found?.['unit']), textOf(found?.['code']), textOf(found?.['system'])];
  const isUcum = system === 'http://unitsofmeasure.org' && code !== undefined;
  const named: Repetition | undefined = isUcum
    ? [code, unit === code ? undefined : unit, 'UCUM']
    : unit === undefined
      ? undefined
      : [unit];
  return { value: textOf(found?.['value']), unit: named };
}
