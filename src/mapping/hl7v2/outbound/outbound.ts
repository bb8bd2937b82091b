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
  /** MSH-11; `P` when absent. */
  readonly processingId?: string;
  /** MSH-15 and MSH-16; empty when absent. */
  readonly acknowledgements?: { readonly accept: string; readonly application: string };
  /** MSH-18, which the bytes are written in; `UNICODE UTF-8` when absent. */
  readonly characterSet?: string;
  /** ORC-1 of an order that stands: `XO`, it was changed; `RL`, it was held. `NW` when absent. */
  readonly orderControl?: string;
}

export interface Outbound {
  readonly from: Source;
  readonly out: SegmentWriter;
  /** 251 for 2.5.1. */
  readonly version: number;
  readonly isUk: boolean;
  /** ORC-1 of an order that stands. */
  readonly orderControl: string;
}
