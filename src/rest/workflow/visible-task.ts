/** The queue's Task of a prescription, for whoever may see it. SECURITY CP-01 */
import type { Caller } from '../../ports/caller.ts';
import { notFound } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { isTokenId } from '../../standards/prescription-token/token-id.ts';
import { type FoundTask, readTask } from '../../workflow/dispensing/find-task.ts';
import { DISPENSING_CODES, PRESCRIPTION_TOKEN } from '../../workflow/dispensing/queue-entry.ts';
import type { DispensingParts } from './dispensing-parts.ts';

/** By the id of the token or of the order. Throws 404, also where it is there and hidden. */
export async function readVisibleTask(
  { store, searchOf, tokens }: Pick<DispensingParts, 'store' | 'searchOf' | 'tokens'>,
  caller: Caller,
  id: string,
): Promise<FoundTask> {
  if (!isTokenId(id) && !isId(id)) throw notFound('That prescription');
  const code = encodeURIComponent(`${DISPENSING_CODES}|dispense`);
  const query = isTokenId(id)
    ? `identifier=${encodeURIComponent(`${PRESCRIPTION_TOKEN}|${id}`)}`
    : `focus=MedicationRequest/${id}&code=${code}`;
  const { matches } = await store.search(caller, searchOf('Task', `${query}&_count=1`));
  const found = matches[0] && readTask(matches[0], tokens);
  if (!found) throw notFound('That prescription');
  return found;
}
