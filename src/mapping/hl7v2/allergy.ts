/** AL1 and IAM as AllergyIntolerance. Source: segment maps AL1[AllergyIntolerance] and IAM[AllergyIntolerance]. */
import type { FhirResource, Identifier } from '../transaction-bundle.ts';
import { practitioner } from './actors.ts';
import { ALLERGY_CATEGORY, ALLERGY_SEVERITY, systemUrl } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { type Cursor, localSystem, type SegmentCursor } from './cursor.ts';
import { codeOf, concept, keyOfConcept } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { ei } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import type { Translation } from './translation.ts';

const status = (system: string, code: string): Json => ({ coding: [{ system: systemUrl(system), code }] });

/** Where AL1 and IAM keep the same things. */
const KIND = 2;
const SUBSTANCE = 3;

/** AL1 has no number: the patient and the substance make it the same. */
export function mapAllergy(al1: SegmentCursor, patient: MappedPatient, to: Translation): void {
  const content = contentOf(al1);
  if (content === undefined) return;
  const identifier = derivedKey(content.code, patient);
  const resource = compact({
    resourceType: 'AllergyIntolerance',
    identifier: [identifier],
    clinicalStatus: status('allergyintolerance-clinical', 'active'),
    verificationStatus: status('allergyintolerance-verification', 'unconfirmed'),
    ...content,
    patient: patient.reference,
    onsetDateTime: al1.at(6).isValued ? al1.at(6).dateTime : undefined,
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, [identifier]);
}

/** IAM says what is to become of the allergy: added or changed, deleted as an error, or left alone (X). */
export function mapAllergyAction(iam: SegmentCursor, patient: MappedPatient, to: Translation): void {
  const action = iam.at(6).text;
  if (action === 'X') {
    iam.ignore(...ALL_OF_IAM);
    return;
  }
  iam.at(6).ignore();
  const content = contentOf(iam);
  if (content === undefined) return;
  const number = iam.at(7).isValued ? ei(iam.at(7), undefined, localSystem(to.reading, 'allergy')) : undefined;
  const keys = number === undefined ? [] : keysOf([number]);
  const derived = derivedKey(content.code, patient);
  const isError = action === 'D';
  const clinical = CLINICAL_STATUS.get(iam.at(17).text);
  const resource = compact({
    resourceType: 'AllergyIntolerance',
    identifier: keys.length > 0 ? [number] : [derived],
    // An entry made in error has no clinical status (ait-2).
    clinicalStatus: isError ? undefined : status('allergyintolerance-clinical', clinical?.clinical ?? 'active'),
    verificationStatus: status(
      'allergyintolerance-verification',
      isError ? 'entered-in-error' : (clinical?.verification ?? 'unconfirmed'),
    ),
    ...content,
    patient: patient.reference,
    onsetDateTime: iam.at(11).isValued ? iam.at(11).dateTime : undefined,
    onsetString: iam.at(11).isValued ? undefined : iam.at(12).value,
    recordedDate: iam.at(13).isValued ? iam.at(13).dateTime : undefined,
    recorder: iam.at(18).isValued ? practitioner(iam.at(18), to) : undefined,
  }) as FhirResource; // it has its resourceType
  to.entries.store(resource, keys.length > 0 ? keys : [derived], { removed: isError ? ['clinicalStatus'] : [] });
}

const ALL_OF_IAM = Array.from({ length: 30 }, (_, index) => index + 1);

/** Table 0438. */
const CLINICAL_STATUS = new Map([
  ['C', { clinical: 'active', verification: 'confirmed' }],
  ['D', { clinical: 'inactive', verification: 'refuted' }],
  ['E', { clinical: 'inactive', verification: 'refuted' }],
  ['I', { clinical: 'inactive', verification: 'confirmed' }],
  ['P', { clinical: 'active', verification: 'unconfirmed' }],
  ['S', { clinical: 'active', verification: 'unconfirmed' }],
  ['U', { clinical: 'active', verification: 'unconfirmed' }],
]);

const derivedKey = (code: Json, { key }: MappedPatient): Identifier =>
  derivedIdentifier('AllergyIntolerance', key.system ?? '', key.value, keyOfConcept(code));

function contentOf(segment: SegmentCursor): (Readonly<Record<string, unknown>> & { readonly code: Json }) | undefined {
  const code = concept()(segment.at(SUBSTANCE));
  if (code === undefined) return undefined;
  const kind = segment.at(KIND);
  kind.ignore();
  const category = ALLERGY_CATEGORY.get(kind.text);
  return {
    type: kind.text === '' ? undefined : kind.text === 'MC' ? 'intolerance' : 'allergy',
    category: category === undefined ? [] : [category],
    code,
    reaction: reactionOf(segment),
  };
}

/** A severity without a manifestation says that there was one. */
function reactionOf(segment: SegmentCursor): readonly Json[] {
  const severity = segment.at(4).isValued ? severityOf(segment.at(4)) : undefined;
  const manifestation = segment.all(5).flatMap((cursor) => concept()(cursor) ?? []);
  if (severity === undefined && manifestation.length === 0) return [];
  const said = manifestation.length > 0 ? manifestation : [{ text: 'Not specified' }];
  return [{ manifestation: said, ...(severity !== undefined && { severity }) }];
}

const severityOf = (cursor: Cursor): string | undefined =>
  cursor.text === 'U' ? undefined : codeOf(ALLERGY_SEVERITY)(cursor);
