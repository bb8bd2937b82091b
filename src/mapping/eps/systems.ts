/** Names of the identifiers, codes and extensions that the NHS profiles of R4 use for prescriptions. */

export const UUID_SYSTEM = 'https://tools.ietf.org/html/rfc4122';

const NHS = 'https://fhir.nhs.uk/Id/';
const UK = 'https://fhir.hl7.org.uk/Id/';

export const ID_SYSTEM = {
  nhsNumber: `${NHS}nhs-number`,
  odsOrganisation: `${NHS}ods-organization-code`,
  sdsUser: `${NHS}sds-user-id`,
  sdsRoleProfile: `${NHS}sds-role-profile-id`,
  orderItem: `${NHS}prescription-order-item-number`,
  dispenseItem: `${NHS}prescription-dispense-item-number`,
  orderNumber: `${NHS}prescription-order-number`,
  prescription: `${NHS}prescription`,
  gmc: `${UK}gmc-number`,
  gmp: `${UK}gmp-number`,
  nmc: `${UK}nmc-number`,
  gphc: `${UK}gphc-number`,
  hcpc: `${UK}hcpc-number`,
  professional: `${UK}professional-code`,
  din: `${UK}din-number`,
  spurious: `${UK}nhsbsa-spurious-code`,
} as const;

const CODES = 'https://fhir.nhs.uk/CodeSystem/';

export const CODE_SYSTEM = {
  snomedCt: 'http://snomed.info/sct',
  sdsJobRoleCode: `${CODES}NHSDigital-SDS-JobRoleCode`,
  sdsJobRoleName: 'https://fhir.hl7.org.uk/CodeSystem/UKCore-SDSJobRoleName',
  prescriberEndorsement: `${CODES}medicationrequest-endorsement`,
  cancellationReason: `${CODES}medicationrequest-status-reason`,
  itemStatus: `${CODES}medicationdispense-type`,
  nonDispensingReason: `${CODES}medicationdispense-status-reason`,
  dispenserEndorsement: `${CODES}medicationdispense-endorsement`,
  prescriptionCharge: `${CODES}DM-prescription-charge`,
  chargeExemption: `${CODES}prescription-charge-exemption`,
  exemptionEvidence: `${CODES}DM-exemption-evidence`,
  returnReason: `${CODES}EPS-task-dispense-return-status-reason`,
  withdrawReason: `${CODES}EPS-task-dispense-withdraw-reason`,
  messageEvent: `${CODES}message-event`,
  prescriptionType: `${CODES}prescription-type`,
  sitePreference: `${CODES}dispensing-site-preference`,
  statusHistory: `${CODES}medicationrequest-status-history`,
  taskBusinessStatus: `${CODES}EPS-task-business-status`,
  epsIssue: `${CODES}EPS-IssueCode`,
  spineIssue: `${CODES}Spine-ErrorOrWarningCode`,
  courseOfTherapy: 'http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy',
  nhsCourseOfTherapy: `${CODES}medicationrequest-course-of-therapy`,
  category: 'http://terminology.hl7.org/CodeSystem/medicationrequest-category',
  ucum: 'http://unitsofmeasure.org',
  signatureType: 'urn:iso-astm:E1762-95:2013',
  taskCode: 'http://hl7.org/fhir/CodeSystem/task-code',
} as const;

const EXTENSIONS = 'https://fhir.nhs.uk/StructureDefinition/Extension-';

export const EXTENSION = {
  prescriptionId: `${EXTENSIONS}DM-PrescriptionId`,
  prescriptionType: `${EXTENSIONS}DM-PrescriptionType`,
  responsiblePractitioner: `${EXTENSIONS}DM-ResponsiblePractitioner`,
  prescriptionEndorsement: `${EXTENSIONS}DM-PrescriptionEndorsement`,
  controlledDrug: `${EXTENSIONS}DM-ControlledDrug`,
  performerSiteType: `${EXTENSIONS}DM-PerformerSiteType`,
  groupIdentifier: `${EXTENSIONS}DM-GroupIdentifier`,
  prescriptionNonDispensingReason: `${EXTENSIONS}DM-PrescriptionNonDispensingReason`,
  medicationRepeatInformation:
    'https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-MedicationRepeatInformation',
  repeatInformation: `${EXTENSIONS}EPS-RepeatInformation`,
  taskBusinessStatus: `${EXTENSIONS}EPS-TaskBusinessStatus`,
  taskBusinessStatusReason: `${EXTENSIONS}EPS-TaskBusinessStatusReason`,
  organisationRelationships: `${EXTENSIONS}ODS-OrganisationRelationships`,
  replacementOf: `${EXTENSIONS}replacementOf`,
  claimSequenceIdentifier: `${EXTENSIONS}ClaimSequenceIdentifier`,
  messageId: `${EXTENSIONS}MessageHeader-messageId`,
  statusHistory: `${EXTENSIONS}DM-PrescriptionStatusHistory`,
  dispensingPerformer: `${EXTENSIONS}DM-DispensingPerformer`,
  dispensingInformation: `${EXTENSIONS}EPS-DispensingInformation`,
  dispensingReleaseInformation: `${EXTENSIONS}EPS-DispensingReleaseInformation`,
  prescription: `${EXTENSIONS}EPS-Prescription`,
  supportingInfo: `${EXTENSIONS}Spine-supportingInfo`,
  supportingInfoPrescription: `${EXTENSIONS}Spine-supportingInfo-prescription`,
  claimMedicationRequestReference: `${EXTENSIONS}ClaimMedicationRequestReference`,
} as const;
