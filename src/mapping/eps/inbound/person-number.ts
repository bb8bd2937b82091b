/** By which number somebody is known: V3 has one register for all of them, FHIR one for each professional body. */
import { OID } from '../../../standards/hl7v3/oid.ts';
import { ID_SYSTEM } from '../systems.ts';
import type { AnswerForm } from './context.ts';
import { identifier, type Json } from './fhir-parts.ts';

type System = (typeof ID_SYSTEM)[keyof typeof ID_SYSTEM];

/** The first that fits. */
const PATTERNS: readonly (readonly [pattern: RegExp, system: System])[] = [
  [/^6\d{5}$/, ID_SYSTEM.spurious],
  [/^\d{2}[A-Z]\d{4}[A-Z]$/, ID_SYSTEM.nmc],
  [/^G[01234589]\d{6}$/, ID_SYSTEM.gmp],
  [/^C\d{7}$/, ID_SYSTEM.gmc],
  [/^[A-Z]{2}\d{6}$/, ID_SYSTEM.hcpc],
  [/^[389]\d{5}$/, ID_SYSTEM.din],
];

/** Numbers that a prescriber has beside the professional one, for the reimbursement of what is prescribed. */
const BESIDE_PROFESSIONAL: ReadonlySet<System> = new Set([ID_SYSTEM.spurious, ID_SYSTEM.din]);

/** What the type of the prescription says of its prescriber, in its last two digits. */
export type PrescriberKind = 'medical' | 'pharmacist' | 'other';

const KINDS: ReadonlyMap<string, PrescriberKind> = new Map([
  ['01', 'medical'],
  ['08', 'pharmacist'],
]);

export const prescriberKindOf = (prescriptionType: string): PrescriberKind =>
  KINDS.get(prescriptionType.slice(2)) ?? 'other';

export interface PersonNumber {
  readonly identifier: Json;
  /** A spurious code is of the role, not of the person. */
  readonly ofRole: boolean;
  /** Whether it may stand beside the professional number of the same person. */
  readonly besideProfessional: boolean;
}

/**
 * Deviates: seven digits of a medical prescriber are a GMC number, which V3 has without its C, and those of a pharmacist
 * one of the GPhC; to the national gateway both are of a body unknown.
 */
export function personNumber(value: string, kind: PrescriberKind, form: AnswerForm): PersonNumber {
  const system = PATTERNS.find(([pattern]) => pattern.test(value))?.[1] ?? ID_SYSTEM.professional;
  if (system === ID_SYSTEM.professional && form === 'full' && /^\d{7}$/.test(value)) {
    if (kind === 'medical') return number(ID_SYSTEM.gmc, `C${value}`);
    if (kind === 'pharmacist') return number(ID_SYSTEM.gphc, value);
  }
  return number(system, value);
}

/**
 * Deviates: who signs is known by a professional number, whichever register's it looks like; as an index number or a
 * spurious code it could not be sent again.
 */
export const authorNumber = (value: string, kind: PrescriberKind, form: AnswerForm): PersonNumber => {
  const found = personNumber(value, kind, form);
  return form === 'full' && found.besideProfessional ? number(ID_SYSTEM.professional, value) : found;
};

/**
 * Who cancels and who dispenses. Deviates: V3 names them by their SDS user id, which dispensers send as if it were a
 * professional number; to the national gateway it is one of a body unknown.
 */
export function userNumber(value: string, register: string | undefined, form: AnswerForm): PersonNumber {
  const isUserId = register === OID.sdsUser || /^\d{12}$/.test(value);
  return isUserId && form === 'full' ? number(ID_SYSTEM.sdsUser, value) : personNumber(value, 'other', form);
}

const number = (system: System, value: string): PersonNumber => ({
  identifier: identifier(system, value),
  ofRole: system === ID_SYSTEM.spurious,
  besideProfessional: BESIDE_PROFESSIONAL.has(system),
});
