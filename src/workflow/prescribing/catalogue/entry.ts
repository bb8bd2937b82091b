/**
 * A medicine of the catalogue, and the MedicationKnowledge that holds it. https://hl7.org/fhir/R4/medicationknowledge.html
 * What R4 has an element for stands there; the rest in extensions of ours. MISSION M9
 */
import { createHash } from 'node:crypto';
import type { Resource } from '../../../ports/resource-store.ts';
import { extensionUrl } from '../../../standards/fhir/canonical.ts';
import { BNF, DMD, MEDICINE_CLASS, NAFDAC_SCHEDULE, NDC, RXNORM, UK_SCHEDULE, US_SCHEDULE } from '../systems.ts';

export type Severity = 'low' | 'moderate' | 'high';

/** With a substance (`warfarin`), or with a class of them (`class:nsaids`). */
export interface Interaction {
  readonly with: string;
  readonly severity: Severity;
  readonly advice: string;
}

/** Of one currency, ISO 4217. */
export interface Money {
  readonly amount: number;
  readonly currency: string;
}

export interface CatalogueEntry {
  /** Of the MedicationKnowledge. */
  readonly id: string;
  /** Whole: `Amoxicillin 500mg capsules`; unique, however it is spelt. */
  readonly name: string;
  readonly form: string;
  readonly strength: string;
  /** In lower case. */
  readonly substances: readonly string[];
  readonly codes: Readonly<Partial<Record<CodeName, string>>>;
  /** `1` to `5`, `2` to `5`, `1` to `5`; absent where it is not controlled. */
  readonly ukSchedule?: string;
  readonly usSchedule?: string;
  readonly nafdacSchedule?: string;
  /** Units of one prescription. */
  readonly maxQuantity?: number;
  /** Units a day. */
  readonly maxDaily?: number;
  /** Years. */
  readonly minAge?: number;
  readonly riskLevel?: string;
  /** Of a pack or course; several where the resource says several. */
  readonly costs?: readonly Money[];
  /** Of allergies and interactions: `penicillins`. */
  readonly classes: readonly string[];
  readonly requiresApproval: boolean;
  readonly isActive: boolean;
  readonly interactions: readonly Interaction[];
}

export type CodeName = 'dmd' | 'bnf' | 'rxnorm' | 'ndc';

const CODE_SYSTEMS: readonly (readonly [CodeName, string])[] = [
  ['dmd', DMD],
  ['bnf', BNF],
  ['rxnorm', RXNORM],
  ['ndc', NDC],
];
const SCHEDULES = [
  ['ukSchedule', UK_SCHEDULE, 'Misuse of Drugs Regulations'],
  ['usSchedule', US_SCHEDULE, 'Controlled Substances Act'],
  ['nafdacSchedule', NAFDAC_SCHEDULE, 'NAFDAC'],
] as const;
const EXTENSION = {
  strength: extensionUrl('medicine-strength'),
  maxDaily: extensionUrl('medicine-daily-maximum'),
  requiresApproval: extensionUrl('medicine-requires-approval'),
  interaction: extensionUrl('medicine-interaction'),
};

/** The same for the same name, however it is spelt: so a name is in the catalogue once. */
export const catalogueId = (name: string): string =>
  `med-${createHash('sha256').update(normalName(name)).digest('hex').slice(0, 24)}`;

export const normalName = (name: string): string => name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim();

/** The first strength that a name says, such as `500mg`; undefined where it says none. */
export const strengthIn = (name: string): string | undefined =>
  /\d+(?:\.\d+)?\s*(?:micrograms|mg|g|ml|%)/i.exec(name)?.[0].replaceAll(/\s/g, '').toLowerCase();

/** Whether that is a strength of the medicine, or part of one: `5mg` of `5mg/5ml`, not of `25mg`. */
export function hasStrength({ strength }: CatalogueEntry, said: string): boolean {
  const own = strength.replaceAll(/\s/g, '').toLowerCase();
  for (let at = own.indexOf(said); at >= 0; at = own.indexOf(said, at + 1))
    if (!/[\d.]/.test(own[at - 1] ?? '') && !/[a-z]/.test(own[at + said.length] ?? '')) return true;
  return false;
}

