/** Sig and dosageInstruction (reference section 6). SigText is the legal text: never changed, never made. */

import { canonicalText } from '../../standards/script/write.ts';
import { readXml } from '../../standards/xml/read.ts';
import { DECIMAL } from './codecs.ts';
import { getAt, type Json, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { NCIT, SNOMED } from './systems.ts';
import type { Target } from './target.ts';

/** The structured Sig as sent; it goes back only beside the very text it stood beside. */
const STRUCTURED = 'ext:script-structured-sig.valueString';

/** SNOMED codes and texts of time units, and UCUM (https://hl7.org/fhir/R4/valueset-units-of-time.html). */
const TIME_UNITS: ReadonlyMap<string, string> = new Map([
  ['257997001', 's'],
  ['258701004', 'min'],
  ['258702006', 'h'],
  ['258703001', 'd'],
  ['258705008', 'wk'],
  ['258706009', 'mo'],
  ['258707000', 'a'],
]);
const TIME_WORDS: ReadonlyMap<string, string> = new Map([
  ['second', 's'],
  ['minute', 'min'],
  ['hour', 'h'],
  ['day', 'd'],
  ['week', 'wk'],
  ['month', 'mo'],
  ['year', 'a'],
]);

export interface MappedSig {
  readonly dosages: readonly Json[];
  /** Names of structured parts that are kept as sent and have no element of their own. */
  readonly unmapped: readonly string[];
}

/** The Dosages of a Sig: the text on the first, then what of the structured instructions has a place. */
export function mapSig(sig: Source | undefined): MappedSig {
  const text = sig?.take('SigText');
  const structured = (sig?.element.children ?? []).some((node) => typeof node !== 'string' && node.name !== 'SigText');
  const first: Json = text === undefined ? {} : { text };
  if (!sig || !structured) return { dosages: text === undefined ? [] : [first], unmapped: [] };
  setAt(first, STRUCTURED, canonicalText(sig.element));
  sig.takeWhole();
  const unmapped = new Set<string>();
  const dosages = readInstructions(sig, first, unmapped);
  return { dosages, unmapped: [...unmapped] };
}

/** AND: at the same time; THEN: after it. OR and NOT do not fit a Dosage: the text says it (reference section 6). */
function readInstructions(sig: Source, first: Json, unmapped: Set<string>): readonly Json[] {
  const modifiers = sig.all('MultipleInstructionModifier').map(({ text }) => text?.toUpperCase());
  const instructions = sig.all('Instruction');
  const free = sig.peek('ClarifyingFreeText');
  for (const name of ['IndicationForUse', 'MaximumDoseRestriction']) if (sig.find(name)) unmapped.add(name);
  if (modifiers.some((modifier) => modifier !== 'AND' && modifier !== 'THEN')) {
    unmapped.add('MultipleInstructionModifier');
    return [first];
  }
  let sequence = 1;
  const dosages = instructions.map((instruction, index) => {
    const dosage: Json = index === 0 ? first : {};
    if (modifiers[index - 1] === 'THEN') sequence += 1;
    if (instructions.length > 1) dosage['sequence'] = sequence;
    readInstruction(instruction, dosage, unmapped);
    return dosage;
  });
  if (free !== undefined) first['patientInstruction'] = free;
  return dosages.length === 0 ? [first] : dosages.filter((one) => Object.keys(one).length > 0);
}

function readInstruction(instruction: Source, dosage: Json, unmapped: Set<string>): void {
  const administration = instruction.find('DoseAdministration');
  for (const [element, name] of [
    ['DoseDeliveryMethod', 'method'],
    ['RouteOfAdministration', 'route'],
    ['SiteOfAdministration', 'site'],
  ] as const) {
    const concept = conceptOf(administration?.find(element));
    if (concept) dosage[name] = concept;
  }
  readDose(administration?.find('Dosage'), dosage, unmapped);
  for (const name of ['DoseCalculation', 'DoseAmount', 'Vehicle', 'DoseDeliveryMethodModifier'])
    if (administration?.find(name)) unmapped.add(name);
  for (const timing of instruction.all('TimingAndDuration')) readTiming(timing, dosage, unmapped);
}

function conceptOf(source: Source | undefined): Json | undefined {
  const text = source?.peek('Text');
  const code = source?.peek('Code');
  const isSnomed = source?.peek('Qualifier') === 'SNOMED' && code !== undefined;
  if (text === undefined && !isSnomed) return undefined;
  return {
    ...(isSnomed && { coding: [{ system: SNOMED, code, ...(text && { display: text }) }] }),
    ...(text && { text }),
  };
}

function readDose(source: Source | undefined, dosage: Json, unmapped: Set<string>): void {
  if (source === undefined) return;
  const amounts = source.all('DoseQuantity').map(({ text }) => DECIMAL.decode(text ?? ''));
  const unit = source.find('DoseUnitOfMeasure');
  const quantities = amounts.map((value) => quantityOf(value, unit));
  if (amounts.includes(undefined) || amounts.length > 2) unmapped.add('Dosage');
  else if (quantities.length === 2)
    dosage['doseAndRate'] = [{ doseRange: { low: quantities[0], high: quantities[1] } }];
  else if (quantities.length === 1) dosage['doseAndRate'] = [{ doseQuantity: quantities[0] }];
}

function quantityOf(value: unknown, unit: Source | undefined): Json {
  const text = unit?.peek('Text');
  const code = unit?.peek('Code');
  return { value, ...(text && { unit: text }), ...(code && { system: NCIT, code }) };
}

function readTiming(timing: Source, dosage: Json, unmapped: Set<string>): void {
  const repeat: Json = {};
  for (const part of ['Frequency', 'Interval', 'Duration'] as const) {
    const source = timing.find(part);
    if (source === undefined) continue;
    const unit = unitOf(source.find(part === 'Duration' ? 'DurationText' : `${part}Units`));
    const [value, most] = source.all(`${part}NumericValue`).map(({ text }) => DECIMAL.decode(text ?? ''));
    if (unit === undefined || value === undefined) unmapped.add(part);
    else if (part === 'Duration')
      repeat['boundsDuration'] = { value, unit, system: 'http://unitsofmeasure.org', code: unit };
    else if (part === 'Interval')
      Object.assign(
        repeat,
        { frequency: 1, period: value, periodUnit: unit },
        most !== undefined && { periodMax: most },
      );
    else if (isPositive(value) && (most === undefined || isPositive(most)))
      Object.assign(
        repeat,
        { frequency: value, period: 1, periodUnit: unit },
        most !== undefined && { frequencyMax: most },
      );
    else unmapped.add(part);
  }
  for (const name of [
    'AdministrationTiming',
    'RateOfAdministration',
    'DurationTrigger',
    'StopIndicator',
    'TimingClarifyingFreeText',
  ])
    if (timing.find(name)) unmapped.add(name);
  if (Object.keys(repeat).length === 0) return;
  const before = getAt(dosage, 'timing.repeat') as Json | undefined; // made here only
  dosage['timing'] = { repeat: { ...before, ...repeat } };
}

const isPositive = (value: unknown): boolean => typeof value === 'number' && Number.isInteger(value) && value > 0;

function unitOf(source: Source | undefined): string | undefined {
  const word = source?.peek('Text')?.toLowerCase().replace(/s$/, '');
  return TIME_UNITS.get(source?.peek('Code') ?? '') ?? TIME_WORDS.get(word ?? '');
}

/** Sig of the first Dosage that has a text; several texts are one Sig, joined as they stand. */
export function sigToScript(dosages: readonly Json[], target: Target): void {
  const texts = dosages.flatMap((dosage) => textAt(dosage, 'text') ?? []);
  const text = texts.join('; ');
  if (text === '') return;
  const structured = structuredSig(dosages);
  if (structured !== undefined && textOfSig(structured) === text) {
    target.children.push(structured);
    return;
  }
  target.put('Sig/SigText', text);
}

function structuredSig(dosages: readonly Json[]) {
  const xml = dosages.flatMap((dosage) => textAt(dosage, STRUCTURED) ?? [])[0];
  const sig = xml === undefined ? undefined : readXml(xml).value;
  return sig?.name === 'Sig' ? sig : undefined;
}

const textOfSig = (sig: { readonly children: readonly unknown[] }): string | undefined => {
  for (const node of sig.children)
    if (typeof node === 'object' && node !== null && 'name' in node && node.name === 'SigText' && 'children' in node)
      return String((node.children as readonly unknown[])[0] ?? '').trim();
  return undefined;
};
