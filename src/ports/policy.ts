/** What the store and the doors ask of the policy engine. `src/policy/` implements it. SECURITY C, AZ-01 to AZ-03. */
import type { Letter } from '../standards/smart/scope.ts';
import type { Caller } from './caller.ts';

/** Who asks for what, in the words of Consents. SECURITY FA-06 */
export interface ConsentAsker {
  /** How provisions may name them: `Practitioner/1`, `Organization/2`; `Device`: some program. */
  readonly actors: readonly string[];
  /** Codes of v3-PurposeOfUse; absent: not known, and so perhaps any. */
  readonly purposes?: readonly string[];
  readonly action: 'access' | 'collect' | 'correct';
}

/**
 * Which resources of one type a caller may reach, as data; `src/postgres/` compiles it into the SQL that selects rows.
 * Queries are FHIR search parameters of the type in question, without controls.
 */
export type Filter =
  | { readonly kind: 'everything' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'any'; readonly of: readonly Filter[] }
  | { readonly kind: 'all'; readonly of: readonly Filter[] }
  | { readonly kind: 'search'; readonly query: string }
  | { readonly kind: 'id'; readonly ids: readonly string[] }
  /** Members of a patient's compartment, the patient included. */
  | { readonly kind: 'compartment'; readonly patientIds: readonly string[] }
  /** Members of the compartment of some patient that `of` allows. */
  | { readonly kind: 'patient'; readonly of: Filter }
  /** Those that some `type` which `of` allows refers to by `parameter`. */
  | { readonly kind: 'referred'; readonly type: string; readonly parameter: string; readonly of: Filter }
  /** Binaries to which the attachment of some `type` that `of` allows points. SECURITY CP-22 */
  | { readonly kind: 'attached'; readonly type: string; readonly of: Filter }
  /** Binaries whose security context is some `type` that `of` allows. */
  | { readonly kind: 'context'; readonly type: string; readonly of: Filter }
  /** Those that no Consent of their patient keeps from who asks. */
  | { readonly kind: 'undenied'; readonly asker: ConsentAsker }
  /** Those that a Consent of their patient opens to who asks, by name. */
  | {
      readonly kind: 'permitted';
      readonly asker: ConsentAsker;
      /** Labels that the Consent must name, where a resource bears them. */
      readonly labels: readonly string[];
      /** Whether only Consents count that the patient gave themselves. */
      readonly isByPatient: boolean;
    };

/** `rule` goes to the audit trail and the log, never to the caller. SECURITY AZ-09. */
export type Decision = { readonly allowed: true } | { readonly allowed: false; readonly rule: string };

export interface Policy {
  /** Whether the caller may do this with any resource of the type at all; no resource is looked at. SECURITY CP-02. */
  decide(caller: Caller, type: string, letter: Letter): Decision;
  /** Which of them. `nothing` where `decide` refuses. */
  filterFor(caller: Caller, type: string, letter: Letter): Filter;
  /** What resources of a type may be referred to by what the caller writes, whatever types its scopes name. SECURITY AZ-05, CP-11 */
  referenceFilter(caller: Caller, type: string): Filter;
  /** Whether whatever a search of the type finds for the caller may be referred to as well. */
  mayReferToFound(caller: Caller, type: string): boolean;
  /** Elements of a type that the caller may see, search and sort by; undefined: all of them. SECURITY AZ-04 */
  elementsFor(caller: Caller, type: string): ReadonlySet<string> | undefined;
  /** Whether the caller may do something that is not about a type: `ops:jobs`, `admin:users`, `message:read` … */
  allows(caller: Caller, right: string): Decision;
}
