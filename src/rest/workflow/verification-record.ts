/** What is kept of each token that was shown: a line in its log, and one in the audit trail. MISSION M10; SECURITY RX-06, AU-04 */
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { TokenAttempts } from '../../ports/dispensing.ts';
import type { FoundTask } from '../../workflow/dispensing/find-task.ts';
import type { Pharmacy } from '../../workflow/dispensing/pharmacies.ts';
import { type Fault, REASONS, VERIFIED } from '../../workflow/dispensing/reasons.ts';
import type { Verdict } from '../../workflow/dispensing/verify.ts';

export interface VerificationRecordParts {
  readonly attempts: TokenAttempts;
  readonly audit: AuditLog;
}

export interface Showing {
  /** Where it was shown; undefined: to somebody who dispenses nothing. */
  readonly pharmacy: Pharmacy | undefined;
  /** Of the client, as the log has it. */
  readonly address: string;
  /** ms UTC */
  readonly at: number;
}

/** Why a token is good or not, in words for whoever asked. */
export const reasonOf = ({ fault }: Pick<Verdict, 'fault'>): string =>
  fault === undefined ? VERIFIED : REASONS[fault].text;

/** Writes both. The trail names the patient only where who showed the token is known to have had it. */
export async function recordVerification(
  { attempts, audit }: VerificationRecordParts,
  caller: Caller,
  verdict: Verdict,
  { pharmacy, address, at }: Showing,
): Promise<void> {
  const { fault, tokenId, found, isProved } = verdict;
  await Promise.all([
    attempts.record({
      at,
      ...(tokenId !== undefined && { tokenId }),
      ...(pharmacy && { pharmacyId: pharmacy.id, pharmacyName: pharmacy.name }),
      kind: 'verify',
      success: fault === undefined,
      reason: reasonOf(verdict),
      address,
    }),
    audit.record({
      kind: 'verification',
      caller,
      operation: 'prescription-verify',
      outcome: fault === undefined ? 0 : 4,
      ...(fault !== undefined && { rule: fault }),
      ...(found && isProved && { patientId: found.patientId }),
      detail: { ...(pharmacy && { pharmacy: pharmacy.id }), ...(found && { task: found.taskId }) },
    }),
  ]);
}

/** A collection code that was wrong is a verification that failed: the watch over pharmacies counts it with the others. */
export const recordFailedCode = (
  { audit }: Pick<VerificationRecordParts, 'audit'>,
  caller: Caller,
  fault: Fault,
  pharmacyId: string,
  found: FoundTask | undefined,
): Promise<void> =>
  audit.record({
    kind: 'verification',
    caller,
    operation: 'collection-code',
    outcome: 4,
    rule: fault,
    ...(found && { patientId: found.patientId }),
    detail: { pharmacy: pharmacyId, ...(found && { task: found.taskId }) },
  });
