/** Every fault at which the translation of a prescription order stops: one change of our own message a case. */
import type { Change } from './change.ts';
import { AT_MOST, FEW, INVALID, MANY, REQUIRED } from './issues.ts';
import { type Row, resourceAt, testRows } from './rows.ts';

const EXTENSIONS = 'https://fhir.nhs.uk/StructureDefinition/Extension-';
const SYSTEM = (system: string): string => ` where system == '${system}'.`;
const ITEM_1 = resourceAt(1);
const ITEM_2 = resourceAt(2);
const COMMUNICATION = resourceAt(3);
const PATIENT = resourceAt(5);
const AUTHOR = resourceAt(6);
const AUTHOR_ROLE = resourceAt(7);
const RESPONSIBLE = resourceAt(8);
const SURGERY = resourceAt(10);
const BOARD = resourceAt(11);

const COURSE = '/courseOfTherapyType/coding/0/code';
const COURSE_TEXT =
  "Course of therapy type must either match for all MedicationRequests or be a mixture of 'acute' and 'continuous'.";
const PROFESSIONAL = 'Expected exactly one professional code. One of GMC|GMP|NMC|GPhC|HCPC|unknown.';
const JOB_ROLES =
  'Too few values submitted. Expected at least 1 element where system in [https://fhir.nhs.uk/CodeSystem/NHSDigital-SDS-JobRoleCode, https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName].';

