/** The definitions of one type in the form the checks walk: a table of JSON names. */
import type { Constraint } from '../definition-constraints.ts';
import {
  choiceName,
  type Definitions,
  type ElementDefinition,
  type TypeDefinition,
  type TypeKind,
} from '../definitions.ts';
import { type Binding, boundKindOf, type CodeSet } from './bindings.ts';
import type { Invariant } from './invariants.ts';
import { PRIMITIVES, type PrimitiveCheck } from './primitives.ts';
import type { JsonObject, Run } from './run.ts';

export const PRIMITIVE = 0;
export const COMPLEX = 1;
export const REFERENCE = 2;
/** Any resource, told by its `resourceType`. */
export const RESOURCE = 3;
/** `_birthDate`: id and extensions of the primitive `birthDate`. */
export const BESIDE = 4;
/** `resourceType`, read before the walk. */
export const TYPE_NAME = 5;
export type FieldKind =
  | typeof PRIMITIVE
  | typeof COMPLEX
  | typeof REFERENCE
  | typeof RESOURCE
  | typeof BESIDE
  | typeof TYPE_NAME;

/** One JSON property of a type. */
export interface Field {
  /** `valueQuantity`, `_birthDate`. */
  readonly name: string;
  /** Name in FHIRPath: `value`, `birthDate`. */
  readonly path: string;
  readonly kind: FieldKind;
  /** `Quantity`, `date`, `Patient.contact`. */
  readonly typeName: string;
  readonly array: boolean;
  /** Bit of the element in the mask of what an object has: required elements and choices have one, others 0. */
  readonly bit: number;
  readonly choice: boolean;
  readonly check: PrimitiveCheck;
  readonly canonical: boolean;
  /** Resource types a Reference may point to; undefined = any. */
  readonly targets: ReadonlySet<string> | undefined;
  readonly element: ElementDefinition | undefined;
  /** `uri`, `url` and `canonical`, whose values may name a contained resource. */
  readonly nameable: boolean;
  /** Invariants of the type (bits of its list) that must be evaluated where this element is there. */
  readonly wakes: number;
  /** Invariants of the element in this place, each with the properties it waits for. */
  readonly invariants: readonly InPlace[];
  readonly binding: Binding | undefined;
  /** The compiled type, filled in when first met. */
  type: CompiledType | undefined;
}

/** An invariant of an element in its place. */
export interface InPlace {
  readonly invariant: Invariant;
  /** JSON properties of which one must be there; undefined: it is always evaluated. */
  readonly keys: readonly string[] | undefined;
}

/** An element that has a bit. */
export interface Slot {
  readonly element: ElementDefinition;
  readonly bit: number;
  /** The JSON names it can have. */
  readonly names: readonly string[];
}

/** A check of a whole object once its properties have been seen; `seen` is the mask of bits. */
export type Rule = (object: JsonObject, seen: number, run: Run) => void;

export interface CompiledType {
  readonly name: string;
  readonly kind: TypeKind;
  readonly fields: ReadonlyMap<string, Field>;
  readonly slots: readonly Slot[];
  readonly required: number;
  readonly rules: readonly Rule[];
  /** Those that refuse, first; a bit each. */
  readonly invariants: readonly Invariant[];
  /** Bits of the invariants that are evaluated whatever is there. */
  readonly always: number;
  readonly warnings: readonly Invariant[];
}

/** What types are compiled with, beside their structure. */
export interface Rules {
  of(type: TypeDefinition): readonly Rule[];
  invariantsOf(path: string, constraints: readonly Constraint[]): readonly Invariant[];
  codeSet(valueSet: string): CodeSet | undefined;
}

export interface CompiledTypes {
  /** Compiles a type when it is first asked for. The name must be one the definitions have. */
  type(name: string): CompiledType;
  /** A resource type that can be sent, or undefined. */
  resource(name: string): CompiledType | undefined;
  readonly resourceTypes: ReadonlySet<string>;
}

const noCheck: PrimitiveCheck = () => undefined;

/** Returns the types of the definitions, each compiled when first asked for. */
export function compileTypes(definitions: Definitions, rules: Rules): CompiledTypes {
  const compiled = new Map<string, CompiledType>();
  const resourceTypes = new Set(definitions.resourceTypes);
  const type = (name: string): CompiledType => {
    let found = compiled.get(name);
    if (found === undefined) {
      const definition = definitions.types[name];
      if (definition === undefined) throw new Error(`The definitions have no type ${name}`);
      found = compileType(definition, rules, definitions);
      compiled.set(name, found);
    }
    return found;
  };
  return { type, resource: (name) => (resourceTypes.has(name) ? type(name) : undefined), resourceTypes };
}

