/** What people are told of beside the app, by kind: to whom, by which channels unless they say otherwise, and how often. MISSION M10, M13 */
import type { NoticeChannel } from '../../ports/notices.ts';

export interface NoticeKind {
  /** Category of the Communication. */
  readonly code: string;
  /** Types of recipients who are told of it outside the app; others read it there. */
  readonly to: readonly ('Patient' | 'Practitioner' | 'Organization')[];
  /** On unless they are switched off; `sms` is never among them: it is for who asks for it. SECURITY DP-10 */
  readonly channels: readonly NoticeChannel[];
  /** Cannot be switched off: what somebody has to know to keep their record safe. */
  readonly isAlways?: true;
  /** After one message the next waits so long, and tells of all that came meanwhile. */
  readonly groupMs?: number;
  /** At most so many messages in the time; what is more is told of elsewhere. */
  readonly budget?: { readonly count: number; readonly perMs: number };
}

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const PATIENT_CHANNELS: readonly NoticeChannel[] = ['email', 'push'];

export interface NoticeKindOptions {
  /** Alerts of controlled drugs: one message in so long … */
  readonly alertGroupMs: number;
  /** … and so many in seven days. */
  readonly alertsAWeek: number;
}

/** By code. */
export function noticeKinds({ alertGroupMs, alertsAWeek }: NoticeKindOptions): ReadonlyMap<string, NoticeKind> {
  const patient = (code: string, more: Partial<NoticeKind> = {}): NoticeKind => ({
    code,
    to: ['Patient'],
    channels: PATIENT_CHANNELS,
    ...more,
  });
  const kinds: readonly NoticeKind[] = [
    patient('request-received'),
    patient('prescription-approved'),
    patient('prescription-rejected'),
    patient('prescription-dispensed'),
    patient('prescription-refused', { to: ['Patient', 'Practitioner'] }),
    patient('prescription-cancelled', { to: ['Patient', 'Practitioner'] }),
    patient('cancellation-refused', { to: ['Patient', 'Practitioner'] }),
    patient('rectification-refused'),
    patient('break-glass', { isAlways: true }),
    // A practice is not written to for each request.
    { code: 'prescription-requested', to: ['Organization'], channels: ['email'], groupMs: 240 * MINUTE_MS },
    { code: 'request-escalated', to: ['Organization'], channels: ['email'], groupMs: 30 * MINUTE_MS },
    // Pharmacies: nothing else by mail (MISSION M10).
    { code: 'pharmacy-digest', to: ['Organization'], channels: ['email'] },
    {
      code: 'controlled-drug',
      to: ['Organization'],
      channels: ['email'],
      groupMs: alertGroupMs,
      budget: { count: alertsAWeek, perMs: 7 * DAY_MS },
    },
  ];
  return new Map(kinds.map((kind) => [kind.code, kind]));
}
