/** Reject codes (511-FB): what each says and what follows from it. Reference section 19. Unknown codes are kept as they are. */

/** What a person or a workflow does next. */
export type RejectAction =
  | 'configuration'
  | 'enrolment'
  | 'other-coverage'
  | 'correct-claim'
  | 'other-pharmacy'
  | 'bill-other-payer'
  | 'prescriber'
  | 'work-item'
  | 'copay-programme'
  | 'prior-authorization'
  | 'plan-limit'
  | 'refill-date'
  | 'reversal'
  | 'dur'
  | 'try-again'
  | 'our-fault'
  | 'none';

export interface RejectCode {
  readonly meaning: string;
  readonly action: RejectAction;
}

/** `codes meaning; …` of one action. */
const ROWS: readonly (readonly [RejectAction, Readonly<Record<string, string>>])[] = [
  [
    'configuration',
    {
      '01': 'M/I BIN Number',
      '02': 'M/I Version/Release Number',
      '03': 'M/I Transaction Code',
      '04': 'M/I Processor Control Number',
      '05': 'M/I Service Provider Number',
    },
  ],
  [
    'enrolment',
    {
      '06': 'M/I Group ID',
      '07': 'M/I Cardholder ID',
      '08': 'M/I Person Code',
      '09': 'M/I Date of Birth',
      10: 'M/I Patient Gender Code',
      11: 'M/I Patient Relationship Code',
      12: 'M/I Place of Service',
      51: 'Non-Matched Group ID',
      52: 'Non-Matched Cardholder ID',
      53: 'Non-Matched Person Code',
      62: 'Patient/Cardholder ID Name Mismatch',
      65: 'Patient Is Not Covered',
      67: 'Filled Before Coverage Effective',
      68: 'Filled After Coverage Expired',
      69: 'Filled After Coverage Terminated',
      N1: 'No Patient Match Found',
      646: 'Premium Unpaid',
    },
  ],
  ['other-coverage', { 13: 'M/I Other Coverage Code' }],
  [
    'correct-claim',
    {
      15: 'M/I Date of Service',
      16: 'M/I Prescription/Service Reference Number',
      17: 'M/I Fill Number',
      19: 'M/I Days Supply',
      20: 'M/I Compound Code',
      21: 'M/I Product/Service ID',
      22: 'M/I Dispense As Written/Product Selection Code',
      23: 'M/I Ingredient Cost Submitted',
      25: 'M/I Prescriber ID',
      26: 'M/I Unit of Measure',
      28: 'M/I Date Prescription Written',
      29: 'M/I Number of Refills Authorized',
      33: 'M/I Prescription Origin Code',
      34: 'M/I Submission Clarification Code',
      39: 'M/I Diagnosis Code',
      54: 'Non-Matched Product/Service ID Number',
      55: 'Non-Matched Product Package Size',
      56: 'Non-Matched Prescriber ID',
      81: 'Claim Too Old',
      82: 'Claim Is Post-Dated',
      645: 'Repackaged Product Is Not Covered',
      648: 'Quantity Prescribed of a CII Does Not Match',
      '4C': 'M/I Coordination of Benefits/Other Payments Count',
      '5C': 'M/I Other Payer Coverage Type',
      '6C': 'M/I Other Payer ID Qualifier',
      '7C': 'M/I Other Payer ID',
      DV: 'M/I Other Payer Amount Paid',
      HB: 'M/I Other Payer Amount Paid Count',
      HC: 'M/I Other Payer Amount Paid Qualifier',
      NP: 'M/I Other Payer-Patient Responsibility Amount Qualifier',
      NQ: 'M/I Other Payer-Patient Responsibility Amount',
      NR: 'M/I Other Payer-Patient Responsibility Amount Count',
      '5E': 'M/I Other Payer Reject Count',
      '6E': 'M/I Other Payer Reject Code',
      E1: 'M/I Product/Service ID Qualifier',
      E4: 'M/I Reason for Service Code',
      E5: 'M/I Professional Service Code',
      E6: 'M/I Result of Service Code',
      E7: 'M/I Quantity Dispensed',
      EC: 'M/I Compound Ingredient Component Count',
      CA: 'M/I Patient First Name',
      CB: 'M/I Patient Last Name',
      DN: 'M/I Basis of Cost Determination',
      DQ: 'M/I Usual and Customary Charge',
      DU: 'M/I Gross Amount Due',
      DX: 'M/I Patient Paid Amount Submitted',
      EU: 'M/I Prior Authorization Type Code',
      EV: 'M/I Prior Authorization Number Submitted',
      EZ: 'M/I Prescriber ID Qualifier',
      MV: 'M/I Benefit Stage Qualifier',
      MW: 'M/I Benefit Stage Amount',
    },
  ],
  ['other-pharmacy', { 40: 'Pharmacy Not Contracted With Plan on Date of Service', 50: 'Non-Matched Pharmacy Number' }],
  ['bill-other-payer', { 41: 'Submit Bill to Other Processor or Primary Payer' }],
  [
    'prescriber',
    {
      42: 'Prescriber ID Is Inactive',
      43: 'Prescriber DEA Number Is Inactive',
      44: 'Prescriber DEA Number Is Not Found',
      71: 'Prescriber Is Not Covered',
      72: 'Primary Prescriber Is Not Covered',
      619: 'Prescriber Type 1 NPI Required',
      922: 'Opioid Dose or Days Limit Exceeded',
      923: 'Opioid Dose or Days Limit Exceeded',
      924: 'Opioid Dose or Days Limit Exceeded',
      925: 'Opioid Dose or Days Limit Exceeded',
      926: 'Opioid Dose or Days Limit Exceeded',
      927: 'Opioid Dose or Days Limit Exceeded',
      928: 'Opioid Dose or Days Limit Exceeded',
    },
  ],
  [
    'work-item',
    {
      60: 'Product/Service Not Covered for Patient Age',
      61: 'Product/Service Not Covered for Patient Gender',
      63: 'Institutionalized Patient Product/Service ID Not Covered',
      66: 'Patient Age Exceeds Maximum Age',
      73: 'Refills Are Not Covered',
      74: 'Other Carrier Payment Meets or Exceeds Payable',
      A5: 'Not Covered Under Part D Law',
      A6: 'Product/Service May Be Covered Under Part B',
      AB: 'Date Written Is After Date Filled',
      AC: 'Product Not Covered: Non-Participating Manufacturer',
      AH: 'Unit Dose Packaging Only Payable for Nursing Home Recipients',
      AJ: 'Generic Drug Required',
      M1: 'Patient Not Covered in This Aid Category',
      M2: 'Recipient Locked In',
      M4: 'Prescription/Service Reference Number/Time Limit Exceeded',
      620: 'Product/Service May Be Covered Under Part D',
    },
  ],
  ['copay-programme', { 70: 'Product/Service Not Covered: Plan/Benefit Exclusion' }],
  [
    'prior-authorization',
    {
      75: 'Prior Authorization Required',
      '3W': 'Prior Authorization in Process',
      '3X': 'Authorization Number Not Found',
      '3Y': 'Prior Authorization Denied',
      608: 'Step Therapy, Alternate Drug Therapy Required',
    },
  ],
  [
    'plan-limit',
    { 76: 'Plan Limitations Exceeded', AG: 'Days Supply Limitation for Product/Service', 78: 'Cost Exceeds Maximum' },
  ],
  [
    'refill-date',
    {
      77: 'Discontinued Product/Service ID Number',
      79: 'Fill Too Soon',
      80: 'Diagnosis Code Submitted Does Not Meet Drug Coverage Criteria',
    },
  ],
  [
    'reversal',
    {
      83: 'Duplicate Paid/Captured Claim',
      84: 'Claim Has Not Been Paid/Captured',
      85: 'Claim Not Processed',
      86: 'Submit Manual Reversal',
      87: 'Reversal Not Processed',
    },
  ],
  ['dur', { 88: 'DUR Reject Error' }],
  [
    'try-again',
    {
      89: 'Rejected Claim Fees Paid',
      90: 'Host Hung Up',
      91: 'Host Response Error',
      92: 'System Unavailable/Host Unavailable',
      95: 'Time Out',
      96: 'Scheduled Downtime',
      97: 'Payer Unavailable',
      98: 'Connection to Payer Is Down',
      99: 'Host Processing Error',
      NN: 'Transaction Rejected at Switch or Intermediary',
    },
  ],
  [
    'our-fault',
    {
      A9: 'M/I Transaction Count',
      AK: 'M/I Software Vendor/Certification ID',
      B2: 'M/I Service Provider ID Qualifier',
      P3: 'Compound Ingredient Component Count Does Not Match Number of Repetitions',
      P4: 'Coordination of Benefits/Other Payments Count Does Not Match Number of Repetitions',
      R1: 'Other Amount Claimed Submitted Count Does Not Match Number of Repetitions',
      R8: 'Syntax Error',
      R9: 'Value in Gross Amount Due Does Not Follow Pricing Formulae',
      MX: 'Benefit Stage Count Does Not Match Number of Repetitions',
      PB: 'Invalid Transaction Count for This Transaction Code',
    },
  ],
];

export const REJECT_CODES: ReadonlyMap<string, RejectCode> = new Map(
  ROWS.flatMap(([action, codes]) =>
    Object.entries(codes).map(([code, meaning]) => [code, { meaning, action }] as const),
  ),
);

/** Undefined: a code the table does not have, which is kept as it came. */
export const findRejectCode = (code: string): RejectCode | undefined => REJECT_CODES.get(code);
