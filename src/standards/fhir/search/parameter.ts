/** What a search parameter is for one resource type, after the official definitions have been compiled. */

export type SearchType =
  | 'number'
  | 'date'
  | 'string'
  | 'token'
  | 'reference'
  | 'composite'
  | 'quantity'
  | 'uri'
  | 'special';

/** One JSON property on the way to a leaf. */
export interface PathStep {
  /** JSON name; of a choice the concrete one (`valueQuantity`). */
  readonly name: string;
  readonly array: boolean;
  /** Only this entry of the array. */
  readonly index?: number;
  /** Only objects whose property `name` is `value`. */
  readonly where?: { readonly name: string; readonly value: string };
}

/** A place in the resource where an atom finds values. */
export interface Leaf {
  /** `jsonb_path_query` path, lax mode: `$.code`, `$.name[*]`, `$.telecom[*] ? (@.system == "email")`. */
  readonly path: string;
  /** FHIR type found there, `CodeableConcept`; for composites the type of the element that holds the components. */
  readonly type: string;
  readonly steps: readonly PathStep[];
  /** Composites: for each component its leaves, relative to this one. */
  readonly parts?: readonly (readonly Leaf[])[];
  /** Component leaf whose `steps` begin at the resource (`%resource`). */
  readonly fromResource?: boolean;
}

/**
 * Where a parameter's values are stored. Parameters whose expressions are equal, or differ only by `resolve() is X`,
 * share an atom (`patient` is stored as `subject`); a parameter that is the union of others (`combo-code`) has several.
 * A query on a parameter is the OR over its atoms.
 */
export interface Atom {
  /** Position in `TypeParameters.atoms`: the number the extractor passes to the sink. */
  readonly index: number;
  /** Code of the parameter under which the values are stored; the name that is hashed. */
  readonly code: string;
  readonly type: SearchType;
  /** Whether one resource can have more than one value. */
  readonly multiple: boolean;
  /** For composites: the types of the components in order. */
  readonly components: readonly SearchType[];
  /** Leaves in the JSON, for the extractor, `:text` and slow sorts. */
  readonly leaves: readonly Leaf[];
  /** The value is not the leaf but whether one exists that is not `false` (Patient `deceased`), as token `true`/`false`. */
  readonly notFalse: boolean;
  /** Of a SearchParameter that was posted: it comes and goes, and decides about nobody's rights. */
  readonly custom?: true;
}

export interface SearchParameter {
  readonly code: string;
  readonly type: SearchType;
  readonly url: string;
  /** The resource type this entry is for. */
  readonly resourceType: string;
  readonly description: string;
  readonly atoms: readonly Atom[];
  /** References: the resource types that may be pointed to (all types when the definition names none). */
  readonly targets: readonly string[];
  /** References: targets that the parameter's own expression restricts to (`resolve() is Patient`); empty = no limit. */
  readonly onlyTargets: readonly string[];
  /** Bit of the row's presence mask, 0–62; serves `:missing`. Custom: -1, as they have a token in its place. */
  readonly bit: number;
  /** Composites: the component parameters' types and codes in order. */
  readonly components: readonly { readonly type: SearchType; readonly code: string }[];
  /** Tokens whose every leaf is a `code` bound to known systems: the systems that a query may name; else empty. */
  readonly impliedSystems: readonly string[];
  /** Of a SearchParameter that was posted. */
  readonly custom?: true;
}

/** Everything the store and the query parser need to know about searching one type. */
export interface TypeParameters {
  readonly resourceType: string;
  readonly parameters: ReadonlyMap<string, SearchParameter>;
  readonly atoms: readonly Atom[];
  /** The single-valued date atom kept in the row itself (`sd`, `se`), when the type has one. */
  readonly mainDate: Atom | undefined;
  /** Whether its resources have a narrative. */
  readonly hasNarrative: boolean;
  /**
   * Whether `pat` may be set: a `patient` or `subject` parameter of the Patient compartment is one single-valued
   * element. The compartment can have members through further parameters (Observation `performer`): those are
   * reported by `member`, never by `pat`.
   */
  readonly singlePatient: boolean;
  /**
   * Codes of the reference parameters for which `pat` is exactly the answer when a query names a Patient (`patient`,
   * `subject`): all share `patientAtom`, whose one element may name others than patients, and then `pat` is null.
   */
  readonly patientCodes: readonly string[];
  /** The atom whose `Patient/…` reference is `pat`; set exactly when `singlePatient`. */
  readonly patientAtom: Atom | undefined;
  /** Codes of posted parameters whose values are still being made, each with how far that is. */
  readonly indexing?: ReadonlyMap<string, () => string>;
}

export type FullText = 'narrative' | 'all';

/** All types. `get` throws nothing: an unknown type is `undefined`. */
export interface SearchParameters {
  get(resourceType: string): TypeParameters | undefined;
  /** What is searched by words: narratives (`_text`), or every text (`_content` as well). Absent: nothing. */
  readonly fullText?: FullText;
}
