/** Consents about privacy, as R4 wants them. https://hl7.org/fhir/R4/consent.html */
import type { Resource } from '../../src/ports/resource-store.ts';

/** One in force, of a patient by id; `more` takes the place of what is here. */
export const privacyConsent = (patientId: string, provision: object | undefined, more: object = {}): Resource => ({
  resourceType: 'Consent',
  id: 'c',
  status: 'active',
  scope: { coding: [{ code: 'patient-privacy' }] },
  category: [{ coding: [{ code: 'INFA' }] }],
  patient: { reference: `Patient/${patientId}` },
  // Every Consent rests on some policy (ppc-1).
  policy: [{ uri: 'https://example.org/policies/records' }],
  ...(provision && { provision }),
  ...more,
});
