/** The interactions of the Electronic Prescription Service that come from FHIR, and the message each carries. */
export const INTERACTIONS = {
  ParentPrescription: 'PORX_IN020101SM31',
  CancellationRequest: 'PORX_IN030101SM32',
  NominatedPrescriptionReleaseRequest: 'PORX_IN060102SM30',
  PatientPrescriptionReleaseRequest: 'PORX_IN132004SM30',
  DispenseNotification: 'PORX_IN080101SM31',
  DispenseClaim: 'PORX_IN090101SM31',
  DispenseProposalReturn: 'PORX_IN100101SM31',
  ETPWithdraw: 'PORX_IN510101SM31',
} as const;

export type MessageName = keyof typeof INTERACTIONS;
