/** A drug element of any transaction as MedicationRequest or MedicationDispense, and back (reference section 5). */
import { evaluationsToScript, mapEvaluations, type Subject } from './clinical.ts';
import { NOT_NAMED } from './codecs.ts';
import { compoundToScript, mapCompound } from './compound.ts';
import { type MessageBundle, referenceTo } from './context.ts';
import { dispenseToScript, mapDispense } from './dispense.ts';
import { mapSig } from './dosage.ts';
import { mapMedication, medicationToScript } from './medication.ts';
import { getAt, isObject, type Json, objectsAt } from './place.ts';
import type { Resolve } from './resolve.ts';
import { sigToScript } from './sig-to-script.ts';
import type { Source } from './source.ts';
import type { Target } from './target.ts';
import type { DrugPlace } from './transaction-table.ts';

export interface MappedDrug {
  readonly json: Json;
  /** The compound, to be contained beside it or in it. */
  readonly compound?: Json;
  /** Names of structured parts of the Sig that only its text says. */
  readonly unmapped: readonly string[];
}

/** `compoundId`: of the contained Medication, where there is one. */
export function mapDrugElement(
  source: Source,
  { as, meant }: DrugPlace,
  subject: Subject,
  bundle: MessageBundle,
  compoundId: string,
): MappedDrug {
  const json: Json = as === 'request' ? requestOf(meant) : { status: meant === 'supplied' ? 'completed' : 'unknown' };
  if (as === 'request') mapMedication(source, json);
  else mapDispense(source, json);
  json['subject'] = referenceTo(subject.url);
  const sig = mapSig(source.find('Sig'));
  if (sig.dosages.length > 0) json['dosageInstruction'] = sig.dosages;
  const evaluations = mapEvaluations(source.all('DrugUseEvaluation'), subject, bundle);
  if (evaluations.length > 0) json['detectedIssue'] = evaluations.map(referenceTo);
  const drug = json['medicationCodeableConcept'];
  const compound = source.find('CompoundInformation');
  if (compound) {
    const quantity = getAt(json, as === 'request' ? 'dispenseRequest.quantity' : 'quantity');
    delete json['medicationCodeableConcept'];
    json['medicationReference'] = { reference: `#${compoundId}` };
    const medication = { ...mapCompound(compound, drug as Json, quantity), id: compoundId }; // made above
    return { json, compound: medication, unmapped: sig.unmapped };
  }
  if (!isObject(drug) || Object.keys(drug).length === 0) json['medicationCodeableConcept'] = { text: NOT_NAMED };
  return { json, unmapped: sig.unmapped };
}

const requestOf = (meant: DrugPlace['meant']): Json =>
  meant === 'order'
    ? { status: 'active', intent: 'order' }
    : meant === 'proposal'
      ? { status: 'draft', intent: 'proposal' }
      : { status: 'unknown', intent: 'order' };

/** `owner`: the resource that contains what `json` refers to by `#`. */
export function drugElementToScript(json: Json, owner: unknown, resolve: Resolve, target: Target): void {
  const medication = resolve(json['medicationReference'], owner);
  const drug = medication ? medication['code'] : json['medicationCodeableConcept'];
  if (json['resourceType'] === 'MedicationDispense') dispenseToScript(json, drug, target);
  else medicationToScript(json, drug, target);
  if (medication) compoundToScript(medication, target);
  sigToScript(objectsAt(json, 'dosageInstruction'), target);
  const issues = objectsAt(json, 'detectedIssue').flatMap((one): readonly Json[] => {
    const found = resolve(one, owner);
    return found ? [found] : [];
  });
  evaluationsToScript(issues, target);
}
