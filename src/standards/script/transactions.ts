/** Names of SCRIPT transactions in all versions (reference section 4.1). */
import { TRANSACTIONS_10_6 } from './model-10-6.ts';
import { TRANSACTIONS_2017071 } from './model-2017071.ts';

/** Names of other versions, and the 2017071 name each is read as. */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['RefillRequest', 'RxRenewalRequest'],
  ['RefillResponse', 'RxRenewalResponse'],
  ['RxTransferInitiationRequest', 'RxTransferRequest'],
  ['RxTransfer', 'RxTransferResponse'],
]);

/** Transactions whose content the public model does not give: told by name, so that the answer can say so. */
const BY_NAME = [
  'PANotification',
  'Census',
  'MTMServiceRequest',
  'MTMServiceResponse',
  'MTMServiceDocumentation',
  'ClinicalInfoRequest',
  'ClinicalInfoResponse',
];

const KNOWN: ReadonlySet<string> = new Set([
  ...TRANSACTIONS_2017071,
  ...TRANSACTIONS_10_6,
  ...SYNONYMS.keys(),
  ...BY_NAME,
]);

/** Whether an element in Body is a transaction; central fill has many, all of which begin with CF. */
export const isTransaction = (name: string): boolean => KNOWN.has(name) || /^CF[A-Z]\w*$/.test(name);

/** The 2017071 name of a transaction. */
export const transactionKind = (name: string): string => SYNONYMS.get(name) ?? name;

/** What answers a message with more than how it fared; what a pharmacy asks of an order does not answer it. */
export const isResponse = (kind: string): boolean => /Response(?:Denied)?$|^RxTransferConfirm$|^RxFill$/.test(kind);

/** Answers, which are never answered themselves (reference section 4.1). */
export const ANSWERS: ReadonlySet<string> = new Set(['Status', 'Error', 'Verify']);
