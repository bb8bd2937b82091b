/** Which passwords are taken. SECURITY LG-03; NIST SP 800-63B section 3.1.1.2 */
import type { Role } from '../../ports/caller.ts';
import { isCommonPassword } from './common-passwords.ts';

const LENGTH_MAX = 128;
const LENGTH_MIN_STAFF = 12;
const LENGTH_MIN_PATIENT = 8;
/** Names of this service and of what it is about. */
const CONTEXT = ['mortar', 'fhir', 'nhs', 'eps', 'nhsnumber'];

/** Whose password it is. */
export interface PasswordOwner {
  readonly name: string;
  readonly email: string;
  readonly roles: readonly Role[];
}

/** Whoever is anything but a patient. */
export const isStaff = (roles: readonly Role[]): boolean => roles.some((role) => role !== 'PATIENT');

export const passwordLengthMin = (roles: readonly Role[]): number =>
  isStaff(roles) ? LENGTH_MIN_STAFF : LENGTH_MIN_PATIENT;

/** What is wrong with a password, for whom it is to belong to; undefined when it is good. */
export function findPasswordFault(password: string, owner: PasswordOwner): string | undefined {
  const length = [...password.normalize('NFC')].length;
  const min = passwordLengthMin(owner.roles);
  if (length < min) return `Use a password of at least ${min} characters`;
  if (length > LENGTH_MAX) return `Use a password of at most ${LENGTH_MAX} characters`;
  if (isCommonPassword(password)) return 'Use a password that is harder to guess: this one is among the most common';
  if (isMadeOf(password, ownWords(owner))) return 'Use a password that does not consist of your name or e-mail address';
  if (isMadeOf(password, CONTEXT)) return 'Use a password that does not consist of the name of this service';
  if (new Set(password).size < 4) return 'Use a password with more than three different characters';
  return undefined;
}

const ownWords = ({ name, email }: PasswordOwner): string[] =>
  [...name.split(/[^\p{L}\p{N}]+/u), ...email.split(/[^\p{L}\p{N}]+/u), email.split('@')[0] ?? '', name]
    .map((word) => word.toLowerCase().normalize('NFC'))
    .filter((word) => word.length >= 3);

/** Whether hardly anything is left once these words are taken out. */
function isMadeOf(password: string, words: readonly string[]): boolean {
  const lower = password.normalize('NFC').toLowerCase();
  let rest = lower;
  for (const word of [...words].sort((a, b) => b.length - a.length)) rest = rest.replaceAll(word, '');
  return rest !== lower && [...rest.replaceAll(/[^\p{L}]/gu, '')].length < 4;
}
