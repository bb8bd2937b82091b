/** What FHIRPath must know of the types: which properties an element has in JSON, and what they are. */
import { choiceName, type Definitions } from '../definitions.ts';

/** One JSON property of an element. */
export interface Child {
  /** FHIRPath name: `value`. */
  readonly name: string;
  /** JSON name: `valueQuantity`. */
  readonly json: string;
  /** `_valueString`; empty for what is no primitive. */
  readonly beside: string;
  /** `Quantity`, `string`, `Patient.contact`; empty where the value tells (a resource). */
  readonly type: string;
}

export interface Model {
  /** The properties an element of a type can be in; none where the type has no such element. */
  childrenNamed(type: string, name: string): readonly Child[];
  /** All properties of a type. */
  childrenOf(type: string): readonly Child[];
  isPrimitive(type: string): boolean;
  /** Whether a type is `name`, or a specialisation of it. */
  isA(type: string, name: string): boolean;
}

const NONE: readonly Child[] = [];

/**
 * The data types that specialise others. A primitive is of its own type alone, as the expressions of R4 take it:
 * `source as uri` is not the canonical.
 */
const PARENTS: Readonly<Record<string, string>> = {
  Age: 'Quantity',
  Count: 'Quantity',
  Distance: 'Quantity',
  Duration: 'Quantity',
  Bundle: 'Resource',
  Binary: 'Resource',
  Parameters: 'Resource',
  DomainResource: 'Resource',
};

/** Types are read when they are first met. */
export function createModel(definitions: Definitions): Model {
  const byType = new Map<string, { readonly all: readonly Child[]; readonly byName: Map<string, Child[]> }>();
  const resourceTypes = new Set(definitions.resourceTypes);
  const isPrimitive = (type: string): boolean => Object.hasOwn(definitions.primitives, type);

  const read = (type: string) => {
    let found = byType.get(type);
    if (found === undefined) {
      const all = compileChildren(definitions, type, isPrimitive);
      found = { all, byName: Map.groupBy(all, (child) => child.name) };
      byType.set(type, found);
    }
    return found;
  };

  return {
    childrenNamed: (type, name) => read(type).byName.get(name) ?? NONE,
    childrenOf: (type) => read(type).all,
    isPrimitive,
    isA(type, name) {
      for (let one: string | undefined = type; one !== undefined; one = parentOf(one, resourceTypes, isPrimitive))
        if (one === name) return true;
      return false;
    },
  };
}

function parentOf(type: string, resourceTypes: ReadonlySet<string>, isPrimitive: (type: string) => boolean) {
  const parent = PARENTS[type];
  if (parent !== undefined) return parent;
  if (resourceTypes.has(type)) return 'DomainResource';
  if (type.includes('.')) return 'BackboneElement';
  if (type === 'Element' || type === 'Resource') return undefined;
  return isPrimitive(type) || /^[A-Z]/.test(type) ? 'Element' : undefined;
}

function compileChildren(
  definitions: Definitions,
  type: string,
  isPrimitive: (type: string) => boolean,
): readonly Child[] {
  const definition = Object.hasOwn(definitions.types, type) ? definitions.types[type] : undefined;
  return (definition?.elements ?? []).flatMap((element) =>
    element.types.map(({ code }): Child => {
      const json = element.choice ? choiceName(element.name, code) : element.name;
      return {
        name: element.name,
        json,
        beside: isPrimitive(code) ? `_${json}` : '',
        type: code === 'Resource' || definitions.types[code]?.kind === 'resource' ? '' : code,
      };
    }),
  );
}
