/** What ends soon: alerts 30, 7 and 1 days before certificates and lists do. SECURITY PK-13 */
import type { Log } from '../ports/log.ts';

export interface Ending {
  /** Names it in the alert: a file, or a partner's certificate by its serial number. */
  readonly what: string;
  readonly kind: 'certificate' | 'authority' | 'list' | 'keys';
  /** ms UTC */
  readonly endsAt: number;
}

export interface ExpiryAlert extends Ending {
  /** The mark that is passed: so many days or fewer are left; 0 when it has ended. */
  readonly days: 30 | 7 | 1 | 0;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const MARKS = [0, 1, 7, 30] as const;

/** The mark of everything that ends within thirty days, the most urgent first. */
export const expiring = (endings: readonly Ending[], now: number): readonly ExpiryAlert[] =>
  endings
    .flatMap((ending): ExpiryAlert[] => {
      const days = MARKS.find((mark) => ending.endsAt - now <= mark * DAY_MS);
      return days === undefined ? [] : [{ ...ending, days }];
    })
    .toSorted((a, b) => a.endsAt - b.endsAt);

export interface ExpiryWatchOptions {
  readonly endings: () => readonly Ending[];
  readonly now: () => number;
  readonly log: Log;
  /** Seconds that are left of each, for a gauge. */
  readonly observe?: (what: string, secondsLeft: number) => void;
}

/** Lists live for a day, so that of them only the end counts. */
const isWorthSaying = ({ kind, days }: ExpiryAlert): boolean => kind !== 'list' || days === 0;
const KEPT_MAX = 10_000;

/** Looks when it is called, and says each mark of each thing once. */
export function createExpiryWatch({ endings, now, log, observe }: ExpiryWatchOptions): () => readonly ExpiryAlert[] {
  let said = new Set<string>();
  return () => {
    const all = endings();
    for (const { what, endsAt } of all) observe?.(what, Math.round((endsAt - now()) / 1000));
    const alerts = expiring(all, now()).filter(isWorthSaying).slice(0, KEPT_MAX);
    const keyOf = ({ what, endsAt, days }: ExpiryAlert): string => `${what} ${endsAt} ${days}`;
    const fresh = alerts.filter((alert) => !said.has(keyOf(alert)));
    said = new Set(alerts.map(keyOf)); // what is renewed is forgotten
    for (const { what, kind, endsAt, days } of fresh) {
      const fields = { what, kind, days, endsAt: new Date(endsAt).toISOString() };
      if (days === 0) log.error('security alert', { rule: 'expired', ...fields });
      else log.warn('security alert', { rule: 'expiring', ...fields });
    }
    return fresh;
  };
}
