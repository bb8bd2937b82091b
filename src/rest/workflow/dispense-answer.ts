/** What is answered to whoever dispenses, in the shape of seed 002. MISSION M10 */
import type { Dispensed } from '../../workflow/dispensing/dispense.ts';
import type { DispensedBy } from '../../workflow/dispensing/dispense-record.ts';
import { type Fault, isCodeFault, REASONS } from '../../workflow/dispensing/reasons.ts';
import type { WorkflowAnswer } from './route.ts';

export const toldOf = ({ dispensedAt, pharmacy, pharmacist }: DispensedBy) => ({
  dispensed_at: dispensedAt,
  dispensed_by: pharmacy,
  pharmacist,
});

/** `left`: wrong collection codes that are still heard. */
export function refusedAnswer(fault: Fault, left?: number): WorkflowAnswer {
  const { step, text, status } = REASONS[fault];
  const details = {
    step_failed: step,
    ...(isCodeFault(fault) && { code: fault }),
    ...(left !== undefined && { tries_left: left }),
  };
  return { status, json: { success: false, message: text, details } };
}

export function dispensedAnswer(tokenId: string, done: Dispensed): WorkflowAnswer {
  if (!done.isDone) {
    const refused = refusedAnswer(done.fault, done.left);
    if (!done.by) return refused;
    return { ...refused, json: { ...(refused.json as object), details: toldOf(done.by) } };
  }
  const { patient, medication } = done.found.token.payload;
  return {
    status: 200,
    json: {
      success: true,
      message: 'Prescription dispensed successfully',
      details: { prescription_id: tokenId, patient_name: patient, medication, ...toldOf(done.by) },
    },
  };
}
