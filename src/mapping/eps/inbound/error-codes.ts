/** The Spine's codes of errors and what each is in FHIR: the tables of the national gateway. */
import type { Issue, IssueCode } from '../../../standards/fhir/outcome.ts';
import { OID } from '../../../standards/hl7v3/oid.ts';
import { CODE_SYSTEM } from '../systems.ts';
import { findAttribute, type V3Node } from './v3-node.ts';

interface Row {
  readonly issue: IssueCode;
  readonly system: 'epsIssue' | 'spineIssue';
  readonly code: string;
  /** Absent: the text that the Spine gives. */
  readonly display?: string;
}

const eps = (issue: IssueCode, code: string, display: string): Row => ({ issue, system: 'epsIssue', code, display });
const spine = (issue: IssueCode, code: string, display?: string): Row => ({
  issue,
  system: 'spineIssue',
  code,
  ...(display !== undefined && { display }),
});

const VERSION_MISMATCH = spine('conflict', 'RESOURCE_VERSION_MISMATCH', 'Resource version mismatch');
const DATE_FORMAT = eps('value', 'INVALID_DATE_FORMAT', 'Format of date passed is invalid');
const NOT_PROCESSED = spine('processing', 'FAILURE_TO_PROCESS_MESSAGE');
const INVALID_MESSAGE = eps('structure', 'INVALID_MESSAGE', 'Invalid Message');
const OTHER = spine('invalid', 'ERROR');

export const PRESCRIBE_ERRORS: ReadonlyMap<string, Row> = new Map([
  ['0001', eps('business-rule', 'PATIENT_DECEASED', 'Patient is recorded as dead')],
  ['0002', eps('duplicate', 'DUPLICATE_PRESCRIPTION_ID', 'Duplicate prescription ID exists')],
  ['0003', eps('business-rule', 'MISSING_DIGITAL_SIGNATURE', 'Digital signature not found')],
  ['0005', eps('not-found', 'PRESCRIPTION_NOT_FOUND', 'Prescription can not be found. Contact prescriber')],
  [
    '0007',
    spine(
      'code-invalid',
      'INVALID_RESOURCE_ID',
      'The resource ID was not valid. For example a NHS Number is presented which is not a valid NHS Number.',
    ),
  ],
  ['0008', spine('value', 'MISSING_VALUE')],
  ['0009', INVALID_MESSAGE],
  [
    '0010',
    eps(
      'business-rule',
      'INVALID_NUMBER_MEDICATIONREQUESTS',
      'Number of items on a prescription should be between 1 and 4',
    ),
  ],
  ['0012', eps('business-rule', 'PRESCRIPTION_INVALID_STATE_TRANSITION', 'Invalid State Transition for Prescription')],
  [
    '0013',
    eps(
      'business-rule',
      'MEDICATIONREQUEST_INVALID_STATE_TRANSITION',
      'Invalid State Transition for Prescription Item',
    ),
  ],
  ['0014', eps('not-found', 'MEDICATIONREQUEST_NOT_FOUND', 'Prescription Item Not found')],
  ['0015', eps('business-rule', 'CLAIM_INVALID_NOT_DISPENSED', 'Invalid Claim. Prescription is not Dispensed')],
  ['0018', eps('business-rule', 'MISMATCH_AUTHORISED_REPEAT_COUNT', 'Mismatch in authorised repeat counts')],
  ['0019', eps('business-rule', 'INVALID_REPEAT_COUNT', 'Repeat count should be between 1 and 99')],
  [
    '0021',
    eps(
      'business-rule',
      'DISPENSE_AMEND_IDENTIFIER_MISMATCH',
      'Dispense Amendment/Cancellation Request does not pertain to Last Dispense',
    ),
  ],
  ['0099', VERSION_MISMATCH],
  [
    '0100',
    spine('business-rule', 'CLAIM_AMEND_PERIOD_ISSUE', 'Claim amendment is not permitted outside of the claim period'),
  ],
  ['5008', eps('duplicate', 'DUPLICATE_MEDICATIONREQUEST_ID', 'Duplicate item ID exists')],
  ['5009', eps('value', 'INVALID_CHECK_DIGIT', 'Error in check digit')],
  ['7002', INVALID_MESSAGE],
  ['9006', DATE_FORMAT],
  ['9999', NOT_PROCESSED],
]);

export const DISPENSE_ERRORS: ReadonlyMap<string, Row> = new Map([
  ['0001', eps('business-rule', 'PRESCRIPTION_CANCELLED', 'Prescription has been cancelled')],
  ['0002', eps('business-rule', 'PRESCRIPTION_EXPIRED', 'Prescription has expired')],
  ['0003', spine('not-found', 'RESOURCE_NOT_FOUND', 'Resource not found')],
  ['0004', eps('business-rule', 'PRESCRIPTION_WITH_ANOTHER_DISPENSER', 'Prescription is with another dispenser')],
  ['0005', eps('business-rule', 'PRESCRIPTION_DISPENSED', 'Prescription has been dispensed')],
  ['0006', eps('informational', 'NO_MORE_PRESCRIPTIONS', 'No more prescriptions available')],
  ['0007', eps('exception', 'SERVICE_DISABLED', 'Functionality disabled in spine')],
  ['0099', VERSION_MISMATCH],
  ['5000', NOT_PROCESSED],
  ['5888', eps('invalid', 'INVALID_MESSAGE', 'Invalid message')],
  ['9006', DATE_FORMAT],
]);

const SYSTEMS: ReadonlyMap<string | undefined, ReadonlyMap<string, Row>> = new Map([
  [OID.prescribeError, PRESCRIBE_ERRORS],
  [OID.dispenseError, DISPENSE_ERRORS],
]);

/** The issue of a code; a code of any other system is passed on as it is. Undefined where there is no code. */
export function errorIssue(code: V3Node): Issue | undefined {
  const value = findAttribute(code, 'code');
  if (value === undefined) return undefined;
  const table = SYSTEMS.get(findAttribute(code, 'codeSystem'));
  const said = findAttribute(code, 'displayName');
  const row = table === undefined ? spine('invalid', value) : (table.get(value) ?? OTHER);
  const display = row.display ?? said;
  return {
    code: row.issue,
    severity: row.issue === 'informational' ? 'information' : 'error',
    details: {
      coding: [{ system: CODE_SYSTEM[row.system], code: row.code, ...(display !== undefined && { display }) }],
    },
  };
}
