/**
 * Reads a V3 message as a tree whose every element knows where it stands: what is missing is a fault that names the
 * place, and what was never looked at can be told afterwards.
 */
import { Decimal } from '../../../standards/fhir/json.ts';
import type { Issue, IssueCode } from '../../../standards/fhir/outcome.ts';
import { formatIso, formatIsoDate, parseDateTime } from '../../../standards/hl7v3/date-time.ts';
import { HL7_V3 } from '../../../standards/hl7v3/element.ts';
import { attributeOf, isElement, ownText, type XmlElement } from '../../../standards/xml/tree.ts';
import { EpsFault } from '../fault.ts';

export interface V3Node {
  readonly element: XmlElement;
  readonly parent: V3Node | undefined;
  /** Elements that were read, of the whole message. */
  readonly seen: Set<XmlElement>;
}

export const rootNode = (element: XmlElement): V3Node => ({ element, parent: undefined, seen: new Set([element]) });

/** Where it stands, as XPath writes it without prefixes: `ParentPrescription/recordTarget/Patient/addr[2]`. */
export function pathOf({ element, parent }: V3Node): string {
  if (parent === undefined) return element.name;
  const alike = namedElements(parent.element, element.name);
  const nth = alike.length > 1 ? `[${alike.indexOf(element) + 1}]` : '';
  return `${pathOf(parent)}/${element.name}${nth}`;
}

const namedElements = (element: XmlElement, name: string): readonly XmlElement[] =>
  element.children.filter(isElement).filter((child) => child.name === name);

/** A fault of the message itself. `diagnostics` names elements and rules, never a value of the patient's. */
export const v3Fault = (code: IssueCode, node: V3Node, diagnostics: string, name = ''): EpsFault =>
  new EpsFault(v3Issue('error', code, node, diagnostics, name));

export const v3Issue = (
  severity: Issue['severity'],
  code: IssueCode,
  node: V3Node,
  diagnostics: string,
  name = '',
): Issue => ({
  severity,
  code,
  diagnostics: `${diagnostics} (line ${node.element.line}, column ${node.element.column})`,
  expression: [`${pathOf(node)}${name}`],
});

/** All that is within counts as read. */
export function readWhole({ element, seen }: Pick<V3Node, 'element' | 'seen'>): void {
  seen.add(element);
  for (const child of element.children) if (isElement(child)) readWhole({ element: child, seen });
}

/** The child elements of that name in the V3 namespace. */
export function childrenOf(node: V3Node, name: string): readonly V3Node[] {
  const children: V3Node[] = [];
  for (const child of node.element.children) {
    if (!isElement(child) || child.name !== name || child.namespace !== HL7_V3) continue;
    node.seen.add(child);
    children.push({ element: child, parent: node, seen: node.seen });
  }
  return children;
}

/** The child element of that name, if there is one; two are a fault. */
export function findChild(node: V3Node | undefined, name: string): V3Node | undefined {
  if (node === undefined) return undefined;
  const [child, ...others] = childrenOf(node, name);
  if (others.length > 0) throw v3Fault('structure', node, `${name} is there ${others.length + 1} times, not once`);
  return child;
}

/** Down the path, whose steps may each be absent. */
export const findPath = (node: V3Node | undefined, ...names: readonly string[]): V3Node | undefined =>
  names.reduce<V3Node | undefined>(findChild, node);

/** The one child element down the path. */
export const requiredChild = (node: V3Node, ...names: readonly string[]): V3Node =>
  names.reduce((parent, name) => findChild(parent, name) ?? missing(parent, name), node);

export function requiredChildren(node: V3Node, name: string): readonly V3Node[] {
  const children = childrenOf(node, name);
  return children.length > 0 ? children : missing(node, name);
}

function missing(node: V3Node, name: string): never {
  const [elsewhere] = namedElements(node.element, name);
  if (elsewhere === undefined) throw v3Fault('required', node, `${name} is missing`, `/${name}`);
  const namespace = elsewhere.namespace === '' ? 'no namespace' : `the namespace ${elsewhere.namespace.slice(0, 100)}`;
  throw v3Fault('structure', node, `${name} is in ${namespace}, not in ${HL7_V3}`, `/${name}`);
}

/** An attribute that is there and not empty. */
export function findAttribute(node: V3Node | undefined, name: string): string | undefined {
  const value = node === undefined ? undefined : attributeOf(node.element, name);
  return value === undefined || value.trim() === '' ? undefined : value;
}

export function requiredAttribute(node: V3Node, name: string): string {
  const value = findAttribute(node, name);
  if (value === undefined) throw v3Fault('required', node, `The attribute ${name} is missing`, `/@${name}`);
  return value;
}

/** The text of the element as it stands; white space alone is none. */
export function findText(node: V3Node | undefined): string | undefined {
  const text = node === undefined ? '' : ownText(node.element);
  return text.trim() === '' ? undefined : text;
}

export function requiredText(node: V3Node): string {
  const text = findText(node);
  if (text === undefined) throw v3Fault('required', node, 'The text is missing');
  return text;
}

/** `value="20261116094130"` as an instant in ms. */
export function instantOfValue(node: V3Node): number {
  const at = parseDateTime(requiredAttribute(node, 'value'));
  if (at === undefined) throw v3Fault('value', node, 'The value is no V3 time, such as 20261116094130', '/@value');
  return at;
}

/** `value="20261116"` as `2026-11-16T00:00:00+00:00`. */
export const dateTimeOfValue = (node: V3Node): string => formatIso(instantOfValue(node));

/** `value="20261116"` as `2026-11-16`. */
export const dateOfValue = (node: V3Node): string => formatIsoDate(instantOfValue(node));

/** The number's digits as they came; one that begins with its point gets a nought before it. */
export function decimalOf(node: V3Node): Decimal {
  const text = requiredAttribute(node, 'value').trim().replace(/^\./, '0.');
  if (!/^\d{1,18}(?:\.\d{1,18})?$/.test(text)) throw v3Fault('value', node, 'The value is no number', '/@value');
  return new Decimal(text.replace(/^0+(?=\d)/, ''));
}

/** `value="6"`, from one up. */
export function countOfValue(node: V3Node): number {
  const text = requiredAttribute(node, 'value').trim();
  if (!/^[1-9]\d{0,5}$/.test(text)) throw v3Fault('value', node, 'The value is no whole number from 1 up', '/@value');
  return Number(text);
}
