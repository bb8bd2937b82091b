/** What a search asks of rows, and what is known when it is compiled to SQL. */

import type { ConsentAsker } from '../../ports/policy.ts';
import type { SearchParameter, SearchParameters } from '../../standards/fhir/search/parameter.ts';
import type { Condition } from '../../standards/fhir/search/request.ts';
import type { Keys } from '../keys.ts';
import type { Params } from './sql.ts';

/** Conditions of the standard, those that resolving chains leaves behind, and those that the policy sets. */
export type StoreCondition =
  | Condition
  /** The reference parameter points to one of these resources. */
  | {
      readonly kind: 'targets';
      readonly parameter: SearchParameter;
      readonly type: string;
      readonly rids: readonly bigint[];
    }
  | { readonly kind: 'rids'; readonly rids: readonly bigint[] }
  /** In the compartment of one of many patients; `bigint[]` of their rids, and of the tokens of their members. */
  | { readonly kind: 'members'; readonly rids: Buffer; readonly tokens: Buffer }
  | { readonly kind: 'any'; readonly conditions: readonly StoreCondition[] }
  | { readonly kind: 'every'; readonly conditions: readonly StoreCondition[] }
  | { readonly kind: 'not'; readonly condition: StoreCondition }
  | { readonly kind: 'never' }
  /** As it was when a walk began. */
  | { readonly kind: 'unchanged'; readonly start: number; readonly snapshot: string }
  /** A row of `type` that meets these has the Binary for an attachment, or is its security context. */
  | {
      readonly kind: 'attached' | 'context';
      readonly type: string;
      readonly conditions: readonly StoreCondition[];
    }
  /** No Consent of the row's patient keeps it from who asks. */
  | { readonly kind: 'undenied'; readonly asker: ConsentAsker }
  /** A Consent of the row's patient opens it to who asks. */
  | {
      readonly kind: 'permitted';
      readonly asker: ConsentAsker;
      readonly labels: readonly string[];
      readonly isByPatient: boolean;
    }
  /** The patient whom the row is about (a Patient: itself) meets these. */
  | { readonly kind: 'patient'; readonly conditions: readonly StoreCondition[] }
  /** Some row of `type` that meets these refers here by `parameter`. */
  | {
      readonly kind: 'referred';
      readonly type: string;
      readonly parameter: SearchParameter;
      readonly conditions: readonly StoreCondition[];
    };

/** What rows of a type must meet to be seen by the caller at hand; nothing: all of them may be. SECURITY AZ-03 */
export type Visible = (type: string) => readonly StoreCondition[];

/** Absent: nothing is stored encrypted. */
export type SealedTargets = (type: string) => readonly string[];

export interface FilterContext {
  readonly keys: Keys;
  readonly parameters: SearchParameters;
  readonly params: Params;
  readonly now: number;
  /** Rows may remain that have the search values of an older build: it is being mended in the background. */
  readonly hasOlderRows: boolean;
  /** Parameters by which types of no compartment name patients. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  /** Types to which the encrypted elements of a type may refer, `*`: any. SECURITY KS-07 */
  readonly sealedTargets?: SealedTargets;
  /** Holds for every row that a chain, `_has` or include leads to. */
  readonly visible: Visible;
  /** Every row under this alias is one of these. */
  readonly among?: { readonly alias: string; readonly rids: readonly bigint[] };
  /** The row under alias `m` is not in its table but in `m`, `m_n` and `m_s` of the statement. */
  readonly isCandidate?: boolean;
}
