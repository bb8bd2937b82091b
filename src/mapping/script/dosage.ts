/** Sig and dosageInstruction (reference section 6). SigText is the legal text: never changed, never made. */

import { canonicalText } from '../../standards/script/write.ts';
import { readXml } from '../../standards/xml/read.ts';
import type { XmlElement } from '../../standards/xml/tree.ts';
import { DECIMAL } from './codecs.ts';
import { type Json, setAt, textAt } from './place.ts';
import { conceptOf, quantityOf, readIndication, readMaximum, readTimings } from './sig-parts.ts';
import type { Source } from './source.ts';

/** The structured Sig as sent; it goes back only beside the very text it stood beside. */
const STRUCTURED = 'ext:script-structured-sig.valueString';

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
  const made = dosages.length === 0 ? [first] : dosages.filter((one) => Object.keys(one).length > 0);
  const rest = {
    ...readIndication(sig.all('IndicationForUse'), unmapped),
    ...readMaximum(sig.all('MaximumDoseRestriction'), unmapped),
  };
  // What stands after the instructions is said of all of them.
  return made.map((dosage) => ({ ...dosage, ...rest }));
}

/** Parts that only the text says to a reader of FHIR. */
const TEXT_ONLY = [
  'InstructionIndicator',
  'AdministrationIndicator',
  'DoseCalculation',
  'DoseAmount',
  'DoseDeliveryMethodModifier',
  'DoseClarifyingFreeText',
  'Vehicle',
  'RouteOfAdministrationClarifyingFreeText',
  'SiteOfAdministrationClarifyingFreeText',
];

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
  for (const name of TEXT_ONLY) if (instruction.find(name) ?? administration?.find(name)) unmapped.add(name);
  readTimings(instruction, dosage, unmapped);
}

function readDose(source: Source | undefined, dosage: Json, unmapped: Set<string>): void {
  if (source === undefined) return;
  const amounts = source.all('DoseQuantity').map(({ text }) => DECIMAL.decode(text ?? ''));
  const units = source.all('DoseUnitOfMeasure');
  const quantities = amounts.map((value, index) => quantityOf(value, units[index] ?? units[0]));
  if (amounts.includes(undefined) || amounts.length > 2) unmapped.add('Dosage');
  else if (quantities.length === 2)
    dosage['doseAndRate'] = [{ doseRange: { low: quantities[0], high: quantities[1] } }];
  else if (quantities.length === 1) dosage['doseAndRate'] = [{ doseQuantity: quantities[0] }];
}

/** The Sig of a message that brought one; its structure goes back only beside the very text it came with. */
export function findSentSig(dosages: readonly Json[], text: string): XmlElement | undefined {
  const sig = structuredSig(dosages);
  return sig !== undefined && textOfSig(sig) === text ? sig : undefined;
}

/** Whether a SCRIPT message brought a structure with the directions. */
export const hasSentSig = (dosages: readonly Json[]): boolean =>
  dosages.some((dosage) => textAt(dosage, STRUCTURED) !== undefined);

function structuredSig(dosages: readonly Json[]): XmlElement | undefined {
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
