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
  const output: Output = { text: XML_DECLARATION, path: [], faults: [] };
  writeElement(message, planOf(MODEL.contentOf('Message')), output);
  if (output.faults.length === 0) return { value: output.text, issues: [] };
  const issues = output.faults.map((path) => issue('value', `${path} holds a character that XML cannot carry`, path));
  return { issues };
}

/** What is written so far, and paths of what cannot be: appending to one text is the fastest way to a long one. */
interface Output {
  text: string;
  /** Names of the elements that are open: joined only where there is a fault to tell. */
  readonly path: string[];
  readonly faults: string[];
}

/** https://www.w3.org/TR/xml/#charsets: what XML 1.0 has no way to write. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Surrogate}/u;

/** How the children of a type are written: worked out when it is first met. */
interface Plan {
  /** False where document order carries the meaning (dose ranges), and is kept. */
  readonly isOrdered: boolean;
  readonly children: Map<string, ChildPlan>;
  /** Of Body: each child is a transaction, whose type has its name. */
  readonly isBody: boolean;
}

interface ChildPlan {
  /** Place among its siblings. */
  readonly rank: number;
  readonly type: string | Content;
  /** Absent until it is first met. */
  plan?: Plan;
}

const PLANS = new Map<Content, Plan>();
const NO_PLAN: Plan = { isOrdered: false, children: new Map(), isBody: false };

function planOf(content: Content | undefined, isBody = false): Plan {
  if (content === undefined) return NO_PLAN;
  const known = PLANS.get(content);
  if (known) return known;
  const group = content.children;
  const children = new Map<string, ChildPlan>();
  for (const name of group?.names ?? []) {
    const type = group && typeOf(group, name);
    const rank = group?.parts.findIndex((part) => part.names.has(name)) ?? 0;
    if (type !== undefined) children.set(name, { rank, type });
  }
  const plan = { isOrdered: group !== undefined && ordersByName(group), children, isBody };
  PLANS.set(content, plan);
  return plan;
}

/** The plan of a child; names that the model does not know are the sender's, and are not remembered. */
function planFor(name: string, parent: Plan): Plan {
  const child = parent.children.get(name);
  if (child?.plan) return child.plan;
  const type = parent.isBody ? name : child?.type;
  if (type === undefined) return NO_PLAN;
  const plan = planOf(MODEL.contentOf(type), name === 'Body');
  if (child) child.plan = plan;
  return plan;
}

function writeElement({ name, attributes, children }: ScriptElement, plan: Plan, output: Output): void {
  output.path.push(name);
  output.text += `<${name}`;
  for (const one of attributes) if (!one.prefix) output.text += ` ${one.name}="${escapeAttribute(one.value, output)}"`;
  if (children.some(isElement)) {
    output.text += '>';
    for (const node of inOrder(children, plan))
      if (typeof node !== 'string') writeElement(node, planFor(node.name, plan), output);
    output.text += `</${name}>`;
  } else {
    const [only = ''] = children;
    const text = (children.length > 1 ? children.join('') : (only as string)).trim(); // no element is among them
    output.text += text === '' ? '/>' : `>${escapeOrRefuse(text, output)}</${name}>`;
  }
  output.path.pop();
}

const isElement = (node: ScriptElement | string): node is ScriptElement => typeof node !== 'string';

function typeOf(group: GroupParticle, name: string): string | Content | undefined {
  for (const part of group.parts) {
    if (!part.names.has(name)) continue;
    return part.kind === 'element' ? part.type : typeOf(part, name);
  }
  return undefined;
}

type Nodes = readonly (ScriptElement | string)[];

/** Text between elements goes with what stands before it. */
function inOrder(nodes: Nodes, plan: Plan): Nodes {
  if (!plan.isOrdered) return nodes;
  let last = 0;
  for (const node of nodes) {
    const rank = rankOf(node, plan) ?? last;
    if (rank < last) return sorted(nodes, plan);
    last = rank;
  }
  return nodes;
}

/** What the model does not know stays behind what it stood behind. */
function sorted(nodes: Nodes, plan: Plan): Nodes {
  let last = 0;
  return nodes
    .map((node) => {
      last = rankOf(node, plan) ?? last;
      return { node, rank: last };
    })
    .toSorted((one, other) => one.rank - other.rank)
    .map(({ node }) => node);
}

const rankOf = (node: ScriptElement | string, plan: Plan): number | undefined =>
  typeof node === 'string' ? undefined : plan.children.get(node.name)?.rank;

/** Where a name stands in two places (dose ranges), document order carries the meaning and is kept. */
const ordersByName = (group: GroupParticle): boolean =>
  group.kind === 'sequence' && group.parts.reduce((sum, part) => sum + part.names.size, 0) === group.names.size;

function escapeOrRefuse(text: string, { faults, path }: Output): string {
  // Nearly every text is plain: one look tells.
  if (PLAIN.test(text)) return text;
  if (FORBIDDEN.test(text)) faults.push(path.join('/'));
  return escapeXml(text);
}

/** White space in attributes is written as references: a reader would make plain spaces of it. */
const escapeAttribute = (value: string, output: Output): string =>
  PLAIN.test(value)
    ? value
    : escapeOrRefuse(value, output).replaceAll(/[\n\t]/g, (character) => `&#${character.charCodeAt(0)};`);

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
