/** What stands in a record about its own handling, for whoever opens it. SECURITY DP-05 */
import type { Resource } from '../../ports/resource-store.ts';
import type { Rectification, Restriction } from '../../ports/subject-rights.ts';
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';

const iso = (ms: number): string => new Date(ms).toISOString();

/** Under the id of the restriction: active until it is lifted. */
export const restrictionFlag = ({ id, patientId, placedAt, lifted }: Restriction): Resource => ({
  resourceType: 'Flag',
  id,
  status: lifted ? 'inactive' : 'active',
  category: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/flag-category', code: 'admin' }] }],
  code: {
    coding: [{ system: codeSystemUrl('processing'), code: 'restricted' }],
    text:
      'Processing is restricted: these data are stored only. Use them with the consent of the patient, for legal claims, ' +
      'or to protect somebody (UK GDPR article 18(2))',
  },
  subject: { reference: `Patient/${patientId}` },
  period: { start: iso(placedAt), ...(lifted && { end: iso(lifted.at) }) },
});

/** Under the id of the request: what the patient said, and why the record stays as it is. */
export const refusalNote = ({
  id,
  patientId,
  type,
  resourceId,
  version,
  text,
  askedAt,
  answer,
}: Rectification): Resource => ({
  resourceType: 'Communication',
  id,
  status: 'completed',
  category: [{ coding: [{ system: codeSystemUrl('communication-category'), code: 'rectification-refused' }] }],
  subject: { reference: `Patient/${patientId}` },
  about: [{ reference: `${type}/${resourceId}/_history/${version}` }],
  sent: iso(answer?.at ?? askedAt),
  recipient: [{ reference: `Patient/${patientId}` }],
  payload: [
    { contentString: `The patient says that this is wrong: ${text}` },
    { contentString: `It was not changed: ${answer?.text ?? ''}` },
  ],
});
