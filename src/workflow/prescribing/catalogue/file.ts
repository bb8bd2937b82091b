/** Files of the catalogue: medicines and pairs that interact, as CSV. docs/prescribing.md "The catalogue" */

import { parseCsv } from './csv.ts';
import { type CatalogueEntry, type CodeName, catalogueId, type Interaction, type Severity } from './entry.ts';

export interface FileFault {
  readonly line: number;
  readonly column: string;
  readonly text: string;
}

export interface Read<T> {
  readonly entries: readonly T[];
  readonly faults: readonly FileFault[];
}

export interface InteractionPair {
  /** A substance, or `class:` and a class. */
  readonly a: string;
  readonly b: string;
  readonly severity: Severity;
  readonly advice: string;
}

const COLUMNS = [
  'name',
  'form',
  'strength',
  'substances',
  'dmd',
  'bnf',
  'rxnorm',
  'ndc',
  'uk_schedule',
  'us_schedule',
  'nafdac_schedule',
  'max_quantity',
  'min_age',
  'risk_level',
  'allergy_classes',
  'max_daily',
  'cost',
  'currency',
  'requires_approval',
  'is_active',
] as const;
type Column = (typeof COLUMNS)[number];

/** What each column may hold, where it holds anything; `name` alone is needed. */
const CHECKS: Readonly<
  Partial<Record<Column, { readonly isGood: (value: string) => boolean; readonly text: string }>>
> = {
  name: { isGood: (v) => v.length <= 255, text: 'at most 255 characters' },
  form: { isGood: (v) => v.length <= 100, text: 'at most 100 characters' },
  strength: { isGood: (v) => v.length <= 100, text: 'at most 100 characters' },
  dmd: { isGood: isSctId, text: 'a SNOMED CT identifier with its check digit' },
  bnf: { isGood: (v) => /^\d{4}[0-9A-Z]{11}$/.test(v), text: 'a BNF code of 15 characters' },
  rxnorm: { isGood: (v) => /^[1-9]\d{0,7}$/.test(v), text: 'an RxNorm identifier of 1 to 8 digits' },
  ndc: {
    isGood: (v) => /^(?:\d{4}-\d{4}-\d{2}|\d{5}-\d{3}-\d{2}|\d{5}-\d{4}-\d{1,2}|\d{11})$/.test(v),
    text: 'an NDC of 10 or 11 digits in its three parts',
  },
  uk_schedule: { isGood: (v) => /^[1-5]$/.test(v), text: '1 to 5' },
  us_schedule: { isGood: (v) => /^[2-5]$/.test(v), text: '2 to 5' },
  nafdac_schedule: { isGood: (v) => /^[1-5]$/.test(v), text: '1 to 5' },
  max_quantity: { isGood: isPositive, text: 'a number above 0' },
  max_daily: { isGood: isPositive, text: 'a number above 0' },
  min_age: { isGood: (v) => /^\d{1,3}$/.test(v), text: 'whole years' },
  risk_level: {
    isGood: (v) => ['Low', 'Moderate', 'Moderate-High', 'High'].includes(v),
    text: 'Low, Moderate, Moderate-High or High',
  },
  cost: { isGood: (v) => /^\d{1,9}(?:\.\d{1,4})?$/.test(v), text: 'an amount such as 12.50' },
  currency: { isGood: (v) => /^[A-Z]{3}$/.test(v), text: 'a currency of three capital letters, such as GBP' },
  requires_approval: { isGood: isBoolean, text: 'true or false' },
  is_active: { isGood: isBoolean, text: 'true or false' },
};

/** What says nothing without the other. */
const PAIRED: readonly (readonly [Column, Column])[] = [
  ['cost', 'currency'],
  ['currency', 'cost'],
];

/** The medicines of a file, and every fault in it; columns may be left out but for `name`, and stand in any order. */
export function readMedicines(text: string, pairs: readonly InteractionPair[]): Read<CatalogueEntry> {
  const { rows, faults } = readTable(text, COLUMNS, ['name']);
  const seen = new Map<string, number>();
  const entries = rows.flatMap(({ line, values }): CatalogueEntry[] => {
    const found = faults.length;
    for (const column of COLUMNS) {
      const value = values.get(column) ?? '';
      const check = CHECKS[column];
      if (value !== '' && check && !check.isGood(value)) faults.push({ line, column, text: `is ${check.text}` });
    }
    for (const [given, needed] of PAIRED)
      if ((values.get(given) ?? '') !== '' && (values.get(needed) ?? '') === '')
        faults.push({ line, column: needed, text: `is missing: there is a ${given}` });
    const name = values.get('name') ?? '';
    if (name === '') faults.push({ line, column: 'name', text: 'is missing' });
    const id = catalogueId(name);
    const before = seen.get(id);
    if (before !== undefined) faults.push({ line, column: 'name', text: `stands on line ${before} already` });
    else seen.set(id, line);
    return faults.length > found ? [] : [toEntry(id, name, values, pairs)];
  });
  return { entries, faults };
}

