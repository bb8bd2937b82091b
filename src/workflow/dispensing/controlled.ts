/** Controlled drugs: what is asked of whoever collects, and what stands in the register. MISSION M10 */
import type { NewRegisterLine, RegisterIdentity } from '../../ports/dispensing.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Dispensing } from './dispense-record.ts';
import type { FoundTask } from './find-task.ts';
import type { Node } from './pharmacies.ts';
import { inputOf } from './tokens.ts';

/** Schedules whose supply is watched: 2 and 3, whoever numbers them so. */
export const isControlledTask = (task: Node): boolean =>
  task['priority'] === 'asap' || ['2', '3'].includes(inputOf(task, 'nafdac-schedule') ?? '');

/** As its token has it sealed, or as its Task says: a pharmacy that changes its Task takes nothing away. */
export const isControlledEntry = ({ task, token }: Pick<FoundTask, 'task' | 'token'>): boolean =>
  token.kinds.includes('controlled') || isControlledTask(task);

/** Who collects it. Throws 422 where a controlled drug is asked for without. */
export function readIdentity(
  found: Pick<FoundTask, 'task' | 'token'>,
  given: { readonly type?: unknown; readonly number?: unknown },
  types: readonly string[],
): RegisterIdentity | undefined {
  if (!isControlledEntry(found)) return undefined;
  const type = typeof given.type === 'string' ? given.type : '';
  const number = typeof given.number === 'string' ? given.number.trim() : '';
  if (types.includes(type) && number.length >= 4) return { type, number };
  throw ruled(
    'patient-id',
    `A controlled drug is handed over against proof of identity: patient_id_type (${types.join(', ')}) and patient_id_number`,
    types.includes(type) ? 'patient_id_number' : 'patient_id_type',
  );
}

/** The supply as a line of the register. Throws 422 where the order does not say how much. */
export function supplyLine(
  found: FoundTask & { readonly order: Node },
  dispensing: Dispensing,
  by: string,
  identity: RegisterIdentity,
): NewRegisterLine {
  const { order, task, token } = found;
  const request = order['dispenseRequest'] as Node | undefined;
  const quantity = Number(String((request?.['quantity'] as Node | undefined)?.['value'] ?? ''));
  if (!(quantity > 0))
    throw ruled('quantity', 'The order of this controlled drug does not say how much: ask the prescriber');
  const schedule = inputOf(task, 'nafdac-schedule');
  return {
    pharmacyId: dispensing.pharmacy.id,
    ...productOf(order),
    type: 'supply',
    change: -quantity,
    at: dispensing.at,
    tokenId: token.tokenId,
    by: { name: dispensing.pharmacist, id: by },
    identity,
    ...(schedule !== undefined && { schedule }),
    ...(dispensing.notes !== undefined && { reason: dispensing.notes }),
  };
}

/** What balances are of: the medicine's code, else its name in small letters. */
export function productOf(order: Node): { readonly product: string; readonly name: string } {
  const concept = order['medicationCodeableConcept'] as Node | undefined;
  const [coding] = (concept?.['coding'] ?? []) as readonly Node[]; // validated
  const reference = (order['medicationReference'] as Node | undefined)?.['reference'];
  const name = String(concept?.['text'] ?? coding?.['display'] ?? coding?.['code'] ?? reference ?? '');
  const code = coding?.['code'];
  const product = typeof code === 'string' ? code : name.toLowerCase().replaceAll(/\s+/g, ' ').trim();
  return { product, name };
}

export const ruled = (code: string, text: string, at?: string): FhirError =>
  new FhirError(422, [{ ...issue('business-rule', text, at), details: { coding: [{ code }] } }]);
