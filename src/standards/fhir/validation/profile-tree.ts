/**
 * A profile as a tree of what it adds to its type: the differentials of its line of profiles laid over one another, which
 * is what a snapshot holds beyond R4. https://hl7.org/fhir/R4/profiling.html
 */

import type { Constraint } from '../definition-constraints.ts';
import type { Model } from '../fhirpath/model.ts';
import type { Invariant } from './invariants.ts';

export interface RawElement {
  readonly id?: string;
  readonly path: string;
  readonly sliceName?: string;
  readonly min?: number;
  readonly max?: string;
  readonly maxLength?: number;
  readonly mustSupport?: boolean;
  readonly type?: readonly {
    readonly code?: string;
    readonly profile?: readonly string[];
    readonly targetProfile?: readonly string[];
  }[];
  readonly slicing?: {
    readonly discriminator?: readonly { readonly type: string; readonly path: string }[];
    readonly rules?: string;
    readonly ordered?: boolean;
  };
  readonly binding?: { readonly strength: string; readonly valueSet?: string };
  readonly constraint?: readonly (Omit<Constraint, 'severity'> & {
    readonly severity: string;
    readonly source?: string;
  })[];
}
export interface RawProfile {
  readonly resourceType: 'StructureDefinition';
  readonly url: string;
  readonly version?: string;
  readonly type: string;
  readonly kind?: string;
  readonly derivation?: string;
  readonly baseDefinition?: string;
  readonly snapshot?: { readonly element?: readonly RawElement[] };
  readonly differential?: { readonly element?: readonly RawElement[] };
}

export interface Discriminator {
  readonly type: string;
  readonly path: string;
}
export interface Slicing {
  readonly discriminators: readonly Discriminator[];
  readonly rules: string;
  readonly ordered: boolean;
}
export interface NarrowedType {
  readonly code: string;
  readonly profiles: readonly string[];
  readonly targets: readonly string[];
}

/** What a profile says of one element. */
export interface Node {
  /** FHIRPath name: `identifier`, `value`. */
  readonly name: string;
  /** Of a slice. */
  readonly sliceName?: string;
  min?: number;
  /** Infinity for `*`. */
  max?: number;
  maxLength?: number;
  mustSupport?: boolean;
  types?: readonly NarrowedType[];
  fixed?: unknown;
  pattern?: unknown;
  minValue?: unknown;
  maxValue?: unknown;
  binding?: { readonly strength: string; readonly valueSet: string };
  slicing?: Slicing;
  readonly slices: Map<string, Node>;
  readonly children: Map<string, Node>;
  readonly constraints: Map<string, Invariant>;
}

export type Compile = (constraint: Required<Constraint> & { readonly source: string }) => Invariant;

export const emptyNode = (name: string, sliceName?: string): Node => ({
  name,
  ...(sliceName !== undefined && { sliceName }),
  slices: new Map(),
  children: new Map(),
  constraints: new Map(),
});

/** A tree may be laid over, and is not shared. */
export const copyNode = (node: Node): Node => ({
  ...node,
  slices: new Map([...node.slices].map(([name, one]) => [name, copyNode(one)])),
  children: new Map([...node.children].map(([name, one]) => [name, copyNode(one)])),
  constraints: new Map(node.constraints),
});

/** Elements of a profile beyond this are not read. */
const ELEMENTS_MAX = 5000;
/** The rules of R4 itself, which every resource is checked for. */
const BASE_SOURCE = 'http://hl7.org/fhir/StructureDefinition/';

/** Lays the elements of a differential (or of a snapshot) over a tree. Throws where an element is not of the type. */
export function layOver(
  root: Node,
  profile: RawProfile,
  elements: readonly RawElement[],
  model: Model,
  compile: Compile,
): void {
  if (elements.length > ELEMENTS_MAX) throw new ProfileError(`it has more than ${ELEMENTS_MAX} elements`);
  const idOf = createIds();
  for (const element of elements) {
    const node = find(root, profile.type, idOf(element), model);
    narrow(node, element, profile, compile);
  }
}

/** What is wrong with a profile itself. */
export class ProfileError extends Error {
  override readonly name = 'ProfileError';
}

