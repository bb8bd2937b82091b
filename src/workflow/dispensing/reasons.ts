/** Why a token is not good, in the words of the scanners that read them, and where in the check it was found. MISSION M10; SECURITY RX-02 */

export type Fault =
  | 'format'
  | 'key'
  | 'forged'
  | 'altered'
  | 'issuer'
  | 'expired'
  | 'early'
  | 'unknown'
  | 'nonce'
  | 'dispensed'
  | 'held'
  | 'cancelled'
  | 'pharmacy'
  | CodeFault;

/** Why nothing is handed over on a code by text message. MISSION M10 */
export type CodeFault =
  | 'code-missing'
  | 'code-not-sent'
  | 'code-wrong'
  | 'code-expired'
  | 'code-tries'
  | 'code-waiver'
  | 'code-waiver-person';

export interface Reason {
  readonly step: string;
  readonly text: string;
  /** Of an attempt to dispense. */
  readonly status: number;
}

const CODE_STEP = 'collection_code';

function codeReason(text: string, status = 422): Reason {
  return { step: CODE_STEP, text, status };
}

/** In the order in which they are looked for. */
export const REASONS: Readonly<Record<Fault, Reason>> = {
  format: { step: 'payload_format', text: 'Not a prescription token', status: 422 },
  key: { step: 'key_validation', text: 'Signed with a key that is not known', status: 422 },
  forged: { step: 'signature_verification', text: 'Invalid signature - possible forgery', status: 422 },
  altered: { step: 'signature_verification', text: 'Content was altered after it was signed', status: 422 },
  issuer: { step: 'issuer_check', text: 'Issued by somebody else', status: 422 },
  expired: { step: 'expiry_check', text: 'Prescription has expired', status: 422 },
  early: { step: 'expiry_check', text: 'Prescription is not valid yet', status: 422 },
  unknown: { step: 'prescription_lookup', text: 'Prescription not found', status: 404 },
  nonce: { step: 'nonce_verification', text: 'Nonce does not match - possible replay', status: 422 },
  dispensed: { step: 'dispensed_check', text: 'Prescription already dispensed', status: 409 },
  held: { step: 'status_check', text: 'Prescription is on hold: it is being cancelled', status: 409 },
  cancelled: { step: 'status_check', text: 'Prescription was cancelled', status: 422 },
  pharmacy: { step: 'pharmacy_check', text: 'Prescription is for another pharmacy', status: 403 },
  'code-missing': codeReason(
    'A code is needed that the patient gets by text message: POST /api/prescriptions/:id/collection-code, then collection_code',
  ),
  'code-not-sent': codeReason(
    'No collection code was sent for this pharmacy: POST /api/prescriptions/:id/collection-code',
  ),
  'code-wrong': codeReason('The collection code is wrong'),
  'code-expired': codeReason('The collection code has expired: send a new one'),
  'code-tries': codeReason('The collection code was wrong too often: send a new one'),
  'code-waiver': codeReason('Nothing is handed over here without a collection code', 403),
  'code-waiver-person': codeReason('Only a pharmacist in person hands over without a collection code', 403),
};

/** All of them are one step, and told apart by `details.code`. */
export const isCodeFault = (fault: Fault): fault is CodeFault => REASONS[fault].step === CODE_STEP;

export const VERIFIED = 'Prescription verified successfully';
export const DISPENSED = 'Prescription dispensed successfully';
export const WITHOUT_CODE = `${DISPENSED}, without a collection code`;
export const CODE_CONFIRMED = 'Collection code confirmed';
