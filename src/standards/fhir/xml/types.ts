/** The definitions in the form that reading and writing XML walks. https://hl7.org/fhir/R4/xml.html */
import { choiceName, type Definitions, type ElementDefinition, type TypeDefinition } from '../definitions.ts';

export const FHIR_NAMESPACE = 'http://hl7.org/fhir';
export const XHTML_NAMESPACE = 'http://www.w3.org/1999/xhtml';

/** `xhtml`: a narrative's `div`. `resource`: an element that holds a whole resource. The rest but `complex` are primitives. */
export type XmlFieldKind = 'text' | 'base64' | 'number' | 'boolean' | 'xhtml' | 'complex' | 'resource';

/** One element or attribute, under its name in XML, which is that of JSON: `valueQuantity`. */
export interface XmlField {
  readonly name: string;
  /** Name in FHIRPath: `value`. */
  readonly path: string;
  /** Place among the elements of its type; the names of one choice share theirs. */
  readonly order: number;
  readonly kind: XmlFieldKind;
  readonly array: boolean;
  /** Of what it holds: a type for `complex`, Element for primitives. */
  readonly typeName: string;
}

export const isPrimitive = ({ kind }: XmlField): boolean =>
  kind !== 'complex' && kind !== 'resource' && kind !== 'xhtml';

export interface XmlType {
  readonly name: string;
  readonly isResource: boolean;
  readonly elements: ReadonlyMap<string, XmlField>;
  /** `id`, and `url` of an extension. https://hl7.org/fhir/R4/xml.html "represented as an attribute" */
  readonly attributes: ReadonlyMap<string, XmlField>;
}

export interface XmlTypes {
  /** The name must be one that the definitions have. */
  type(name: string): XmlType;
  /** A resource type that can be sent, or undefined. */
  resource(name: string): XmlType | undefined;
  readonly resourceTypes: readonly string[];
}

/** Each type is compiled when first asked for. */
export function compileXmlTypes(definitions: Definitions): XmlTypes {
  const compiled = new Map<string, XmlType>();
  const resourceTypes = new Set(definitions.resourceTypes);
  const type = (name: string): XmlType => {
    const known = compiled.get(name);
    if (known !== undefined) return known;
    const definition = definitions.types[name];
    if (definition === undefined) throw new Error(`The definitions have no type ${name}`);
    const made = compileType(definition, definitions);
    compiled.set(name, made);
    return made;
  };
  return {
    type,
    resource: (name) => (resourceTypes.has(name) ? type(name) : undefined),
    resourceTypes: definitions.resourceTypes,
  };
}

function compileType({ name, kind, elements }: TypeDefinition, definitions: Definitions): XmlType {
  const isResource = kind === 'resource';
  const type = { name, isResource, elements: new Map<string, XmlField>(), attributes: new Map<string, XmlField>() };
  for (const [order, element] of elements.entries())
    for (const field of fieldsOf(element, order, definitions)) {
      const isAttribute = (field.name === 'id' && !isResource) || (field.name === 'url' && name === 'Extension');
      (isAttribute ? type.attributes : type.elements).set(field.name, field);
    }
  return type;
}

const fieldsOf = (element: ElementDefinition, order: number, definitions: Definitions): XmlField[] =>
  element.types.map(({ code }) => {
    const kind = kindOf(code, definitions);
    return {
      name: element.choice ? choiceName(element.name, code) : element.name,
      path: element.name,
      order,
      kind,
      array: element.max !== 1,
      typeName: kind === 'complex' || kind === 'resource' ? code : 'Element',
    };
  });

const KINDS: ReadonlyMap<string, XmlFieldKind> = new Map<string, XmlFieldKind>([
  ['base64Binary', 'base64'],
  ['boolean', 'boolean'],
  ['decimal', 'number'],
  ['integer', 'number'],
  ['positiveInt', 'number'],
  ['unsignedInt', 'number'],
  ['xhtml', 'xhtml'],
]);

function kindOf(code: string, definitions: Definitions): XmlFieldKind {
  if (definitions.primitives[code] !== undefined) return KINDS.get(code) ?? 'text';
  return definitions.types[code]?.kind === 'resource' ? 'resource' : 'complex';
}
