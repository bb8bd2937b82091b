/**
 * The words of a resource, for `_text` (those of the narrative) and `_content` (those of every text in it).
 * https://hl7.org/fhir/R4/search.html#content
 */
import { PREDEFINED_ENTITIES } from '../../xml/entities.ts';
import { normaliseText } from './text.ts';

/** One word and where it stands; what is not side by side in the resource is not side by side here. */
export type AddWord = (word: string, position: number, isNarrative: boolean) => void;

/** What comes after so many words of one resource, or so many letters, is not looked at. */
export const WORDS_OF_RESOURCE_MAX = 16_000;
const LETTERS_MAX = 200_000;
/** Longer ones are no words: codes, hashes, texts without spaces. */
const WORD_LENGTH_MAX = 64;

const ASCII = /^[\0-\x7f]*$/;

/** Runs of letters and digits, as they are compared. */
export function splitWords(text: string): readonly string[] {
  const plain = normaliseText(text);
  const found = plain.match(ASCII.test(plain) ? /[a-z0-9]+/g : /[\p{L}\p{N}]+/gu) ?? [];
  return found.filter((word) => word.length <= WORD_LENGTH_MAX);
}

/** Members that hold no words: keys, addresses of resources, bytes. */
const SILENT = new Set(['resourceType', 'id', 'reference', 'data', 'hash', 'div', 'versionId', 'lastUpdated']);
const ADDRESS = /^(?:[a-z][a-z0-9+.-]{0,20}:\/\/|urn:)/i;
const DATE = /^\d{4}(?:-\d\d){0,2}(?:T[\d:.+Z-]*)?$/;

/** Tells each word of the resource: of its narrative, and with `all` of every other text. */
export function eachWord(resource: Readonly<Record<string, unknown>>, all: boolean, add: AddWord): void {
  let [position, letters] = [0, 0];
  const take = (text: string, isNarrative: boolean): void => {
    for (const word of splitWords(text)) {
      letters += word.length;
      if (++position > WORDS_OF_RESOURCE_MAX || letters > LETTERS_MAX) return;
      add(word, position, isNarrative);
    }
    position++; // a gap
  };
  const isFull = (): boolean => position > WORDS_OF_RESOURCE_MAX || letters > LETTERS_MAX;
  const div = (resource['text'] as { readonly div?: unknown } | undefined)?.div; // of a resource that was checked
  if (typeof div === 'string') take(narrativeText(div), true);
  if (!all) return;
  const walk = (value: unknown): void => {
    if (isFull()) return;
    if (typeof value === 'string') {
      if (!ADDRESS.test(value) && !DATE.test(value)) take(value, false);
    } else if (Array.isArray(value)) for (const one of value) walk(one);
    else if (typeof value === 'object' && value !== null)
      for (const [name, member] of Object.entries(value)) if (!SILENT.has(name)) walk(member);
  };
  walk(resource);
  // Those of what it contains are texts in it, and no narrative of its own.
  for (const one of (resource['contained'] as readonly { readonly text?: { readonly div?: unknown } }[] | undefined) ??
    [])
    if (typeof one.text?.div === 'string') take(narrativeText(one.text.div), false);
}

/** Elements within a word: `H<sub>2</sub>O`. */
const INLINE = new Set(['a', 'b', 'big', 'em', 'i', 'small', 'span', 'strong', 'sub', 'sup', 'tt', 'u']);

/** What a reader of the XHTML sees: no markup, no comments, entities resolved. */
export function narrativeText(div: string): string {
  let text = '';
  for (let at = 0; at < div.length; ) {
    const open = div.indexOf('<', at);
    if (open < 0) return text + resolved(div.slice(at));
    text += resolved(div.slice(at, open));
    const isComment = div.startsWith('<!--', open);
    const close = div.indexOf(isComment ? '-->' : '>', open);
    if (close < 0) return text;
    const [, name = ''] = /^<\/?([a-z0-9]{1,16})/i.exec(div.slice(open, open + 20)) ?? [];
    if (!isComment && !INLINE.has(name.toLowerCase())) text += ' ';
    at = close + (isComment ? 3 : 1);
  }
  return text;
}

const resolved = (text: string): string =>
  text.includes('&')
    ? text.replace(/&(#x?)?([A-Za-z0-9]{1,10});/g, (_whole, sign: string | undefined, name: string) => {
        if (sign === undefined) return PREDEFINED_ENTITIES.get(name) ?? ' ';
        const point = Number.parseInt(name, sign === '#x' ? 16 : 10);
        return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : ' ';
      })
    : text;