/** Schedule 2 or 3 anywhere: whoever collects it shows who they are, and it is entered in the register. */
export const isControlled = ({ ukSchedule, nafdacSchedule, usSchedule }: CatalogueEntry): boolean =>
  [ukSchedule, nafdacSchedule].some((one) => one === '1' || one === '2' || one === '3') ||
  (ukSchedule === undefined && nafdacSchedule === undefined && (usSchedule === '2' || usSchedule === '3'));

/** On any schedule at all. */
export const isScheduled = ({ ukSchedule, usSchedule, nafdacSchedule }: CatalogueEntry): boolean =>
  ukSchedule !== undefined || usSchedule !== undefined || nafdacSchedule !== undefined;

export const isHighRisk = ({ riskLevel }: CatalogueEntry): boolean =>
  riskLevel === 'High' || riskLevel === 'Moderate-High';

/** Whether it costs so much or more. Costs of other currencies are not looked at, and what has no cost is of no high value. */
export const isHighValue = ({ costs = [] }: CatalogueEntry, from: Money | undefined): boolean =>
  from !== undefined && costs.some(({ amount, currency }) => currency === from.currency && amount >= from.amount);

export function toMedicationKnowledge(entry: CatalogueEntry): Resource {
  const codings = CODE_SYSTEMS.flatMap(([name, system]) => {
    const code = entry.codes[name];
    return code === undefined ? [] : [{ system, code, display: entry.name }];
  });
  const schedules = SCHEDULES.flatMap(([name, system, authority]) => {
    const code = entry[name];
    return code === undefined
      ? []
      : [{ regulatoryAuthority: { display: authority }, schedule: [{ schedule: { coding: [{ system, code }] } }] }];
  });
  const maximum =
    entry.maxQuantity === undefined
      ? []
      : [
          {
            regulatoryAuthority: { display: 'Maximum of one prescription' },
            maxDispense: { quantity: { value: entry.maxQuantity } },
          },
        ];
  const regulatory = [...schedules, ...maximum];
  const classification = (type: string, values: readonly string[]): object[] =>
    values.length === 0
      ? []
      : [
          {
            type: { coding: [{ system: MEDICINE_CLASS, code: type }] },
            classification: values.map((text) => ({ text })),
          },
        ];
  const classes = [
    ...classification('class', entry.classes),
    ...classification('risk-level', entry.riskLevel === undefined ? [] : [entry.riskLevel]),
  ];
  return {
    resourceType: 'MedicationKnowledge',
    id: entry.id,
    extension: [
      ...(entry.strength === '' ? [] : [{ url: EXTENSION.strength, valueString: entry.strength }]),
      ...(entry.maxDaily === undefined ? [] : [{ url: EXTENSION.maxDaily, valueDecimal: entry.maxDaily }]),
      { url: EXTENSION.requiresApproval, valueBoolean: entry.requiresApproval },
      ...entry.interactions.map((one) => ({
        url: EXTENSION.interaction,
        extension: [
          { url: 'with', valueString: one.with },
          { url: 'severity', valueCode: one.severity },
          { url: 'advice', valueString: one.advice },
        ],
      })),
    ],
    code: { ...(codings.length > 0 && { coding: codings }), text: entry.name },
    status: entry.isActive ? 'active' : 'inactive',
    ...(entry.form !== '' && { doseForm: { text: entry.form } }),
    ...(entry.substances.length > 0 && {
      ingredient: entry.substances.map((text) => ({ itemCodeableConcept: { text }, isActive: true })),
    }),
    ...(entry.minAge !== undefined && {
      administrationGuidelines: [
        {
          patientCharacteristics: [
            {
              characteristicQuantity: {
                value: entry.minAge,
                comparator: '>=',
                unit: 'years',
                system: 'http://unitsofmeasure.org',
                code: 'a',
              },
            },
          ],
        },
      ],
    }),
    ...(entry.costs !== undefined && {
      cost: entry.costs.map(({ amount, currency }) => ({
        type: { text: 'Pack or course' },
        cost: { value: amount, currency },
      })),
    }),
    ...(classes.length > 0 && { medicineClassification: classes }),
    ...(regulatory.length > 0 && { regulatory }),
  };
}

