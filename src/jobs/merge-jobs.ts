/** Moves what referred to a record that gave way, where it was more than one transaction takes. docs/hl7v2.md "Merges" */
import type { Log } from '../ports/log.ts';
import { MERGE_REFERENCES, type Merge } from '../workflow/merge-patients.ts';
import type { JobSet } from './runner.ts';

export interface MergeJobsOptions {
  /** Moves all that is left; resolves to how many. */
  readonly move: (merge: Merge, kind: string, messageId: string, signal: AbortSignal) => Promise<number>;
  readonly log: Log;
}

export function createMergeJobs({ move, log }: MergeJobsOptions): JobSet {
  return {
    handlers: [
      {
        kind: MERGE_REFERENCES,
        attemptsMax: 10,
        delayMs: 1000,
        delayMaxMs: 5 * 60 * 1000,
        async run({ payload }, signal) {
          const merge = { retiredId: String(payload['retired']), survivorId: String(payload['survivor']) };
          const count = await move(merge, String(payload['kind']), String(payload['message']), signal);
          log.info('what a merge left was moved', { messageId: payload['message'], count });
        },
      },
    ],
    schedules: [],
  };
}