/** Ids of elements; where they are left out they are made from paths and slice names. */
function createIds(): (element: RawElement) => string {
  const slices = new Map<string, string>();
  return ({ id, path, sliceName }) => {
    for (const known of slices.keys()) if (known === path || known.startsWith(`${path}.`)) slices.delete(known);
    if (sliceName !== undefined) slices.set(path, sliceName);
    if (id !== undefined) return id;
    const steps = path.split('.');
    return steps
      .map((step, i) => {
        const slice = slices.get(steps.slice(0, i + 1).join('.'));
        return slice === undefined ? step : `${step}:${slice}`;
      })
      .join('.');
  };
}

function find(root: Node, type: string, id: string, model: Model): Node {
  let node = root;
  // The model says which names are types of a choice as long as it knows the type.
  let known: string | undefined = type;
  for (const step of id.split('.').slice(1)) {
    const colon = step.indexOf(':');
    const written = colon < 0 ? step : step.slice(0, colon);
    const slice = colon < 0 ? undefined : step.slice(colon + 1);
    const { name, choice } = nameOf(written, known, model);
    node = below(node.children, name, () => emptyNode(name));
    known = typeBelow(known, name, choice, model);
    if (choice !== undefined) {
      node.slicing ??= { discriminators: [{ type: 'type', path: '$this' }], rules: 'open', ordered: false };
      node = below(node.slices, written, () => ({
        ...emptyNode(name, written),
        types: [{ code: choice, profiles: [], targets: [] }],
      }));
    }
    for (const part of slice?.split('/') ?? []) node = below(node.slices, part, () => emptyNode(name, part));
    if (slice !== undefined && written.endsWith('[x]')) {
      const typed = nameOf(slice, undefined, model);
      known = known === undefined ? undefined : (model.childrenNamed(known, typed.name)[0]?.type ?? known);
    }
  }
  return node;
}

function below(map: Map<string, Node>, name: string, make: () => Node): Node {
  let found = map.get(name);
  if (found === undefined) {
    found = make();
    map.set(name, found);
  }
  return found;
}

/** `value[x]` → value; `valueQuantity` → value of type Quantity. */
function nameOf(written: string, type: string | undefined, model: Model): { name: string; choice?: string } {
  if (written.endsWith('[x]')) return { name: written.slice(0, -3) };
  if (type === undefined || model.childrenNamed(type, written).length > 0) return { name: written };
  const child = model.childrenOf(type).find(({ json }) => json === written);
  return child === undefined ? { name: written } : { name: child.name, choice: child.type };
}

function typeBelow(
  type: string | undefined,
  name: string,
  choice: string | undefined,
  model: Model,
): string | undefined {
  if (choice !== undefined) return choice;
  const children = type === undefined ? [] : model.childrenNamed(type, name);
  return children.length === 1 && children[0]!.type !== '' ? children[0]!.type : undefined;
}

function narrow(node: Node, element: RawElement, profile: RawProfile, compile: Compile): void {
  const { min, max, maxLength, mustSupport, type, slicing, binding, constraint = [] } = element;
  if (min !== undefined) node.min = min;
  if (max !== undefined) node.max = max === '*' ? Number.POSITIVE_INFINITY : Number(max);
  if (maxLength !== undefined) node.maxLength = maxLength;
  if (mustSupport === true) node.mustSupport = true;
  if (type !== undefined && type.length > 0 && element.path.includes('.'))
    node.types = type.map(({ code = '', profile: profiles = [], targetProfile = [] }) => ({
      code: code.startsWith('http://hl7.org/fhirpath/') ? '' : code,
      profiles,
      targets: targetProfile,
    }));
  for (const key in element) {
    const value = (element as unknown as Readonly<Record<string, unknown>>)[key];
    if (/^fixed[A-Z]/.test(key)) node.fixed = value;
    else if (/^pattern[A-Z]/.test(key)) node.pattern = value;
    else if (/^minValue[A-Z]/.test(key)) node.minValue = value;
    else if (/^maxValue[A-Z]/.test(key)) node.maxValue = value;
  }
  if (slicing !== undefined)
    node.slicing = {
      discriminators: slicing.discriminator ?? node.slicing?.discriminators ?? [],
      rules: slicing.rules ?? 'open',
      ordered: slicing.ordered ?? false,
    };
  if (binding?.valueSet !== undefined) node.binding = { strength: binding.strength, valueSet: binding.valueSet };
  for (const { key, severity, human, expression, source = profile.url } of constraint) {
    if (expression === undefined || /^(?:ele-1|ext-1|dom-\d)$/.test(key) || source.startsWith(BASE_SOURCE)) continue;
    node.constraints.set(
      key,
      compile({ key, severity: severity === 'warning' ? 'warning' : 'error', human, expression, source }),
    );
  }
}
