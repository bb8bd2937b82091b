/** Observation, AllergyOrAdverseEvent and DrugUseEvaluation (reference sections 3, 13.4). */
import { type Binding, bindToFhir, bindToScript, dateChoice } from './bindings.ts';
import { CODE, DECIMAL, NOT_NAMED, TEXT } from './codecs.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import { type Json, matches, objectsAt, type Slices, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { drugSystem, LOINC, PROFESSIONAL_SERVICE, REASON_FOR_SERVICE, SNOMED, UCUM } from './systems.ts';
import type { Target } from './target.ts';

export interface Subject {
  readonly url: string;
  /** What makes the patient the same one for the sender. */
  readonly key: string;
}

const SLICES: Slices = new Map([
  ['coding:loinc', { match: { system: LOINC } }],
  ['coding:reason', { match: { system: REASON_FOR_SERVICE } }],
  ['coding:service', { match: { system: PROFESSIONAL_SERVICE } }],
]);

/** Words some senders write instead of the LOINC code. */
const VITAL_SIGNS: ReadonlyMap<string, string> = new Map([
  ['Height', '8302-2'],
  ['Weight', '29463-7'],
]);

const MEASUREMENT: readonly Binding[] = [
  ['LOINCVersion', 'code.coding:loinc.version', TEXT],
  ['Value', 'valueQuantity.value', DECIMAL],
  ['UnitOfMeasure', 'valueQuantity.code', CODE],
  ['UCUMVersion', 'valueQuantity.ext:script-ucum-version.valueString', TEXT],
  ...dateChoice('ObservationDate', 'effectiveDateTime'),
];

/** Adds an Observation a measurement; returns the references to them. */
export function mapObservation(source: Source | undefined, subject: Subject, bundle: MessageBundle): readonly string[] {
  return (source?.all('Measurement') ?? []).map((measurement, index) => {
    const json: Json = {
      status: 'final',
      category: [
        {
          coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'vital-signs' }],
        },
      ],
      code: codeOf(measurement.take('VitalSign')),
      subject: referenceTo(subject.url),
    };
    bindToFhir(MEASUREMENT, measurement, json, SLICES);
    const unit = textAt(json, 'valueQuantity.code');
    if (unit !== undefined) Object.assign(json['valueQuantity'] as Json, { unit, system: UCUM }); // bound above
    const notes = index === 0 ? source?.take('ObservationNotes') : undefined;
    if (notes !== undefined) json['note'] = [{ text: notes }];
    const sign = textAt(json, 'code.coding[0].code') ?? textAt(json, 'code.text') ?? '';
    const date = textAt(json, 'effectiveDateTime') ?? bundle.messageId;
    return bundle.addByWords(resourceOf('Observation', json), 'Observation', subject.key, sign, date);
  });
}

function codeOf(sign: string | undefined): Json {
  if (sign === undefined) return { text: NOT_NAMED };
  const word = VITAL_SIGNS.get(sign);
  if (word !== undefined) return { coding: [{ system: LOINC, code: word }], text: sign };
  return /^\d{1,7}-\d$/.test(sign) ? { coding: [{ system: LOINC, code: sign }] } : { text: sign };
}

export function observationsToScript(observations: readonly Json[], target: Target): void {
  if (observations.length === 0) return;
  const group = target.child('Observation');
  for (const observation of observations) {
    const measurement = group.add('Measurement');
    const text = textAt(observation, 'code.text');
    const sign =
      text !== undefined && VITAL_SIGNS.has(text) ? text : textAt(observation, 'code.coding:loinc.code', SLICES);
    const name = sign ?? text;
    if (name !== undefined && name !== NOT_NAMED) measurement.put('VitalSign', name);
    bindToScript(MEASUREMENT, observation, measurement, SLICES);
  }
  const notes = textAt(observations[0], 'note[0].text');
  if (notes !== undefined) group.put('ObservationNotes', notes);
}

const NO_KNOWN_ALLERGY = { system: SNOMED, code: '716186003' } as const;

