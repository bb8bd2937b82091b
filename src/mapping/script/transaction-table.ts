/**
 * How each transaction but NewRx stands in FHIR (reference section 13.6): a Task that says what is asked or answered,
 * with people, places, drugs and findings beside it. Both directions and the documentation go by these rows.
 */

export type TaskStatus = 'requested' | 'completed' | 'rejected' | 'in-progress' | 'failed' | 'on-hold' | 'received';

/** `request`: a MedicationRequest, `dispense`: a MedicationDispense. */
export interface DrugPlace {
  readonly element: string;
  readonly as: 'request' | 'dispense';
  /** What the order would be: an echo of one that stands, a proposal, or a new one a pharmacy may fill. */
  readonly meant: 'echo' | 'proposal' | 'order' | 'supplied';
}

export interface TransactionRow {
  readonly kind: string;
  /** In words: what the Task is about. */
  readonly about: string;
  /** Of a request; answers have that of their outcome. */
  readonly status: TaskStatus;
  /** Where the outcome stands: `Response`, `Response/ResponseStatus`, `FillStatus`. */
  readonly outcomeAt?: string;
  /** Where the case number of an authorisation stands in a request. */
  readonly caseAt?: string;
  readonly drugs: readonly DrugPlace[];
}

const drug = (element: string, as: DrugPlace['as'], meant: DrugPlace['meant']): DrugPlace => ({ element, as, meant });
const PRESCRIBED = drug('MedicationPrescribed', 'request', 'echo');
const REQUESTED = drug('MedicationRequested', 'request', 'proposal');
const DISPENSED = drug('MedicationDispensed', 'dispense', 'echo');
const SUPPLIED = drug('MedicationDispensed', 'dispense', 'supplied');
const RESPONSE = 'Response';
const RESPONSE_STATUS = 'Response/ResponseStatus';

const row = (
  kind: string,
  about: string,
  status: TaskStatus,
  rest: Partial<Pick<TransactionRow, 'outcomeAt' | 'caseAt' | 'drugs'>> = {},
): TransactionRow => ({ kind, about, status, drugs: [], ...rest });

