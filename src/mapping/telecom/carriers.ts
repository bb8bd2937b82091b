/**
 * How fields without an element of their own travel in FHIR, so that nothing is lost: in a Claim as supporting
 * information under the field's own number, with a value of its kind; elsewhere, and for what the standard does not
 * know, in extensions.
 */
import { extensionUrl } from '../../standards/fhir/canonical.ts';
import { fieldName, findSegmentModel } from '../../standards/telecom/model.ts';
import type { FieldModel } from '../../standards/telecom/notation.ts';
import { isObject, type Json, objectsAt, textAt } from '../script/place.ts';
import type { Leaf } from './paths.ts';
import { CLAIM_INFORMATION, CURRENCY, TELECOM_FIELD } from './systems.ts';
import { DECIMAL, TEXT } from './values.ts';

const FIELD_EXTENSION = extensionUrl('telecom-field');
const ROW_EXTENSION = extensionUrl('telecom-place');

/** What a field is about, by its segment; single ones say it better. */
const CATEGORIES: ReadonlyMap<string, string> = new Map([
  ['H', 'submission'],
  ['01', 'patient'],
  ['02', 'pharmacist'],
  ['03', 'prescriber'],
  ['04', 'insurance'],
  ['05', 'other-payer'],
  ['05/DV', 'other-payer-paid'],
  ['05/HC', 'other-payer-paid'],
  ['05/NP', 'other-payer-patient-responsibility'],
  ['05/NQ', 'other-payer-patient-responsibility'],
  ['05/6E', 'other-payer-reject'],
  ['06', 'workers-compensation'],
  ['07', 'claim'],
  ['08', 'drug-use-review'],
  ['09', 'coupon'],
  ['10', 'compound'],
  ['11', 'pricing'],
  ['12', 'prior-authorization'],
  ['13', 'clinical'],
  ['14', 'documentation'],
  ['15', 'facility'],
  ['16', 'narrative'],
]);

const coding = (system: string, code: string, display?: string): Json => ({
  coding: [{ system, code, ...(display !== undefined && { display }) }],
});

const isAmount = ({ format }: FieldModel): boolean => format.kind === 'signed' && format.decimals === 2;

/** `07/D3` as supporting information; undefined for what only an extension can hold. */
export function supportingInfo({ path, text, model }: Leaf, sequence: number): Json | undefined {
  if (!model) return undefined;
  const segment = path.slice(0, path.indexOf('/'));
  const category = CATEGORIES.get(`${segment}/${model.id}`) ?? CATEGORIES.get(segment);
  if (category === undefined) return undefined;
  return {
    // The place says in which row it stands, and tells fields of one name in two segments apart.
    extension: [{ url: ROW_EXTENSION, valueString: path }],
    sequence,
    category: coding(CLAIM_INFORMATION, category),
    code: coding(TELECOM_FIELD, fieldName(model), model.name),
    ...elementOf(model, text),
  };
}

function elementOf(model: FieldModel, text: string): Json {
  switch (model.format.kind) {
    case 'date':
      return { timingDate: text };
    case 'signed':
    case 'decimal': {
      const value = DECIMAL.decode(text);
      return { valueQuantity: isAmount(model) ? { value, unit: 'USD', system: CURRENCY, code: 'USD' } : { value } };
    }
    default:
      return { valueString: text };
  }
}

/** Places and texts of a Claim's supporting information; entries that are not ours are left out. */
export function fromSupportingInfo(claim: Json): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const info of objectsAt(claim, 'supportingInfo')) {
    const path = textAt(info, 'ext:telecom-place.valueString') ?? placeOf(info);
    const quantity = isObject(info['valueQuantity']) ? info['valueQuantity']['value'] : undefined;
    const text = TEXT.encode(info['valueString']) ?? TEXT.encode(info['timingDate']) ?? DECIMAL.encode(quantity);
    if (path !== undefined && text !== undefined) values.set(path, text);
  }
  return values;
}

/** Of an entry that a client wrote: the field's number is enough where it stands in no row. */
function placeOf(info: Json): string | undefined {
  const code = objectsAt(info, 'code.coding').find(({ system }) => system === TELECOM_FIELD)?.['code'];
  if (typeof code !== 'string') return undefined;
  const id = code.split('-').at(-1) ?? '';
  for (const segment of ['07', '11', '04', '01'])
    if (findSegmentModel(segment)?.rowsOf.get(id)?.length === 0) return `${segment}/${id}`;
  return undefined;
}

/** What FHIR has no element for, place by place. Characters FHIR texts cannot have are written `%1C`. */
export function fieldExtensions(leaves: readonly Pick<Leaf, 'path' | 'text'>[]): readonly Json[] {
  return leaves.map(({ path, text }) => ({
    url: FIELD_EXTENSION,
    extension: [
      { url: 'place', valueString: encodeText(path) },
      { url: 'value', valueString: encodeText(text) },
    ],
  }));
}

export function fromFieldExtensions(resource: Json | undefined): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const extension of objectsAt(resource, 'extension')) {
    if (extension['url'] !== FIELD_EXTENSION) continue;
    const [path, text] = ['place', 'value'].map((name) => textAt(extension, `sub:${name}.valueString`));
    if (path !== undefined && text !== undefined) values.set(decodeText(path), decodeText(text));
  }
  return values;
}

/** An empty text, or one with spaces at its ends, is none in FHIR. */
const encodeText = (text: string): string =>
  `${text.replaceAll(/[^!-$&-~]/g, (c) => (c === ' ' ? ' ' : `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`))}`
    .replaceAll(/^ | $/g, '%20')
    .replace(/^$/, '%');
const decodeText = (text: string): string =>
  text === '%'
    ? ''
    : text.replaceAll(/%([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
