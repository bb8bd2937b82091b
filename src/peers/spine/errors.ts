/** What the Spine refuses with: codes and their systems. eps/REFERENCE section 9.6. */

const NPFIT = '2.16.840.1.113883.2.1.3.2.4';
export const PRESCRIBE = `${NPFIT}.17.22`;
export const DISPENSE = `${NPFIT}.16.34`;
const ACKNOWLEDGEMENT = `${NPFIT}.17.32`;

export interface SpineError {
  readonly system: string;
  readonly code: string;
  readonly display: string;
}

/** A message that is refused; every reason that was found. */
export class Refusal extends Error {
  readonly errors: readonly SpineError[];
  /** Of whom the prescription is, for the sender of a release. */
  readonly holder: string | undefined;

  constructor(errors: readonly SpineError[], holder?: string) {
    super(errors.map(({ code, display }) => `${code} ${display}`).join('; '));
    this.name = 'Refusal';
    this.errors = errors;
    this.holder = holder;
  }
}

const PRESCRIBE_ERRORS = {
  '0001': 'Patient is recorded as dead',
  '0002': 'Duplicate prescription ID exists',
  '0003': 'Digital signature not found',
  '0005': 'Prescription can not be found. Contact prescriber',
  '0007': 'Invalid NHS number',
  '0008': 'Missing value',
  '0009': 'Invalid Message',
  '0010': 'Number of items on a prescription should be between 1 and 4',
  '0012': 'Invalid State Transition for Prescription',
  '0013': 'Invalid State Transition for Prescription Item',
  '0014': 'Prescription Item Not found',
  '0015': 'Invalid Claim. Prescription is not Dispensed',
  '0018': 'Mismatch in authorised repeat counts',
  '0019': 'Repeat count should be between 1 and 99',
  '0021': 'Dispense Amendment/Cancellation Request does not pertain to Last Dispense',
  '0100': 'Claim amendment is not permitted outside of the claim period',
  '5008': 'Duplicate item ID exists',
  '9006': 'Format of date passed is invalid',
  '9999': 'Unable to process message',
} as const;

const DISPENSE_ERRORS = {
  '0001': 'Prescription has been cancelled',
  '0002': 'Prescription has expired',
  '0003': 'Prescription not found',
  '0004': 'Prescription is with another dispenser',
  '0005': 'Prescription has been dispensed',
  '0006': 'No more prescriptions available',
  '0007': 'Functionality disabled in spine',
  '5000': 'Unable to process message',
  '5888': 'Invalid message',
  '9006': 'Format of date passed is invalid',
} as const;

export const prescribeError = (code: keyof typeof PRESCRIBE_ERRORS, display?: string): SpineError => ({
  system: PRESCRIBE,
  code,
  display: display ?? PRESCRIBE_ERRORS[code],
});
export const dispenseError = (code: keyof typeof DISPENSE_ERRORS, display?: string): SpineError => ({
  system: DISPENSE,
  code,
  display: display ?? DISPENSE_ERRORS[code],
});

/** Throws the refusal. */
export const refuse = (...errors: readonly SpineError[]): never => {
  throw new Refusal(errors);
};

/** The words the Spine uses where a message cannot be understood. */
export const missing = (what: string): SpineError =>
  dispenseError('5000', `Unable to process message. Information missing or invalid - ${what}`);

export const DUPLICATE_ID: SpineError = { system: ACKNOWLEDGEMENT, code: '202', display: 'Duplicate HL7 ID Error' };
