/** Items of a request or of a prescription: from what was sent to what the rules judge, and to FHIR. MISSION M9 */
import type { Resource } from '../../ports/resource-store.ts';
import { FhirError, type Issue } from '../../standards/fhir/outcome.ts';
import type { Catalogue } from './catalogue/catalogue.ts';
import { type CatalogueEntry, hasStrength, strengthIn } from './catalogue/entry.ts';
import { type Node, textIn } from './chart.ts';
import { readDosing, unitsPerDay } from './dosing.ts';
import { limitsOf, supplyDays } from './limits.ts';
import type { RuleItem } from './rules.ts';
import { BNF, CATALOGUE, DMD, NDC, PRESCRIBING_RULE, REQUEST_REFERENCE, RXNORM } from './systems.ts';

/** Whatever of it is said, as it was written. */
export interface Item {
  readonly entry?: CatalogueEntry;
  readonly name: string;
  readonly dose?: string;
  readonly route?: string;
  readonly frequency?: string;
  readonly duration?: string;
  readonly instructions?: string;
  readonly quantity: number;
  readonly quantityUnit?: string;
  readonly repeats: number;
  readonly isAcute: boolean;
}

/** The texts of the dose in one, as a label has them: what to take first, then how often. */
export function instructionsText({ dose, route, frequency, duration, instructions }: Item): string {
  const often = [route, frequency, duration && `for ${duration.replace(/^for /i, '')}`];
  const parts = dose === undefined ? [instructions, ...often] : [dose, ...often, instructions];
  return parts.filter((part) => part !== undefined && part !== '').join(', ');
}

export const toRuleItem = (item: Item): RuleItem => ({
  ...(item.entry && { entry: item.entry }),
  name: item.name,
  quantity: item.quantity,
  instructions: instructionsText(item),
  repeats: item.repeats,
});

const DAY_MS = 24 * 60 * 60_000;

/** A problem of the rules: 422, with the rule's code and the place in the request. */
export const rulesBroken = (
  found: readonly { readonly code: string; readonly message: string; readonly at?: string }[],
): FhirError =>
  new FhirError(
    422,
    found.map(({ code, message, at }): Issue => ruleIssue(code, message, at)),
  );

export const ruleIssue = (code: string, diagnostics: string, at?: string): Issue => ({
  severity: 'error',
  code: 'business-rule',
  diagnostics,
  details: { coding: [{ system: PRESCRIBING_RULE, code }] },
  ...(at !== undefined && { expression: [at] }),
});

/** Items as the request of seed 000, its approval, and seed 001 send them. Throws 422 for an id that is not in the catalogue. */
export function readItems(items: readonly Node[], catalogue: Catalogue): readonly Item[] {
  const faults: Issue[] = [];
  const read = items.map((item, i): Item => {
    const id = textIn(item['medication_id'] ?? item['medicationId']);
    const entry = id === undefined ? undefined : catalogue.find(id);
    if (id !== undefined && !entry)
      faults.push(
        ruleIssue('RX-UNKNOWN-MEDICINE', 'No medicine of the catalogue has this id', `items[${i}].medication_id`),
      );
    const given = textIn(item['medication_name']);
    if (id === undefined && given === undefined)
      faults.push(
        ruleIssue('RX-UNKNOWN-MEDICINE', 'Name the medicine: medication_id or medication_name', `items[${i}]`),
      );
    const parts = [given, textIn(item['strength']), textIn(item['form'])].filter((part) => part !== undefined);
    const name =
      given === undefined
        ? (entry?.name ?? '')
        : parts.filter((part, at) => at === 0 || !given.toLowerCase().includes(part.toLowerCase())).join(' ');
    const found = entry ?? (name === '' ? undefined : catalogue.match({ codes: [], text: name }));
    const quantity = readQuantity(item['quantity']);
    if (quantity === undefined)
      faults.push(ruleIssue('RX-QUANTITY', 'quantity begins with a number above 0', `items[${i}].quantity`));
    return {
      ...(found && isNamed(found, name) && { entry: found }),
      name: entry?.name ?? name,
      ...texts(item, { dose: 'dose', route: 'route', frequency: 'frequency', duration: 'duration' }),
      ...texts(item, {
        instructions: item['dosage_instructions'] === undefined ? 'instructions' : 'dosage_instructions',
      }),
      quantity: quantity?.value ?? 0,
      ...(quantity?.unit !== undefined && { quantityUnit: quantity.unit }),
      repeats: Number(item['repeats'] ?? item['refills_allowed'] ?? 0),
      isAcute: item['is_acute'] === true,
    };
  });
  if (faults.length > 0) throw new FhirError(422, faults);
  return read;
}

/** A medicine found by its only substance stands for the name, unless both say a strength and not the same. */
function isNamed(entry: CatalogueEntry, name: string): boolean {
  const said = strengthIn(name);
  return said === undefined || entry.strength === '' || hasStrength(entry, said);
}

const texts = (item: Node, names: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(names).flatMap(([own, name]) => {
      const text = textIn(item[name])?.trim();
      return text === undefined || text === '' ? [] : [[own, text]];
    }),
  );

