/**
 * Which namespace declarations a start tag carries: those of prefixes the tag itself uses and no ancestor has declared,
 * as Exclusive XML Canonicalization has it (https://www.w3.org/TR/xml-exc-c14n/#sec-Specification, "visibly utilized").
 */
import type { XmlElement } from './tree.ts';

/** Prefix to namespace, as the tags written so far declare it. */
export type NamespaceScope = ReadonlyMap<string, string>;

export const NO_NAMESPACES: NamespaceScope = new Map();

/** Pairs of prefix and namespace, the default namespace first, then by prefix; empty for most elements. */
export type Declarations = readonly (readonly [prefix: string, namespace: string])[];

const NONE: Declarations = [];

export function declarationsOf(element: XmlElement, scope: NamespaceScope): Declarations {
  let own: Map<string, string> | undefined;
  if (isUndeclared(element.prefix, element.namespace, scope)) own = new Map([[element.prefix, element.namespace]]);
  for (const { prefix, namespace } of element.attributes) {
    if (prefix === '' || !isUndeclared(prefix, namespace, scope)) continue;
    own ??= new Map();
    own.set(prefix, namespace);
  }
  if (own === undefined) return NONE;
  return own.size === 1 ? [...own] : [...own].sort(([a], [b]) => compareCodePoints(a, b));
}

/** The scope within an element that makes these declarations. */
export const scopeWithin = (scope: NamespaceScope, declarations: Declarations): NamespaceScope =>
  declarations.length === 0 ? scope : new Map([...scope, ...declarations]);

/** `xml` is never declared; the empty default namespace only to undo another. */
const isUndeclared = (prefix: string, namespace: string, scope: NamespaceScope): boolean =>
  prefix !== 'xml' && (scope.get(prefix) ?? (prefix === '' ? '' : undefined)) !== namespace;

/** Order by Unicode code point; JavaScript's own is by UTF-16 unit, which differs above U+FFFF. */
export function compareCodePoints(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [unitA, unitB] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (unitA === unitB) continue;
    const [highA, highB] = [isSurrogate(unitA), isSurrogate(unitB)];
    return highA === highB ? unitA - unitB : highA ? 1 : -1;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
