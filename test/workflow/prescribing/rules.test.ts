/** Every rule of prescribing: a table of cases with both sides of each bound. MISSION M9; docs/prescribing.md */
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { CatalogueEntry } from '../../../src/workflow/prescribing/catalogue/entry.ts';
import { readInteractions, readMedicines } from '../../../src/workflow/prescribing/catalogue/file.ts';
import { EARLY_DAYS, limitsOf } from '../../../src/workflow/prescribing/limits.ts';
import {
  type CurrentMedicine,
  findAll,
  RULES,
  type RuleContext,
  type RuleItem,
} from '../../../src/workflow/prescribing/rules.ts';

const DAY = 24 * 60 * 60_000;
const NOW = Date.parse('2026-11-20T10:00:00Z');
const file = (name: string): string => readFileSync(`fixtures/catalogue/${name}.csv`, 'utf8');
const entries = readMedicines(file('medicines'), readInteractions(file('interactions')).entries).entries;
function entry(name: string): CatalogueEntry {
  const found = entries.find((one) => one.name === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}
const item = (name: string, more: Partial<RuleItem> = {}): RuleItem => ({
  entry: entry(name),
  name,
  quantity: 28,
  instructions: 'one tablet once a day',
  repeats: 0,
  ...more,
});
const unknown = (name: string): RuleItem => ({ name, quantity: 28, instructions: 'one a day', repeats: 0 });
const has = (name: string, daysAgo: number, suppliedDays = 28): CurrentMedicine => ({
  name,
  entry: entry(name),
  suppliedDays,
  authoredAt: NOW - daysAgo * DAY,
});

interface Case {
  readonly what: string;
  readonly items: readonly RuleItem[];
  readonly context?: Partial<RuleContext>;
  readonly found: boolean;
  /** Whether it stops; of those found. */
  readonly isError?: boolean;
}

const MORPHINE = 'Morphine 10mg tablets';
const DIAZEPAM = 'Diazepam 5mg tablets';
const CODEINE = 'Codeine 30mg tablets';
const AMLODIPINE = 'Amlodipine 5mg tablets';
const twice = 'one tablet twice a day';

const CASES: Readonly<Record<string, readonly Case[]>> = {
  'RX-NOT-IN-CATALOGUE': [
    { what: 'a name that is not known', items: [unknown('Grandmother’s drops')], found: true, isError: false },
    { what: 'one that is', items: [item(AMLODIPINE)], found: false },
  ],
  'RX-INACTIVE': [
    {
      what: 'withdrawn',
      items: [{ ...item(AMLODIPINE), entry: { ...entry(AMLODIPINE), isActive: false } }],
      found: true,
      isError: true,
    },
    { what: 'active', items: [item(AMLODIPINE)], found: false },
  ],
  'RX-QUANTITY': [
    { what: 'one more than the most', items: [item(AMLODIPINE, { quantity: 57 })], found: true, isError: true },
    { what: 'the most', items: [item(AMLODIPINE, { quantity: 56 })], found: false },
  ],
  'RX-AGE': [
    {
      what: 'a year too young',
      items: [item('Ciprofloxacin 500mg tablets')],
      context: { age: 17 },
      found: true,
      isError: true,
    },
    { what: 'just old enough', items: [item('Ciprofloxacin 500mg tablets')], context: { age: 18 }, found: false },
    { what: 'no birth date', items: [item('Ciprofloxacin 500mg tablets')], context: { age: undefined }, found: false },
  ],
  'RX-CD-SUPPLY': [
    {
      what: 'Schedule 2 for 29 days',
      items: [item(MORPHINE, { quantity: 58, instructions: twice })],
      found: true,
      isError: true,
    },
    { what: 'Schedule 2 for 28 days', items: [item(MORPHINE, { quantity: 56, instructions: twice })], found: false },
    { what: 'Schedule 4 for 29 days', items: [item(DIAZEPAM, { quantity: 29 })], found: true, isError: true },
    { what: 'Schedule 4 for 28 days', items: [item(DIAZEPAM, { quantity: 28 })], found: false },
    { what: 'Schedule 5 for 100 days', items: [item(CODEINE, { quantity: 100 })], found: false },
    { what: 'no controlled drug for 56 days', items: [item(AMLODIPINE, { quantity: 56 })], found: false },
  ],
  'RX-CD-REPEAT': [
    { what: 'Schedule 2 once more', items: [item(MORPHINE, { repeats: 1 })], found: true, isError: true },
    { what: 'Schedule 2 once', items: [item(MORPHINE, { repeats: 0 })], found: false },
    {
      what: 'Schedule 3 once more',
      items: [item('Tramadol 50mg capsules', { repeats: 1 })],
      found: true,
      isError: true,
    },
    { what: 'Schedule 4 once more', items: [item(DIAZEPAM, { repeats: 1 })], found: false },
  ],
  'RX-CD-DOSE': [
    {
      what: 'Schedule 2 "as directed", ordered',
      items: [item(MORPHINE, { instructions: 'as directed' })],
      context: { stage: 'order' },
      found: true,
      isError: true,
    },
    {
      what: 'Schedule 2 "as directed", asked for',
      items: [item(MORPHINE, { instructions: 'as directed' })],
      found: true,
      isError: false,
    },
    {
      what: 'Schedule 2 with a dose',
      items: [item(MORPHINE, { instructions: twice })],
      context: { stage: 'order' },
      found: false,
    },
  ],
  'RX-EARLY': [
    {
      what: 'a day before',
      items: [item(AMLODIPINE)],
      context: { current: [has(AMLODIPINE, 28 - EARLY_DAYS - 1)] },
      found: true,
      isError: true,
    },
    {
      what: 'on the day',
      items: [item(AMLODIPINE)],
      context: { current: [has(AMLODIPINE, 28 - EARLY_DAYS)] },
      found: false,
    },
    {
      what: 'a day before, ordered: told, not stopped',
      items: [item(AMLODIPINE)],
      context: { stage: 'order', current: [has(AMLODIPINE, 28 - EARLY_DAYS - 1)] },
      found: true,
      isError: false,
    },
    {
      what: 'the newest supply counts',
      items: [item(AMLODIPINE)],
      context: { current: [has(AMLODIPINE, 90), has(AMLODIPINE, 3)] },
      found: true,
      isError: true,
    },
  ],
  'RX-DUPLICATE-ITEM': [
    { what: 'the same twice', items: [item(AMLODIPINE), item(AMLODIPINE)], found: true, isError: true },
    {
      what: 'the same name twice, not in the catalogue',
      items: [unknown('Drops'), unknown('drops ')],
      found: true,
      isError: true,
    },
    { what: 'two strengths', items: [item(AMLODIPINE), item('Amlodipine 10mg tablets')], found: false },
  ],
  'RX-DUPLICATE': [
    {
      what: 'the same substance in another strength',
      items: [item('Amlodipine 10mg tablets')],
      context: { current: [has(AMLODIPINE, 100)] },
      found: true,
      isError: false,
    },
    {
      what: 'the same medicine, used up',
      items: [item(AMLODIPINE)],
      context: { stage: 'order', current: [has(AMLODIPINE, 28)] },
      found: false,
    },
    {
      what: 'the same medicine, ordered too soon',
      items: [item(AMLODIPINE)],
      context: { stage: 'order', current: [has(AMLODIPINE, 2)] },
      found: true,
      isError: false,
    },
    {
      what: 'another substance',
      items: [item('Ramipril 5mg capsules')],
      context: { current: [has(AMLODIPINE, 2)] },
      found: false,
    },
  ],
  'RX-ALLERGY': [
    {
      what: 'the substance',
      items: [item('Amoxicillin 500mg capsules')],
      context: { allergies: [{ substance: 'amoxicillin' }] },
      found: true,
      isError: false,
    },
    {
      what: 'named in a longer text',
      items: [item('Amoxicillin 500mg capsules')],
      context: { allergies: [{ substance: 'allergy to amoxicillin (rash)' }] },
      found: true,
      isError: false,
    },
    {
      what: 'not in the catalogue, by its name',
      items: [unknown('Propolis tincture')],
      context: { allergies: [{ substance: 'propolis' }] },
      found: true,
      isError: false,
    },
    {
      what: 'another',
      items: [item('Amoxicillin 500mg capsules')],
      context: { allergies: [{ substance: 'peanut' }] },
      found: false,
    },
  ],
  'RX-ALLERGY-CLASS': [
    {
      what: 'the class',
      items: [item('Flucloxacillin 500mg capsules')],
      context: { allergies: [{ substance: 'penicillins' }] },
      found: true,
      isError: false,
    },
    {
      what: 'the class in the singular',
      items: [item('Flucloxacillin 500mg capsules')],
      context: { allergies: [{ substance: 'penicillin' }] },
      found: true,
      isError: false,
    },
    {
      what: 'another class',
      items: [item('Clarithromycin 500mg tablets')],
      context: { allergies: [{ substance: 'penicillin' }] },
      found: false,
    },
  ],
  'RX-INTERACTION': [
    {
      what: 'with what the patient has',
      items: [item('Ibuprofen 400mg tablets')],
      context: { current: [has('Warfarin 3mg tablets', 5)] },
      found: true,
      isError: false,
    },
    {
      what: 'with another item',
      items: [item('Simvastatin 20mg tablets'), item('Clarithromycin 500mg tablets')],
      found: true,
      isError: false,
    },
    {
      what: 'none is known',
      items: [item(AMLODIPINE)],
      context: { current: [has('Cetirizine 10mg tablets', 5)] },
      found: false,
    },
  ],
  'RX-DOSE': [
    {
      what: 'nine paracetamol a day',
      items: [item('Paracetamol 500mg tablets', { instructions: 'three tablets three times a day' })],
      found: true,
      isError: false,
    },
    {
      what: 'eight',
      items: [item('Paracetamol 500mg tablets', { instructions: 'two tablets four times a day' })],
      found: false,
    },
    {
      what: 'by mass: 1.5g three times a day',
      items: [item('Paracetamol 500mg tablets', { instructions: '1.5g three times a day' })],
      found: true,
      isError: false,
    },
    {
      what: 'nobody knows how often',
      items: [item('Paracetamol 500mg tablets', { instructions: 'two tablets as needed' })],
      found: false,
    },
  ],
};

describe('prescribing › rules', () => {
  it('every rule has cases on both sides', () => {
    expect(Object.keys(CASES).toSorted()).deep.equal(RULES.map(({ code }) => code).toSorted());
    for (const [code, cases] of Object.entries(CASES)) {
      expect(
        cases.some(({ found }) => found),
        code,
      ).equal(true);
      expect(
        cases.some(({ found }) => !found),
        code,
      ).equal(true);
    }
  });

  for (const [code, cases] of Object.entries(CASES))
    for (const { what, items, context, found, isError } of cases)
      it(`${code} › ${what}`, () => {
        const all = findAll({ stage: 'request', now: NOW, age: 40, allergies: [], current: [], items, ...context });
        const own = all.filter((one) => one.code === code);
        expect(own.length > 0, JSON.stringify(all)).equal(found);
        for (const one of own) {
          expect(one.isError).equal(isError);
          expect(one.message).match(/\w/);
        }
      });

  it('an interaction has the severity and the advice of its pair, and is told once', () => {
    const found = findAll({
      stage: 'order',
      now: NOW,
      age: 40,
      allergies: [],
      items: [item('Simvastatin 20mg tablets')],
      current: [has('Amlodipine 5mg tablets', 1), has('Amlodipine 5mg tablets', 40)],
    });
    const own = found.filter(({ code }) => code === 'RX-INTERACTION');
    expect(own.map(({ severity, message }) => [severity, message])).deep.equal([
      ['moderate', 'Simvastatin 20mg tablets with Amlodipine 5mg tablets: At most 20mg simvastatin a day.'],
    ]);
  });

  const VALID: readonly (readonly [string, number])[] = [
    [MORPHINE, 28],
    ['Tramadol 50mg capsules', 28],
    [DIAZEPAM, 28],
    [CODEINE, 183],
    [AMLODIPINE, 183],
  ];
  for (const [name, days] of VALID)
    it(`${name} may be dispensed for ${days} days`, () => expect(limitsOf(entry(name)).validDays).equal(days));
});
