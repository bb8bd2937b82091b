/** Where the values of posted search parameters stand: `src/postgres/custom-parameters.ts`. */

export interface CustomParameterStatus {
  /** Of the SearchParameter. */
  readonly id: string;
  readonly state: 'waiting' | 'indexing' | 'ready' | 'retired';
  /** Types that are done, of how many; resources so far. */
  readonly types: number;
  readonly typesAll: number;
  readonly rows: number;
  /** ms UTC */
  readonly changed: number;
  readonly ready?: number;
}

export interface CustomParameterDesk {
  status(): Promise<readonly CustomParameterStatus[]>;
}
