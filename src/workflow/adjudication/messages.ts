/** The messages of an adjudication that follow from others: the claim to the programme, and reversals. Reference 16, 18 */
import { assemble, leavesOf } from '../../mapping/telecom/paths.ts';
import { type Issue, isError, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { checkTelecom } from '../../standards/telecom/check.ts';
import { findSegment, findValue, type TelecomMessage } from '../../standards/telecom/message.ts';
import type { TransactionOutcome } from '../../standards/telecom/outcome.ts';
import { formatCents } from '../../standards/telecom/pricing.ts';
import type { CopayProgramme } from './programmes.ts';

/** Only what the payer before has answered for certain leads to a second claim. */
export type SettledPrimary = Extract<TransactionOutcome, { readonly kind: 'paid' | 'rejected' }>;

const QUALIFIER_BIN = '03';
const PRIMARY = '01';
const DRUG_BENEFIT = '07';
const PATIENT_PAY_REPORTED = '06';
const REJECTS_MAX = 5;

/**
 * The primary claim as the programme gets it: its own BIN, PCN, group and member, the other coverage code, and what the
 * primary has done in AM05. Never the other way round: the primary learns nothing of the programme. Reference section 18
 */
export function programmeClaim(
  primary: TelecomMessage,
  outcome: SettledPrimary,
  programme: CopayProgramme,
): Mapped<TelecomMessage> {
  const values = valuesOf(primary);
  const payer = `05/5C[0]`;
  for (const path of [...values.keys()]) if (/^(?:04|05)\//.test(path) && !KEPT.has(path)) values.delete(path);
  values.set('04/C2', programme.memberId).set('04/C1', programme.groupId);
  values.set('07/C8', otherCoverageCode(outcome, programme));
  values.set(`${payer}/5C`, PRIMARY).set(`${payer}/6C`, QUALIFIER_BIN);
  values.set(`${payer}/7C`, primary.header['A1'] ?? '').set(`${payer}/E8`, dayOf(primary));
  if (outcome.kind === 'rejected')
    for (const [index, code] of outcome.codes.slice(0, REJECTS_MAX).entries())
      values.set(`${payer}/6E[${index}]/6E`, code);
  else if (programme.method === 'patient-responsibility' && outcome.totalPaid > 0n) {
    values.set(`${payer}/NP[0]/NP`, PATIENT_PAY_REPORTED);
    values.set(`${payer}/NP[0]/NQ`, formatCents(outcome.patientPay));
  } else {
    values.set(`${payer}/HC[0]/HC`, DRUG_BENEFIT);
    values.set(`${payer}/HC[0]/DV`, formatCents(outcome.totalPaid));
  }
  return messageOf({ ...primary.header, A1: programme.bin, A4: programme.pcn, A3: 'B1' }, values);
}

/** Of the insurance: who of the family it is. */
const KEPT: ReadonlySet<string> = new Set(['04/C3', '04/C6']);

function otherCoverageCode(outcome: SettledPrimary, { method }: CopayProgramme): string {
  if (outcome.kind === 'rejected') return '03';
  if (outcome.totalPaid <= 0n) return '04';
  return method === 'patient-responsibility' ? '08' : '02';
}

/** What a reversal says of the claim it takes back. */
const REVERSED: ReadonlySet<string> = new Set(
  '04/C2 04/C1 04/C3 04/C6 07/EM 07/D2 07/E1 07/D7 07/D3 07/EN 07/EP'.split(' '),
);

/** B2 of a B1 or B3: the same numbers, and of a claim to a second payer the payers before it. */
export function reversalOf(claim: TelecomMessage): Mapped<TelecomMessage> {
  const isSecondary = findSegment(claim.transactions[0], '05') !== undefined;
  const kept = [...valuesOf(claim)].filter(
    ([path]) => REVERSED.has(path) || (isSecondary && (path === '07/C8' || /^05\/5C\[\d+\]\/5C$/.test(path))),
  );
  return messageOf({ ...claim.header, A3: 'B2' }, new Map(kept));
}

/** Whether an answer is one to this request. A header that rejects need not know whose it was. */
export function isAnswerTo(request: TelecomMessage, answer: TelecomMessage): boolean {
  const same = (id: string): boolean => answer.header[id] === request.header[id];
  if (answer.side !== 'response' || !same('A3')) return false;
  if (answer.header['F1'] === 'R' && answer.header['B1'] === '') return true;
  if (!same('B1') || (answer.header['D1'] !== undefined && answer.header['D1'] !== '' && !same('D1'))) return false;
  if (answer.header['F1'] === 'R') return true;
  return (
    // All of an E1 request belongs to the transmission, and its answer is one transaction.
    answer.transactions.length === Math.max(request.transactions.length, 1) &&
    answer.transactions.every((group, index) => {
      const asked = findValue(findSegment(request.transactions[index], '07'), 'D2');
      const echoed = findValue(findSegment(group, '22'), 'D2');
      return echoed === undefined || plain(echoed) === plain(asked);
    })
  );
}

const plain = (number: string | undefined): string => (number ?? '').replace(/^0+/, '');

function valuesOf({ transmission, transactions }: TelecomMessage): Map<string, string> {
  return new Map(leavesOf([...transmission, ...(transactions[0] ?? [])]).map(({ path, text }) => [path, text]));
}

const dayOf = ({ header }: TelecomMessage): string =>
  (header['D1'] ?? '').replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3');

/** One transaction; refused where it does not hold to the rules. */
function messageOf(header: TelecomMessage['header'], values: ReadonlyMap<string, string>): Mapped<TelecomMessage> {
  const { segments, refused } = assemble(values);
  const isShared = ({ id }: { readonly id: string }): boolean => id === '04' || id === '01';
  const message: TelecomMessage = {
    side: 'request',
    header: { ...header, A9: '1' },
    transmission: segments.filter(isShared),
    transactions: [segments.filter((one) => !isShared(one))],
  };
  const issues: Issue[] = [
    ...refused.map((path) => issue('value', 'does not fit the format of its field', path)),
    ...checkTelecom(message),
  ];
  return issues.some(isError) ? { issues } : { value: message, issues };
}
