/** What prescribing reads of a patient's record, in the words of the rules. */
import type { Resource } from '../../ports/resource-store.ts';
import { nominatedPharmacyOf } from '../dispensing/nomination.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import type { CatalogueEntry } from './catalogue/entry.ts';
import { supplyDays } from './limits.ts';
import type { Allergy, CurrentMedicine } from './rules.ts';
import { CATALOGUE, NHS_NUMBER } from './systems.ts';

export type Node = Readonly<Record<string, unknown>>;
export const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated where it was stored
export const nodeOf = (value: unknown): Node => (typeof value === 'object' && value !== null ? (value as Node) : {});
export const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
export const numberIn = (value: unknown): number | undefined =>
  value === undefined || value === null || Number.isNaN(Number(String(value))) ? undefined : Number(String(value));
export const idIn = (reference: unknown, type: string): string | undefined => {
  const text = textIn(nodeOf(reference)['reference']) ?? '';
  return text.startsWith(`${type}/`) ? text.slice(type.length + 1) : undefined;
};
export const identifierIn = (resource: Node, system: string): string | undefined =>
  textIn(listOf(resource['identifier']).find((one) => one['system'] === system)?.['value']);

/** `Dr Imogen Fairweather`; empty where there is no name. */
export function nameOf(resource: Node): string {
  const names = Array.isArray(resource['name']) ? listOf(resource['name']) : [];
  const name = names.find(({ use }) => use === 'official') ?? names.find(({ use }) => use !== 'old') ?? names[0] ?? {};
  const parts = [...wordsIn(name['prefix']), ...wordsIn(name['given']), textIn(name['family'])];
  return textIn(name['text']) ?? parts.filter((part) => part !== undefined).join(' ');
}
const wordsIn = (value: unknown): readonly string[] => (Array.isArray(value) ? (value as string[]) : []);

/** The number by which the patient is known: that of `system` (HPN), else the NHS number. */
export const healthNumberOf = (patient: Node, system: string): string =>
  identifierIn(patient, system) ?? identifierIn(patient, NHS_NUMBER) ?? '';

/** Whole years; undefined where the record has no whole birth date. */
export function ageOf(patient: Node, now: number): number | undefined {
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(textIn(patient['birthDate']) ?? '') ?? [];
  if (year === undefined) return undefined;
  const today = new Date(now);
  const isBefore =
    today.getUTCMonth() + 1 < Number(month) ||
    (today.getUTCMonth() + 1 === Number(month) && today.getUTCDate() < Number(day));
  return today.getUTCFullYear() - Number(year) - (isBefore ? 1 : 0);
}

/** Who looks after the patient: the practice, else the person. */
export function practiceOf(patient: Node): string | undefined {
  const references = [...listOf(patient['generalPractitioner']), nodeOf(patient['managingOrganization'])].flatMap(
    (one) => textIn(one['reference']) ?? [],
  );
  return (
    references.find((one) => one.startsWith('Organization/')) ??
    references.find((one) => /^Practitioner(?:Role)?\//.test(one))
  );
}

export const nominatedOf = (patient: Node): string | undefined => nominatedPharmacyOf(patient)?.pharmacyId;

/** Those that are not refuted, entered in error, or over. */
export function allergiesOf(resources: readonly Node[]): readonly Allergy[] {
  const codeIn = (one: Node, name: string): string => textIn(listOf(nodeOf(one[name])['coding'])[0]?.['code']) ?? '';
  return resources
    .filter((one) => !['refuted', 'entered-in-error'].includes(codeIn(one, 'verificationStatus')))
    .filter((one) => !['inactive', 'resolved'].includes(codeIn(one, 'clinicalStatus')))
    .flatMap((one) => {
      const substances = [
        nodeOf(one['code']),
        ...listOf(one['reaction']).map((reaction) => nodeOf(reaction['substance'])),
      ];
      const texts = substances.flatMap(
        (code) => textIn(code['text']) ?? textIn(listOf(code['coding'])[0]?.['display']) ?? [],
      );
      return [...new Set(texts.map((text) => text.toLowerCase().trim()))].map((substance) => ({ substance }));
    });
}

/** The medicine that a resource names: its text, and the catalogue's entry where it is known. */
export function medicineOf(
  resource: Node,
  catalogue: Catalogue,
): { readonly name: string; readonly entry?: CatalogueEntry } {
  const concept = nodeOf(resource['medicationCodeableConcept']);
  const codings = listOf(concept['coding']);
  const own = textIn(codings.find(({ system }) => system === CATALOGUE)?.['code']);
  const name =
    textIn(concept['text']) ??
    codings.flatMap(({ display }) => textIn(display) ?? [])[0] ??
    textIn(nodeOf(resource['medicationReference'])['display']) ??
    '';
  const entry =
    (own === undefined ? undefined : catalogue.find(own)) ??
    catalogue.match({ codes: codings, ...(name !== '' && { text: name }) });
  return { name: name === '' ? (entry?.name ?? '') : name, ...(entry && { entry }) };
}

export const instructionsOf = (resource: Node): string =>
  listOf(resource['dosageInstruction'])
    .flatMap((one) => [textIn(one['text']), textIn(one['patientInstruction'])])
    .filter((text) => text !== undefined)
    .join('; ');

export const quantityOf = (resource: Node): number | undefined =>
  numberIn(nodeOf(nodeOf(resource['dispenseRequest'])['quantity'])['value']);

/** What an order is as a medicine that the patient has. */
export function currentMedicine(order: Node, catalogue: Catalogue): CurrentMedicine {
  const { name, entry } = medicineOf(order, catalogue);
  const dispense = nodeOf(order['dispenseRequest']);
  const said = nodeOf(dispense['expectedSupplyDuration']);
  const days = said['code'] === 'd' || said['unit'] === 'day' ? numberIn(said['value']) : undefined;
  const suppliedDays =
    days ??
    supplyDays({ ...(entry && { entry }), quantity: quantityOf(order) ?? 0, instructions: instructionsOf(order) });
  return {
    name,
    ...(entry && { entry }),
    ...(suppliedDays !== undefined && suppliedDays > 0 && { suppliedDays }),
    authoredAt: Date.parse(textIn(order['authoredOn']) ?? '') || 0,
  };
}

/** Orders that stand: not plans, not over. */
export const isOrder = (resource: Node): boolean =>
  resource['intent'] !== 'proposal' && resource['intent'] !== 'plan' && resource['intent'] !== 'option';

export const withoutUndefined = (resource: Record<string, unknown>): Resource =>
  Object.fromEntries(Object.entries(resource).filter(([, value]) => value !== undefined)) as Resource; // has a resourceType
