/** What a prescriber tells besides the dosage: one text that holds a fragment of XML. */
import { findExtension } from './choose.ts';
import { type MessageBundle, resolve, resourcesOf } from './message-bundle.ts';
import { has, listAt, type Node, nodeAt, stringAt } from './node.ts';
import { atMostOne } from './only.ts';
import { EXTENSION } from './systems.ts';

/** What the bundle tells the patient; it goes with the first item. */
export interface PatientInformation {
  readonly medication: readonly string[];
  readonly patientInfo: readonly string[];
}

export const NO_INFORMATION: PatientInformation = { medication: [], patientInfo: [] };

export function patientInformation(bundle: MessageBundle): PatientInformation {
  const path = 'CommunicationRequest';
  const payloads = resourcesOf(bundle, path).flatMap((request) => listAt(request, 'payload', path) ?? []);
  const lists = payloads
    .filter((payload) => !has(payload, 'contentString') && has(payload, 'contentReference'))
    .map((payload) => nodeAt(payload, 'contentReference', `${path}.payload`))
    .map((reference) => resolve(bundle, reference, `${path}.payload.contentReference`));
  return {
    medication: lists
      .flatMap((list) => listAt(list, 'entry', 'List') ?? [])
      .map((entry) => stringAt(nodeAt(entry, 'item', 'List.entry'), 'display', 'List.entry.item'))
      .filter((display): display is string => display !== undefined && display !== ''),
    patientInfo: payloads
      .map((payload) => stringAt(payload, 'contentString', `${path}.payload`))
      .filter((text) => text !== undefined),
  };
}

/** The text, empty where there is nothing to tell. Texts within are escaped here, and all of it again when written. */
export function additionalInstructions(request: Node, { medication, patientInfo }: PatientInformation): string {
  const path = 'MedicationRequest';
  const note = atMostOne(listAt(request, 'note', path), `${path}.note`);
  const words = [controlledDrugWords(request), stringAt(note, 'text', `${path}.note`)].filter(Boolean).join('\n');
  return [
    ...medication.map((text) => fragment('medication', text)),
    ...patientInfo.map((text) => fragment('patientInfo', text)),
    escapeWords(words),
  ].join('');
}

function controlledDrugWords(request: Node): string | undefined {
  const path = 'MedicationRequest.extension';
  const controlledDrug = findExtension(request, EXTENSION.controlledDrug, path);
  const words = findExtension(
    controlledDrug,
    'quantityWords',
    `MedicationRequest.extension("${EXTENSION.controlledDrug}").extension`,
  );
  const text = stringAt(words, 'valueString', path);
  return text ? `CD: ${text}` : undefined;
}

const fragment = (tag: string, text: string): string =>
  text === '' ? `<${tag}/>` : `<${tag}>${escapeWords(text)}</${tag}>`;

/** An ampersand that is escaped already is not escaped twice. */
const escapeWords = (text: string): string =>
  text.replaceAll('&amp;', '&').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
