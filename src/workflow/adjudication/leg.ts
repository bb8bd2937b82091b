/**
 * One claim to one payer, and its reversal: sent until there is an answer to it. The same claim again is no second claim
 * (status D), so that what is uncertain is asked again, and at last taken back; it is never guessed. Reference section 16
 */
import { nameUuid } from '../../mapping/transaction-bundle.ts';
import type { ClaimExchange } from '../../ports/claim-exchange.ts';
import type { ClaimJournal, JournalledClaim } from '../../ports/claim-journal.ts';
import type { TelecomMessage } from '../../standards/telecom/message.ts';
import { readOutcomes, type TransactionOutcome } from '../../standards/telecom/outcome.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';
import { findRejectCode } from '../../standards/telecom/reject-codes.ts';
import { formatTelecom } from '../../standards/telecom/write.ts';
import { isAnswerTo, reversalOf } from './messages.ts';

export type Role = 'primary' | 'programme';

export interface LegServices {
  readonly exchange: ClaimExchange;
  readonly journal: ClaimJournal;
  /** Waits before the payer is asked again. */
  readonly wait: (ms: number) => Promise<void>;
  /** Sendings in one go, before a claim is taken back or left for later. */
  readonly attemptsMax: number;
  readonly delayMs: number;
}

export type LegResult =
  | { readonly kind: 'settled'; readonly outcome: Exclude<TransactionOutcome, { kind: 'unclear' }> }
  /** It was uncertain, and the payer has said that it holds nothing of it any more. */
  | { readonly kind: 'withdrawn' }
  /** Nothing is known, or nothing could be sent: to be taken up later. */
  | { readonly kind: 'open'; readonly why: string };

export type ReversalResult =
  | { readonly kind: 'reversed' }
  /** The payer will not: a person must act. */
  | { readonly kind: 'refused'; readonly codes: readonly string[] }
  | { readonly kind: 'open'; readonly why: string };

/** The same for the same case, so that whoever takes it up finds what was there. */
export const claimId = (caseId: string, role: Role, kind: 'claim' | 'reversal'): string =>
  nameUuid('adjudication', caseId, role, kind);

/** Sends the claim unless its answer is here; a reversal that was begun is ended first. */
export async function claimLeg(
  services: LegServices,
  caseId: string,
  role: Role,
  claim: TelecomMessage,
): Promise<LegResult> {
  const { journal } = services;
  const entry = await journal.open(claimId(caseId, role, 'claim'), formatTelecom(claim));
  if (entry.state === 'withdrawn') return { kind: 'withdrawn' };
  const begun = await journal.find(claimId(caseId, role, 'reversal'));
  if (!begun) {
    const sent = await settle(services, entry, isSettled);
    if (sent.kind !== 'uncertain') return sent;
  }
  const reversal = await reverseLeg(services, caseId, role);
  if (reversal.kind === 'reversed') return { kind: 'withdrawn' };
  const why = reversal.kind === 'open' ? reversal.why : `its reversal was refused: ${reversal.codes.join(' ')}`;
  return { kind: 'open', why };
}

/** What the payer answered to the claim; undefined while nothing is known. */
export async function settledOutcome(
  { journal }: LegServices,
  caseId: string,
  role: Role,
): Promise<{ readonly exists: boolean; readonly outcome?: TransactionOutcome }> {
  const entry = await journal.find(claimId(caseId, role, 'claim'));
  if (!entry) return { exists: false };
  const outcome = entry.answer && readAnswer(entry.request, entry.answer);
  return { exists: true, ...(outcome && { outcome }) };
}

/** Codes that say the payer holds no such claim. */
const NOTHING_THERE: ReadonlySet<string> = new Set(['84', '87']);

/**
 * Writes down that the claim of a leg is to be taken back: from here on it is not sent, and whoever takes the case up
 * takes it back. Undefined where there is none.
 */
export async function openReversal(
  { journal }: LegServices,
  caseId: string,
  role: Role,
): Promise<{ readonly claim: JournalledClaim; readonly reversal: JournalledClaim } | undefined> {
  const claim = await journal.find(claimId(caseId, role, 'claim'));
  if (!claim || claim.state === 'withdrawn') return undefined;
  const message = parseTelecom(claim.request).message;
  const reversal = message && reversalOf(message).value;
  if (!reversal) throw new Error('a claim that was sent has no reversal that holds to the rules');
  return { claim, reversal: await journal.open(claimId(caseId, role, 'reversal'), formatTelecom(reversal)) };
}

