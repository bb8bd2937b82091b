/**
 * Code lists of D.0 by field, each code with what it says. Reference section 17. A field whose list is not wholly public
 * is left out, or its codes are not judged (`isOpen`).
 */

export interface CodeList {
  readonly codes: ReadonlyMap<string, string>;
  /** There are more codes than the list has. */
  readonly isOpen: boolean;
}

const list = (table: Readonly<Record<string, string>>, isOpen = false): CodeList => ({
  codes: new Map(Object.entries(table)),
  isOpen,
});

const PRODUCT_QUALIFIER = list(
  {
    '00': 'Not specified',
    '01': 'UPC',
    '02': 'HRI',
    '03': 'NDC',
    '04': 'HIBCC',
    '06': 'DUR/PPS',
    '07': 'CPT-4',
    '08': 'CPT-5',
    '09': 'HCPCS',
    12: 'GTIN',
    14: 'GPI',
    15: 'GCN',
    17: 'DDID',
    24: 'SNOMED',
    36: 'NDC of a component',
    99: 'Other',
  },
  true,
);
const PROVIDER_QUALIFIER = list(
  { '01': 'NPI', '05': 'Medicaid', '07': 'NCPDP Provider ID', '08': 'State licence', 12: 'DEA', 14: 'Plan specific' },
  true,
);
const RELATIONSHIP = list({ 0: 'Not specified', 1: 'Cardholder', 2: 'Spouse', 3: 'Child', 4: 'Other' });

const COVERAGE_TYPE = list({ '01': 'Primary', '02': 'Secondary', '03': 'Tertiary' }, true);
const PAYER_QUALIFIER = list({
  '01': 'National payer ID',
  '02': 'HIN',
  '03': 'BIN',
  '04': 'NAIC',
  '05': 'Medicare carrier',
  99: 'Other',
});
const COST_BASIS = list(
  {
    '00': 'Default',
    '01': 'AWP',
    '02': 'Local wholesaler',
    '03': 'Direct',
    '04': 'EAC',
    '05': 'Acquisition',
    '06': 'MAC',
    '07': 'Usual and customary',
    '08': '340B',
    '09': 'Other',
  },
  true,
);

export const CODE_LISTS: ReadonlyMap<string, CodeList> = new Map([
  ['C5', list({ 0: 'Unknown', 1: 'Male', 2: 'Female' })],
  ['C6', RELATIONSHIP],
  ['UW', RELATIONSHIP],
  ['EM', list({ 1: 'Prescription billing', 2: 'Service billing' })],
  ['E1', PRODUCT_QUALIFIER],
  ['RE', PRODUCT_QUALIFIER],
  ['J9', PRODUCT_QUALIFIER],
  ['EJ', PRODUCT_QUALIFIER],
  ['B2', PROVIDER_QUALIFIER],
  ['EY', PROVIDER_QUALIFIER],
  ['EZ', PROVIDER_QUALIFIER],
  ['D6', list({ 0: 'Not specified', 1: 'Not a compound', 2: 'Compound' })],
  [
    'D8',
    list({
      0: 'No product selection indicated',
      1: 'Substitution not allowed by the prescriber',
      2: 'Patient requested the brand',
      3: 'Pharmacist selected',
      4: 'Generic not in stock',
      5: 'Brand dispensed as a generic',
      6: 'Override',
      7: 'Brand mandated by law',
      8: 'Generic not on the market',
      9: 'Plan requested the brand',
    }),
  ],
  ['DJ', list({ 0: 'Not known', 1: 'Written', 2: 'Telephone', 3: 'Electronic', 4: 'Facsimile', 5: 'Pharmacy' })],
  [
    'C8',
    list({
      '00': 'Not specified',
      0: 'Not specified',
      '01': 'No other coverage',
      '02': 'Other coverage exists, payment collected',
      '03': 'Other coverage exists, claim not covered',
      '04': 'Other coverage exists, payment not collected',
      '08': 'Claim is billing for patient financial responsibility only',
    }),
  ],
  ['5C', COVERAGE_TYPE],
  ['6C', PAYER_QUALIFIER],
  ['28', list({ EA: 'Each', GM: 'Grams', ML: 'Millilitres' })],
  ['EG', list({ 1: 'Each', 2: 'Grams', 3: 'Millilitres' })],
  ['DN', COST_BASIS],
  ['UE', COST_BASIS],
  ['HD', list({ P: 'Partial fill', C: 'Completion of a partial fill' })],
  [
    'AN',
    list({
      P: 'Paid',
      D: 'Duplicate of paid',
      R: 'Rejected',
      A: 'Approved',
      C: 'Captured',
      F: 'Prior authorization deferred',
      Q: 'Duplicate of captured',
      S: 'Duplicate of approved',
    }),
  ],
  [
    'HC',
    list(
      {
        '01': 'Delivery',
        '02': 'Shipping',
        '03': 'Postage',
        '04': 'Administrative',
        '05': 'Incentive',
        '06': 'Cognitive service',
        '07': 'Drug benefit',
        '08': 'Sum of all',
        '09': 'Compound preparation',
        10: 'Sales tax',
        98: 'Coupon',
        99: 'Other',
      },
      true,
    ),
  ],
  [
    'NP',
    list(
      {
        '01': 'Periodic deductible',
        '02': 'Brand drug selection',
        '03': 'Sales tax',
        '04': 'Over the periodic maximum',
        '05': 'Copay',
        '06': 'Patient pay as reported by the previous payer',
        '07': 'Coinsurance',
        '08': 'Non-preferred selection',
        '09': 'Health plan assistance',
        10: 'Provider network selection',
        11: 'Brand non-preferred selection',
        12: 'Coverage gap',
        13: 'Processor fee',
      },
      true,
    ),
  ],
  ['FS', list({ 1: 'Major', 2: 'Moderate', 3: 'Minor', 9: 'Undetermined' })],
]);
