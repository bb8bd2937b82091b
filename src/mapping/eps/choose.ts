/** Chooses identifiers, codings and extensions by their system or url. */

import { requiredFieldMissing } from './fault.ts';
import { has, listAt, type Node, requiredNode, requiredString, stringAt } from './node.ts';
import { atMostOne, onlyOne } from './only.ts';

const withMember = (list: readonly Node[], name: 'system' | 'url', value: string): readonly Node[] =>
  list.filter((item) => item[name] === value);

/** The value of the one identifier of the system; an absent list is a fault too. */
export function identifierOf(identifiers: readonly Node[] | undefined, system: string, path: string): string {
  if (identifiers === undefined) throw requiredFieldMissing(path);
  return requiredString(
    onlyOne(withMember(identifiers, 'system', system), path, `system == '${system}'`),
    'value',
    path,
  );
}

/** The value of the identifier of the system, if there is one. */
export function findIdentifier(
  identifiers: readonly Node[] | undefined,
  system: string,
  path: string,
): string | undefined {
  if (identifiers === undefined) return undefined;
  return stringAt(atMostOne(withMember(identifiers, 'system', system), path, `system == '${system}'`), 'value', path);
}

/** The identifier a reference holds by itself, as a list. */
export const ownIdentifiers = (reference: Node | undefined, path: string): readonly Node[] => [
  requiredNode(reference, 'identifier', path),
];

export const codingOf = (codings: readonly Node[] | undefined, system: string, path: string): Node =>
  onlyOne(codings === undefined ? undefined : withMember(codings, 'system', system), path, `system == '${system}'`);

/** The one coding of the system among those of all the concepts. */
export function conceptCodingOf(concepts: readonly Node[] | undefined, system: string, path: string): Node {
  if (concepts === undefined) throw requiredFieldMissing(path);
  return codingOf(codingsOf(concepts, path), system, `${path}.coding`);
}

export const findConceptCoding = (
  concepts: readonly Node[] | undefined,
  system: string,
  path: string,
): Node | undefined =>
  concepts === undefined
    ? undefined
    : atMostOne(withMember(codingsOf(concepts, path), 'system', system), `${path}.coding`, `system == '${system}'`);

export const codingsOf = (concepts: readonly Node[], path: string): readonly Node[] =>
  concepts.flatMap((concept) => listAt(concept, 'coding', path) ?? []);

/** `path`: of the extensions themselves. */
export const extensionOf = (parent: Node | undefined, url: string, path: string): Node =>
  onlyOne(extensionsOf(parent, url, path), path, `url == '${url}'`);

export const findExtension = (parent: Node | undefined, url: string, path: string): Node | undefined =>
  atMostOne(extensionsOf(parent, url, path), path, `url == '${url}'`);

export function extensionsOf(parent: Node | undefined, url: string, path: string): readonly Node[] | undefined {
  const extensions = listAt(parent, 'extension', path.replace(/\.extension$/, ''));
  return extensions === undefined ? undefined : withMember(extensions, 'url', url);
}

/** A reference to a resource; the other form holds an identifier. */
export const isReference = (value: Node | undefined): value is Node => has(value, 'reference');