const FAULTS: readonly Row[] = [
  ['no Bundle.entry', [['/entry', undefined]], [`${REQUIRED} @ Bundle.entry`]],
  ['an entry without resource', [['/entry/4/resource', undefined]], [`${REQUIRED} @ Bundle.entry.resource`]],
  [
    'no MedicationRequest',
    [
      ['/entry/1', undefined],
      ['/entry/1', undefined],
    ],
    [`${FEW} where resource.resourceType == 'MedicationRequest'. @ Bundle.entry`],
  ],
  ['no Patient', [['/entry/5', undefined]], [`${FEW} where resource.resourceType == 'Patient'. @ Bundle.entry`]],
  [
    'two Patients',
    [['/entry/-', { resource: { resourceType: 'Patient' } }]],
    [`${MANY} where resource.resourceType == 'Patient'. @ Bundle.entry`],
  ],
  ['no Bundle identifier', [['/identifier', undefined]], [`${REQUIRED} @ Bundle.identifier`]],
  [
    'Bundle identifier of another system',
    [['/identifier/system', 'x']],
    [`${FEW}${SYSTEM('https://tools.ietf.org/html/rfc4122')} @ Bundle.identifier`],
  ],
  [
    'mixed course of therapy',
    [[`${ITEM_2}${COURSE}`, 'continuous-repeat-dispensing']],
    [`${INVALID} ${COURSE_TEXT} @ MedicationRequest.courseOfTherapyType.coding`],
  ],
  [
    'unhandled course of therapy',
    [
      [`${ITEM_1}${COURSE}`, 'seasonal'],
      [`${ITEM_2}${COURSE}`, 'seasonal'],
    ],
    [
      `${INVALID} Unhandled course of therapy type code 'seasonal'. @ MedicationRequest.courseOfTherapyType.coding.code`,
    ],
  ],
  [
    'no course of therapy',
    [[`${ITEM_2}/courseOfTherapyType`, undefined]],
    [`${REQUIRED} @ MedicationRequest.courseOfTherapyType`],
  ],
  [
    'broken reference',
    [['/entry/11', undefined]],
    [`${FEW} where fullUrl == 'urn:uuid:73c87427-c6b6-5f14-8bf2-ab5eedeefe60'. @ Bundle.entry`],
  ],
  [
    'reference that leads to two',
    [['/entry/11/fullUrl', 'urn:uuid:6912a613-f927-529d-9ec0-c8f256b1d715']],
    [`${MANY} where fullUrl == 'urn:uuid:6912a613-f927-529d-9ec0-c8f256b1d715'. @ Bundle.entry`],
  ],
  [
    'no prescription id',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/groupIdentifier/extension`, []]),
    [`${FEW} where url == '${EXTENSIONS}DM-PrescriptionId'. @ MedicationRequest.groupIdentifier.extension`],
  ],
  [
    'no performer site type',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/dispenseRequest/extension`, []]),
    [`${FEW} where url == '${EXTENSIONS}DM-PerformerSiteType'. @ MedicationRequest.dispenseRequest.extension`],
  ],
  [
    'no extensions of the dispense request',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/dispenseRequest/extension`, undefined]),
    [`${REQUIRED} @ MedicationRequest.dispenseRequest.extension`],
  ],
  [
    'no prescription type',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/extension/0`, undefined]),
    [`${FEW} where url == '${EXTENSIONS}DM-PrescriptionType'. @ MedicationRequest.extension`],
  ],
  [
    'bad start',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/dispenseRequest/validityPeriod/start`, '2026-02-30']),
    [
      `${INVALID} Incorrect format for date time string '2026-02-30'. @ MedicationRequest.dispenseRequest.validityPeriod.start`,
    ],
  ],
  [
    'a time without zone',
    [ITEM_1, ITEM_2].map((item): Change => [`${item}/dispenseRequest/validityPeriod/start`, '2026-11-16T10:00:00']),
    [
      `${INVALID} Incorrect format for date time string '2026-11-16T10:00:00'. @ MedicationRequest.dispenseRequest.validityPeriod.start`,
    ],
  ],
  [
    'bad birth date',
    [[`${PATIENT}/birthDate`, '1958-02-09T00:00:00Z']],
    [`${INVALID} Incorrect format for date string '1958-02-09T00:00:00Z'. @ Patient.birthDate`],
  ],
  [
    'no birth date',
    [[`${PATIENT}/birthDate`, undefined]],
    [`${INVALID} Incorrect format for date string 'undefined'. @ Patient.birthDate`],
  ],
  ['two notes', [[`${ITEM_1}/note/-`, { text: 'more' }]], [`${AT_MOST}. @ MedicationRequest.note`]],
  [
    'no professional code',
    [[`${AUTHOR}/identifier/1`, undefined]],
    [`F TOO_FEW_VALUES_SUBMITTED: ${PROFESSIONAL}  @ Practitioner.identifier`],
  ],
  [
    'two professional codes',
    [[`${AUTHOR}/identifier/-`, { system: 'https://fhir.hl7.org.uk/Id/nmc-number', value: '12A3456B' }]],
    [`F TOO_MANY_VALUES_SUBMITTED: ${PROFESSIONAL} But got: 9990011, 12A3456B @ Practitioner.identifier`],
  ],
  [
    'no role profile id',
    [[`${AUTHOR_ROLE}/identifier`, []]],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/sds-role-profile-id')} @ Bundle.entry("PractitionerRole").identifier`],
  ],
  [
    'two SDS user ids',
    [[`${AUTHOR}/identifier/-`, { system: 'https://fhir.nhs.uk/Id/sds-user-id', value: '1' }]],
    [`${AT_MOST}${SYSTEM('https://fhir.nhs.uk/Id/sds-user-id')} @ Bundle.entry("Practitioner").identifier`],
  ],
  ['no job role', [[`${AUTHOR_ROLE}/code/0/coding/0/system`, 'x']], [`F TOO_FEW_VALUES_SUBMITTED: ${JOB_ROLES}`]],
  [
    'no way to reach the prescriber',
    [[`${AUTHOR_ROLE}/telecom`, undefined]],
    ['F TOO_FEW_VALUES_SUBMITTED: ResponsiblePractitioner must have at least one telecom. @ PractitionerRole.telecom'],
  ],
  ['no prescriber', [[`${AUTHOR_ROLE}/practitioner`, undefined]], [`${REQUIRED} @ PractitionerRole.practitioner`]],
  ['two names of a practitioner', [[`${AUTHOR}/name/-`, { text: 'B' }]], [`${MANY}. @ Practitioner.name`]],
  ['organisation without telecom', [[`${SURGERY}/telecom`, []]], [`${FEW}. @ Organization.telecom`]],
  [
    'organisation with two',
    [[`${SURGERY}/telecom/-`, { value: '1', use: 'work' }]],
    [`${MANY}. @ Organization.telecom`],
  ],
  ['organisation without address', [[`${SURGERY}/address`, undefined]], [`${REQUIRED} @ Organization.address`]],
  [
    'organisation without name',
    [[`${SURGERY}/name`, undefined]],
    [`${INVALID} Name must be provided. @ Organization.address`],
  ],
  [
    'organisation without ODS code',
    [[`${BOARD}/identifier`, []]],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/ods-organization-code')} @ Organization.identifier`],
  ],
  [
    'no NHS number',
    [[`${PATIENT}/identifier`, []]],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/nhs-number')} @ Patient.identifier`],
  ],
  [
    'an NHS number without value',
    [[`${PATIENT}/identifier/0/value`, undefined]],
    [`${REQUIRED} @ Patient.identifier.value`],
  ],
  ['no address of the patient', [[`${PATIENT}/address`, undefined]], [`${REQUIRED} @ Patient.address`]],
  [
    'unhandled address use',
    [[`${PATIENT}/address/0/use`, 'old']],
    [`${INVALID} Unhandled address use 'old'. @ Patient.address.use`],
  ],
  ['unhandled name use', [[`${PATIENT}/name/0/use`, 'x']], [`${INVALID} Unhandled name use 'x'. @ Patient.name.use`]],
  [
    'unhandled telecom use',
    [[`${PATIENT}/telecom/0/use`, 'old']],
    [`${INVALID} Unhandled telecom use 'old'. @ Patient.telecom.use`],
  ],
  ['unhandled gender', [[`${PATIENT}/gender`, 'm']], [`${INVALID} Unhandled gender 'm'. @ Patient.gender`]],
  ['two practices', [[`${PATIENT}/generalPractitioner/-`, {}]], [`${MANY}. @ Patient.generalPractitioner`]],
  [
    'no item identifier',
    [[`${ITEM_2}/identifier`, []]],
    [`${FEW}${SYSTEM('https://fhir.nhs.uk/Id/prescription-order-item-number')} @ MedicationRequest.identifier.value`],
  ],
  [
    'no SNOMED CT code',
    [[`${ITEM_2}/medicationCodeableConcept/coding`, []]],
    [`${FEW}${SYSTEM('http://snomed.info/sct')} @ MedicationRequest.medicationCodeableConcept.coding`],
  ],
  [
    'no medication',
    [[`${ITEM_2}/medicationCodeableConcept`, undefined]],
    [`${REQUIRED} @ MedicationRequest.medicationReference`],
  ],
  [
    'no quantity',
    [[`${ITEM_2}/dispenseRequest/quantity`, undefined]],
    [`${REQUIRED} @ MedicationRequest.dispenseRequest.quantity`],
  ],
  [
    'a quantity that is no number',
    [[`${ITEM_2}/dispenseRequest/quantity/value`, '21']],
    [`${INVALID} Expected a number. @ MedicationRequest.dispenseRequest.quantity.value`],
  ],
  [
    'a dosage without text',
    [[`${ITEM_1}/dosageInstruction/0/text`, undefined]],
    [`${REQUIRED} @ MedicationRequest.dosageInstruction.text`],
  ],
  [
    'an endorsement of another system',
    [[`${ITEM_1}/extension/2/valueCodeableConcept/coding/0/system`, 'x']],
    [
      `${FEW}${SYSTEM('https://fhir.nhs.uk/CodeSystem/medicationrequest-endorsement')} @ MedicationRequest.extension("${EXTENSIONS}DM-PrescriptionEndorsement").valueCodeableConcept.coding`,
    ],
  ],
  ['a text that is a number', [[`${SURGERY}/name`, 7]], [`${INVALID} Expected a string. @ Organization.name`]],
  [
    'a text that XML cannot hold',
    [[`${SURGERY}/name`, 'bell \u0007']],
    [`${INVALID} The text has a character that XML cannot hold. @ Organization.name`],
  ],
  ['a list that is none', [['/entry', {}]], [`${INVALID} Expected a list of objects. @ Bundle.entry`]],
  [
    'an object that is none',
    [[`${PATIENT}/generalPractitioner/0/identifier`, 'Z']],
    [`${INVALID} Expected an object. @ Patient.generalPractitioner.identifier`],
  ],
  [
    'information by a broken reference',
    [[`${COMMUNICATION}/payload/1/contentReference/reference`, 'urn:uuid:x']],
    [`${FEW} where fullUrl == 'urn:uuid:x'. @ Bundle.entry`],
  ],
  [
    'a responsible party without index number or code',
    [[`${RESPONSIBLE}/identifier`, []]],
    [`F TOO_FEW_VALUES_SUBMITTED: ${PROFESSIONAL}  @ Practitioner.identifier`],
  ],
];

describe('mapping › eps › order', () => {
  describe('faults', () => testRows('prescription-order-acute', FAULTS));
});
