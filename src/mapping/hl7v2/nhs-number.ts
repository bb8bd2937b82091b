/** NHS numbers: check digit, and how far a number was verified. NHS Data Dictionary, NHS NUMBER and its STATUS INDICATOR. */
export const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';

/** Ten digits without spaces and dashes; undefined when the check digit is wrong or the number a placeholder. */
export function normaliseNhsNumber(text: string): string | undefined {
  const digits = text.replaceAll(/[ -]/g, '');
  if (!/^\d{10}$/.test(digits) || /^(\d)\1{9}$/.test(digits)) return undefined;
  let sum = 0;
  for (let index = 0; index < 9; index++) sum += Number(digits[index]) * (10 - index);
  const check = (11 - (sum % 11)) % 11;
  return check === Number(digits[9]) ? digits : undefined;
}

const STATUS_SYSTEM = 'https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatus';
const STATUS_EXTENSION = 'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus';

const STATUSES = new Map([
  ['01', 'Number present and verified'],
  ['02', 'Number present but not traced'],
  ['03', 'Trace required'],
  ['04', 'Trace attempted - No match or multiple match found'],
  ['05', 'Trace needs to be resolved - (NHS Number or patient detail conflict)'],
  ['06', 'Trace in progress'],
  ['07', 'Number not present and trace not required'],
  ['08', 'Trace postponed (baby under six weeks old)'],
]);

/** The only status by which a number alone may find a patient. */
export const NHS_NUMBER_VERIFIED = '01';

/** The status in `NSTS01` (PID-32, NHS Interoperability Toolkit) or `NH{status:01}` (PID-3.5). */
export function findNhsNumberStatus(text: string): string | undefined {
  const [, code] = /^NSTS(0[1-8])$/.exec(text) ?? /\{status:(0[1-8])\}/.exec(text) ?? [];
  return code;
}

export const nhsNumberStatusExtension = (status: string): object => ({
  url: STATUS_EXTENSION,
  valueCodeableConcept: { coding: [{ system: STATUS_SYSTEM, code: status, display: STATUSES.get(status) }] },
});