export function readInteractions(text: string): Read<InteractionPair> {
  const { rows, faults } = readTable(text, ['a', 'b', 'severity', 'advice'], ['a', 'b', 'severity']);
  const entries = rows.flatMap(({ line, values }): InteractionPair[] => {
    const [a = '', b = '', severity = ''] = ['a', 'b', 'severity'].map((column) => values.get(column)?.toLowerCase());
    if (a === '' || b === '') faults.push({ line, column: a === '' ? 'a' : 'b', text: 'is missing' });
    else if (severity !== 'low' && severity !== 'moderate' && severity !== 'high')
      faults.push({ line, column: 'severity', text: 'is low, moderate or high' });
    else return [{ a, b, severity, advice: values.get('advice') ?? '' }];
    return [];
  });
  return { entries, faults };
}

interface TableRow {
  readonly line: number;
  readonly values: ReadonlyMap<string, string>;
}

function readTable(text: string, columns: readonly string[], needed: readonly string[]) {
  const faults: FileFault[] = [];
  const [head, ...lines] = parseCsv(text);
  const names = (head?.fields ?? []).map((name) => name.trim());
  for (const name of names)
    if (!columns.includes(name)) faults.push({ line: 1, column: name, text: `is no column: ${columns.join(', ')}` });
  for (const name of needed) if (!names.includes(name)) faults.push({ line: 1, column: name, text: 'is missing' });
  const rows = lines.flatMap(({ line, fields }): TableRow[] => {
    if (fields.length === names.length)
      return [{ line, values: new Map(names.map((name, i) => [name, (fields[i] ?? '').trim()])) }];
    faults.push({ line, column: '', text: `has ${fields.length} fields, not ${names.length}` });
    return [];
  });
  return { rows, faults };
}

function toEntry(
  id: string,
  name: string,
  values: ReadonlyMap<string, string>,
  pairs: readonly InteractionPair[],
): CatalogueEntry {
  const text = (column: Column): string => values.get(column) ?? '';
  const list = (column: Column): string[] =>
    text(column)
      .toLowerCase()
      .split(';')
      .map((one) => one.trim())
      .filter((one) => one !== '');
  const number = (key: string, column: Column): object => (text(column) === '' ? {} : { [key]: Number(text(column)) });
  const word = (key: string, column: Column): object => (text(column) === '' ? {} : { [key]: text(column) });
  const substances = list('substances');
  const classes = list('allergy_classes');
  const codes = (['dmd', 'bnf', 'rxnorm', 'ndc'] as const satisfies readonly CodeName[])
    .filter((one) => text(one) !== '')
    .map((one) => [one, text(one)]);
  return {
    id,
    name,
    form: text('form'),
    strength: text('strength'),
    substances,
    codes: Object.fromEntries(codes),
    ...word('ukSchedule', 'uk_schedule'),
    ...word('usSchedule', 'us_schedule'),
    ...word('nafdacSchedule', 'nafdac_schedule'),
    ...number('maxQuantity', 'max_quantity'),
    ...number('maxDaily', 'max_daily'),
    ...number('minAge', 'min_age'),
    ...word('riskLevel', 'risk_level'),
    ...(text('cost') !== '' && { costs: [{ amount: Number(text('cost')), currency: text('currency') }] }),
    classes,
    requiresApproval: text('requires_approval') !== 'false',
    isActive: text('is_active') !== 'false',
    interactions: interactionsOf(substances, classes, pairs),
  };
}

/** Of both sides of each pair. */
function interactionsOf(
  substances: readonly string[],
  classes: readonly string[],
  pairs: readonly InteractionPair[],
): Interaction[] {
  const own = new Set([...substances, ...classes.map((one) => `class:${one}`)]);
  return pairs.flatMap(({ a, b, severity, advice }) => {
    const others = [...(own.has(a) ? [b] : []), ...(own.has(b) && a !== b ? [a] : [])];
    return others.map((other) => ({ with: other, severity, advice }));
  });
}

function isPositive(value: string): boolean {
  return /^\d{1,6}(?:\.\d{1,3})?$/.test(value) && Number(value) > 0;
}
function isBoolean(value: string): boolean {
  return value === 'true' || value === 'false';
}

const DIHEDRAL = [
  '0123456789',
  '1234067895',
  '2340178956',
  '3401289567',
  '4012395678',
  '5987604321',
  '6598710432',
  '7659821043',
  '8765932104',
  '9876543210',
];
const PERMUTATION = [
  '0123456789',
  '1576283094',
  '5803796142',
  '8916043527',
  '9453126870',
  '4286573901',
  '2793806415',
  '7046913258',
];

/** 6 to 18 digits, the last by Verhoeff's method. https://confluence.ihtsdotools.org/display/DOCRELFMT/6.2+SCTID+Data+Type */
export function isSctId(text: string): boolean {
  if (!/^[1-9]\d{5,17}$/.test(text)) return false;
  const check = [...text].reverse().reduce((sum, digit, i) => {
    const permuted = PERMUTATION[i % 8]?.[Number(digit)] ?? '0';
    return Number(DIHEDRAL[sum]?.[Number(permuted)]);
  }, 0);
  return check === 0;
}