/** Takes the claim of a leg back, if there is one. */
export async function reverseLeg(services: LegServices, caseId: string, role: Role): Promise<ReversalResult> {
  const { journal } = services;
  const opened = await openReversal(services, caseId, role);
  if (!opened) return { kind: 'reversed' };
  const { claim, reversal } = opened;
  if (claim.state === 'queued') {
    await journal.mark(claim.id, 'withdrawn', 'taken back before it left');
    await journal.mark(reversal.id, 'withdrawn', 'the claim never left');
    return { kind: 'reversed' };
  }
  const result = await sendReversal(services, claim, reversal);
  if (result.kind === 'reversed' && claim.state !== 'answered')
    await journal.mark(claim.id, 'withdrawn', 'not known what became of it, and taken back');
  return result;
}

async function sendReversal(
  services: LegServices,
  claim: JournalledClaim,
  reversal: JournalledClaim,
): Promise<ReversalResult> {
  // An uncertain claim may be on its way still: that there is none is believed when it is heard a second time.
  let heard = claim.state === 'answered' ? 1 : 0;
  const isDone = (outcome: TransactionOutcome): boolean => {
    if (outcome.kind === 'rejected' && outcome.codes.some((code) => NOTHING_THERE.has(code))) heard += 1;
    else heard = 2;
    return isSettled(outcome) && heard > 1;
  };
  const sent = await settle({ ...services, attemptsMax: Math.max(services.attemptsMax, 2) }, reversal, isDone);
  if (sent.kind === 'open') return sent;
  if (sent.kind === 'uncertain') return { kind: 'open', why: 'it is not known whether the claim was taken back' };
  const { outcome } = sent;
  if (outcome.kind === 'approved') return { kind: 'reversed' };
  if (outcome.kind !== 'rejected') return { kind: 'open', why: `the reversal was answered as ${outcome.kind}` };
  return outcome.codes.every((code) => NOTHING_THERE.has(code)) && outcome.codes.length > 0
    ? { kind: 'reversed' }
    : { kind: 'refused', codes: outcome.codes };
}

type Sent = Exclude<LegResult, { kind: 'withdrawn' }> | { readonly kind: 'uncertain' };

async function settle(
  { exchange, journal, wait, attemptsMax, delayMs }: LegServices,
  entry: JournalledClaim,
  isDone: (outcome: TransactionOutcome) => boolean,
): Promise<Sent> {
  const known = entry.answer && readAnswer(entry.request, entry.answer);
  if (known && known.kind !== 'unclear') return { kind: 'settled', outcome: known };
  let mayBeThere = entry.state !== 'queued';
  let why = '';
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    if (attempt > 1) await wait(delayMs * 2 ** (attempt - 2));
    // Before a byte of it leaves: a process that ends now leaves a claim that may have been sent.
    await journal.mark(entry.id, 'sent');
    const sent = await exchange.send(entry.request);
    if (sent.kind === 'answered') {
      const outcome = readAnswer(entry.request, sent.body);
      if (outcome && outcome.kind !== 'unclear' && isDone(outcome)) {
        await journal.close(entry.id, sent.body);
        return { kind: 'settled', outcome };
      }
      mayBeThere = true;
      why = outcome ? 'the payer could not say' : 'what came back is no answer to it';
    } else {
      mayBeThere ||= sent.kind === 'unknown';
      why = sent.cause;
    }
    await journal.mark(entry.id, mayBeThere ? 'unknown' : 'queued', why);
  }
  return mayBeThere ? { kind: 'uncertain' } : { kind: 'open', why };
}

/**
 * Of a host that is away or hung up nobody knows what the payer has done; of one that says "duplicate" (83) instead of
 * repeating its answer, that it has paid, and not what.
 */
const isSettled = (outcome: TransactionOutcome): boolean =>
  outcome.kind !== 'rejected' ||
  !outcome.codes.some((code) => code === DUPLICATE || findRejectCode(code)?.action === 'try-again');
const DUPLICATE = '83';

/** Undefined: it is no answer to this request. */
function readAnswer(request: Buffer, answer: Buffer): TransactionOutcome | undefined {
  const [asked, answered] = [parseTelecom(request).message, parseTelecom(answer).message];
  if (!asked || !answered || !isAnswerTo(asked, answered)) return undefined;
  return readOutcomes(answered, asked.transactions.length)[0];
}
