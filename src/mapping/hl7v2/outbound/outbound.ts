/** What the writers of one message share. */
import type { SegmentWriter } from './segment-writer.ts';
import type { Source } from './source.ts';

export interface Party {
  readonly application: string;
  readonly facility: string;
}

export interface OutboundContext {
  readonly from: Party;
  readonly to: Party;
  /** When it is written, ms UTC. */
  readonly at: number;
  /** MSH-10. */
  readonly controlId: string;
  /** MSH-12: `2.3` to `2.8`; 2.5.1 when absent. */
  readonly version?: string;
  /** `ADT^A08`; by what the Bundle holds when absent. */
  readonly kind?: string;
  /** MSH-17; `GBR` when absent. UK tables are used for it. */
  readonly country?: string;
}

export interface Outbound {
  readonly from: Source;
  readonly out: SegmentWriter;
  /** 251 for 2.5.1. */
  readonly version: number;
  readonly isUk: boolean;
}
