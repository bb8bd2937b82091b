/** A prescriber cancels an item. What is answered is what became of it. eps/REFERENCE sections 7.6 and 9.3. */
import { missing, refuse } from './errors.ts';
import { NOT_YET_RELEASED, type Prescription, type Status } from './prescription.ts';
import type { Content } from './read-message.ts';
import type { Ruling, World } from './rules.ts';
import { cancelItems, openIssue } from './time-passes.ts';

type Cancellation = Extract<Content, { readonly kind: 'cancellation' }>;

export const CANCELLATION_RESPONSES = {
  '0001': 'Prescription/item was cancelled',
  '0002': 'Prescription/item was not cancelled. With dispenser. Marked for cancellation',
  '0003': 'Prescription/item was not cancelled. With dispenser active. Marked for cancellation',
  '0004': 'Prescription/item was not cancelled. Prescription has been dispensed.',
  '0005': 'Prescription/item has expired',
  '0006': 'Prescription/item had already been cancelled',
  '0007': 'Prescription/item cancellation requested by another prescriber',
  '0008': 'Prescription/item not found',
  '0009': 'Cancellation functionality disabled in SPINE',
  '0010': 'Prescription/item was not cancelled. Prescription has been not dispensed.',
  '5888': 'Invalid Message.',
} as const;
type Code = keyof typeof CANCELLATION_RESPONSES;

const REASONS = /^000[1-9]$/;

/** What is answered of a prescription that is not there to be cancelled. */
const TOO_LATE: Readonly<Partial<Record<Status, Code>>> = {
  '0004': '0005',
  '0005': '0006',
  '0006': '0004',
  '0007': '0010',
  '0008': '0004',
  '0009': '0004',
};

export function ruleCancellation(request: Cancellation, { book, settings, now }: World): Ruling {
  const prescription = book.find(request.prescriptionId, now);
  const answer = (code: Code, changed: readonly Prescription[] = []): Ruling => ({
    changed,
    reply: {
      kind: 'cancellation',
      code,
      request,
      prescriber: prescription?.author,
      dispenser: prescription && openIssue(prescription).release,
    },
  });
  if (settings.cancellation === 'off') return answer('0009');
  if (!REASONS.test(request.reason)) return answer('5888');
  if (prescription === undefined || prescription.uuid !== request.uuid) return answer('0008');
  if (prescription.nhsNumber !== request.nhsNumber) return refuse(missing('NHS number does not match prescription'));
  const issue = openIssue(prescription);
  const item = issue.items[request.itemId];
  if (item === undefined) return answer('0008');
  if (item === '0005') return answer('0006');
  const tooLate = TOO_LATE[issue.status];
  if (tooLate !== undefined) return answer(tooLate);
  if (NOT_YET_RELEASED.includes(issue.status)) {
    cancelItems(prescription, [request.itemId], now);
    return answer('0001', [prescription]);
  }
  const waiting = prescription.pending.find(({ itemId }) => itemId === request.itemId);
  if (waiting !== undefined && waiting.by !== request.agent.userId) return answer('0007');
  if (waiting === undefined)
    prescription.pending.push({
      requestId: request.id,
      itemId: request.itemId,
      reason: request.reason,
      by: request.agent.userId,
    });
  return answer(issue.status === '0003' ? '0003' : '0002', [prescription]);
}
