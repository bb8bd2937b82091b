/** Names of the national directory's job roles that prescribe and dispense, by the last part of the code. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['R0260', 'General Medical Practitioner'],
  ['R1290', 'Pharmacist'],
  ['R8000', 'Clinical Practitioner Access Role'],
  ['R8001', 'Nurse Access Role'],
  ['R8002', 'Nurse Manager Access Role'],
  ['R8003', 'Health Professional Access Role'],
  ['R8004', 'Healthcare Student Access Role'],
  ['R8006', 'Admin - Medical Secretary Access Role'],
]);

/** `S8000:G8000:R8000` and `R8000` are one role. */
export const jobRoleName = (code: string): string | undefined => NAMES.get(code.slice(code.lastIndexOf(':') + 1));
