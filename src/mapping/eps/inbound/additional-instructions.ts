/** The reverse of ../additional-instructions.ts: one text, which may hold elements, becomes lists, words and a note. */
import { readXml } from '../../../standards/xml/read.ts';
import { ownText } from '../../../standards/xml/tree.ts';
import type { AnswerForm } from './context.ts';

export interface Instructions {
  readonly medication: readonly string[];
  readonly patientInfo: readonly string[];
  readonly controlledDrugWords: string | undefined;
  readonly note: string | undefined;
}

export const NO_INSTRUCTIONS: Instructions = {
  medication: [],
  patientInfo: [],
  controlledDrugWords: undefined,
  note: undefined,
};

/**
 * Elements stand at the beginning, then the words of a controlled drug on a line of their own; the rest is the note.
 * Deviates: words and note are escaped within the text, so that they cannot be taken for elements, and come back as they
 * were; the national gateway leaves them escaped.
 */
export function readInstructions(text: string, form: AnswerForm): Instructions {
  const decoded = form === 'full' ? unescaped : (words: string): string => words;
  const { texts, rest } = leadingElements(text);
  const [, words, after] = /^CD: ([^\n]*)(?:\n([\s\S]*))?$/.exec(rest) ?? [];
  const note = words === undefined ? rest : (after ?? '');
  return {
    ...texts,
    controlledDrugWords: words === undefined || words.trim() === '' ? undefined : decoded(words),
    note: note.trim() === '' ? undefined : decoded(words !== undefined && words.trim() === '' ? rest : note),
  };
}

const ELEMENT = /^\s*<(medication|patientInfo)(?:\/>|>([\s\S]*?)<\/\1>)/;

interface Leading {
  readonly texts: { readonly medication: readonly string[]; readonly patientInfo: readonly string[] };
  readonly rest: string;
}

function leadingElements(text: string): Leading {
  const texts = { medication: [] as string[], patientInfo: [] as string[] };
  let rest = text;
  for (let found = ELEMENT.exec(rest); found !== null; found = ELEMENT.exec(rest)) {
    const [whole, name, content = ''] = found;
    texts[name === 'medication' ? 'medication' : 'patientInfo'].push(elementText(content));
    rest = rest.slice(whole.length);
  }
  return { texts, rest };
}

/** What is no XML is taken as it stands. */
function elementText(content: string): string {
  const { value } = readXml(`<text>${content}</text>`);
  return value === undefined || value.children.some((child) => typeof child !== 'string') ? content : ownText(value);
}

const ENTITIES = new Map([
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
]);

const unescaped = (text: string): string => text.replaceAll(/&(?:amp|lt|gt);/g, (entity) => ENTITIES.get(entity) ?? '');
