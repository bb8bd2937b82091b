/** Identifiers of people and organisations of the NHS in England: their systems and forms. SECURITY NH-10 */

const NHS = 'https://fhir.nhs.uk/Id/';
const UK = 'https://fhir.hl7.org.uk/Id/';

export const ODS_SYSTEM = `${NHS}ods-organization-code`;
export const SDS_USER_SYSTEM = `${NHS}sds-user-id`;
export const SDS_ROLE_PROFILE_SYSTEM = `${NHS}sds-role-profile-id`;
export const NHS_NUMBER_SYSTEM = `${NHS}nhs-number`;

/** Whether it has the form of a code of the Organisation Data Service; whether there is such a one is another question. */
export const isOdsCode = (value: unknown): value is string =>
  typeof value === 'string' && /^[A-Z0-9]{3,10}$/.test(value);

/** Whether it has the form of a user id or a role profile id of the Spine Directory Service. */
export const isSdsId = (value: unknown): value is string => typeof value === 'string' && /^\d{12}$/.test(value);

/** Ten digits of which the last is the check digit (modulus 11). https://www.datadictionary.nhs.uk/attributes/nhs_number.html */
export function isNhsNumber(value: unknown): value is string {
  if (typeof value !== 'string' || !/^\d{10}$/.test(value)) return false;
  const sum = [...value.slice(0, 9)].reduce((total, digit, i) => total + Number(digit) * (10 - i), 0);
  const check = (11 - (sum % 11)) % 11;
  return check === Number(value[9]);
}

/** Registers of the professions, by the system of their numbers. EPS: the first four, of which a prescriber has one. */
const REGISTERS = new Map<string, RegExp>([
  [`${UK}gmc-number`, /^C?\d{7}$/],
  [`${UK}nmc-number`, /^\d{2}[A-Z]\d{4}[A-Z]$/],
  [`${UK}gphc-number`, /^\d{7}$/],
  [`${UK}hcpc-number`, /^[A-Z]{2}\d{6}$/],
]);

export interface Identifier {
  readonly system?: string;
  readonly value?: string;
  readonly use?: string;
  readonly period?: { readonly end?: string };
}

/**
 * The system of a professional registration among a Practitioner's identifiers: of a register of ours, well formed, not
 * old, not over at `today` (`2026-05-04`). Undefined when there is none. SECURITY NH-06
 */
export function findRegistration(identifiers: readonly Identifier[], today: string): string | undefined {
  const found = identifiers.find(
    ({ system = '', value = '', use, period }) =>
      REGISTERS.get(system)?.test(value) === true &&
      use !== 'old' &&
      (period?.end === undefined || period.end.slice(0, 10) >= today.slice(0, period.end.length)),
  );
  return found?.system;
}
