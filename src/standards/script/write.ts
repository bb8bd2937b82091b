/** A SCRIPT message as text: element order from the model, everything escaped, no white space added (reference 24.5). */
import { issue } from '../fhir/outcome.ts';
import type { Mapped } from '../mapped.ts';
import { SCRIPT_2017071 } from './model-2017071.ts';
import { type Content, createModel, type GroupParticle } from './notation.ts';

/** What is written: a tree that was read (`XmlElement`) or made. */
export interface ScriptElement {
  readonly name: string;
  readonly attributes: readonly { readonly name: string; readonly value: string; readonly prefix?: string }[];
  readonly children: readonly (ScriptElement | string)[];
}

export const scriptElement = (
  name: string,
  children: readonly (ScriptElement | string)[] = [],
  attributes: Readonly<Record<string, string>> = {},
): ScriptElement => ({
  name,
  children,
  attributes: Object.entries(attributes).map(([key, value]) => ({ name: key, value })),
});

export const XML_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

const MODEL = createModel(SCRIPT_2017071);

/** The message in UTF-8, elements in the order of 2017071. Characters XML cannot carry are issues, and nothing is written. */
export function formatScript(message: ScriptElement): Mapped<string> {
  const output: Output = { text: XML_DECLARATION, faults: [] };
  writeElement(message, planOf(MODEL.contentOf('Message')), output);
  if (output.faults.length === 0) return { value: output.text, issues: [] };
  const issues = output.faults.map((path) => issue('value', `${path} holds a character that XML cannot carry`, path));
  return { issues };
}

/** What is written so far, and paths of what cannot be: appending to one text is the fastest way to a long one. */
interface Output {
  text: string;
  readonly faults: string[];
}

/** https://www.w3.org/TR/xml/#charsets: what XML 1.0 has no way to write. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;

/** How the children of a type are written: worked out when it is first met. */
interface Plan {
  /** Place of each name; absent where document order carries the meaning (dose ranges), and is kept. */
  readonly ranks: ReadonlyMap<string, number> | undefined;
  readonly types: ReadonlyMap<string, string | Content>;
  readonly plans: Map<string, Plan>;
  /** Of Body: each child is a transaction, whose type has its name. */
  readonly isBody: boolean;
}

const PLANS = new Map<Content, Plan>();
const NO_PLAN: Plan = { ranks: undefined, types: new Map(), plans: new Map(), isBody: false };

function planOf(content: Content | undefined, isBody = false): Plan {
  if (content === undefined) return NO_PLAN;
  const known = PLANS.get(content);
  if (known) return known;
  const group = content.children;
  const names = group ? [...group.names] : [];
  const types = new Map(
    names.flatMap((name) => {
      const type = group && typeOf(group, name);
      return type === undefined ? [] : [[name, type] as const];
    }),
  );
  const ranks =
    group && ordersByName(group)
      ? new Map(names.map((name) => [name, group.parts.findIndex((part) => part.names.has(name))] as const))
      : undefined;
  const plan = { ranks, types, plans: new Map(), isBody };
  PLANS.set(content, plan);
  return plan;
}

function planFor(name: string, parent: Plan): Plan {
  const known = parent.plans.get(name);
  if (known) return known;
  const type = parent.isBody ? name : parent.types.get(name);
  const plan = type === undefined ? NO_PLAN : planOf(MODEL.contentOf(type), name === 'Body');
  // Names that the model does not know are the sender's: they would only fill the memory.
  if (type !== undefined && plan !== NO_PLAN) parent.plans.set(name, plan);
  return plan;
}

function writeElement(element: ScriptElement, plan: Plan, output: Output, path = element.name): void {
  const { name, attributes, children } = element;
  output.text += `<${name}`;
  for (const one of attributes)
    if (!one.prefix)
      output.text += ` ${one.name}="${escapeOrRefuse(one.value, output, path).replaceAll(/[\n\t]/g, lineReference)}"`;
  const only = children.length === 1 ? children[0] : undefined;
  if (typeof only === 'string') {
    const text = only.trim();
    output.text += text === '' ? '/>' : `>${escapeOrRefuse(text, output, path)}</${name}>`;
    return;
  }
  const elements = children.filter((node) => typeof node !== 'string');
  if (elements.length === 0) {
    const text = children.join('').trim();
    output.text += text === '' ? '/>' : `>${escapeOrRefuse(text, output, path)}</${name}>`;
    return;
  }
  output.text += '>';
  for (const node of inOrder(elements, plan.ranks))
    writeElement(node, planFor(node.name, plan), output, `${path}/${node.name}`);
  output.text += `</${name}>`;
}

const lineReference = (character: string): string => `&#${character.charCodeAt(0)};`;

function typeOf(group: GroupParticle, name: string): string | Content | undefined {
  for (const part of group.parts) {
    if (!part.names.has(name)) continue;
    return part.kind === 'element' ? part.type : typeOf(part, name);
  }
  return undefined;
}

/** What the model does not know stays behind what it stood behind. */
function inOrder(
  elements: readonly ScriptElement[],
  ranks: ReadonlyMap<string, number> | undefined,
): readonly ScriptElement[] {
  if (ranks === undefined) return elements;
  let last = 0;
  let isSorted = true;
  const ranked = elements.map((node) => {
    const rank = ranks.get(node.name) ?? last;
    if (rank < last) isSorted = false;
    last = rank;
    return { node, rank };
  });
  return isSorted ? elements : ranked.toSorted((one, other) => one.rank - other.rank).map(({ node }) => node);
}

/** Where a name stands in two places (dose ranges), document order carries the meaning and is kept. */
const ordersByName = (group: GroupParticle): boolean =>
  group.kind === 'sequence' && group.parts.reduce((sum, part) => sum + part.names.size, 0) === group.names.size;

function escapeOrRefuse(text: string, { faults }: Output, path: string): string {
  // Nearly every text is plain: one look tells.
  if (PLAIN.test(text)) return text;
  if (FORBIDDEN.test(text)) faults.push(path);
  return escapeXml(text);
}

const PLAIN = /^[\w .,;:/()'+%#@!?*=-]*$/;

const ESCAPES = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ['\r', '&#13;'],
]);
const escapeXml = (text: string): string => text.replaceAll(/[&<>"\r]/g, (c) => ESCAPES.get(c) ?? c);

/**
 * One text for all ways to write the same element: no prefixes, white space between elements or comments, attributes by
 * name. `omit`: paths below the element that are left out.
 */
export function canonicalText(element: ScriptElement, omit: ReadonlySet<string> = new Set(), path = ''): string {
  const attributes = element.attributes
    .filter(({ prefix }) => !prefix)
    .map(({ name, value }) => ` ${name}="${escapeXml(value)}"`)
    .toSorted();
  const elements = element.children.filter((node) => typeof node !== 'string');
  const inside =
    elements.length === 0
      ? escapeXml(element.children.join('').trim())
      : elements
          .map((node) => ({ node, below: path === '' ? node.name : `${path}/${node.name}` }))
          .filter(({ below }) => !omit.has(below))
          .map(({ node, below }) => canonicalText(node, omit, below))
          .join('');
  return `<${element.name}${attributes.join('')}>${inside}</${element.name}>`;
}
