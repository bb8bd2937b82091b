/** AllergyIntolerance as AL1, and as IAM where it is told what became of one. docs/hl7v2.md "FHIR to HL7 v2" */
import { ALLERGY_CATEGORY, ALLERGY_SEVERITY, reverseCode } from '../code-tables.ts';
import type { Json } from '../compact.ts';
import { codesOf } from './encounter.ts';
import { cwe, dtm, ei, isOwnKey, repeated, xcn } from './fields.ts';
import type { Outbound } from './outbound.ts';
import { listOf, textOf } from './source.ts';

const CATEGORY_CODES = new Map([
  ['medication', 'DA'],
  ['food', 'FA'],
  ['environment', 'EA'],
  ['biologic', 'AA'],
]);

export function writeAllergies({ from, out }: Outbound): void {
  for (const allergy of from.all('AllergyIntolerance')) {
    if (
      codesOf([allergy['clinicalStatus']])[0] === 'inactive' ||
      codesOf([allergy['verificationStatus']])[0] === 'entered-in-error'
    )
      continue;
    from.tellUnsent(allergy, [
      'identifier',
      'clinicalStatus',
      'verificationStatus',
      'type',
      'category',
      'code',
      'patient',
      'onsetDateTime',
      'reaction',
    ]);
    const [reaction] = listOf(allergy['reaction']);
    out.write('AL1', {
      1: out.next('AL1'),
      2: kindOf(allergy),
      3: cwe(allergy['code']),
      4: reverseCode(ALLERGY_SEVERITY, reaction?.['severity']),
      5: manifestationsOf(reaction),
      6: dtm(allergy['onsetDateTime']),
    });
  }
}

/** Table 0127. */
function kindOf(allergy: Json): string | undefined {
  const [category] = Array.isArray(allergy['category']) ? allergy['category'] : [];
  return (
    CATEGORY_CODES.get(textOf(category) ?? '') ??
    reverseCode(ALLERGY_CATEGORY, category) ??
    (allergy['type'] === 'intolerance' ? 'MC' : undefined)
  );
}

const manifestationsOf = (reaction: Json | undefined): ReturnType<typeof repeated> =>
  repeated(
    listOf(reaction?.['manifestation']).map((value) =>
      cwe(value)?.[8] === 'Not specified' ? undefined : wordsOf(value),
    ),
  );

function wordsOf(concept: Json): string | undefined {
  const [coding] = listOf(concept['coding']);
  const words = textOf(concept['text']) ?? textOf(coding?.['display']) ?? textOf(coding?.['code']);
  return words === 'Not specified' ? undefined : words;
}

const IAM_SENT = ['identifier', 'clinicalStatus', 'verificationStatus', 'type', 'category', 'code', 'patient'];

/** IAM-6: every allergy of the Bundle is added or changed, or was an error. */
export function writeAllergyActions({ from, out }: Outbound): void {
  for (const allergy of from.all('AllergyIntolerance')) {
    from.tellUnsent(allergy, [...IAM_SENT, 'onsetDateTime', 'onsetString', 'recordedDate', 'recorder', 'reaction']);
    const [reaction] = listOf(allergy['reaction']);
    const verification = codesOf([allergy['verificationStatus']])[0];
    const number = listOf(allergy['identifier']).find((identifier) => !isOwnKey(identifier));
    out.write('IAM', {
      1: out.next('IAM'),
      2: kindOf(allergy),
      3: cwe(allergy['code']),
      4: reverseCode(ALLERGY_SEVERITY, reaction?.['severity']),
      5: manifestationsOf(reaction),
      6: verification === 'entered-in-error' ? 'D' : 'A',
      7: ei(number),
      11: dtm(allergy['onsetDateTime']),
      12: textOf(allergy['onsetString']),
      13: dtm(allergy['recordedDate']),
      17: statusOf(codesOf([allergy['clinicalStatus']])[0], verification),
      18: xcn(allergy['recorder'], from)[0],
    });
  }
}

/** Table 0438. */
function statusOf(clinical: string | undefined, verification: string | undefined): string | undefined {
  if (verification === 'entered-in-error') return undefined;
  if (verification === 'refuted') return 'E';
  if (clinical === 'inactive' || clinical === 'resolved') return 'I';
  return verification === 'confirmed' ? 'C' : 'U';
}
