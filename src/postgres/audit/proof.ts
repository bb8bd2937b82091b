/** What every part of a proof of the audit trail is given, and where it tells what it finds wrong. */
import type { KeyObject } from 'node:crypto';
import type { Row } from '../pools.ts';

export interface Fault {
  /** The first entry that is not what it should be; the first of its run where the link itself was written anew. */
  readonly seq: number;
  readonly problem: string;
}

export interface Proof {
  readonly run: (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;
  readonly macKeys: readonly KeyObject[];
  readonly faults: Fault[];
}
