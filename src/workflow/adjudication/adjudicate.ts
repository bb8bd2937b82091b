/**
 * The two-step adjudication: the primary insurer, then the copay programme of the drug; taken back in the opposite
 * order. All that is known is in the journal, so that calling again with the same case takes it up where it was.
 * Reference section 18, MISSION M11
 */
import { type Issue, textOf } from '../../standards/fhir/outcome.ts';
import { findSegment, findValue, type TelecomMessage } from '../../standards/telecom/message.ts';
import type { TransactionOutcome } from '../../standards/telecom/outcome.ts';
import { formatCents } from '../../standards/telecom/pricing.ts';
import { findRejectCode, type RejectAction } from '../../standards/telecom/reject-codes.ts';
import {
  claimId,
  claimLeg,
  type LegResult,
  type LegServices,
  openReversal,
  type Role,
  reverseLeg,
  settledOutcome,
} from './leg.ts';
import { programmeClaim, type SettledPrimary } from './messages.ts';
import { type CopayProgramme, findProgramme } from './programmes.ts';

export interface AdjudicationAsked {
  /** Names the case: made from what causes it, the same each time it is asked for. */
  readonly caseId: string;
  /** B1 of one claim to the primary insurer; it holds to the rules. */
  readonly claim: TelecomMessage;
  readonly programmes: readonly CopayProgramme[];
  /** Medicare, Medicaid, TRICARE or another federal plan. */
  readonly isGovernment: boolean;
  /** `keep`: the primary stays paid and the patient pays its price. `reverse`: without the programme there is no sale. */
  readonly whenProgrammeFails?: 'keep' | 'reverse';
}

/** Amounts are decimals of US dollars. */
export type Adjudicated =
  | {
      readonly kind: 'paid';
      /** The final price: 505-F5 of the last payer that paid. */
      readonly patientPay: string;
      /** What the insurer and the programme pay. */
      readonly primaryPays: string;
      readonly programmePays: string;
      /** What the programme takes off the patient's price. */
      readonly saved: string;
      readonly notes: readonly string[];
    }
  | {
      readonly kind: 'rejected';
      readonly codes: readonly string[];
      readonly actions: readonly RejectAction[];
      readonly message: string;
      readonly notes: readonly string[];
    }
  /** Taken by the payer, and not decided. */
  | { readonly kind: 'pending'; readonly status: 'captured' | 'deferred' }
  /** Nothing is billed: it was, or may have been, and was taken back. */
  | { readonly kind: 'reversed'; readonly why: string }
  /** To be taken up later. Something may be billed. */
  | { readonly kind: 'open'; readonly role: Role; readonly why: string }
  /** A person must act: a payer will not take a claim back. */
  | { readonly kind: 'stuck'; readonly role: Role; readonly codes: readonly string[] };

export interface Adjudication {
  adjudicate(asked: AdjudicationAsked): Promise<Adjudicated>;
  /** Takes back all that a case has billed: the programme first, and the primary only after it. */
  reverse(caseId: string): Promise<Adjudicated>;
}

export function createAdjudication(services: LegServices): Adjudication {
  /** One at a time for each case. */
  const working = new Map<string, Promise<unknown>>();

  function inTurn<T>(caseId: string, work: () => Promise<T>): Promise<T> {
    const turn = (working.get(caseId) ?? Promise.resolve()).then(work, work);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (working.get(caseId) === settled) working.delete(caseId);
      });
    working.set(caseId, settled);
    return turn;
  }

  return {
    adjudicate: (asked) => inTurn(asked.caseId, () => adjudicate(services, asked)),
    reverse: (caseId) => inTurn(caseId, () => reverseCase(services, caseId)),
  };
}

