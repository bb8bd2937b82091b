import type { Lifetimes } from '../oauth/issue-tokens.ts';
import type { OfflineWords } from './scope-words.ts';

const DAY_MS = 24 * 60 * 60_000;

/** How long an app may go on by itself, in days. */
export const offlineWordsOf = ({ refresh }: Lifetimes): OfflineWords => ({
  slidingDays: Math.round(refresh.offline.slidingMs / DAY_MS),
  absoluteDays: Math.round(refresh.offline.absoluteMs / DAY_MS),
});
