/** A parsed search. https://hl7.org/fhir/R4/search.html */
import type { SearchParameter } from './parameter.ts';

/** `po` comes from `_filter` alone: the periods overlap. */
export type Prefix = 'eq' | 'ne' | 'gt' | 'lt' | 'ge' | 'le' | 'sa' | 'eb' | 'ap' | 'po';

/** `code` → {code}; `s|c` → {system, code}; `|c` → {system: '', code}; `s|` → {system}. Unescaped. */
export interface TokenValue {
  readonly system?: string;
  readonly code?: string;
}
/** Closed range of ms that the text stands for (implicit precision). */
export interface DateValue {
  readonly prefix: Prefix;
  readonly low: number;
  readonly high: number;
}
/** `low`/`high`: implicit precision range of the text (`100` → 99.5…100.5), `value` the number itself. */
export interface NumberValue {
  readonly prefix: Prefix;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
/** Unit forms: `5` → neither; `5|s|c` → both; `5||c` → code only (code or unit text). */
export interface QuantityValue extends NumberValue {
  readonly system?: string;
  readonly code?: string;
}
/** Local: `type` (absent: any target of the parameter) and `id`. Foreign absolute or `urn:`: `url`. Canonical: `url`, `version`. */
export type ReferenceValue =
  | { readonly id: string; readonly type?: string }
  | { readonly url: string; readonly version?: string };
export type CompositePart =
  | { readonly type: 'token'; readonly value: TokenValue }
  | { readonly type: 'reference'; readonly value: ReferenceValue }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'date'; readonly value: DateValue }
  | { readonly type: 'number'; readonly value: NumberValue }
  | { readonly type: 'quantity'; readonly value: QuantityValue };

/** Words that stand side by side (the last may be a beginning), and what is made of such. */
export type TextQuery =
  | { readonly kind: 'words'; readonly words: readonly string[]; readonly isBeginning: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly TextQuery[] }
  | { readonly kind: 'not'; readonly of: TextQuery };

/** Degrees of WGS84. */
export interface NearValue {
  readonly latitude: number;
  readonly longitude: number;
  readonly metres: number;
}

/** `values` are ORed; conditions are ANDed. */
export type Condition =
  | {
      readonly kind: 'token';
      readonly parameter: SearchParameter;
      readonly modifier?: 'not';
      readonly values: readonly TokenValue[];
    }
  /** `:in`, `:not-in`, `:above`, `:below`: codes that terminology knows. A store is asked once they are tokens. */
  | {
      readonly kind: 'token-set';
      readonly parameter: SearchParameter;
      readonly modifier: 'in' | 'not-in' | 'above' | 'below';
      /** Value sets by url or `ValueSet/id`, or tokens as text. */
      readonly values: readonly string[];
    }
  | { readonly kind: 'token-text'; readonly parameter: SearchParameter; readonly values: readonly string[] }
  | {
      readonly kind: 'of-type';
      readonly parameter: SearchParameter;
      readonly values: readonly { readonly system: string; readonly code: string; readonly value: string }[];
    }
  | {
      readonly kind: 'string';
      readonly parameter: SearchParameter;
      readonly modifier?: 'exact' | 'contains';
      readonly values: readonly string[];
    }
  /** Some value as a whole, without case and accents, is so in comparison. */
  | {
      readonly kind: 'string-order';
      readonly parameter: SearchParameter;
      readonly operator: 'eq' | 'ne' | 'ew' | 'gt' | 'lt' | 'ge' | 'le';
      readonly value: string;
    }
  | { readonly kind: 'reference'; readonly parameter: SearchParameter; readonly values: readonly ReferenceValue[] }
  | {
      readonly kind: 'reference-identifier';
      readonly parameter: SearchParameter;
      readonly values: readonly TokenValue[];
    }
  | {
      readonly kind: 'uri';
      readonly parameter: SearchParameter;
      readonly modifier?: 'above' | 'below';
      readonly values: readonly string[];
    }
  | { readonly kind: 'date'; readonly parameter: SearchParameter; readonly values: readonly DateValue[] }
  | { readonly kind: 'number'; readonly parameter: SearchParameter; readonly values: readonly NumberValue[] }
  | { readonly kind: 'quantity'; readonly parameter: SearchParameter; readonly values: readonly QuantityValue[] }
  | {
      readonly kind: 'composite';
      readonly parameter: SearchParameter;
      readonly values: readonly (readonly CompositePart[])[];
    }
  | { readonly kind: 'missing'; readonly parameter: SearchParameter; readonly missing: boolean }
  | { readonly kind: 'id'; readonly ids: readonly string[] }
  | { readonly kind: 'last-updated'; readonly values: readonly DateValue[] }
  /** `subject:Patient.name=x`: the target (one of `types`) matches `condition`; one branch a type, ORed. */
  | {
      readonly kind: 'chain';
      readonly parameter: SearchParameter;
      readonly branches: readonly { readonly type: string; readonly condition: Condition }[];
    }
  /** `_has:Observation:patient:code=x`: some `type` that refers here by `parameter` matches `condition`. */
  | { readonly kind: 'has'; readonly type: string; readonly parameter: SearchParameter; readonly condition: Condition }
  /** `_text` and `_content` of a type: words of the narrative, or of every text. */
  | {
      readonly kind: 'text';
      readonly type: string;
      readonly scope: 'narrative' | 'content';
      readonly values: readonly TextQuery[];
    }
  /** Locations whose position is so near to one of these. */
  | { readonly kind: 'near'; readonly values: readonly NearValue[] }
  | { readonly kind: 'any' | 'every'; readonly conditions: readonly Condition[] }
  | { readonly kind: 'not'; readonly condition: Condition }
  /** Membership in a compartment: `Patient/1/Observation`. */
  | { readonly kind: 'compartment'; readonly compartment: string; readonly id: string };