async function adjudicate(services: LegServices, asked: AdjudicationAsked): Promise<Adjudicated> {
  const { caseId, claim } = asked;
  if (await isTakenBack(services, caseId)) return reverseCase(services, caseId);
  const first = await claimLeg(services, caseId, 'primary', claim);
  const primary = settledOf(first, 'primary');
  if (!('outcome' in primary)) return primary;
  const { outcome } = primary;
  if (outcome.kind !== 'paid' && outcome.kind !== 'rejected') return withoutMoney(outcome);
  const alone = (notes: readonly string[]): Adjudicated => resultOf(outcome, undefined, notes);
  if (outcome.kind === 'paid' && outcome.patientPay <= 0n) return alone([]);
  const ndc = findValue(findSegment(claim.transactions[0], '07'), 'D7');
  const { programme, blocked } = findProgramme(asked.programmes, ndc, asked.isGovernment);
  if (blocked) return alone([`${blocked}: no programme for members of federal plans`]);
  if (!programme) return alone([]);
  if (outcome.kind === 'rejected' && !(programme.coversRejected && isNotCovered(outcome))) return alone([]);
  const second = programmeClaim(claim, outcome, programme);
  if (!second.value) return alone([`the claim to the programme does not hold to the rules: ${wordsOf(second.issues)}`]);
  const answered = await claimLeg(services, caseId, 'programme', second.value);
  if (answered.kind === 'open') return { kind: 'open', role: 'programme', why: answered.why };
  // Somebody may have taken the case back while the programme was asked, and have found nothing of it yet.
  if (await isTakenBack(services, caseId)) return reverseCase(services, caseId);
  if (answered.kind === 'settled' && answered.outcome.kind === 'paid') return resultOf(outcome, answered.outcome, []);
  const why = failureOf(answered);
  if (asked.whenProgrammeFails === 'reverse') {
    const reversed = await reverseCase(services, caseId);
    return reversed.kind === 'reversed' ? { kind: 'reversed', why } : reversed;
  }
  return alone([why]);
}

function settledOf(leg: LegResult, role: Role): Extract<LegResult, { kind: 'settled' }> | Adjudicated {
  switch (leg.kind) {
    case 'settled':
      return leg;
    case 'open':
      return { kind: 'open', role, why: leg.why };
    case 'withdrawn':
      return { kind: 'reversed', why: 'the payer did not answer, and the claim was taken back' };
  }
}

const withoutMoney = ({ kind }: TransactionOutcome): Adjudicated =>
  kind === 'deferred' ? { kind: 'pending', status: 'deferred' } : { kind: 'pending', status: 'captured' };

/** Programmes stand in where the drug is excluded, not where the claim is wrong or an authorization is missing. */
const isNotCovered = ({ codes }: SettledPrimary & { readonly kind: 'rejected' }): boolean =>
  codes.length > 0 && codes.every((code) => findRejectCode(code)?.action === 'copay-programme');

function failureOf(leg: Exclude<LegResult, { kind: 'open' }>): string {
  if (leg.kind === 'withdrawn') return 'the programme did not answer, and the claim to it was taken back';
  const { outcome } = leg;
  if (outcome.kind !== 'rejected') return `the programme has not decided: ${outcome.kind}`;
  const reasons = outcome.codes.map((code) => `${code} ${findRejectCode(code)?.meaning ?? ''}`.trim());
  return `the programme does not pay: ${reasons.join(', ')}`;
}

function resultOf(
  primary: SettledPrimary,
  programme: Extract<TransactionOutcome, { kind: 'paid' }> | undefined,
  notes: readonly string[],
): Adjudicated {
  if (primary.kind === 'rejected' && !programme)
    return {
      kind: 'rejected',
      codes: primary.codes,
      actions: [...new Set(primary.codes.map((code) => findRejectCode(code)?.action ?? 'work-item'))],
      message: primary.message,
      notes,
    };
  const before = primary.kind === 'paid' ? primary.patientPay : undefined;
  const patientPay = programme?.patientPay ?? before ?? 0n;
  return {
    kind: 'paid',
    patientPay: formatCents(patientPay),
    primaryPays: formatCents(primary.kind === 'paid' ? primary.totalPaid : 0n),
    programmePays: formatCents(programme?.totalPaid ?? 0n),
    saved: formatCents(programme ? (before === undefined ? programme.totalPaid : before - patientPay) : 0n),
    notes,
  };
}

const wordsOf = (issues: readonly Issue[]): string => issues.map(textOf).join('; ');

const isTakenBack = async ({ journal }: LegServices, caseId: string): Promise<boolean> =>
  (await journal.find(claimId(caseId, 'primary', 'reversal'))) !== undefined;

/** That the primary is to be taken back is written down first, and done last. Of a claim that was rejected there is nothing. */
async function reverseCase(services: LegServices, caseId: string): Promise<Adjudicated> {
  await openReversal(services, caseId, 'primary');
  for (const role of ['programme', 'primary'] as const) {
    const { exists, outcome } = await settledOutcome(services, caseId, role);
    if (!exists) continue;
    if (outcome?.kind === 'rejected') {
      await services.journal.mark(claimId(caseId, role, 'reversal'), 'withdrawn', 'the claim was rejected');
      continue;
    }
    const result = await reverseLeg(services, caseId, role);
    if (result.kind === 'open') return { kind: 'open', role, why: result.why };
    // The primary stays while the programme's money hangs on it.
    if (result.kind === 'refused') return { kind: 'stuck', role, codes: result.codes };
  }
  return { kind: 'reversed', why: 'as asked' };
}
