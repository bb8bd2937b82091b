/** CompoundInformation and Medication with ingredients (reference sections 3, 13.4). */
import { type Binding, bindToFhir, bindToScript } from './bindings.ts';
import { CODE, DECIMAL, NOT_NAMED, TEXT } from './codecs.ts';
import { drugCoding, ncitCode } from './medication.ts';
import { getAt, isObject, type Json, objectsAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { NCIT, QUANTITY_UNITS } from './systems.ts';
import type { Target } from './target.ts';

const FORM: readonly Binding[] = [['FinalCompoundPharmaceuticalDosageForm', 'form.coding[0].code', CODE]];

const INGREDIENT: readonly Binding[] = [
  ['CompoundIngredient/CompoundIngredientItemDescription', 'itemCodeableConcept.text', TEXT],
  ['Quantity/Value', 'strength.numerator.value', DECIMAL],
  ['Quantity/CodeListQualifier', 'strength.numerator.ext:script-quantity-qualifier.valueCode', CODE],
  ['Quantity/QuantityUnitOfMeasure/Code', 'strength.numerator.code', CODE],
];

/** A contained Medication: each ingredient's strength is its amount in the whole quantity. */
export function mapCompound(source: Source, drug: Json, quantity: unknown): Json {
  const medication: Json = { resourceType: 'Medication', id: 'compound', code: drug };
  bindToFhir(FORM, source, medication);
  const form = getAt(medication, 'form.coding[0]') as Json | undefined; // bound above
  if (form) form['system'] = NCIT;
  const ingredient = source.all('CompoundIngredientsLotNotUsed').map((one) => mapIngredient(one, quantity));
  if (ingredient.length > 0) medication['ingredient'] = ingredient;
  return medication;
}

function mapIngredient(source: Source, whole: unknown): Json {
  const json: Json = {};
  bindToFhir(INGREDIENT, source, json);
  const item = source.find('CompoundIngredient/ItemNumber');
  const code = item?.take('Code');
  const concept = (json['itemCodeableConcept'] ?? {}) as Json; // bound above
  if (code !== undefined) concept['coding'] = [drugCoding('ItemNumber', code, item?.take('Qualifier'))];
  if (Object.keys(concept).length === 0) concept['text'] = NOT_NAMED;
  json['itemCodeableConcept'] = concept;
  const numerator = getAt(json, 'strength.numerator') as Json | undefined; // bound above
  const unit = textAt(numerator, 'code');
  if (numerator && unit !== undefined)
    Object.assign(numerator, { unit: QUANTITY_UNITS.get(unit) ?? unit, system: NCIT });
  if (numerator) (json['strength'] as Json)['denominator'] = amountOf(whole);
  return json;
}

/** The prescribed quantity without what is said of it in SCRIPT; 1 where it is not known. */
function amountOf(whole: unknown): Json {
  if (getAt(whole, 'value') === undefined) return { value: 1 };
  const { extension: _, ...amount } = whole as Json; // it has a value: an object
  return amount;
}

export function compoundToScript(medication: unknown, target: Target): void {
  const ingredients = objectsAt(medication, 'ingredient');
  if (ingredients.length === 0) return;
  const compound = target.child('CompoundInformation');
  bindToScript(FORM, medication, compound);
  for (const ingredient of ingredients) {
    const one = compound.add('CompoundIngredientsLotNotUsed');
    const numerator = getAt(ingredient, 'strength.numerator');
    const strength = isObject(numerator) ? { numerator: { ...numerator, code: ncitCode(numerator) } } : undefined;
    bindToScript(INGREDIENT, { ...ingredient, strength }, one);
    if (one.has('Quantity') && !one.has('Quantity/CodeListQualifier')) one.put('Quantity/CodeListQualifier', '38');
    const [coding] = objectsAt(ingredient, 'itemCodeableConcept.coding');
    const code = textAt(coding, 'code');
    if (code === undefined) continue;
    const qualifier = textAt(coding, 'ext:script-drug-code.valueString')?.replace('ItemNumber/', '');
    one.put('CompoundIngredient/ItemNumber/Code', code);
    if (qualifier !== undefined && qualifier !== 'unknown')
      one.put('CompoundIngredient/ItemNumber/Qualifier', qualifier);
  }
}
