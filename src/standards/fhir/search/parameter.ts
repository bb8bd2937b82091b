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
  /** Leaves in the JSON as `jsonb_path_query` paths, with the FHIR type found there; for `:text` and slow sorts. */
  readonly leaves: readonly { readonly path: string; readonly type: string }[];
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
  /** Bit of the row's presence mask, 0–62; serves `:missing`. */
  readonly bit: number;
  /** Composites: the component parameters' types and codes in order. */
  readonly components: readonly { readonly type: SearchType; readonly code: string }[];
  /** Tokens whose every leaf is a `code` bound to known systems: the systems that a query may name; else empty. */
  readonly impliedSystems: readonly string[];
}

/** Everything the store and the query parser need to know about searching one type. */
export interface TypeParameters {
  readonly resourceType: string;
  readonly parameters: ReadonlyMap<string, SearchParameter>;
  readonly atoms: readonly Atom[];
  /** The single-valued date atom kept in the row itself (`sd`, `se`), when the type has one. */
  readonly mainDate: Atom | undefined;
  /** Whether the Patient compartment's parameters can name only one patient, so that `pat` may be set. */
  readonly singlePatient: boolean;
  /** Codes of the reference parameters that are always that one patient (`patient`, `subject` limited to Patient). */
  readonly patientCodes: readonly string[];
}

/** All types. `get` throws nothing: an unknown type is `undefined`. */
export interface SearchParameters {
  get(resourceType: string): TypeParameters | undefined;
}
