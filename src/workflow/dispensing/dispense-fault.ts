/** Why a prescription cannot be dispensed by who asks, before anything is locked. MISSION M10; SECURITY RX-02, RX-04 */
import { timingSafeEqual } from 'node:crypto';
import type { FoundTask } from './find-task.ts';
import type { Fault } from './reasons.ts';
import { stateOf, TRANSITIONS } from './states.ts';

const NO_NONCE = '00000000-0000-0000-0000-000000000000';

/** Of whoever holds the token, or says to: undefined where it stands to be dispensed at that pharmacy. `at`: ms UTC. */
export function faultOfToken(
  found: FoundTask | undefined,
  asked: { readonly nonce: string; readonly pharmacyId: string; readonly at: number },
): Fault | undefined {
  const [own, given] = [Buffer.from(found?.token.nonce ?? NO_NONCE), Buffer.from(asked.nonce)];
  const isSame = own.length === given.length && timingSafeEqual(own, given);
  if (!found) return 'unknown';
  return isSame ? faultOfEntry(found, asked) : 'nonce';
}

/** Of whoever may see the entry. */
export function faultOfEntry(
  { task, token, pharmacyId }: FoundTask,
  asked: { readonly pharmacyId: string; readonly at: number },
): Fault | undefined {
  const state = stateOf(task);
  if (!TRANSITIONS[state].dispense) return state === 'ready' ? undefined : state;
  if (token.expiresAt <= asked.at) return 'expired';
  return pharmacyId === undefined || pharmacyId === asked.pharmacyId ? undefined : 'pharmacy';
}
