/** What a prescriber tells the patient beside the dosage. */
import type { Instructions } from './additional-instructions.ts';
import type { AnswerContext } from './context.ts';
import { type Entry, referenceTo, resource } from './fhir-parts.ts';

/**
 * What the patient is to be told. Deviates: what later items add is told too; the national gateway takes the first item's
 * alone.
 */
export function communication(
  instructions: readonly Instructions[],
  recipient: Entry,
  requester: Entry,
  { newId, form }: AnswerContext,
): readonly Entry[] {
  const texts = (part: 'medication' | 'patientInfo'): readonly string[] => {
    const [first = [], ...later] = instructions.map((one) => one[part].filter((text) => text.trim() !== ''));
    return form === 'full' ? [...first, ...later.flat().filter((text) => !first.includes(text))] : first;
  };
  const medication = texts('medication');
  const patientInfo = texts('patientInfo');
  if (medication.length + patientInfo.length === 0) return [];
  const list = resource('List', newId(), {
    status: 'current',
    mode: 'snapshot',
    entry: medication.map((display) => ({ item: { display } })),
  });
  const request = resource('CommunicationRequest', newId(), {
    status: 'unknown',
    subject: referenceTo(recipient),
    payload: [
      ...patientInfo.map((contentString) => ({ contentString })),
      ...(medication.length === 0 ? [] : [{ contentReference: referenceTo(list) }]),
    ],
    requester: { identifier: firstIdentifier(requester) },
    recipient: [{ identifier: firstIdentifier(recipient) }],
  });
  return medication.length === 0 ? [request] : [request, list];
}

/** Each of them has one. */
const firstIdentifier = (entry: Entry): unknown => {
  const identifiers = entry['identifier'];
  return Array.isArray(identifiers) ? identifiers[0] : undefined;
};