const ALLERGY: readonly Binding[] = [
  ['SourceOfInformation', 'ext:script-source-of-information.valueCode', CODE],
  ...dateChoice('EffectiveDate', 'onsetDateTime'),
  ['AdverseEvent/Text', 'ext:script-adverse-event.valueCodeableConcept.text', TEXT],
  ['AdverseEvent/Code', 'ext:script-adverse-event.valueCodeableConcept.coding[0].code', CODE],
  ['DrugProductCoded/Text', 'code.text', TEXT],
  ['ReactionCoded/Text', 'reaction[0].manifestation[0].text', TEXT],
  ['ReactionCoded/Code', 'reaction[0].manifestation[0].coding[0].code', CODE],
  ['SeverityCoded/Text', 'ext:script-severity.valueCodeableConcept.text', TEXT],
  ['SeverityCoded/Code', 'ext:script-severity.valueCodeableConcept.coding[0].code', CODE],
];

/** Adds the allergies, or that there are none known; returns the references to them. */
export function mapAllergies(source: Source | undefined, subject: Subject, bundle: MessageBundle): readonly string[] {
  const none = source?.peek('NoKnownAllergies') === 'Y' ? [{ code: { coding: [NO_KNOWN_ALLERGY] } }] : [];
  if (none.length > 0) source?.take('NoKnownAllergies');
  const known = (source?.all('Allergies') ?? []).map((allergy) => {
    const json: Json = {};
    bindToFhir(ALLERGY, allergy, json);
    const code = allergy.take('DrugProductCoded/Code');
    const qualifier = code === undefined ? undefined : allergy.take('DrugProductCoded/Qualifier');
    if (code !== undefined) {
      const coding: Json = { system: drugSystem(qualifier ?? 'unknown'), code };
      if (qualifier !== undefined) setAt(coding, 'ext:script-drug-code.valueString', qualifier);
      setAt(json, 'code.coding[0]', coding);
    }
    return json;
  });
  return [...none, ...known].map((json: Json) => {
    const resource = {
      clinicalStatus: {
        coding: [{ system: 'http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical', code: 'active' }],
      },
      ...json,
      patient: referenceTo(subject.url),
    };
    const words = ['code.coding[0].code', 'code.text'].map((path) => textAt(json, path) ?? '');
    return bundle.addByWords(resourceOf('AllergyIntolerance', resource), 'AllergyIntolerance', subject.key, ...words);
  });
}

export function allergiesToScript(allergies: readonly Json[], target: Target): void {
  if (allergies.length === 0) return;
  const group = target.child('AllergyOrAdverseEvent');
  const isNone = (one: Json): boolean => matches(one, { code: { coding: [NO_KNOWN_ALLERGY] } });
  if (allergies.every(isNone)) {
    group.put('NoKnownAllergies', 'Y');
    return;
  }
  for (const allergy of allergies.filter((one) => !isNone(one))) {
    const one = group.add('Allergies');
    bindToScript(ALLERGY, allergy, one);
    const [coding] = objectsAt(allergy, 'code.coding');
    const code = textAt(coding, 'code');
    if (code === undefined) continue;
    one.put('DrugProductCoded/Code', code);
    const qualifier = textAt(coding, 'ext:script-drug-code.valueString');
    if (qualifier !== undefined) one.put('DrugProductCoded/Qualifier', qualifier);
  }
}

const EVALUATION: readonly Binding[] = [
  ['ServiceReasonCode', 'code.coding:reason.code', CODE],
  ['ProfessionalServiceCode', 'mitigation[0].action.coding:service.code', CODE],
  ['ServiceResultCode', 'ext:script-service-result.valueCode', CODE],
  ['ClinicalSignificanceCode', 'ext:script-clinical-significance.valueCode', CODE],
  ['AcknowledgementReason', 'detail', TEXT],
];

/** Adds a DetectedIssue for each; returns the references to them. */
export function mapEvaluations(sources: readonly Source[], subject: Subject, bundle: MessageBundle): readonly string[] {
  return sources.map((source) => {
    const json: Json = { status: 'final', patient: referenceTo(subject.url) };
    bindToFhir(EVALUATION, source, json, SLICES);
    const reason = textAt(json, 'code.coding:reason.code', SLICES) ?? '';
    return bundle.addByWords(resourceOf('DetectedIssue', json), 'DetectedIssue', bundle.messageId, reason);
  });
}

export function evaluationsToScript(issues: readonly Json[], target: Target): void {
  for (const one of issues) bindToScript(EVALUATION, one, target.add('DrugUseEvaluation'), SLICES);
}
