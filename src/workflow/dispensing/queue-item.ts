/** One line of a pharmacy's queue, in the shape of seed 002, from the Task alone. MISSION M10 */
import { notificationOf } from '../prescribing/eps-notification.ts';
import { isControlledEntry } from './controlled.ts';
import { dispensedBy } from './dispense-record.ts';
import type { FoundTask } from './find-task.ts';
import { isPhotoNeeded, type PhotoRules } from './photo.ts';
import { readyToCollectAt } from './ready-to-collect.ts';
import { type DispensingState, stateOf } from './states.ts';
import { inputOf } from './tokens.ts';

export interface QueueItem {
  readonly id: string;
  readonly prescription_id: string;
  readonly [name: string]: string | boolean | null;
}

/** What is asked at the counter, as this server is set. */
export interface CounterRules {
  readonly isCodeNeeded: (found: FoundTask) => boolean;
  readonly photos: PhotoRules;
}

export function queueItem(found: FoundTask, at: number, { isCodeNeeded, photos }: CounterRules): QueueItem {
  const { task, taskId, token } = found;
  const { payload } = token;
  const isControlled = isControlledEntry(found);
  const isHighRisk = task['priority'] === 'urgent';
  const by = dispensedBy(task);
  const told = notificationOf(task);
  const preparedAt = by ? undefined : readyToCollectAt(task);
  const state: DispensingState = stateOf(task);
  return {
    id: taskId,
    prescription_id: token.tokenId,
    patient_name: payload.patient,
    patient_hpn: payload.hpn,
    medication_name: payload.medication,
    strength: inputOf(task, 'strength') ?? '',
    dosage: payload.dosage,
    frequency: payload.frequency,
    prescriber_name: payload.prescriber,
    issued_date: payload.issued,
    expiry_date: payload.expiry,
    status: state === 'ready' && token.expiresAt <= at ? 'expired' : state,
    dispensed: by !== undefined,
    ready_to_collect: preparedAt !== undefined,
    ...(preparedAt !== undefined && { ready_to_collect_at: preparedAt }),
    ...(by && { dispensed_at: by.dispensedAt, dispensed_by: by.pharmacy, pharmacist: by.pharmacist }),
    priority: isControlled ? 'controlled' : isHighRisk ? 'high_risk' : 'routine',
    is_controlled: isControlled,
    is_high_risk: isHighRisk,
    is_high_value: token.kinds.includes('high_value'),
    requires_id_verification: isControlled,
    requires_collection_code: isCodeNeeded(found),
    requires_photo: isPhotoNeeded(photos, found),
    ...(told && { eps_status: told.status, ...(told.reason !== undefined && { eps_reason: told.reason }) }),
    nafdac_schedule: inputOf(task, 'nafdac-schedule') ?? null,
  };
}