/** `28`, or `30 capsules`. */
function readQuantity(value: unknown): { readonly value: number; readonly unit?: string } | undefined {
  const [, number, unit] = /^\s*(\d{1,6}(?:\.\d{1,3})?)\s*(\D.{0,49})?$/.exec(String(value)) ?? [];
  if (number === undefined || Number(number) <= 0) return undefined;
  return { value: Number(number), ...(unit && { unit: unit.trim() }) };
}

const CODE_SYSTEMS = { dmd: DMD, bnf: BNF, rxnorm: RXNORM, ndc: NDC } as const;

/** Codes first, then the catalogue's own; the text as it was written. */
export function conceptOf({ entry, name }: Item): object {
  const codes = entry ? (Object.entries(entry.codes) as [keyof typeof CODE_SYSTEMS, string][]) : []; // its only members
  const coding = [
    ...codes.map(([system, code]) => ({ system: CODE_SYSTEMS[system], code, display: entry?.name })),
    ...(entry ? [{ system: CATALOGUE, code: entry.id, display: entry.name }] : []),
  ];
  return { ...(coding.length > 0 && { coding }), text: name };
}

export interface ItemResource {
  readonly id: string;
  readonly item: Item;
  readonly intent: 'proposal' | 'order';
  readonly patientId: string;
  readonly reference: string;
  /** ms UTC */
  readonly at: number;
  /** `Practitioner/1` */
  readonly requester: string;
  readonly pharmacyId?: string;
  readonly encounterId?: string;
  /** Of a proposal. */
  readonly basedOn?: string;
  readonly note?: string;
}

/** The MedicationRequest of an item. The texts are kept as written beside what could be read of them. */
export function medicationRequestOf(of: ItemResource): Resource {
  const { item, intent, at } = of;
  const isOrder = intent === 'order';
  const { validDays } = limitsOf(item.entry);
  const text = instructionsText(item);
  const dosing = readDosing(text, item.entry?.strength);
  const days = supplyDays(toRuleItem(item));
  const repeat = repeatOf(unitsPerDay(dosing) === undefined ? undefined : dosing.timesPerDay);
  return {
    resourceType: 'MedicationRequest',
    id: of.id,
    identifier: [{ system: REQUEST_REFERENCE, value: of.reference }],
    ...(of.basedOn !== undefined && { basedOn: [{ reference: `MedicationRequest/${of.basedOn}` }] }),
    groupIdentifier: { system: REQUEST_REFERENCE, value: of.reference },
    status: 'active',
    intent,
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/medicationrequest-category', code: 'community' }] },
    ],
    medicationCodeableConcept: conceptOf(item),
    subject: { reference: `Patient/${of.patientId}` },
    ...(of.encounterId !== undefined && { encounter: { reference: `Encounter/${of.encounterId}` } }),
    authoredOn: new Date(at).toISOString(),
    requester: { reference: of.requester },
    courseOfTherapyType: {
      coding: [
        {
          system: 'http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy',
          code: item.isAcute || item.repeats === 0 ? 'acute' : 'continuous',
        },
      ],
    },
    ...(of.note !== undefined && { note: [{ text: of.note }] }),
    dosageInstruction: [
      {
        ...(text !== '' && { text }),
        ...(item.instructions !== undefined && item.dose !== undefined && { patientInstruction: item.instructions }),
        ...(repeat && { timing: { repeat } }),
        ...(item.route !== undefined && { route: { text: item.route } }),
        ...(item.dose !== undefined && {
          doseAndRate: [{ type: { text: item.dose }, ...doseQuantity(dosing.unitsPerDose, item) }],
        }),
      },
    ],
    dispenseRequest: {
      ...(isOrder && { validityPeriod: { start: dayOf(at), end: dayOf(at + validDays * DAY_MS) } }),
      numberOfRepeatsAllowed: item.repeats,
      quantity: { value: item.quantity, ...(item.quantityUnit !== undefined && { unit: item.quantityUnit }) },
      ...(days !== undefined &&
        days > 0 && {
          expectedSupplyDuration: { value: days, unit: 'day', system: 'http://unitsofmeasure.org', code: 'd' },
        }),
      ...(of.pharmacyId !== undefined && { performer: { reference: `Organization/${of.pharmacyId}` } }),
    },
  };
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10);

const doseQuantity = (units: number | undefined, { entry }: Item): object =>
  units === undefined ? {} : { doseQuantity: { value: units, unit: entry?.form ?? 'unit' } };

/** Whole numbers only: what is neither is told by the text. */
function repeatOf(timesPerDay: number | undefined): object | undefined {
  if (timesPerDay === undefined) return undefined;
  if (Number.isInteger(timesPerDay)) return { frequency: timesPerDay, period: 1, periodUnit: 'd' };
  const days = 1 / timesPerDay;
  return Number.isInteger(Math.round(days * 1000) / 1000)
    ? { frequency: 1, period: Math.round(days), periodUnit: 'd' }
    : undefined;
}
