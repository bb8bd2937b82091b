/** Every rule and fault of cancellations and dispense notifications: one change of our own message a case. */
import type { Change } from './change.ts';
import { FEW, INVALID, REQUIRED } from './issues.ts';
import { type Row, resourceAt, testRows } from './rows.ts';

const [FIRST, SECOND, THIRD, PHARMACY] = [1, 2, 3, 4].map(resourceAt) as [string, string, string, string];
const OF_REQUEST = 'Bundle.entry.resource.ofType(MedicationRequest)';
const OF_DISPENSE = 'Bundle.entry.resource.ofType(MedicationDispense)';
const EXTENSIONS = 'https://fhir.nhs.uk/StructureDefinition/Extension-';
const CODES = 'https://fhir.nhs.uk/CodeSystem/';
const IDENTIFIER = 'populated incorrectly. Please populate with Identifier and Display.';
const SYSTEM = (system: string): string => ` where system == '${system}'.`;
const USER = SYSTEM('https://fhir.nhs.uk/Id/sds-user-id');
const ROLE_PROFILE = SYSTEM('https://fhir.nhs.uk/Id/sds-role-profile-id');

const CANCELLATION: readonly Row[] = [
  [
    'two items',
    [['/entry/-', { resource: { resourceType: 'MedicationRequest', status: 'cancelled', statusReason: {} } }]],
    [
      `error/value: The Bundle must contain exactly one MedicationRequest if MessageHeader.eventCoding.code is 'prescription-order-update'. @ ${OF_REQUEST}`,
    ],
  ],
  [
    'not cancelled',
    [[`${FIRST}/status`, 'active']],
    [`error/value: MedicationRequest.status must be cancelled. @ ${OF_REQUEST}.status`],
  ],
  [
    'no reason',
    [[`${FIRST}/statusReason`, undefined]],
    [`error/value: Expected MedicationRequest to have a value for statusReason. @ ${OF_REQUEST}.statusReason`],
  ],
  [
    'a reason of another system',
    [[`${FIRST}/statusReason/coding/0/system`, 'x']],
    [`${FEW}${SYSTEM(`${CODES}medicationrequest-status-reason`)} @ MedicationRequest.statusReason`],
  ],
  ['no SDS user id', [[`${resourceAt(3)}/identifier/0`, undefined]], [`${FEW}${USER} @ Practitioner.identifier`]],
];

const differs = (path: string, received: string): string =>
  `error/value: Expected all MedicationDispenses to have the same value for ${path}. Received ${received}. @ ${OF_DISPENSE}.${path}`;
const NON_DISPENSING = `${EXTENSIONS}DM-PrescriptionNonDispensingReason`;
const NAMED = 'MedicationDispense.extension:prescriptionNonDispensingReason';
const reasons = (...codes: readonly string[]): readonly Change[] =>
  codes.map((code, i) => [`${resourceAt(i + 1)}/extension/-`, { url: NON_DISPENSING, valueCoding: { code } }]);

