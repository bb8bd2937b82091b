/** The tracker's words, and what each is in FHIR. */

export interface PrescriptionStatus {
  /** Of the national code system of business statuses. */
  readonly code: string;
  readonly task: 'requested' | 'accepted' | 'in-progress' | 'failed' | 'cancelled' | 'completed';
}

const status = (
  display: string,
  code: string,
  task: PrescriptionStatus['task'],
): readonly [string, PrescriptionStatus] => [display, { code, task }];

export const PRESCRIPTION_STATUSES: ReadonlyMap<string, PrescriptionStatus> = new Map([
  status('Awaiting Release Ready', '0000', 'requested'),
  status('To Be Dispensed', '0001', 'requested'),
  status('With Dispenser', '0002', 'accepted'),
  status('With Dispenser - Active', '0003', 'in-progress'),
  status('Expired', '0004', 'failed'),
  status('Cancelled', '0005', 'cancelled'),
  status('Dispensed', '0006', 'completed'),
  status('Not Dispensed', '0007', 'completed'),
  status('Claimed', '0008', 'completed'),
  status('No-Claimed', '0009', 'completed'),
  status('Repeat Dispense future instance', '9000', 'requested'),
  status('Prescription future instance', '9001', 'requested'),
  status('Cancelled future instance', '9005', 'cancelled'),
]);

export const ITEM_STATUSES: ReadonlyMap<string, string> = new Map([
  ['Dispensed', '0001'],
  ['Not Dispensed', '0002'],
  ['Dispensed - Partial', '0003'],
  ['Not Dispensed - Owing', '0004'],
  ['Cancelled', '0005'],
  ['Expired', '0006'],
  ['To be Dispensed', '0007'],
  ['To Be Dispensed', '0007'],
  ['With Dispenser', '0008'],
]);

export interface Treatment {
  readonly code: 'acute' | 'continuous' | 'continuous-repeat-dispensing';
  readonly display: string;
}

export const TREATMENTS: ReadonlyMap<string, Treatment> = new Map<string, Treatment>([
  ['Acute Prescription', { code: 'acute', display: 'Short course (acute) therapy' }],
  ['Repeat Prescribing', { code: 'continuous', display: 'Continuous long term therapy' }],
  ['Repeat Dispensing', { code: 'continuous-repeat-dispensing', display: 'Continuous long term (repeat dispensing)' }],
]);
