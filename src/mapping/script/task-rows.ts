/** Leaves of a transaction and the elements of a Task they become; both directions are derived from them. */
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Binding, dateChoice } from './bindings.ts';
import { BOOLEAN_YN, CODE, codes, TEXT } from './codecs.ts';
import { ORDER_ROWS } from './identifiers.ts';
import type { Slice, Slices } from './place.ts';
import type { TransactionRow } from './transaction-table.ts';

/** Names of SCRIPT elements, as types of a Task's inputs and outputs. */
export const ELEMENT_SYSTEM = codeSystemUrl('script-element');
export const OUTCOME_SYSTEM = codeSystemUrl('script-outcome');
export const REASON_SYSTEM = codeSystemUrl('script-reason');
const REQUEST_SYSTEM = codeSystemUrl('script-change-request');
export const SUBREQUEST_SYSTEM = codeSystemUrl('script-change-request-detail');
export const STATUS_SYSTEM = codeSystemUrl('script-status');
export const STATUS_DETAIL_SYSTEM = codeSystemUrl('script-description-code');

const output = (code: string): readonly [string, Slice] => [
  `output:${code}`,
  { match: { type: { coding: [{ system: ELEMENT_SYSTEM, code }] } } },
];

export const TASK_SLICES: Slices = new Map<string, Slice>([
  ['coding:request', { match: { system: REQUEST_SYSTEM } }],
  output('AuthorizationNumber'),
  output('REMSAuthorizationNumber'),
  output('AuthorizationPeriod'),
]);

const PRIORITY = codes({ S: 'routine', X: 'urgent' });

/** Of the header. */
export const TASK_HEADER: readonly Binding[] = [
  ...ORDER_ROWS.map(([name]): Binding => [name, `ext:script-${name}.valueIdentifier.value`]),
  ['PrescriberOrderGroup/OrderGroupNumber', 'groupIdentifier.value'],
];

/** Of every transaction that has them. */
const COMMON: readonly Binding[] = [
  ['RequestReferenceNumber', 'ext:script-request-reference.valueString'],
  ['MessageRequestCode', 'code.coding:request.code', CODE],
  ['ChangeReasonText', 'description'],
  ['Note', 'note[0].text'],
  ['ChangeOfPrescriptionStatusFlag', 'ext:script-change-of-status.valueCode', CODE],
  ['RxFillIndicator', 'ext:script-rx-fill-indicator.valueString'],
  ['TransferRequest', 'ext:script-transfer-request.valueCode', CODE],
  ['RxFillConfirmIndicator', 'ext:script-rx-fill-confirmed.valueBoolean', BOOLEAN_YN],
  ['PAReferenceID', 'identifier:PAReferenceID.value'],
  ['REMSReferenceID', 'identifier:REMSReferenceID.value'],
  ...dateChoice('RequestedDates/StartDate', 'executionPeriod.start'),
  ...dateChoice('RequestedDates/EndDate', 'executionPeriod.end'),
];

/** Below the element of the outcome. */
const OUTCOME: readonly Binding[] = [
  ['ReferenceNumber', 'ext:script-reference-number.valueString'],
  ['Note', 'businessStatus.text'],
  ['DenialReason', 'statusReason.text'],
  ['AuthorizationNumber', 'output:AuthorizationNumber.valueString'],
  ['REMSAuthorizationNumber', 'output:REMSAuthorizationNumber.valueString'],
  ...dateChoice('AuthorizationPeriod/EffectiveDate', 'output:AuthorizationPeriod.valuePeriod.start'),
  ...dateChoice('AuthorizationPeriod/ExpirationDate', 'output:AuthorizationPeriod.valuePeriod.end'),
];

/** Of the case an authorisation is: in an outcome, or where the row says. */
const CASE: readonly Binding[] = [
  ['PACaseID', 'identifier:PACaseID.value'],
  ['REMSCaseID', 'identifier:REMSCaseID.value'],
  ...dateChoice('DeadlineForReply', 'restriction.period.end'),
];

const below = (path: string, rows: readonly Binding[]): readonly Binding[] =>
  rows.map(([script, fhir, codec = TEXT]) => [`${path}/${script}`, fhir, codec]);

/** Status, Error and Verify: where their code stands. */
const ANSWER_ROWS: readonly Binding[] = [['Description', 'statusReason.text']];
export const answerAt = (kind: string): string | undefined =>
  kind === 'Verify' ? 'VerifyStatus' : kind === 'Status' || kind === 'Error' ? '' : undefined;

/** All rows of one transaction; `outcome`: the name of its outcome element. */
export function taskRows({ kind, outcomeAt, caseAt }: TransactionRow, outcome: string | undefined): readonly Binding[] {
  const answer = answerAt(kind);
  if (answer !== undefined) return answer === '' ? ANSWER_ROWS : below(answer, ANSWER_ROWS);
  const isAuthorization = /^(?:PA|REMS)/.test(kind);
  const at = outcomeAt === undefined ? undefined : outcome === undefined ? outcomeAt : `${outcomeAt}/${outcome}`;
  return [
    ...COMMON,
    [isAuthorization ? 'PAPriorityIndicator' : 'UrgencyIndicatorCode', 'priority', PRIORITY],
    ...(caseAt === undefined ? [] : below(caseAt, CASE)),
    ...(at === undefined ? [] : below(at, OUTCOME)),
    ...(at === undefined || caseAt !== undefined ? [] : below(at, CASE)),
  ];
}
