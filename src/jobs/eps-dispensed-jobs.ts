/** Looks after what is to be told to the Spine of what was dispensed here. docs/eps.md "What was dispensed here" */
import type { Log } from '../ports/log.ts';
import { EPS_DISPENSED, type EpsDispensed } from '../workflow/prescribing/eps-dispensed.ts';
import type { JobHandler } from './runner.ts';

const MINUTE_MS = 60_000;

/** Nothing is sent by it: messages that it queues are, by jobs of their own. */
export const createEpsDispensedHandler = ({
  dispensed,
  log,
}: {
  readonly dispensed: EpsDispensed;
  readonly log: Log;
}): JobHandler => ({
  kind: EPS_DISPENSED,
  attemptsMax: 100,
  delayMs: 200,
  delayMaxMs: 5 * MINUTE_MS,
  run: ({ payload }) => dispensed(payload),
  onDead: async ({ id }) => log.error('the Spine was not told of what was dispensed', { job: id }),
});
