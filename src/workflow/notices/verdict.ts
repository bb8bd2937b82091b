/** What becomes of a delivery, as of now. SECURITY DP-10 */
import type { NoticeBasis, NoticeGroup, NotSent, Ways } from '../../ports/notices.ts';
import { isDeceased } from './contacts.ts';
import type { NoticeKind } from './kinds.ts';
import { basisOf, quietFor } from './preferences.ts';

export type Verdict =
  | { readonly do: 'skip'; readonly why: NotSent }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'send'; readonly basis: NoticeBasis };

/** `who`: the resource of the recipient; absent where it is gone. */
export function judge(
  kind: NoticeKind | undefined,
  { channel }: Pick<NoticeGroup, 'channel'>,
  ways: Ways | undefined,
  who: Readonly<Record<string, unknown>> | undefined,
  now: number,
): Verdict {
  const basis = kind && basisOf(kind, channel, ways?.preferences);
  if (!basis) return { do: 'skip', why: 'switched-off' };
  if (!who) return { do: 'skip', why: 'gone' };
  if (isDeceased(who)) return { do: 'skip', why: 'deceased' };
  const ms = quietFor(channel, ways?.preferences, now);
  return ms > 0 ? { do: 'wait', ms } : { do: 'send', basis };
}
