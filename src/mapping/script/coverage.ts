/** BenefitsCoordination: Coverage and the payer's Organization (reference sections 3, 13.5). */

import { namingSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Binding, bindToFhir, bindToScript, within } from './bindings.ts';
import { CODE, codes, NOT_NAMED, TEXT } from './codecs.ts';
import { type MessageBundle, referenceTo, resourceOf } from './context.ts';
import { NAME } from './demographics.ts';
import { getAt, type Json, objectsAt, type Slice, type Slices, setAt, textAt } from './place.ts';
import type { Resolve } from './resolve.ts';
import type { Source } from './source.ts';
import { COVERAGE_CLASS, PAYER_TYPE } from './systems.ts';
import type { Target } from './target.ts';

const classSlice = (code: string): Slice => ({ match: { type: { coding: [{ system: COVERAGE_CLASS, code }] } } });
const payerNumber = (name: string): Slice => ({ match: { system: namingSystemUrl(`script-${name}`) } });

const SLICES: Slices = new Map<string, Slice>([
  ...['rxbin', 'rxpcn', 'rxgroup', 'rxid'].map((code) => [`class:${code}`, classSlice(code)] as const),
  ...['payer', 'naic', 'health-plan', 'payer-mutual'].map((name) => [`identifier:${name}`, payerNumber(name)] as const),
  ['coding:payer-type', { match: { system: PAYER_TYPE } }],
  ['coding:relationship', { match: { system: 'http://terminology.hl7.org/CodeSystem/subscriber-relationship' } }],
]);

const RELATIONSHIP = codes({ 1: 'self', 2: 'spouse', 3: 'child', 4: 'other' });
/** U and PP have no order and stay residue. */
const ORDER = codes({ P: 1, S: 2, T: 3 });
/** `M`: the manufacturer's copay card, which the specification gives a code of ours. */
const TYPE = {
  decode: (text: string) => (text === 'M' ? 'copay-program' : CODE.decode(text)),
  encode: (value: unknown) => (value === 'copay-program' ? 'M' : CODE.encode(value)),
};

const COVERAGE: readonly Binding[] = [
  ['PayerIdentification/IINNumber', 'class:rxbin.value', TEXT],
  ['PayerIdentification/ProcessorIdentificationNumber', 'class:rxpcn.value', TEXT],
  ['CardholderID', 'subscriberId'],
  ['GroupID', 'class:rxgroup.value'],
  ['PayerResponsibilityCode', 'order', ORDER],
  ['PatientRelationship', 'relationship.coding:relationship.code', RELATIONSHIP],
  ['PersonCode', 'dependent'],
  ['PBMMemberID', 'class:rxid.value'],
  ['PayerType', 'type.coding:payer-type.code', TYPE],
];
/** A class needs a value, so that a group's name alone has no place. */
const GROUP_NAME: readonly Binding[] = [['GroupName', 'class:rxgroup.name']];
const PAYER: readonly Binding[] = [
  ['PayerIdentification/PayerID', 'identifier:payer.value'],
  ['PayerIdentification/NAICCode', 'identifier:naic.value'],
  ['PayerIdentification/StandardUniqueHealthPlanIdentifier', 'identifier:health-plan.value'],
  ['PayerIdentification/MutuallyDefined', 'identifier:payer-mutual.value'],
  ['PayerName', 'name'],
];
const HOLDER: readonly Binding[] = within('CardHolderName', 'name[0]', NAME);

/** Adds the coverages; returns the references to them in the order in which they pay. */
export function mapCoverages(
  sources: readonly Source[],
  patient: { readonly url: string; readonly key: string },
  bundle: MessageBundle,
): readonly string[] {
  const orders = sources.map((source) => orderOf(source));
  const isSorted = orders.every((order, index) => index === 0 || order >= (orders[index - 1] ?? 0));
  const made = sources.map((source, index) => ({
    url: mapCoverage(source, patient, bundle, isSorted ? undefined : index + 1),
    order: orders[index] ?? 0,
  }));
  return made.toSorted((one, other) => one.order - other.order).map(({ url }) => url);
}

function mapCoverage(
  source: Source,
  patient: { readonly url: string; readonly key: string },
  bundle: MessageBundle,
  position: number | undefined,
): string {
  const json: Json = { status: 'active', beneficiary: referenceTo(patient.url) };
  bindToFhir(COVERAGE, source, json, SLICES);
  if (textAt(json, 'class:rxgroup.value', SLICES) !== undefined) bindToFhir(GROUP_NAME, source, json, SLICES);
  const holder: Json = { resourceType: 'RelatedPerson', id: 'cardholder', patient: referenceTo(patient.url) };
  bindToFhir(HOLDER, source, holder);
  if (holder['name'] !== undefined) {
    json['contained'] = [holder];
    json['subscriber'] = { reference: '#cardholder' };
  }
  const numbers = ['class:rxbin.value', 'class:rxpcn.value', 'class:rxgroup.value'].map(
    (path) => textAt(json, path, SLICES) ?? '',
  );
  json['payor'] = [mapPayer(source, numbers, bundle)];
  const member = textAt(json, 'subscriberId') ?? textAt(json, 'class:rxid.value', SLICES) ?? '';
  // Where the message does not name them in the order in which they pay, the way back needs its own order.
  if (position !== undefined) setAt(json, 'ext:script-position.valuePositiveInt', position);
  return bundle.addByWords(resourceOf('Coverage', json), 'Coverage', patient.key, member, ...numbers);
}

function orderOf(source: Source): number {
  const order = ORDER.decode(source.peek('PayerResponsibilityCode') ?? '');
  return typeof order === 'number' ? order : Number.MAX_SAFE_INTEGER;
}

function mapPayer(source: Source, numbers: readonly string[], bundle: MessageBundle): Json {
  const payer: Json = {};
  bindToFhir(PAYER, source, payer, SLICES);
  if (Object.keys(payer).length === 0) return { display: NOT_NAMED };
  const words = ['identifier:payer.value', 'identifier:naic.value', 'name'].map(
    (path) => textAt(payer, path, SLICES) ?? '',
  );
  return referenceTo(bundle.addPayer(resourceOf('Organization', payer), ...words, ...numbers));
}

/** In the order of the message they came with, else in that of `insurance`. */
export function coveragesToScript(coverages: readonly Json[], resolve: Resolve, target: Target): void {
  const position = (coverage: Json): number => Number(getAt(coverage, 'ext:script-position.valuePositiveInt') ?? 0);
  for (const coverage of coverages.toSorted((one, other) => position(one) - position(other))) {
    const benefits = target.add('BenefitsCoordination');
    bindToScript(COVERAGE, coverage, benefits, SLICES);
    bindToScript(GROUP_NAME, coverage, benefits, SLICES);
    bindToScript(HOLDER, resolve(getAt(coverage, 'subscriber'), coverage), benefits);
    bindToScript(PAYER, resolve(objectsAt(coverage, 'payor')[0], coverage), benefits, SLICES);
  }
}
