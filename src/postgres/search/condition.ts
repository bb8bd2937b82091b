/** What a search asks of rows, and what is known when it is compiled to SQL. */
import type { SearchParameter, SearchParameters } from '../../standards/fhir/search/parameter.ts';
import type { Condition } from '../../standards/fhir/search/request.ts';
import type { Keys } from '../keys.ts';
import type { Params } from './sql.ts';

/** Conditions of the standard, and those that resolving chains leaves behind. */
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
  | { readonly kind: 'any'; readonly conditions: readonly StoreCondition[] };

export interface FilterContext {
  readonly keys: Keys;
  readonly parameters: SearchParameters;
  readonly params: Params;
  readonly now: number;
}
