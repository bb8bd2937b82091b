/**
 * The structured parts of a Sig, made from Dosages that no SCRIPT message brought (reference section 6). They are sent
 * only where reading them gives the very same Dosages again: half of a dose would be another order than the text.
 */
import { canonicalText, type ScriptElement, scriptElement } from '../../standards/script/write.ts';
import { readXml } from '../../standards/xml/read.ts';
import { DECIMAL } from './codecs.ts';
import { mapSig } from './dosage.ts';
import { getAt, isObject, type Json, matches, objectsAt, textAt } from './place.ts';
import { Source } from './source.ts';
import { NCIT, SNOMED } from './systems.ts';

const INSTRUCTIONS_MAX = 50;

/** Instruction and what stands between them; nothing where a part has no code or no place. */
export function structuredParts(text: string, dosages: readonly Json[]): readonly ScriptElement[] {
  if (dosages.length === 0 || dosages.length > INSTRUCTIONS_MAX) return [];
  const instructions = dosages.map(instructionOf);
  if (instructions.includes(undefined)) return [];
  const parts = instructions.flatMap((one, at) => {
    const isLater = Number(dosages[at]?.['sequence'] ?? 1) > Number(dosages[at - 1]?.['sequence'] ?? 1);
    const between = at === 0 ? [] : [leaf('MultipleInstructionModifier', isLater ? 'THEN' : 'AND')];
    return one ? [...between, one] : [];
  });
  const free = textAt(dosages[0], 'patientInstruction');
  const all = free === undefined ? parts : [...parts, leaf('ClarifyingFreeText', free)];
  return saysTheSame(text, all, dosages) ? all : [];
}

const leaf = (name: string, text: string): ScriptElement => scriptElement(name, [text]);

function saysTheSame(text: string, parts: readonly ScriptElement[], dosages: readonly Json[]): boolean {
  const sig = readXml(canonicalText(scriptElement('Sig', [leaf('SigText', text), ...parts]))).value;
  const read = sig && mapSig(new Source(sig));
  if (!read || read.unmapped.length > 0 || read.dosages.length !== dosages.length) return false;
  return read.dosages.every((one, at) => {
    const [back, sent] = [bare(one), bare(dosages[at])];
    return matches(back, sent) && matches(sent, back);
  });
}

/** Without the text, which is compared by the reader, and what is said of the Sig as it was sent. */
function bare(dosage: unknown): Json {
  const { text: _text, extension: _extension, ...rest } = dosage as Json; // an object of a list of objects
  return rest;
}

function instructionOf(dosage: Json): ScriptElement | undefined {
  const method = codedOf('DoseDeliveryMethod', dosage['method']);
  const dose = doseOf(objectsAt(dosage, 'doseAndRate')[0]);
  const route = codedOf('RouteOfAdministration', dosage['route']);
  const site = codedOf('SiteOfAdministration', dosage['site']);
  const timings = timingsOf(getAt(dosage, 'timing.repeat'));
  // The model wants to know how it is given, and how much.
  if (!method || !dose || timings.length === 0) return undefined;
  const administration = scriptElement('DoseAdministration', [
    method,
    dose,
    ...(route ? [route] : []),
    ...(site ? [site] : []),
  ]);
  return scriptElement('Instruction', [administration, ...timings]);
}

function codedOf(name: string, concept: unknown): ScriptElement | undefined {
  const coding = objectsAt(concept, 'coding').find(({ system }) => system === SNOMED);
  const code = textAt(coding, 'code');
  const text = textAt(concept, 'text') ?? textAt(coding, 'display');
  return code === undefined || text === undefined ? undefined : coded(name, text, 'SNOMED', code);
}

const coded = (name: string, text: string, qualifier: string, code: string): ScriptElement =>
  scriptElement(name, [leaf('Text', text), leaf('Qualifier', qualifier), leaf('Code', code)]);

function doseOf(dose: Json | undefined): ScriptElement | undefined {
  const range = dose?.['doseRange'];
  const amounts = isObject(range) ? [range['low'], range['high']] : [dose?.['doseQuantity']];
  const parts = amounts.map(amountOf);
  const [first, second] = parts;
  if (!first || (parts.length === 2 && !second)) return undefined;
  return scriptElement('Dosage', [...first, ...(second ? [leaf('DoseRangeModifier', 'TO'), ...second] : [])]);
}

function amountOf(quantity: unknown): readonly ScriptElement[] | undefined {
  const value = DECIMAL.encode(getAt(quantity, 'value'));
  const [unit, code] = [textAt(quantity, 'unit'), textAt(quantity, 'code')];
  const isNcit = getAt(quantity, 'system') === NCIT;
  if (value === undefined || unit === undefined || code === undefined || !isNcit) return undefined;
  return [leaf('DoseQuantity', value), coded('DoseUnitOfMeasure', unit, 'DoseUnitOfMeasure', code)];
}

/** SNOMED codes of units of time. */
const UNITS: ReadonlyMap<unknown, readonly [text: string, code: string]> = new Map([
  ['s', ['second', '257997001']],
  ['min', ['minute', '258701004']],
  ['h', ['hour', '258702006']],
  ['d', ['day', '258703001']],
  ['wk', ['week', '258705008']],
  ['mo', ['month', '258706009']],
  ['a', ['year', '258707000']],
]);

function timingsOf(repeat: unknown): readonly ScriptElement[] {
  const [frequency, most, period, periodMost] = ['frequency', 'frequencyMax', 'period', 'periodMax'].map((name) =>
    DECIMAL.encode(getAt(repeat, name)),
  );
  const unit = UNITS.get(getAt(repeat, 'periodUnit'));
  const bounds = getAt(repeat, 'boundsDuration');
  const length = DECIMAL.encode(getAt(bounds, 'value'));
  const lengthUnit = UNITS.get(getAt(bounds, 'code'));
  const isInterval = frequency === '1' && most === undefined && (period !== '1' || periodMost !== undefined);
  const [name, value, second] = isInterval ? ['Interval', period, periodMost] : ['Frequency', frequency, most];
  return [
    ...(unit && value !== undefined ? [timed(name ?? '', value, second, unit)] : []),
    ...(length !== undefined && lengthUnit
      ? [
          scriptElement('TimingAndDuration', [
            scriptElement('Duration', [
              leaf('DurationNumericValue', length),
              coded('DurationText', lengthUnit[0], 'SNOMED', lengthUnit[1]),
            ]),
          ]),
        ]
      : []),
  ];
}

function timed(
  name: string,
  value: string,
  most: string | undefined,
  [text, code]: readonly [text: string, code: string],
): ScriptElement {
  const second = most === undefined ? [] : [leaf(`Variable${name}Modifier`, 'TO'), leaf(`${name}NumericValue`, most)];
  return scriptElement('TimingAndDuration', [
    scriptElement(name, [leaf(`${name}NumericValue`, value), ...second, coded(`${name}Units`, text, 'SNOMED', code)]),
  ]);
}
