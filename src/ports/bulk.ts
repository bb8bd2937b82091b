/** Whole types, read row after row for those who take much. `src/postgres/scan.ts` implements it. SECURITY CP-14, CP-15 */
import type { Condition } from '../standards/fhir/search/request.ts';
import type { Caller } from './caller.ts';
import type { StoredVersion } from './resource-store.ts';

export interface ScanRequest {
  readonly type: string;
  /** Resources that meet all conditions of one of these; empty: every one. */
  readonly anyOf: readonly (readonly Condition[])[];
  /** Those in the compartment of some patient, or of one of these; absent: all. */
  readonly patients?: 'any' | readonly string[];
  /** Of these ids alone; absent: all. */
  readonly ids?: readonly string[];
  /** ms UTC, inclusive: changed since. */
  readonly since?: number;
  /** The instant of which the scan tells, ms UTC. */
  readonly at: number;
  /** Where the page before ended. */
  readonly after?: string;
  readonly limit: number;
}

export interface ScanPage {
  /** As they were at the instant; what was deleted since is left out. */
  readonly versions: readonly StoredVersion[];
  /** Where the next page begins; absent on the last. */
  readonly next?: string;
}

/** A page as text, without looking into it. */
export interface ScanLines {
  /** Resources with a line break between them; empty where there is none. */
  readonly text: string;
  readonly count: number;
  readonly next?: string;
}

export interface Scan {
  /** Each resource once, in an order of the store's own, with the rights of the caller at this moment. Throws 403. */
  page(caller: Caller, request: ScanRequest): Promise<ScanPage>;
  /** The same as lines: at most about `bytesMax` bytes of them, and at least one resource. */
  lines(caller: Caller, request: ScanRequest & { readonly bytesMax: number }): Promise<ScanLines>;
  /** Resolves when everything that was being written before is through. */
  settle(): Promise<void>;
}
