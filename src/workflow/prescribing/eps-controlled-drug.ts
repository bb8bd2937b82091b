/**
 * How EPS marks a controlled drug: its schedule, and of Schedules 2 and 3 the quantity in words, which goes to the Spine as
 * `CD: twenty eight`. Schedule 1 is never prescribed electronically. Pure. eps/REFERENCE sections 4.2, 7.4
 */
import { EXTENSION } from '../../mapping/eps/systems.ts';
import type { CatalogueEntry } from './catalogue/entry.ts';
import type { Node } from './chart.ts';
import { quantityInWords } from './quantity-words.ts';

const CONTROLLED_DRUG = 'https://fhir.nhs.uk/CodeSystem/medicationrequest-controlled-drug';
/** Schedules of which the quantity is stated in words as well. */
const WORDED: ReadonlySet<string> = new Set(['2', '3']);

/** What keeps a medicine from EPS because of its schedule; empty where nothing does. */
export function missingForSchedule(entry: CatalogueEntry | undefined, quantity: number): readonly string[] {
  const schedule = entry?.ukSchedule ?? '';
  if (schedule === '1') return ['a schedule that EPS carries (it is 1)'];
  return WORDED.has(schedule) && quantityInWords(quantity) === undefined
    ? ['a quantity that can be said in words']
    : [];
}

/** The extension, where the medicine is a controlled drug in the United Kingdom. */
export function controlledDrugOf(entry: CatalogueEntry | undefined, quantity: number): readonly Node[] {
  const schedule = entry?.ukSchedule;
  if (schedule === undefined) return [];
  const words = WORDED.has(schedule) ? quantityInWords(quantity) : undefined;
  return [
    {
      url: EXTENSION.controlledDrug,
      extension: [
        {
          url: 'schedule',
          valueCoding: { system: CONTROLLED_DRUG, code: `CD${schedule}`, display: `Schedule ${schedule}` },
        },
        ...(words === undefined ? [] : [{ url: 'quantityWords', valueString: words }]),
      ],
    },
  ];
}
