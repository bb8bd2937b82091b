/** How many requests an app may make for a person. Systems are limited by their share, not by a rate. SECURITY WB-06 */
import type { Caller } from '../ports/caller.ts';
import { type RateLimits, type RateVerdict, throttled } from './rate-limit.ts';
import type { Route } from './route.ts';

/** The verdict for an answer's headers; undefined where nothing is limited. Throws 429. */
export async function checkRate(limits: RateLimits, caller: Caller, route: Route): Promise<RateVerdict | undefined> {
  if (caller.kind !== 'user') return undefined;
  const key = `${caller.clientId ?? caller.name} ${caller.user?.id ?? ''}`;
  const verdict = await limits.check(classOf(route), key);
  if (!verdict.allowed) throw throttled(verdict);
  return verdict.limit === 0 ? undefined : verdict;
}

const WRITES: ReadonlySet<string> = new Set(['create', 'update', 'patch', 'delete', 'transaction', 'batch']);
const SEARCHES: ReadonlySet<string> = new Set(['search-type', 'search-system', 'history-type', 'history-system']);

function classOf({ interaction }: Route): 'read' | 'search' | 'write' {
  if (WRITES.has(interaction)) return 'write';
  return SEARCHES.has(interaction) ? 'search' : 'read';
}
