/** Every rule and fault of releases, returns, withdrawals and claims: one change of our own message a case. */
import { FEW, INVALID, MANY, REQUIRED } from './issues.ts';
import { type Row, testRows } from './rows.ts';

const EXTENSIONS = 'https://fhir.nhs.uk/StructureDefinition/Extension-';
const CODES = 'https://fhir.nhs.uk/CodeSystem/';
const IDENTIFIER = 'populated incorrectly. Please populate with Identifier and Display.';
const SYSTEM = (system: string): string => ` where system == '${system}'.`;
const USER = SYSTEM('https://fhir.nhs.uk/Id/sds-user-id');

const AGENT = 'Parameters.parameter("agent").resource';

const RELEASE: readonly Row[] = [
  ['no owner', [['/parameter/0', undefined]], ['error/invalid: Required parameter owner is missing.']],
  [
    'an owner of another type',
    [['/parameter/0/resource/resourceType', 'Patient']],
    ['error/invalid: Required parameter owner is missing.'],
  ],
  ['no agent', [['/parameter/2', undefined]], [`${INVALID} Parameter with name agent not found`]],
  [
    'an agent of another type',
    [['/parameter/2/resource/resourceType', 'Practitioner']],
    [`${INVALID} Parameter with name agent has wrong resourceType`],
  ],
  [
    'practitioner as a reference',
    [['/parameter/2/resource/practitioner', { reference: 'x' }]],
    [`error/invalid: ${AGENT}.practitioner ${IDENTIFIER}`],
  ],
  [
    'no telecom',
    [['/parameter/2/resource/telecom', []]],
    [`error/invalid: Required field ${AGENT}.telecom is missing.`],
  ],
  [
    'no SDS user id',
    [['/parameter/2/resource/practitioner/identifier/system', 'x']],
    [`${FEW}${USER} @ parameters.parameter("PractitionerRole").practitioner.identifier`],
  ],
  ['no parameters', [['/parameter', undefined]], [`${REQUIRED} @ Parameters.parameter`]],
  [
    'two prescription ids',
    [['/parameter/-', { name: 'group-identifier' }]],
    [
      "F TOO_MANY_VALUES_SUBMITTED: Too many values submitted. Expected at most 1 element where name == 'group-identifier'. @ Parameters.parameter",
    ],
  ],
];

const RETURN_REASON = `${CODES}EPS-task-dispense-return-status-reason`;
const WITHDRAW_REASON = `${CODES}EPS-task-dispense-withdraw-reason`;

const RETURN: readonly Row[] = [
  ['intent', [['/intent', 'plan']], ["error/value: Task.intent must be one of: 'order'. @ Task.intent"]],
  [
    'status',
    [['/status', 'draft']],
    ["error/value: Task.status must be one of: 'in-progress', 'rejected'. @ Task.status"],
  ],
  [
    'reason of another system',
    [['/statusReason/coding/0/system', WITHDRAW_REASON]],
    [
      `error/value: Task.reasonCode must have a system of '${RETURN_REASON}' and a value from that system. @ Task.reasonCode`,
    ],
  ],
  [
    'requester not a reference',
    [['/requester', {}]],
    [`${INVALID} task.requester should be a reference to contained.practitionerRole @ task.requester`],
  ],
  [
    'practitioner as a reference',
    [['/contained/0/practitioner', { reference: 'x' }]],
    [`error/invalid: Task.contained("PractitionerRole").practitioner ${IDENTIFIER}`],
  ],
  [
    'organisation not a reference',
    [['/contained/0/organization', {}]],
    [
      `${INVALID} practitionerRole.organization should be a Reference @ task.contained("PractitionerRole").organization`,
    ],
  ],
  ['no Task identifier', [['/identifier', undefined]], [`${REQUIRED} @ Task.identifier`]],
  [
    'bad authoredOn',
    [['/authoredOn', 'yesterday']],
    [`${INVALID} Incorrect format for date time string 'yesterday'. @ Task.authoredOn`],
  ],
  [
    'no prescription id',
    [['/groupIdentifier/system', 'x']],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/prescription-order-number')} @ Task.groupIdentifier`],
  ],
  ['no focus', [['/focus', undefined]], [`${REQUIRED} @ Task.focus`]],
];

