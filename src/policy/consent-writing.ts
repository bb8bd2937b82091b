/** Who writes down what patients say in Consents: they themselves, and whoever has the right to. SECURITY FA-06, FA-09, AZ-08 */
import type { Caller, Role } from '../ports/caller.ts';
import type { Letter, ResourceScope } from '../standards/smart/scope.ts';
import { personAsks } from './asker.ts';
import type { ConsentRule } from './consent.ts';

/** A Consent, as it was or as it is to be. */
export interface ConsentState {
  /** Id of the patient whom it is of. */
  readonly patientId: string | undefined;
  readonly rules: readonly ConsentRule[];
}

/** Those who see charts: what somebody else may write down of a patient, they may not, whatever other roles they have. */
const CLINICAL: ReadonlySet<Role> = new Set(['DOCTOR', 'PRESCRIBER', 'PHARMACIST']);

/** Whether a Consent of this patient comes from the patient, if this caller writes it. */
export const isPatientsOwn = ({ kind, user }: Caller, patientId: string | undefined): boolean =>
  kind === 'user' &&
  patientId !== undefined &&
  user?.roles.includes('PATIENT') === true &&
  user.patientIds.includes(patientId);

/**
 * Whether a person may put `after` in the place of `before`. Of others' Consents, who holds the right to record them writes
 * all but what opens something to themselves, or takes back what is denied to themselves; everybody else adds denials, and
 * neither permits anything nor touches what denies. Programs are asked for their scopes alone.
 */
export function mayWriteConsent(
  caller: Caller,
  holdsRight: boolean,
  before: ConsentState | undefined,
  after: ConsentState | undefined,
): boolean {
  const { user } = caller;
  if (!user || user.roles.includes('SYSTEM')) return true;
  const mayRecord = holdsRight && !user.roles.some((role) => CLINICAL.has(role));
  const own = new Set([
    ...personAsks(user).actors.filter((actor) => !actor.startsWith('Organization/')),
    ...user.patientIds.map((id) => `Patient/${id}`),
    ...(user.proxies ?? []).map(({ relatedPersonId }) => `RelatedPerson/${relatedPersonId}`),
  ]);
  const isTouched = (state: ConsentState | undefined, effect: ConsentRule['effect']): boolean =>
    state !== undefined &&
    !isPatientsOwn(caller, state.patientId) &&
    state.rules.some((rule) => rule.effect === effect && (!mayRecord || rule.actors?.some((one) => own.has(one))));
  return !isTouched(before, 'deny') && !isTouched(after, 'permit');
}

/** Whether a scope is too wide a word to write Consents by: a program is granted that by name, or has everything. */
export const isNoRightToConsent = ({ level, type: named }: ResourceScope, type: string, letter: Letter): boolean =>
  level === 'system' && named === '*' && type === 'Consent' && letter !== 'r' && letter !== 's';
