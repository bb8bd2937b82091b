/** Identifier systems and codes of the prescribing and dispensing workflows: each in one place. */
import { MORTAR } from '../../standards/fhir/canonical.ts';

/** `groupIdentifier` of what was asked for or issued together: the `request_reference` of seed 000. */
export const REQUEST_REFERENCE = `${MORTAR}/request-reference`;
/** Id of the signed token of a prescription: `PHB-RX-########`. */
export const PRESCRIPTION_TOKEN = `${MORTAR}/prescription-token`;
/** What kind of work a Task is: `prescription-request`, `dispense`. */
export const TASK_CODE = `${MORTAR}/CodeSystem/task-code`;
/** Codes of the rules of prescribing, in problems and DetectedIssues. */
export const PRESCRIBING_RULE = `${MORTAR}/CodeSystem/prescribing-rule`;
/** Categories of Communications of the workflows. */
export const NOTICE_CATEGORY = `${MORTAR}/CodeSystem/communication-category`;
/** Where a pharmacy or a person is known by PHB; `PHB_PHARMACY_CODE_SYSTEM` and `PHB_HPN_SYSTEM` set others. */
export const PHARMACY_CODE_DEFAULT = 'https://phb.example/pharmacy-code';
export const HPN_DEFAULT = 'https://phb.example/hpn';

export const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
export const ODS_CODE = 'https://fhir.nhs.uk/Id/ods-organization-code';
export const DMD = 'http://snomed.info/sct';