const WITHDRAW: readonly Row[] = [
  [
    'a code of another system',
    [['/code/coding/0/system', 'x']],
    [`${FEW}${SYSTEM('http://hl7.org/fhir/CodeSystem/task-code')} @ Task.code.coding`],
  ],
  [
    'no SDS user id',
    [['/contained/0/practitioner/identifier/system', 'x']],
    [`${FEW}${USER} @ task.contained("PractitionerRole").practitioner.identifier`],
  ],
  [
    'no code',
    [['/code', undefined]],
    ["error/value: Task.code is required when Task.status is 'in-progress'. @ Task.code"],
  ],
  [
    'another code',
    [['/code/coding/0/code', 'change']],
    ["error/value: Task.code.coding.code must be one of: 'abort'. @ Task.code.coding.code"],
  ],
  [
    'reason of another system',
    [['/statusReason/coding/0/system', RETURN_REASON]],
    [
      `error/value: Task.reasonCode must have a system of '${WITHDRAW_REASON}' and a value from that system. @ Task.reasonCode`,
    ],
  ],
  [
    'no NHS number',
    [['/for/identifier/system', 'x']],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/nhs-number')} @ Task.for.identifier`],
  ],
  [
    'repeats issued missing',
    [['/extension/0/extension/1', undefined]],
    [`${FEW} where url == 'numberOfRepeatsIssued'. @ Task.extension("${EXTENSIONS}EPS-RepeatInformation").extension`],
  ],
];

const AUTHORITY = 'Claim.insurance[0].coverage.identifier.value';
const ENDORSEMENT = 'error/invalid: The claim is missing the required endorsement code.';

const CLAIM: readonly Row[] = [
  ['two insurances', [['/insurance/-', {}]], ['error/invalid: Expected 1 item(s) in Claim.insurance, but received 2.']],
  [
    'no insurance',
    [['/insurance', undefined]],
    ['error/invalid: Expected 1 item(s) in Claim.insurance, but received 0.'],
  ],
  [
    'another authority',
    [['/insurance/0/coverage/identifier/value', 'T1451']],
    [`error/value: ${AUTHORITY} must be one of: 'T1450', 'RQFZ1'. @ ${AUTHORITY}`],
  ],
  [
    'practitioner as a reference',
    [['/contained/0/practitioner', { reference: 'x' }]],
    [`error/invalid: ${AGENT}.practitioner ${IDENTIFIER}`],
  ],
  ['no endorsement of the first item', [['/item/0/detail/0/programCode/0', undefined]], [ENDORSEMENT]],
  ['no endorsement of a later item', [['/item/0/detail/1/programCode/0', undefined]], [ENDORSEMENT]],
  [
    'no programme codes at all',
    [
      ['/item/0/detail/0/programCode', undefined],
      ['/item/0/detail/1/programCode', undefined],
    ],
    [ENDORSEMENT],
  ],
  [
    'unknown charge',
    [['/item/0/detail/0/programCode/1/coding/0/code', 'paid-thrice']],
    [`${INVALID} Unsupported prescription charge code @ Claim.item.detail.programCode`],
  ],
  ['two items', [['/item/-', {}]], [`${MANY}. @ Claim.item`]],
  [
    'provider not found',
    [['/provider/reference', '#x']],
    [`${INVALID} Contained resource with reference #x not found`],
  ],
  [
    'organisation not a reference',
    [['/contained/0/organization', {}]],
    [`${INVALID} practitioner.organization should be a reference @ Claim.contained("PractitionerRole").organization`],
  ],
  [
    'no status of the prescription',
    [['/item/0/extension/0', undefined]],
    [`${FEW} where url == '${EXTENSIONS}EPS-TaskBusinessStatus'. @ Claim.item.extension`],
  ],
  ['no item status', [['/item/0/detail/1/modifier', undefined]], [`${REQUIRED} @ Claim.item.detail.modifier`]],
  [
    'no claim sequence identifier',
    [['/item/0/detail/1/extension/0', undefined]],
    [`${FEW} where url == '${EXTENSIONS}ClaimSequenceIdentifier'. @ Claim.item.detail.extension`],
  ],
  [
    'bad created',
    [['/created', '2026-13-01']],
    [`${INVALID} Incorrect format for date time string '2026-13-01'. @ Claim.created`],
  ],
  ['no prescription', [['/prescription', undefined]], [`${REQUIRED} @ Claim.prescription`]],
];

describe('mapping › eps › dispensing', () => {
  describe('release', () => testRows('release-patient', RELEASE));
  describe('return', () => testRows('task-return', RETURN));
  describe('withdrawal', () => testRows('task-withdraw', WITHDRAW));
  describe('claim', () => testRows('claim-amend', CLAIM));
});
