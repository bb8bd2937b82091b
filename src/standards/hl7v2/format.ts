/** Writes messages. HL7 v2.5.1 section 2.6. Every leaf is escaped here, so no raw text can enter a message. */
import { encodeText } from './character-set.ts';
import { type Encoding, HEADER_SEGMENTS } from './encoding.ts';
import { encodeEscapes } from './escape.ts';
import { type Line, Message } from './message.ts';
import type { Place } from './place.ts';
import { NULL, type Segment } from './segment.ts';

/** Text to be escaped; `null` is sent as two double quotes, `undefined` as nothing. */
export type Leaf = string | null | undefined;
/** A component, or its subcomponents. */
export type ComponentInput = Leaf | readonly Leaf[];
/** A field's only repetition as text or components; `repeat` for several; `raw`: text of a message with this encoding. */
export type FieldInput =
  | Leaf
  | readonly ComponentInput[]
  | { readonly repeat: readonly (Leaf | readonly ComponentInput[])[] }
  | { readonly raw: string };

/** The bytes of a message: those that came, when nothing was changed. */
export const formatMessage = (message: Message): Buffer =>
  message.bytes ?? encodeText(message.prologue + formatText(message), message.encoding.charset);

const formatText = ({ segments }: Message): string =>
  segments.map(({ text, terminator }) => text + terminator).join('');

/** The text of one segment. In a header, `fields` begins with MSH-3. */
export function formatSegment(id: string, fields: readonly FieldInput[], encoding: Encoding): string {
  const head = HEADER_SEGMENTS.has(id) ? [id + encoding.field + encodingCharacters(encoding)] : [id];
  return [...head, ...fields.map((field) => formatField(field, encoding))]
    .join(encoding.field)
    .replace(trailing(encoding.field), '');
}

const encodingCharacters = (e: Encoding): string =>
  e.component + e.repetition + e.escape + e.subcomponent + e.truncation;

/** Makes a message of segments that `formatSegment` wrote; the first is MSH. */
export const createMessage = (texts: readonly string[], encoding: Encoding): Message =>
  new Message(
    encoding,
    texts.map((text) => ({ text, terminator: '\r' })),
  );

function formatField(field: FieldInput, encoding: Encoding): string {
  if (field === null || field === undefined || typeof field === 'string') return formatLeaf(field, encoding);
  // What is sent back as it came must not end the frame it travels in.
  if ('raw' in field) return withoutControls(field.raw);
  if ('repeat' in field)
    return field.repeat.map((repetition) => formatRepetition(repetition, encoding)).join(encoding.repetition);
  return formatRepetition(field, encoding);
}

function formatRepetition(repetition: Leaf | readonly ComponentInput[], encoding: Encoding): string {
  if (repetition === null || repetition === undefined || typeof repetition === 'string')
    return formatLeaf(repetition, encoding);
  return repetition
    .map((component) => formatComponent(component, encoding))
    .join(encoding.component)
    .replace(trailing(encoding.component), '');
}

function formatComponent(component: ComponentInput, encoding: Encoding): string {
  if (component === null || component === undefined || typeof component === 'string')
    return formatLeaf(component, encoding);
  return component
    .map((leaf) => formatLeaf(leaf, encoding))
    .join(encoding.subcomponent)
    .replace(trailing(encoding.subcomponent), '');
}

const formatLeaf = (leaf: Leaf, encoding: Encoding): string =>
  leaf === null ? NULL : leaf === undefined ? '' : encodeEscapes(leaf, encoding);

/** Empty elements at the end carry no meaning. */
const trailing = (separator: string): RegExp =>
  new RegExp(`${separator === '' ? '$' : `[${separator.replace(/[\\\]^-]/, '\\$&')}]+$`}`);

/**
 * A copy with one leaf changed; other bytes of the message stay. `place` names the field at least; `undefined` when
 * there is no such segment, or it is MSH-1 or MSH-2.
 */
export function withValue(message: Message, place: Place, leaf: Leaf): Message | undefined {
  const { segment: id, occurrence, field } = place;
  const target = message.find(id, occurrence);
  if (target === undefined || field === undefined || field < 1) return undefined;
  const isHeader = HEADER_SEGMENTS.has(id);
  if (isHeader && field <= 2) return undefined;
  const { encoding } = message;
  const text = replaceAt(target.text, encoding.field, isHeader ? field - 1 : field, (old) =>
    replaceInField(old, place, formatLeaf(leaf, encoding), encoding),
  );
  const lines = message.segments.map(
    (segment: Segment): Line => (segment === target ? { ...lineOf(segment), text } : lineOf(segment)),
  );
  return new Message(encoding, lines, undefined, message.prologue);
}

const lineOf = ({ text, terminator }: Segment): Line => ({ text, terminator });

function replaceInField(raw: string, place: Place, leaf: string, encoding: Encoding): string {
  const { repetition, component, subcomponent } = place;
  if (repetition === undefined && component === undefined) return leaf;
  return replaceAt(raw, encoding.repetition, (repetition ?? 1) - 1, (old) =>
    component === undefined
      ? leaf
      : replaceAt(old, encoding.component, component - 1, (inner) =>
          subcomponent === undefined || encoding.subcomponent === ''
            ? leaf
            : replaceAt(inner, encoding.subcomponent, subcomponent - 1, () => leaf),
        ),
  );
}

/** The elements before `index` that are missing come into being empty. */
function replaceAt(raw: string, separator: string, index: number, replace: (old: string) => string): string {
  const elements = raw.split(separator);
  while (elements.length <= index) elements.push('');
  elements[index] = replace(elements[index] as string);
  return elements.join(separator);
}

/** ESC stays: it switches sets of ISO 2022. */
function withoutControls(text: string): string {
  let clean = '';
  for (const character of text) {
    const code = character.charCodeAt(0);
    if ((code >= 32 && code !== 127) || code === 27) clean += character;
  }
  return clean.length === text.length ? text : clean;
}
