/** The photo of a dispensing, for whoever may read the MedicationDispense. MISSION M10; SECURITY CP-01, CP-22 */
import { serviceCaller } from '../../policy/service-caller.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, notFound } from '../../standards/fhir/outcome.ts';
import { dispenseIdOf } from '../../workflow/dispensing/dispense-record.ts';
import { type PhotoRules, photoIdsOf } from '../../workflow/dispensing/photo.ts';
import type { DispensingParts } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { readVisibleTask } from './visible-task.ts';

const SERVICE = serviceCaller('dispensing');
const BESIDE_BYTES = 64 * 1024;

/** Of a request that carries one, also where none is taken: then it says so. */
export const photoBodyMax = ({ bytesMax }: PhotoRules): number => BESIDE_BYTES + Math.ceil(bytesMax / 3) * 4;

export const PHOTO_PROBLEMS = [
  'photo-off',
  'photo-missing',
  'photo-base64',
  'photo-large',
  'photo-format',
  'photo-broken',
] as const;

export function createPhotoRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { store, plain } = parts;

  async function handle({ caller, path }: WorkflowCall): Promise<WorkflowAnswer> {
    const found = await readVisibleTask(parts, caller, path['id'] ?? '');
    const dispenseId = dispenseIdOf(found.task);
    if (dispenseId === undefined) throw notFound('A photo of that');
    // Who may not read the dispensing is answered as who asks for what is not there.
    await orNotFound(() => store.read(caller, 'MedicationDispense', dispenseId));
    const { content } = await orNotFound(() => plain.read(SERVICE, 'Binary', photoIdsOf(dispenseId).binaryId));
    const { contentType, data } = parseJson(content) as { readonly contentType: string; readonly data: string }; // as it was kept
    return {
      status: 200,
      content: Buffer.from(data, 'base64'),
      mediaType: contentType,
      headers: { 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' },
      patientId: found.patientId,
      detail: { token: found.token.tokenId, dispense: dispenseId },
    };
  }

  return [
    {
      method: 'GET',
      path: '/api/prescriptions/:id/photo',
      summary: 'The photo that was taken as it was handed over',
      tag: 'Pharmacy',
      rights: ['prescriptions:verify', 'prescriptions:review', 'prescription:read'],
      kind: 'read',
      told: 'dispensing-photo',
      answers: { 200: { about: 'JPEG or PNG', schema: { type: 'string' }, mediaType: 'image/jpeg' } },
      handle,
    },
  ];
}

async function orNotFound<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof FhirError && error.status < 500) throw notFound('A photo of that');
    throw error;
  }
}
