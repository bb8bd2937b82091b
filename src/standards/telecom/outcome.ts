/** What a payer's answer means, on the safe side: what is not clearly paid is not paid. Reference sections 16, 19 */
import { findSegment, findValue, type TelecomMessage, type TelecomSegment, valuesOf } from './message.ts';
import { findSegmentModel } from './model.ts';
import { centsOf } from './pricing.ts';
import { readRows } from './rows.ts';

export type TransactionOutcome =
  /** `isRepeated`: the payer had it before (status D) and says the same again. */
  | {
      readonly kind: 'paid';
      readonly isRepeated: boolean;
      /** Cents; figures of the payer, never made here. */
      readonly patientPay: bigint;
      readonly totalPaid: bigint;
      readonly authorization?: string;
    }
  /** A reversal or an eligibility that is answered well. */
  | { readonly kind: 'approved'; readonly isRepeated: boolean; readonly authorization?: string }
  /** Taken, and nothing decided. */
  | { readonly kind: 'captured'; readonly authorization?: string }
  | { readonly kind: 'deferred'; readonly authorization?: string }
  | { readonly kind: 'rejected'; readonly codes: readonly string[]; readonly message: string }
  /** A status nobody knows, or a paid one without its money. */
  | { readonly kind: 'unclear' };

/** One of each transaction; of a header that rejects, all are rejected. `count`: how many were asked. */
export function readOutcomes(
  message: TelecomMessage,
  count = message.transactions.length,
): readonly TransactionOutcome[] {
  const outcomes = message.transactions.map(readOutcome);
  if (message.header['F1'] !== 'R') return outcomes;
  const codes = outcomes.flatMap((one) => (one.kind === 'rejected' ? one.codes : []));
  const text = findValue(findSegment(message.transmission, '20'), 'F4') ?? '';
  return Array.from({ length: Math.max(count, 1) }, () => ({ kind: 'rejected', codes, message: text }) as const);
}

function readOutcome(segments: readonly TelecomSegment[]): TransactionOutcome {
  const status = findSegment(segments, '21');
  const codes = valuesOf(status, 'FB').filter((code) => code !== '');
  const code = findValue(status, 'AN');
  if (codes.length > 0 || code === 'R') return { kind: 'rejected', codes, message: additionalMessage(status) };
  const authorization = findValue(status, 'F3');
  const known = authorization === undefined ? {} : { authorization };
  switch (code) {
    case 'P':
    case 'D': {
      const pricing = findSegment(segments, '23');
      const [patientPay, totalPaid] = [centsOf(pricing, 'F5'), centsOf(pricing, 'F9')];
      if (patientPay === undefined || totalPaid === undefined) return { kind: 'unclear' };
      return { kind: 'paid', isRepeated: code === 'D', patientPay, totalPaid, ...known };
    }
    case 'A':
    case 'S':
      return { kind: 'approved', isRepeated: code === 'S', ...known };
    case 'C':
    case 'Q':
      return { kind: 'captured', ...known };
    case 'F':
      return { kind: 'deferred', ...known };
    default:
      return { kind: 'unclear' };
  }
}

/** The rows of 526-FQ in the order of their qualifiers, those that go on (`+`) joined. */
function additionalMessage(status: TelecomSegment | undefined): string {
  const model = findSegmentModel('21');
  if (!status || !model) return '';
  const rows = (readRows(status, model).rows.get('UH') ?? []).map(({ fields }) => ({
    order: fields.get('UH')?.value ?? '',
    text: fields.get('FQ')?.value.trimEnd() ?? '',
    goesOn: fields.get('UG')?.value.startsWith('+') === true,
  }));
  return rows
    .toSorted((a, b) => (a.order < b.order ? -1 : a.order > b.order ? 1 : 0))
    .reduce((text, row, index, all) => text + (index === 0 || all[index - 1]?.goesOn ? '' : ' ') + row.text, '');
}