const NOTIFICATION: readonly Row[] = [
  [
    'whenHandedOver',
    [[`${SECOND}/whenHandedOver`, '2026-11-18']],
    [differs('whenHandedOver', '["2026-11-17T08:15:00+00:00","2026-11-18"]')],
  ],
  [
    'the NHS numbers, which are not told',
    [[`${SECOND}/subject/identifier/value`, '9990000042']],
    [differs('subject.identifier.value', '[null,null]')],
  ],
  [
    'repeat information',
    [
      [`${FIRST}/extension/-`, { url: `${EXTENSIONS}EPS-RepeatInformation` }],
      [`${SECOND}/extension/-`, { url: `${EXTENSIONS}EPS-RepeatInformation`, extension: [] }],
    ],
    [
      differs(
        `extension("${EXTENSIONS}EPS-RepeatInformation")`,
        `[{"url":"${EXTENSIONS}EPS-RepeatInformation"},{"url":"${EXTENSIONS}EPS-RepeatInformation","extension":[]}]`,
      ),
    ],
  ],
  [
    'performer',
    [[`${SECOND}/performer/0/actor/reference`, '#other']],
    [differs('performer', '[{"reference":"#performer"},{"reference":"#other"}]')],
  ],
  [
    'a performer empty',
    [[`${SECOND}/performer`, []]],
    [
      `error/value: Expected MedicationDispense to have a value for performer.ofType(PractitionerRole). @ ${OF_DISPENSE}.performer.ofType(PractitionerRole)`,
    ],
  ],
  [
    'the first without performer',
    [[`${FIRST}/performer`, undefined]],
    [
      `error/value: Expected MedicationDispense to have a value for performer.ofType(PractitionerRole). @ ${OF_DISPENSE}.performer.ofType(PractitionerRole)`,
    ],
  ],
  [
    'both forms of the medication',
    [[`${SECOND}/medicationReference`, {}]],
    [
      'error/structure CONFLICTING_VALUES: MedicationDispense cannot contain both medicationReference and medicationCodeableConcept fields.',
    ],
  ],
  [
    'practitioner as a reference',
    [[`${FIRST}/contained/0/practitioner`, { reference: 'urn:uuid:x' }]],
    [`error/invalid: Bundle.entry("PractitionerRole").practitioner ${IDENTIFIER}`],
  ],
  [
    'organisation not a reference',
    [[`${FIRST}/contained/0/organization`, {}]],
    [
      `${INVALID} fhirContainedPractitionerRole.organization should be a Reference @ resource("MedicationDispense").contained("organization")`,
    ],
  ],
  [
    'no relationships of the organisation',
    [[`${PHARMACY}/extension`, []]],
    ['error/invalid: The dispense notification is missing the reimbursement authority and it should be provided.'],
  ],
  [
    'no reimbursement authority',
    [[`${PHARMACY}/extension/0/extension`, []]],
    [
      'error/invalid: The dispense notification is missing the ODS code for reimbursement authority and it should be provided.',
    ],
  ],
  [
    'contained role not found',
    [[`${FIRST}/contained/0/id`, 'other']],
    [`${INVALID} Contained resource with reference #performer not found`],
  ],
  [
    'contained role of another type',
    [[`${FIRST}/contained/0/resourceType`, 'Practitioner']],
    [`${INVALID} Contained resource with reference #performer is not of type PractitionerRole`],
  ],
  [
    'no MedicationDispense',
    [
      ['/entry/3', undefined],
      ['/entry/2', undefined],
      ['/entry/1', undefined],
    ],
    [`${FEW} where resource.resourceType == 'MedicationDispense'. @ Bundle.entry`],
  ],
  [
    'reasons that differ',
    reasons('0001', '0001', '0002'),
    [`C INVALID_VALUE: Expected all MedicationDispenses to have the same value for ${NAMED} @ ${NAMED}`],
  ],
  ['no extensions of an item', [[`${THIRD}/extension`, undefined]], [`${REQUIRED} @ MedicationDispense.extension`]],
  [
    'no status of the prescription',
    [[`${FIRST}/extension`, []]],
    [`${FEW} where url == '${EXTENSIONS}EPS-TaskBusinessStatus'. @ MedicationDispense.extension`],
  ],
  [
    'no dispense item number',
    [[`${THIRD}/identifier`, []]],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/prescription-dispense-item-number')} @ MedicationDispense.identifier`],
  ],
  ['no item status', [[`${SECOND}/type`, undefined]], [`${REQUIRED} @ MedicationDispense.type`]],
  [
    'a non-dispensing reason of another system',
    [[`${SECOND}/statusReasonCodeableConcept/coding/0/system`, 'x']],
    [`${FEW}${SYSTEM(`${CODES}medicationdispense-status-reason`)} @ MedicationDispense.statusReasonCodeableConcept`],
  ],
  ['no release', [['/entry/0/resource/response', undefined]], [`${REQUIRED} @ MessageHeader.response`]],
  [
    'bad time of hand over',
    [FIRST, SECOND, THIRD].map((item): Change => [`${item}/whenHandedOver`, '17/11/2026']),
    [`${INVALID} Incorrect format for date time string '17/11/2026'. @ MedicationDispense.whenHandedOver`],
  ],
  [
    'dosages without sequence',
    [[`${FIRST}/dosageInstruction/-`, { text: 'x' }]],
    [`${INVALID} Dosage instructions lacking complete sequencing @ MedicationDispense.dosageInstruction`],
  ],
  [
    'no role profile id',
    [[`${FIRST}/contained/0/identifier`, []]],
    [`${FEW}${ROLE_PROFILE} @ PractitionerRole.identifier`],
  ],
];

describe('mapping › eps › cancellation', () => testRows('prescription-order-update', CANCELLATION));
describe('mapping › eps › dispense notification', () => testRows('dispense-notification-amend', NOTIFICATION));
