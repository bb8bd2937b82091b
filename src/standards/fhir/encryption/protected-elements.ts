/** Which elements of which types are stored encrypted: `ENCRYPTED_ELEMENTS`, checked against the definitions. SECURITY KS-07 */
import { choiceName, type Definitions, type ElementType } from '../definitions.ts';
import type { Atom, SearchParameters, TypeParameters } from '../search/parameter.ts';

/** What is protected below an object: a JSON name leads on, `whole` says that all below it is meant. */
export interface ProtectedNode {
  readonly whole: boolean;
  readonly below: ReadonlyMap<string, ProtectedNode>;
}

/** Resource type → its elements. Empty: nothing is protected. */
export type ProtectedElements = ReadonlyMap<string, ProtectedType>;

export interface ProtectedType extends ProtectedNode {
  /** Types to which references in protected elements may point, `*`: any. Extensions that nobody named are not looked at. */
  readonly targets: ReadonlySet<string>;
}

/** Names that stand for lists of elements. */
const PROFILES: ReadonlyMap<string, readonly string[]> = new Map([
  // The narrative repeats what the other elements say.
  ['uk-protected', ['identifier', 'name', 'telecom', 'address', 'birthDate', 'text'].map((name) => `Patient.${name}`)],
]);

/** Rows, versions and rights are found by these. */
const NEVER = new Set(['id', 'meta', 'implicitRules', 'contained', 'resourceType']);

/** Element paths of a setting, profiles written out, sorted; undefined when it is not a list of those. */
export function parseProtectedPaths(text: string): readonly string[] | undefined {
  const words = text.split(',').flatMap((word) => PROFILES.get(word.trim()) ?? [word.trim()]);
  const paths = words.filter((word) => word !== '');
  const isPath = (path: string): boolean => /^[A-Z][A-Za-z]{1,63}(?:\.[a-z][A-Za-z0-9]{0,63}){1,8}$/.test(path);
  return paths.length <= 500 && paths.every(isPath) ? [...new Set(paths)].sort() : undefined;
}

/** The paths as trees. Throws with a text for the operator when one cannot be protected. */
export function compileProtectedElements(
  paths: readonly string[],
  definitions: Definitions,
  parameters: SearchParameters,
): ProtectedElements {
  const types = new Map<string, MutableType>();
  for (const path of paths) {
    const [type = '', ...names] = path.split('.');
    if (!definitions.resourceTypes.includes(type)) throw new Error(`${path}: ${type} is no resource type`);
    if (NEVER.has(names[0] ?? '')) throw new Error(`${path}: resources are found by it, so it cannot be encrypted`);
    const root: MutableType = types.get(type) ?? { whole: false, below: new Map(), targets: new Set() };
    types.set(type, root);
    add(root, definitions, type, names, path, root.targets);
  }
  for (const [type, root] of types)
    for (const atom of parameters.get(type)?.atoms ?? [])
      if (atom.type === 'reference' && covers(root, atom))
        throw new Error(
          `${type}: the references that '${atom.code}' searches lead from resource to resource, so they cannot be encrypted`,
        );
  return types;
}

interface MutableNode {
  whole: boolean;
  readonly below: Map<string, MutableNode>;
}

interface MutableType extends MutableNode {
  readonly targets: Set<string>;
}

function add(
  node: MutableNode,
  definitions: Definitions,
  type: string,
  [name, ...rest]: readonly string[],
  path: string,
  targets: Set<string>,
): void {
  if (name === undefined) {
    node.whole = true;
    for (const target of targetsBelow(definitions, type, new Set())) targets.add(target);
    return;
  }
  const element = definitions.types[type]?.elements.find((e) => e.name === name);
  if (!element) throw new Error(`${path}: ${type} has no element '${name}'`);
  for (const elementType of element.types) {
    const { code } = elementType;
    for (const target of targetsOf(elementType)) targets.add(target);
    const jsonName = element.choice ? choiceName(name, code) : name;
    const below = node.below.get(jsonName) ?? { whole: false, below: new Map() };
    node.below.set(jsonName, below);
    add(below, definitions, code, rest, path, targets);
  }
}

const targetsOf = ({ code, targets = [] }: ElementType): readonly string[] =>
  code !== 'Reference' ? [] : targets.length === 0 || targets.includes('Resource') ? ['*'] : targets;

/** Types to which references in a type may point; extensions aside, which every type may have. */
function targetsBelow(definitions: Definitions, type: string, seen: Set<string>): readonly string[] {
  if (seen.has(type)) return [];
  seen.add(type);
  if (type === 'Resource') return ['*'];
  const elements = definitions.types[type]?.elements.filter((one) => !/xtension$/.test(one.name)) ?? [];
  return elements.flatMap((one) =>
    one.types.flatMap((below) => [...targetsOf(below), ...targetsBelow(definitions, below.code, seen)]),
  );
}

/** Atoms of a type by index: whether what they find is protected, and so has no searchable text of its own. */
export function protectedAtoms(
  elements: ProtectedElements,
  { resourceType, atoms, parameters }: TypeParameters,
): readonly boolean[] | undefined {
  const root = elements.get(resourceType);
  if (!root) return undefined;
  const found = atoms.map((atom) => covers(root, atom));
  // A parameter over several atoms is protected as a whole or not at all: its values are asked for in one way.
  for (let again = true; again; ) {
    again = false;
    for (const parameter of parameters.values())
      if (parameter.atoms.some(({ index }) => found[index]))
        for (const { index } of parameter.atoms)
          if (!found[index]) {
            found[index] = true;
            again = true;
          }
  }
  return found.includes(true) ? found : undefined;
}

/** Whether what one atom finds is protected, were it alone; for those that are of no list at hand. */
export function isProtectedAtom(elements: ProtectedElements, resourceType: string, atom: Atom): boolean {
  const root = elements.get(resourceType);
  return root !== undefined && covers(root, atom);
}

const covers = (root: ProtectedNode, atom: Atom): boolean =>
  atom.leaves.some((leaf) =>
    [
      ...(leaf.fromResource ? [] : [leaf.steps]),
      // Components lie below the composite's own leaf, or begin at the resource.
      ...(leaf.parts ?? []).flat().map((part) => (part.fromResource ? part.steps : [...leaf.steps, ...part.steps])),
    ].some((steps) =>
      touches(
        root,
        steps.map(({ name }) => name),
      ),
    ),
  );

/** Whether a path lies in a protected element, or has one below it. */
function touches(root: ProtectedNode, names: readonly string[]): boolean {
  let node: ProtectedNode | undefined = root;
  for (const name of names) {
    node = node.below.get(name);
    if (!node) return false;
    if (node.whole) return true;
  }
  return true;
}
