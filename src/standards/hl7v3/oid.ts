/** The object identifiers of the messages of the NHS Message Implementation Manual 4.2.00, by what they identify. */
const NPFIT = '2.16.840.1.113883.2.1.3.2.4';
const SDS = '1.2.826.0.1285.0';

export const OID = {
  interaction: `${NPFIT}.12`,
  snomedCt: `${NPFIT}.15`,
  administrativeGender: `${NPFIT}.16.25`,
  cancellationReason: `${NPFIT}.16.27`,
  returnReason: `${NPFIT}.16.28`,
  dispensingEndorsement: `${NPFIT}.16.29`,
  nonDispensingReason: `${NPFIT}.16.31`,
  prescriberEndorsement: `${NPFIT}.16.32`,
  chargeExemption: `${NPFIT}.16.33`,
  dispenseError: `${NPFIT}.16.34`,
  prescriptionStatus: `${NPFIT}.16.35`,
  prescriptionTreatmentType: `${NPFIT}.16.36`,
  cancellationResponse: `${NPFIT}.17.19`,
  dispensingSitePreference: `${NPFIT}.17.21`,
  prescribeError: `${NPFIT}.17.22`,
  itemStatus: `${NPFIT}.17.23`,
  prescriptionType: `${NPFIT}.17.25`,
  annotation: `${NPFIT}.17.30`,
  patientCareProvisionType: `${NPFIT}.17.37`,
  organisationType: `${NPFIT}.17.94`,
  withdrawType: `${NPFIT}.17.109`,
  withdrawReason: `${NPFIT}.17.110`,
  template: `${NPFIT}.18.2`,
  messageType: `${NPFIT}.18.7`,
  shortFormPrescriptionId: `${NPFIT}.18.8`,
  nhsNumber: '2.16.840.1.113883.2.1.4.1',
  odsOrganisation: `${SDS}.1.10`,
  sdsUser: `${SDS}.2.0.65`,
  sdsRoleProfile: `${SDS}.2.0.67`,
  accreditedSystem: `${SDS}.2.0.107`,
  professionalCode: `${SDS}.2.1.54`,
  sdsJobRole: `${SDS}.2.1.104`,
} as const;

export type OidName = keyof typeof OID;