function compileType(definition: TypeDefinition, rules: Rules, definitions: Definitions): CompiledType {
  const all = rules.invariantsOf(definition.name, definition.constraints ?? []);
  const invariants = all.filter(({ severity }) => severity === 'error');
  if (invariants.length > 31) throw new Error(`${definition.name} has more invariants than bits`);
  const fields = new Map<string, Field>();
  const slots: Slot[] = [];
  let required = 0;
  for (const element of definition.elements) {
    let bit = 0;
    const names = element.choice ? element.types.map((t) => choiceName(element.name, t.code)) : [element.name];
    if (element.min > 0 || element.choice) {
      if (slots.length > 30) throw new Error(`${definition.name} has more required elements and choices than bits`);
      bit = 1 << slots.length;
      slots.push({ element, bit, names });
      if (element.min > 0) required |= bit;
    }
    for (const [i, { code, targets }] of element.types.entries()) {
      const name = names[i]!;
      const kind = kindOf(code, definitions);
      const field: Field = {
        name,
        path: element.name,
        kind,
        typeName: code,
        array: element.max !== 1,
        bit,
        choice: element.choice,
        check: PRIMITIVES.get(code) ?? noCheck,
        canonical: code === 'canonical',
        nameable: code === 'uri' || code === 'url' || code === 'canonical',
        wakes: maskOf(invariants, ({ triggers }) => triggers?.includes(element.name) === true),
        invariants: rules
          .invariantsOf(`${definition.name}.${element.name}`, element.constraints ?? [])
          .map((invariant) => ({ invariant, keys: keysOf(invariant, definitions.types[code]) })),
        binding: bindingOf(element, code, rules),
        targets: code === 'Reference' && targets !== undefined && targets.length > 0 ? new Set(targets) : undefined,
        element,
        type: undefined,
      };
      fields.set(name, field);
      if (kind === PRIMITIVE && hasBeside(definition, element, code))
        fields.set(`_${name}`, { ...field, name: `_${name}`, kind: BESIDE, typeName: 'Element' });
    }
  }
  if (definition.kind === 'resource') fields.set('resourceType', TYPE_NAME_FIELD);
  return {
    name: definition.name,
    kind: definition.kind,
    fields,
    slots,
    required,
    rules: rules.of(definition),
    invariants,
    always: maskOf(invariants, ({ triggers }) => triggers === undefined),
    warnings: all.filter(({ severity }) => severity === 'warning'),
  };
}

/** The properties that an invariant waits for, where none of them is a choice. */
function keysOf({ triggers }: Invariant, type: TypeDefinition | undefined): readonly string[] | undefined {
  const isPlain = (name: string): boolean => type?.elements.some((e) => e.name === name && !e.choice) === true;
  return triggers?.every(isPlain) ? triggers.flatMap((name) => [name, `_${name}`]) : undefined;
}

const maskOf = (invariants: readonly Invariant[], fits: (invariant: Invariant) => boolean): number =>
  invariants.reduce((mask, invariant, i) => (fits(invariant) ? mask | (1 << i) : mask), 0);

/** A binding that can be checked: to a value set that is held, and not to examples. */
function bindingOf({ binding }: ElementDefinition, code: string, rules: Rules): Binding | undefined {
  const kind = boundKindOf(code);
  if (binding === undefined || kind === undefined || binding.strength === 'example') return undefined;
  const set = rules.codeSet(binding.valueSet);
  return set && { kind, strength: binding.strength, set };
}

function kindOf(code: string, definitions: Definitions): FieldKind {
  if (definitions.primitives[code] !== undefined) return PRIMITIVE;
  if (code === 'Reference') return REFERENCE;
  return definitions.types[code]?.kind === 'resource' ? RESOURCE : COMPLEX;
}

/** Ids, `Extension.url` and `Narrative.div` have no extensions. https://hl7.org/fhir/R4/json.html#primitive */
const hasBeside = (type: TypeDefinition, element: ElementDefinition, code: string): boolean =>
  element.name !== 'id' && code !== 'xhtml' && !(type.name === 'Extension' && element.name === 'url');

const TYPE_NAME_FIELD: Field = {
  name: 'resourceType',
  path: 'resourceType',
  kind: TYPE_NAME,
  typeName: 'code',
  array: false,
  bit: 0,
  choice: false,
  check: noCheck,
  canonical: false,
  nameable: false,
  wakes: 0,
  invariants: [],
  binding: undefined,
  targets: undefined,
  element: undefined,
  type: undefined,
};
