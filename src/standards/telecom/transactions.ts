/** Which segments a transaction has, and where they stand. Reference section 16 */

export type TransactionCode = 'B1' | 'B2' | 'B3' | 'E1';

/** A segment is mandatory, or its presence depends on the payer's sheet. */
export interface Placement {
  readonly segment: string;
  readonly isMandatory: boolean;
}

export interface TransactionModel {
  readonly code: TransactionCode;
  readonly name: string;
  readonly countMax: number;
  readonly request: {
    readonly transmission: readonly Placement[];
    /** Empty: the request has no transactions of its own, all its segments belong to the transmission. */
    readonly transaction: readonly Placement[];
    /** Fields of the claim segment that must be there. */
    readonly claimFields: readonly string[];
  };
  readonly response: { readonly transmission: readonly Placement[]; readonly transaction: readonly Placement[] };
}

/** `04! 01`: 04 is mandatory. */
const placed = (notation: string): readonly Placement[] =>
  notation
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => ({ segment: word.slice(0, 2), isMandatory: word.endsWith('!') }));

const BILLING_REQUEST = {
  transmission: placed('04! 01'),
  transaction: placed('07! 11! 02 03 05 06 08 09 10 12 13 14 15 16'),
  claimFields: ['EM', 'D2', 'E1', 'D7', 'E7', 'D3', 'D5', 'D6'],
};
/** Segments that follow from the status are rules of the checker. */
const BILLING_RESPONSE = { transmission: placed('20 25 29'), transaction: placed('21! 22 23 24 26 28') };

export const TRANSACTIONS: ReadonlyMap<string, TransactionModel> = new Map<string, TransactionModel>([
  ['B1', { code: 'B1', name: 'Billing', countMax: 4, request: BILLING_REQUEST, response: BILLING_RESPONSE }],
  [
    'B2',
    {
      code: 'B2',
      name: 'Reversal',
      countMax: 4,
      request: {
        transmission: placed('04 01'),
        transaction: placed('07! 11 05 08'),
        claimFields: ['EM', 'D2', 'E1', 'D7', 'D3'],
      },
      response: { transmission: placed('20 25 29'), transaction: placed('21! 22 23') },
    },
  ],
  ['B3', { code: 'B3', name: 'Rebill', countMax: 4, request: BILLING_REQUEST, response: BILLING_RESPONSE }],
  [
    'E1',
    {
      code: 'E1',
      name: 'Eligibility verification',
      countMax: 1,
      request: { transmission: placed('04! 01 02 03'), transaction: [], claimFields: [] },
      response: { transmission: placed('20 25 27 29'), transaction: placed('21! 27 28') },
    },
  ],
]);

/** Known to the standard and not taken here: refused with reject code 03, and named. */
export const OTHER_TRANSACTIONS: ReadonlyMap<string, string> = new Map([
  ['N1', 'information reporting'],
  ['N2', 'information reporting reversal'],
  ['N3', 'information reporting rebill'],
  ['P1', 'prior authorization request and billing'],
  ['P2', 'prior authorization reversal'],
  ['P3', 'prior authorization inquiry'],
  ['P4', 'prior authorization request only'],
  ['S1', 'service billing'],
  ['S2', 'service reversal'],
  ['S3', 'service rebill'],
  ['C1', 'controlled substance reporting'],
  ['C2', 'controlled substance reporting reversal'],
  ['C3', 'controlled substance reporting rebill'],
  ['D1', 'predetermination of benefits'],
  ['F1', 'financial information reporting inquiry'],
  ['F2', 'financial information reporting update'],
  ['F3', 'financial information reporting exchange'],
]);