type Node = Readonly<Record<string, unknown>>;
const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated
const nodeOf = (value: unknown): Node => (typeof value === 'object' && value !== null ? (value as Node) : {});
const textIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
const numberIn = (value: unknown): number | undefined => {
  const number = Number(value === undefined ? Number.NaN : String(value));
  return Number.isNaN(number) ? undefined : number;
};

/** What the catalogue holds of a MedicationKnowledge, whoever stored it; undefined where it has no name. */
export function readMedicationKnowledge(resource: Node): CatalogueEntry | undefined {
  const code = nodeOf(resource['code']);
  const codings = listOf(code['coding']);
  const name = textIn(code['text']) ?? textIn(codings[0]?.['display']);
  const id = textIn(resource['id']);
  if (name === undefined || id === undefined) return undefined;
  const extensions = listOf(resource['extension']);
  const extension = (url: string): Node | undefined => extensions.find((one) => one['url'] === url);
  const codes = CODE_SYSTEMS.flatMap(([key, system]) => {
    const found = textIn(codings.find((one) => one['system'] === system)?.['code']);
    return found === undefined ? [] : [[key, found] as const];
  });
  const regulatory = listOf(resource['regulatory']);
  const schedules = SCHEDULES.flatMap(([key, system]) => {
    const scheduled = regulatory
      .flatMap((one) => listOf(one['schedule']))
      .flatMap((one) => listOf(nodeOf(one['schedule'])['coding']));
    const found = textIn(scheduled.find((one) => one['system'] === system)?.['code']);
    return found === undefined ? [] : [[key, found] as const];
  });
  const classified = (type: string): string[] =>
    listOf(resource['medicineClassification'])
      .filter((one) => listOf(nodeOf(one['type'])['coding']).some((coding) => coding['code'] === type))
      .flatMap((one) => listOf(one['classification']))
      .flatMap((one) => textIn(one['text']) ?? []);
  const age = listOf(resource['administrationGuidelines'])
    .flatMap((one) => listOf(one['patientCharacteristics']))
    .map((one) => nodeOf(one['characteristicQuantity']))
    .find((quantity) => quantity['comparator'] === '>=' && quantity['code'] === 'a');
  const costs = listOf(resource['cost']).flatMap((one): Money[] => {
    const { value, currency } = nodeOf(one['cost']);
    const amount = numberIn(value);
    return amount === undefined || typeof currency !== 'string' ? [] : [{ amount, currency }];
  });
  const optional = {
    maxQuantity: numberIn(
      regulatory
        .map((one) => nodeOf(nodeOf(one['maxDispense'])['quantity'])['value'])
        .find((value) => value !== undefined),
    ),
    maxDaily: numberIn(extension(EXTENSION.maxDaily)?.['valueDecimal']),
    minAge: numberIn(age?.['value']),
    riskLevel: classified('risk-level')[0],
    costs: costs.length > 0 ? costs : undefined,
  };
  return {
    id,
    name,
    form: textIn(nodeOf(resource['doseForm'])['text']) ?? '',
    strength: textIn(extension(EXTENSION.strength)?.['valueString']) ?? '',
    substances: listOf(resource['ingredient']).flatMap(
      (one) => textIn(nodeOf(one['itemCodeableConcept'])['text'])?.toLowerCase() ?? [],
    ),
    codes: Object.fromEntries(codes),
    ...Object.fromEntries(schedules),
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    classes: classified('class'),
    requiresApproval: extension(EXTENSION.requiresApproval)?.['valueBoolean'] !== false,
    isActive: (resource['status'] ?? 'active') === 'active',
    interactions: extensions.filter((one) => one['url'] === EXTENSION.interaction).flatMap(readInteraction),
  };
}

function readInteraction(extension: Node): Interaction[] {
  const part = (url: string): Node => listOf(extension['extension']).find((one) => one['url'] === url) ?? {};
  const other = textIn(part('with')['valueString']);
  const severity = textIn(part('severity')['valueCode']);
  const isKnown = severity === 'low' || severity === 'moderate' || severity === 'high';
  return other !== undefined && isKnown
    ? [{ with: other, severity, advice: textIn(part('advice')['valueString']) ?? '' }]
    : [];
}
