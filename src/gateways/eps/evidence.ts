/**
 * What the tracker's view of a prescription says about a message that was sent and not answered: whether the Spine has
 * worked on it. Where the same view fits both, it says so: a guess would lose a prescription or dispense one twice.
 */
import type { SpineKnowledge } from '../../ports/spine-exchange.ts';
import type { SentMessage } from './sent-message.ts';
import type { TrackedPrescription, TrackerAnswer } from './tracker.ts';

const APPLIED: SpineKnowledge = { kind: 'applied' };
const NOT_APPLIED: SpineKnowledge = { kind: 'not-applied' };
const ANSWER_AGAIN: SpineKnowledge = { kind: 'answer-again' };
const undecided = (why: string): SpineKnowledge => ({ kind: 'undecided', why });

/** Prescription and item status codes in the tracker's words. */
const STATUS: Readonly<Record<string, string>> = {
  '0002': 'With Dispenser',
  '0003': 'With Dispenser - Active',
  '0006': 'Dispensed',
  '0007': 'Not Dispensed',
};
const ITEM_STATUS: Readonly<Record<string, string>> = {
  '0001': 'Dispensed',
  '0002': 'Not Dispensed',
  '0003': 'Dispensed - Partial',
  '0004': 'Not Dispensed - Owing',
  '0005': 'Cancelled',
  '0006': 'Expired',
  '0007': 'To be Dispensed',
  '0008': 'With Dispenser',
};

type Weigh = (sent: SentMessage, seen: TrackedPrescription) => SpineKnowledge;

/** By what each message leaves behind. */
const WEIGH: ReadonlyMap<string, Weigh> = new Map<string, Weigh>([
  ['PORX_IN020101SM31', weighOrder],
  ['PORX_IN030101SM32', weighCancellation],
  ['PORX_IN132004SM30', weighRelease],
  ['PORX_IN080101SM31', weighNotification],
  ['PORX_IN090101SM31', weighClaim],
  ['PORX_IN100101SM31', weighReturn],
  ['PORX_IN510101SM31', weighWithdrawal],
]);

/** Messages that leave nothing the tracker could show of them, and are questions themselves. */
export const isQuestion = ({ interaction }: SentMessage): boolean => interaction === 'PORX_IN060102SM30';

export function weigh(sent: SentMessage, answer: TrackerAnswer): SpineKnowledge {
  if (isQuestion(sent)) return ANSWER_AGAIN;
  const weighOne = WEIGH.get(sent.interaction);
  if (weighOne === undefined) return undecided('the tracker cannot tell of this interaction');
  if (answer.kind === 'refused')
    return answer.reason.startsWith('Prescription') && answer.reason.endsWith('not found')
      ? NOT_APPLIED
      : undecided(`the tracker answers ${answer.statusCode}`);
  const seen = answer.prescriptions.find(({ prescriptionId }) => prescriptionId === sent.prescriptionId);
  return seen === undefined ? undecided('the tracker answers of another prescription') : weighOne(sent, seen);
}

function weighOrder({ items }: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  return items.every(({ id }) => seen.items.has(id)) ? APPLIED : undecided('its id stands for another prescription');
}

function weighCancellation({ items }: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  const isCancelled = items.every(({ id }) => seen.items.get(id)?.itemStatus === ITEM_STATUS['0005']);
  if (isCancelled || seen.hasPendingCancellations) return ANSWER_AGAIN;
  return NOT_APPLIED;
}

const isOurs = ({ odsCode }: SentMessage, { dispensingPharmacy }: TrackedPrescription): boolean =>
  odsCode !== undefined && dispensingPharmacy?.ods === odsCode;

/** What it brings is in its answer. */
function weighRelease(sent: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  return isOurs(sent, seen) && seen.status === STATUS['0002'] ? ANSWER_AGAIN : NOT_APPLIED;
}

function weighNotification(sent: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  if (!isOurs(sent, seen)) return NOT_APPLIED;
  const isTold = sent.items.every(({ id, status = '' }) => seen.items.get(id)?.itemStatus === ITEM_STATUS[status]);
  if (seen.status !== STATUS[sent.status ?? ''] || !isTold) return NOT_APPLIED;
  const isEnd = sent.status === '0006' || sent.status === '0007';
  // While parts are owed, one notification can look like the one before it; an amendment like what it amends.
  return isEnd && !sent.isAmendment ? APPLIED : undecided('the states were the same before it');
}

function weighClaim(sent: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  if (seen.status !== 'Claimed') return NOT_APPLIED;
  return sent.isAmendment ? undecided('a claim looks like its amendment') : APPLIED;
}

function weighReturn(sent: SentMessage, seen: TrackedPrescription): SpineKnowledge {
  return isOurs(sent, seen) ? NOT_APPLIED : APPLIED;
}

function weighWithdrawal(_sent: SentMessage, { status }: TrackedPrescription): SpineKnowledge {
  if (status === STATUS['0002']) return APPLIED;
  return status === STATUS['0003'] ? undecided('the states can be the same before it') : NOT_APPLIED;
}
