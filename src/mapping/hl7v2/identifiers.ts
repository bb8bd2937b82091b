/** CX, EI, HD and XON: which system a number belongs to. Reference: docs/hl7v2.md "Numbers and their systems". */

import { OWN_AUTHORITY, OWN_NUMBERS } from '../own-numbers.ts';
import { IDENTIFIER_TYPE, tableUrl } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem } from './cursor.ts';
import { oneLine, period } from './data-types.ts';
import { findNhsNumberStatus, NHS_NUMBER, nhsNumberStatusExtension, normaliseNhsNumber } from './nhs-number.ts';

export const ODS_CODE = 'https://fhir.nhs.uk/Id/ods-organization-code';

/** Assigning authorities that mean one thing in every feed. */
const AUTHORITIES = new Map<string, string>([
  ['NHS', NHS_NUMBER],
  ['NHSNBR', NHS_NUMBER],
  ['2.16.840.1.113883.2.1.4.1', NHS_NUMBER],
  ['ODS', ODS_CODE],
  ['NACS', ODS_CODE],
  ['SDS', 'https://fhir.nhs.uk/Id/sds-user-id'],
  ['SDSID', 'https://fhir.nhs.uk/Id/sds-user-id'],
  ['NMC', 'https://fhir.hl7.org.uk/Id/nmc-number'],
  ['GPHC', 'https://fhir.hl7.org.uk/Id/gphc-number'],
  ['HCPC', 'https://fhir.hl7.org.uk/Id/hcpc-number'],
  ['DIN', 'https://fhir.hl7.org.uk/Id/din-number'],
  ['GMC', 'https://fhir.hl7.org.uk/Id/gmc-number'],
  ['GMP', 'https://fhir.hl7.org.uk/Id/gmp-number'],
  ['NATGP', 'https://fhir.hl7.org.uk/Id/gmp-number'],
]);

/** The system of an authority by its name, or the OID of one. */
export const knownAuthority = (name: string): string | undefined => AUTHORITIES.get(name.toUpperCase());

const AUTHORITY_NAMES = new Map([...AUTHORITIES].toReversed().map(([name, system]) => [system, name]));

/** The way back: `NHS`, `ODS`, `GMC` …; undefined for other systems. */
export const authorityName = (system: string): string | undefined => AUTHORITY_NAMES.get(system);

/** HD: a known authority, else by its universal id, else a system of the sender's own. Undefined: nothing was sent. */
export function authoritySystem(cursor: Cursor): string | undefined {
  const [name, id, kind] = [cursor.at(1).text, cursor.at(2).text, cursor.at(3).text.toUpperCase()];
  const known = AUTHORITIES.get(name.toUpperCase()) ?? AUTHORITIES.get(id);
  if (known !== undefined) return known;
  if (id !== '' && !/\s/.test(id)) {
    if (kind === 'ISO' && /^[0-2](?:\.\d+)+$/.test(id)) return `urn:oid:${id}`;
    if (kind === 'UUID' || kind === 'GUID') return `urn:uuid:${id.toLowerCase()}`;
    if (kind === 'URI') return id;
    if (kind === 'DNS') return `urn:v2:dns:${encodeURIComponent(id.toWellFormed())}`;
  }
  return systemOfName(cursor, name);
}

/** A name that nobody else knows is the sender's own; ours is ours, whoever quotes it. */
function systemOfName({ reading }: Cursor, name: string): string | undefined {
  if (name === OWN_AUTHORITY) return OWN_NUMBERS;
  return name === '' ? undefined : localSystem(reading, name);
}

/** The type coding of table 0203, without what UK portals append in braces. */
export function identifierType(code: string): Json | undefined {
  const plain = oneLine(code.replace(/\{.*/, '').trim());
  return plain === '' ? undefined : { coding: [{ system: tableUrl(IDENTIFIER_TYPE.number), code: plain }] };
}

export interface CxOptions {
  /** System of numbers whose assigner was not sent. */
  readonly fallback: string | undefined;
  /** Status of the NHS number: PID-32. */
  readonly nhsNumberStatus?: string;
}

/** CX. An NHS number with a wrong check digit is left out, with a warning. */
export function cx(cursor: Cursor, { fallback, nhsNumberStatus }: CxOptions): Json | undefined {
  const value = cursor.at(1).value;
  const typeCode = cursor.at(5).text;
  const assigner = cursor.at(4).isValued ? cursor.at(4) : cursor.at(6);
  const named = authoritySystem(assigner);
  const system = named ?? (/^NH\b/.test(typeCode) ? NHS_NUMBER : fallback);
  const shared = {
    type: identifierType(typeCode),
    period: period(cursor.at(7), cursor.at(8)),
    assigner: system === named && assigner.at(1).value !== undefined ? { display: assigner.at(1).value } : undefined,
  };
  if (value === undefined) return undefined;
  if (system !== NHS_NUMBER) return compact({ ...shared, system, value });
  const number = normaliseNhsNumber(value);
  if (number === undefined) {
    cursor.at(1).warn('value', 'This is not a valid NHS number: it was left out');
    return undefined;
  }
  const status = findNhsNumberStatus(typeCode) ?? nhsNumberStatus;
  return compact({
    extension: status === undefined ? [] : [nhsNumberStatusExtension(status)],
    ...shared,
    system,
    value: number,
  });
}

/** EI: a number with its namespace. */
export function ei(cursor: Cursor, type: string | undefined, fallback: string | undefined): Json | undefined {
  const value = cursor.at(1).value;
  if (value === undefined) return undefined;
  const system = eiSystem(cursor) ?? fallback;
  return compact({ type: type === undefined ? undefined : identifierType(type), system, value });
}

/** The namespace of an EI begins at its second component, where that of a CX is one component. */
function eiSystem(cursor: Cursor): string | undefined {
  const [name, id, kind] = [cursor.at(2).text, cursor.at(3).text, cursor.at(4).text.toUpperCase()];
  if (id !== '' && kind === 'ISO' && /^[0-2](?:\.\d+)+$/.test(id)) return `urn:oid:${id}`;
  if (id !== '' && (kind === 'UUID' || kind === 'GUID') && !/\s/.test(id)) return `urn:uuid:${id.toLowerCase()}`;
  if (kind === 'URI' && id !== '' && !/\s/.test(id)) return id;
  return systemOfName(cursor, name);
}
