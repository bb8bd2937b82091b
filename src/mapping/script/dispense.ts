/** MedicationDispensed and MedicationDispense (reference sections 5, 13.6). */
import { type Binding, bindToFhir, bindToScript, dateChoice } from './bindings.ts';
import { CODE, DECIMAL, TEXT, WHOLE } from './codecs.ts';
import { drugCodesToScript, mapDrug } from './medication.ts';
import { getAt, isObject, type Json, textAt } from './place.ts';
import type { Source } from './source.ts';
import { NCIT, QUANTITY_UNITS, UCUM } from './systems.ts';
import type { Target } from './target.ts';

const DISPENSE: readonly Binding[] = [
  ['Quantity/Value', 'quantity.value', DECIMAL],
  ['Quantity/CodeListQualifier', 'quantity.ext:script-quantity-qualifier.valueCode', CODE],
  ['Quantity/QuantityUnitOfMeasure/Code', 'quantity.code', CODE],
  ['DaysSupply', 'daysSupply.value', DECIMAL],
  ...dateChoice('LastFillDate', 'whenHandedOver'),
  ...dateChoice('WrittenDate', 'ext:script-written-date.valueDateTime'),
  ['Substitutions', 'ext:script-substitutions.valueCode', CODE],
  ['NumberOfRefills', 'ext:script-refills.valueInteger', WHOLE],
  ['PharmacyRequestedRefills', 'ext:script-requested-refills.valueInteger', WHOLE],
  ['Note', 'note[0].text'],
  ['ManufacturerName', 'ext:script-manufacturer.valueString'],
  ['LotNumber/LotNumber', 'ext:script-lot.sub:number.valueString'],
  ...dateChoice('LotNumber/LotExpiration', 'ext:script-lot.sub:expiration.valueDateTime'),
  ['DrugCoded/Strength/StrengthValue', 'ext:script-strength.sub:value.valueString', TEXT],
  ['DrugCoded/Strength/StrengthForm/Code', 'ext:script-strength.sub:form.valueCode', CODE],
  ['DrugCoded/Strength/StrengthUnitOfMeasure/Code', 'ext:script-strength.sub:unit.valueCode', CODE],
  ['DrugCoded/DEASchedule/Code', 'ext:script-dea-schedule.valueCoding.code', CODE],
];

/** All that fits into the dispense, the drug too. */
export function mapDispense(source: Source, dispense: Json): void {
  bindToFhir(DISPENSE, source, dispense);
  const quantity = getAt(dispense, 'quantity') as Json | undefined; // bound above
  const code = textAt(quantity, 'code');
  if (quantity && code !== undefined) Object.assign(quantity, { unit: QUANTITY_UNITS.get(code) ?? code, system: NCIT });
  const supply = getAt(dispense, 'daysSupply') as Json | undefined; // bound above
  if (supply) Object.assign(supply, { unit: 'day', system: UCUM, code: 'd' });
  const schedule = getAt(dispense, 'ext:script-dea-schedule.valueCoding') as Json | undefined; // bound above
  if (schedule) schedule['system'] = NCIT;
  dispense['medicationCodeableConcept'] = mapDrug(source);
}

export function dispenseToScript(dispense: Json, drug: unknown, target: Target): void {
  drugCodesToScript(drug, target);
  const { quantity } = dispense;
  const known = isObject(quantity) && quantity['system'] !== NCIT ? { ...quantity, code: undefined } : quantity;
  bindToScript(DISPENSE, { ...dispense, quantity: known }, target);
}
