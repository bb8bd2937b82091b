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

/** What the Spine answers, in the order in which an answer is looked for. */
export const ANSWERS = {
  nominatedReleaseResponse: 'PORX_IN070101UK31',
  patientReleaseResponse: 'PORX_IN070103UK31',
  acknowledgement: 'MCCI_IN010000UK13',
  cancellationResponse: 'PORX_IN050101UK31',
  releaseReject: 'PORX_IN110101UK30',
} as const;

export type AnswerName = keyof typeof ANSWERS;

/** An order may come as the interaction that FHIR gave or as that of a system that writes V3 itself. */
export const ORDERS: ReadonlySet<string> = new Set([INTERACTIONS.ParentPrescription, 'PORX_IN020101UK31']);

/** A released prescription of this model is signed; older ones are not. */
export const RELEASED_PRESCRIPTION = 'PORX_MT122003UK32';
