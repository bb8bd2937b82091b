/** A partner as who asks for what it is told: Consents are asked of it as of any program. SECURITY FA-06 */
import type { Caller } from '../../../ports/caller.ts';
import type { Feed } from '../../../ports/v2-feed.ts';

const known = new WeakMap<Feed, Caller>();

/** One object a feed, as the trail knows callers by it. */
export function partnerOf(feed: Feed): Caller {
  const found = known.get(feed);
  if (found) return found;
  const caller: Caller = {
    kind: 'partner',
    name: feed.id,
    correlationId: `hl7v2 ${feed.id}`,
    scopes: [{ level: 'system', type: '*', letters: ['r', 's'] }],
    otherScopes: [],
    purpose: 'TREAT',
    ...(feed.organizationId !== undefined && { organizationId: feed.organizationId }),
  };
  known.set(feed, caller);
  return caller;
}