export interface SortKey {
  /** A parameter, or `_id` / `_lastUpdated`. */
  readonly by: SearchParameter | '_id' | '_lastUpdated';
  readonly descending: boolean;
}

export interface Include {
  /** Type that holds the reference. */
  readonly source: string;
  /** Absent: wildcard, every reference parameter of `source`. */
  readonly parameter?: SearchParameter;
  /** Restricts the target's type (_include) or the page's type (_revinclude). */
  readonly target?: string;
  readonly iterate: boolean;
  /** One of all types: where the caller may not ask for it, it is left out. */
  readonly isOfAll?: true;
}

export interface SearchRequest {
  readonly type: string;
  readonly conditions: readonly Condition[];
  readonly sort: readonly SortKey[];
  /** Absent: the server's default page size. 0 with `total` accurate = `_summary=count`. */
  readonly count?: number;
  readonly total: 'none' | 'estimate' | 'accurate';
  readonly includes: readonly Include[];
  readonly revincludes: readonly Include[];
  readonly elements?: readonly string[];
  readonly summary?: 'true' | 'text' | 'data' | 'count' | 'false';
  /** Opaque paging position, unverified. */
  readonly cursor?: string;
  /** Skips that many matches (compatibility); 0 when absent. */
  readonly offset: number;
  /** Resources within others too, or alone; which is given out: the container or what it contains. */
  readonly contained?: {
    readonly which: 'true' | 'both';
    readonly as: 'container' | 'contained';
    /** Types that may be looked into; absent: any. */
    readonly inside?: (type: string) => boolean;
  };
  /** Types into whose resources chains may lead, to what they contain; absent: any. */
  readonly mayLookInto?: (type: string) => boolean;
  /** Tells how it was answered. Administrators only. */
  readonly explain?: boolean;
  /** The parameters that took part, as given (for the self link), without the cursor. */
  readonly applied: readonly (readonly [name: string, value: string])[];
  /** Parameters left out under lenient handling, with the reason. */
  readonly ignored: readonly { readonly name: string; readonly reason: string }[];
}

/** A search over several types. */
export interface SystemSearchRequest extends Omit<SearchRequest, 'type' | 'conditions' | 'contained' | 'mayLookInto'> {
  /** One a type, in the order of names. */
  readonly parts: readonly {
    readonly type: string;
    readonly conditions: readonly Condition[];
    readonly mayLookInto?: (type: string) => boolean;
  }[];
  /** Whether the types were named; else all of them are meant that the caller may search. */
  readonly isNamed: boolean;
}
