/** Whether somebody wants to be told, and when: decided as a message leaves, not as it is queued. SECURITY DP-10 */
import type { NoticeBasis, NoticeChannel, Preferences } from '../../ports/notices.ts';
import { localTime } from '../dispensing/opening-hours.ts';
import type { NoticeKind } from './kinds.ts';

export const CHANNELS: readonly NoticeChannel[] = ['email', 'sms', 'push'];
const MINUTE_MS = 60_000;

/** What it rests on; undefined where they do not want it. */
export function basisOf(
  kind: NoticeKind,
  channel: NoticeChannel,
  preferences: Preferences | undefined,
): NoticeBasis | undefined {
  const said = preferences?.channels[kind.code]?.[channel] ?? preferences?.channels['*']?.[channel];
  const isUsual = kind.channels.includes(channel);
  if (said === true) return 'consent';
  if (said === false) return kind.isAlways && isUsual ? 'service' : undefined;
  return isUsual ? 'service' : undefined;
}

/**
 * How long a message is still to wait, so that nobody is woken; 0 outside the quiet hours. E-mail wakes nobody. Hours go past
 * midnight where they end before they begin, and are those that clocks show, on days of 23 and 25 hours too.
 */
export function quietFor(channel: NoticeChannel, preferences: Preferences | undefined, now: number): number {
  const { quiet } = preferences ?? {};
  if (!quiet || channel === 'email') return 0;
  const [from, until] = [minutesOf(quiet.from), minutesOf(quiet.until)];
  const isQuiet = (at: number): boolean => {
    const { minutes } = localTime(at, quiet.timeZone);
    return from <= until ? from <= minutes && minutes < until : minutes >= from || minutes < until;
  };
  if (!isQuiet(now)) return 0;
  const { minutes } = localTime(now, quiet.timeZone);
  const ahead = (until - minutes + 24 * 60) % (24 * 60);
  const end = now - (now % MINUTE_MS) + ahead * MINUTE_MS;
  // Where clocks were moved meanwhile, the first minute that is not quiet lies an hour before or after.
  for (let at = Math.max(now, end - 60 * MINUTE_MS); ; at += MINUTE_MS) if (!isQuiet(at)) return at - now;
}

const minutesOf = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
