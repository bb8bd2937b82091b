/** What a V3 message held that no map took: told by place, never by value. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { isElement, type XmlElement } from '../../../standards/xml/tree.ts';
import { pathOf, type V3Node } from './v3-node.ts';

/** A message has at most so many notes; the last says how many more there were. */
const NOTES_MAX = 50;

/** They are the same in every message of a kind, or say again what stands elsewhere. */
const STRUCTURAL: ReadonlySet<string> = new Set([
  'code',
  'seperatableInd',
  'templateId',
  'typeId',
  'pertinentCareRecordElementCategory',
  'pertinentBatchInfo',
]);

/** One note an element that was not read, though its parent was. */
export function findUnread(root: V3Node): readonly Issue[] {
  const places: string[] = [];
  visit(root, places);
  const notes = places.slice(0, NOTES_MAX).map((place) => note(`${place} is left out`, place));
  return places.length <= NOTES_MAX ? notes : [...notes, note(`${places.length - NOTES_MAX} more are left out`)];
}

function visit(node: V3Node, places: string[]): void {
  for (const child of node.element.children) {
    if (!isElement(child) || STRUCTURAL.has(child.name) || isEmpty(child)) continue;
    const within: V3Node = { element: child, parent: node, seen: node.seen };
    if (node.seen.has(child)) visit(within, places);
    else if (!isWrapper(child)) places.push(pathOf(within));
  }
}

/** A relationship to what is the same in every message. */
const isWrapper = ({ children }: XmlElement): boolean => {
  const elements = children.filter(isElement);
  return elements.length > 0 && elements.every(({ name }) => STRUCTURAL.has(name));
};

/** Nothing is lost with an element that says nothing, or that it is not applicable. */
const isEmpty = ({ attributes, children }: XmlElement): boolean =>
  attributes.every(({ name }) => name === 'nullFlavor') &&
  children.every((child) => !isElement(child) && child.trim() === '');

const note = (diagnostics: string, expression?: string): Issue => ({
  severity: 'information',
  code: 'informational',
  diagnostics,
  ...(expression !== undefined && { expression: [expression] }),
});
