/** Takes up claims whose process ended, or whose payer did not answer. docs/ncpdp-telecom.md */
import type { Log } from '../ports/log.ts';
import { CLAIM_ADJUDICATE, type ClaimDesk } from '../workflow/adjudication/desk.ts';
import type { JobSet } from './runner.ts';

/** Some eight hours of a payer that is away. */
const ATTEMPTS_MAX = 100;

export function createClaimJobs({
  desk,
  concurrency,
  log,
}: {
  readonly desk: Pick<ClaimDesk, 'resume'>;
  readonly concurrency: number;
  readonly log: Log;
}): JobSet {
  return {
    handlers: [
      {
        kind: CLAIM_ADJUDICATE,
        attemptsMax: ATTEMPTS_MAX,
        delayMs: 5_000,
        delayMaxMs: 5 * 60_000,
        run: ({ payload }) => desk.resume(String(payload['claim'])),
        onDead: async ({ payload }) =>
          log.error('it is not known what became of a claim: a person must ask the payer', {
            claim: String(payload['claim']),
          }),
      },
    ],
    schedules: [],
    concurrency,
  };
}
