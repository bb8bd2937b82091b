/** What a search is made with, and what is known of it as its statements are compiled. */
import type { SearchParameters } from '../../standards/fhir/search/parameter.ts';
import type { Keys } from '../keys.ts';
import type { Row, Unopened } from '../pools.ts';
import type { CommonRanges } from './common-ranges.ts';
import type { FilterContext, SealedTargets, Visible } from './condition.ts';
import type { Frequencies } from './frequencies.ts';
import { Params } from './sql.ts';

/** Runs one statement; the name is that of its shape. */
export type Run = (text: string, values: readonly unknown[], unopened?: Unopened) => Promise<readonly Row[]>;

/** Whether rows may remain that have the search values of an older build. */
export interface OlderRows {
  readonly remain: boolean;
}

export interface SearchTools {
  readonly keys: Keys;
  readonly parameters: SearchParameters;
  readonly frequencies: Frequencies;
  readonly commonRanges: CommonRanges;
  readonly now: () => number;
  readonly olderRows: OlderRows;
  /** Parameters by which types of no compartment name patients. */
  readonly beside: ReadonlyMap<string, readonly string[]>;
  readonly sealedTargets?: SealedTargets;
  /** Rows that chains, `_has` and includes may lead to. */
  readonly visible: Visible;
}

export const contextOf = (tools: SearchTools): FilterContext => ({
  keys: tools.keys,
  parameters: tools.parameters,
  params: new Params(),
  now: tools.now(),
  hasOlderRows: tools.olderRows.remain,
  beside: tools.beside,
  ...(tools.sealedTargets && { sealedTargets: tools.sealedTargets }),
  visible: tools.visible,
});