export const TRANSACTIONS: readonly TransactionRow[] = [
  row('NewRxRequest', 'a pharmacy asks for a new prescription', 'requested', { drugs: [REQUESTED] }),
  row('NewRxResponseDenied', 'the prescriber writes none', 'rejected', { outcomeAt: RESPONSE, drugs: [REQUESTED] }),
  row('RxChangeRequest', 'a pharmacy asks to change a prescription', 'requested', { drugs: [PRESCRIBED, REQUESTED] }),
  row('RxChangeResponse', 'the prescriber answers it', 'received', {
    outcomeAt: RESPONSE,
    drugs: [drug('MedicationPrescribed', 'request', 'order')],
  }),
  row('RxRenewalRequest', 'a pharmacy asks for more refills', 'requested', { drugs: [DISPENSED, PRESCRIBED] }),
  row('RxRenewalResponse', 'the prescriber answers it', 'received', {
    outcomeAt: RESPONSE,
    drugs: [drug('MedicationResponse', 'request', 'order'), DISPENSED],
  }),
  row('CancelRx', 'the prescriber takes a prescription back', 'requested', { drugs: [PRESCRIBED] }),
  row('CancelRxResponse', 'the pharmacy answers it', 'received', { outcomeAt: RESPONSE }),
  row('RxFill', 'the pharmacy says what became of a prescription', 'received', {
    outcomeAt: 'FillStatus',
    drugs: [SUPPLIED, PRESCRIBED],
  }),
  row('RxFillIndicatorChange', 'the prescriber says of what it wants to hear', 'requested'),
  row('RxTransferRequest', 'a pharmacy asks another for a prescription', 'requested', {
    drugs: [drug('MedicationTransferRequested', 'request', 'echo')],
  }),
  row('RxTransferResponse', 'the other pharmacy hands it on', 'received', {
    outcomeAt: RESPONSE,
    drugs: [drug('MedicationTransferred/MedicationPrescribed', 'request', 'order')],
  }),
  row('RxTransferConfirm', 'the first pharmacy has it', 'completed'),
  row('Recertification', 'a prescription goes on as it is', 'requested', { drugs: [DISPENSED, PRESCRIBED] }),
  row('Resupply', 'a facility asks for more', 'requested', { drugs: [DISPENSED, PRESCRIBED] }),
  row('DrugAdministration', 'a facility begins or stops giving a drug', 'requested', { drugs: [PRESCRIBED] }),
  row('RxHistoryRequest', 'somebody asks what a patient was given', 'requested'),
  row('RxHistoryResponse', 'what the patient was given', 'received', {
    outcomeAt: RESPONSE,
    drugs: [SUPPLIED, drug('MedicationDispensedAdministered', 'dispense', 'supplied'), PRESCRIBED],
  }),
  row('PAInitiationRequest', 'a prescriber begins a prior authorisation', 'requested', { drugs: [PRESCRIBED] }),
  row('PAInitiationResponse', 'the payer asks or closes', 'received', {
    outcomeAt: RESPONSE_STATUS,
    drugs: [PRESCRIBED],
  }),
  row('PARequest', 'the prescriber answers the questions', 'requested', {
    caseAt: 'Request/SolicitedModel',
    drugs: [PRESCRIBED],
  }),
  row('PAResponse', 'the payer decides', 'received', { outcomeAt: RESPONSE_STATUS, drugs: [PRESCRIBED] }),
  row('PAAppealRequest', 'the prescriber appeals', 'requested', { caseAt: 'Request', drugs: [PRESCRIBED] }),
  row('PAAppealResponse', 'the payer decides on it', 'received', { outcomeAt: RESPONSE_STATUS, drugs: [PRESCRIBED] }),
  row('PACancelRequest', 'the prescriber gives it up', 'requested', { caseAt: 'Request', drugs: [PRESCRIBED] }),
  row('PACancelResponse', 'the payer answers', 'received', { outcomeAt: RESPONSE_STATUS, caseAt: RESPONSE }),
  row('REMSInitiationRequest', 'a REMS check begins', 'requested', { drugs: [PRESCRIBED] }),
  row('REMSInitiationResponse', 'the administrator asks or closes', 'received', {
    outcomeAt: RESPONSE_STATUS,
    drugs: [PRESCRIBED],
  }),
  row('REMSRequest', 'answers to the administrator', 'requested', {
    caseAt: 'Request/SolicitedModel',
    drugs: [PRESCRIBED],
  }),
  row('REMSResponse', 'the administrator decides', 'received', { outcomeAt: RESPONSE_STATUS, drugs: [PRESCRIBED] }),
  row('GetMessage', 'somebody fetches what waits', 'requested'),
  row('Status', 'how a message fared', 'completed'),
  row('Error', 'why a message was not taken', 'failed'),
  row('Verify', 'a message was read', 'completed'),
];

export const ROWS: ReadonlyMap<string, TransactionRow> = new Map(TRANSACTIONS.map((one) => [one.kind, one]));

/** Outcome element, the Task's status, and whether it stands for a refusal: of several the refusal wins. */
export const OUTCOMES: ReadonlyMap<string, { readonly status: TaskStatus; readonly isRefusal: boolean }> = new Map(
  (
    [
      ['Denied', 'rejected', true],
      ['DeniedNewPrescriptionToFollow', 'rejected', true],
      ['PartiallyDenied', 'rejected', true],
      ['Closed', 'failed', true],
      ['NotDispensed', 'rejected', true],
      ['Transferred', 'completed', true],
      ['Open', 'in-progress', false],
      ['InProcess', 'in-progress', false],
      ['PartiallyDispensed', 'completed', false],
      ['Dispensed', 'completed', false],
      ['Validated', 'completed', false],
      ['Replace', 'completed', false],
      ['ApprovedWithChanges', 'completed', false],
      ['Approved', 'completed', false],
    ] as const
  ).map(([name, status, isRefusal]) => [name, { status, isRefusal }]),
);

/** Closed because none is needed is no failure (PA: CC, REMS: FD). */
export const NOT_NEEDED: ReadonlySet<string> = new Set(['CC', 'FD']);

/** Status codes that mean success (reference section 7.1). Every other is looked at by somebody. */
export const SUCCESSES: ReadonlySet<string> = new Set(['000', '001', '002', '003', '005', '010']);
