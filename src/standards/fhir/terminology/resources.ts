/** The parts of R4's terminology resources that the operations read. https://hl7.org/fhir/R4/terminology-module.html */

export interface Coding {
  readonly system?: string;
  readonly version?: string;
  readonly code?: string;
  readonly display?: string;
}

export interface Designation {
  readonly language?: string;
  readonly use?: Coding;
  readonly value: string;
}

export interface ConceptProperty {
  readonly code: string;
  readonly valueCode?: string;
  readonly valueCoding?: Coding;
  readonly valueString?: string;
  readonly valueInteger?: unknown;
  readonly valueBoolean?: boolean;
  readonly valueDateTime?: string;
  readonly valueDecimal?: unknown;
}

export interface RawConcept {
  readonly code: string;
  readonly display?: string;
  readonly definition?: string;
  readonly designation?: readonly Designation[];
  readonly property?: readonly ConceptProperty[];
  readonly concept?: readonly RawConcept[];
}

export interface CodeSystem {
  readonly resourceType: 'CodeSystem';
  readonly url?: string;
  readonly version?: string;
  readonly name?: string;
  readonly title?: string;
  readonly language?: string;
  readonly caseSensitive?: boolean;
  readonly content: 'not-present' | 'example' | 'fragment' | 'complete' | 'supplement';
  readonly supplements?: string;
  readonly property?: readonly { readonly code: string; readonly description?: string }[];
  readonly concept?: readonly RawConcept[];
}

export interface Filter {
  readonly property: string;
  readonly op: string;
  readonly value: string;
}

export interface Include {
  readonly system?: string;
  readonly version?: string;
  readonly concept?: readonly {
    readonly code: string;
    readonly display?: string;
    readonly designation?: readonly Designation[];
  }[];
  readonly filter?: readonly Filter[];
  readonly valueSet?: readonly string[];
}

export interface Contains extends Coding {
  readonly abstract?: boolean;
  readonly inactive?: boolean;
  readonly designation?: readonly Designation[];
  readonly contains?: readonly Contains[];
}

export interface ValueSet {
  readonly resourceType: 'ValueSet';
  readonly url?: string;
  readonly version?: string;
  readonly compose?: {
    readonly inactive?: boolean;
    readonly include: readonly Include[];
    readonly exclude?: readonly Include[];
  };
  readonly expansion?: { readonly contains?: readonly Contains[] };
}

export interface MapTarget {
  readonly code?: string;
  readonly display?: string;
  readonly equivalence: string;
  readonly comment?: string;
  readonly dependsOn?: readonly { readonly property: string; readonly system?: string; readonly value: string }[];
  readonly product?: readonly {
    readonly property: string;
    readonly system?: string;
    readonly value: string;
    readonly display?: string;
  }[];
}

export interface ConceptMap {
  readonly resourceType: 'ConceptMap';
  readonly url?: string;
  readonly version?: string;
  readonly sourceUri?: string;
  readonly sourceCanonical?: string;
  readonly targetUri?: string;
  readonly targetCanonical?: string;
  readonly group?: readonly {
    readonly source?: string;
    readonly target?: string;
    readonly element: readonly {
      readonly code?: string;
      readonly display?: string;
      readonly target?: readonly MapTarget[];
    }[];
    readonly unmapped?: {
      readonly mode: 'provided' | 'fixed' | 'other-map';
      readonly code?: string;
      readonly display?: string;
      readonly url?: string;
    };
  }[];
}

export type Terminology = CodeSystem | ValueSet | ConceptMap;

/** Where code systems, value sets and maps come from; a `url` may carry `|version`. Undefined for what there is not. */
export interface TerminologySource {
  findCodeSystem(url: string): Promise<CodeSystem | undefined>;
  /** Code systems that add designations and properties to this one. */
  findSupplements(url: string): Promise<readonly CodeSystem[]>;
  findValueSet(url: string): Promise<ValueSet | undefined>;
  findConceptMap(url: string): Promise<ConceptMap | undefined>;
  /** Maps between value sets, or between code systems. */
  findConceptMaps(between: MapEnds): Promise<readonly ConceptMap[]>;
}

/** What a map leads from and into; undefined: into any. */
export interface MapEnds {
  readonly of: 'ValueSet' | 'CodeSystem';
  readonly source: string | undefined;
  readonly target: string | undefined;
}
