/** What people are told of beside the app, by kind: to whom, by which channels unless they say otherwise, and how often. MISSION M10, M13 */
import type { NoticeChannel } from '../../ports/notices.ts';

/** Whatever is told has a row: a notice of another code does not compile. */
export const NOTICE_CODES = [
  'request-received',
  'prescription-approved',
  'prescription-rejected',
  'prescription-ready',
  'prescription-dispensed',
  'collection-code',
  'prescription-refused',
  'prescription-cancelled',
  'prescription-moved',
  'cancellation-refused',
  'rectification-refused',
  'break-glass',
  'prescription-requested',
  'request-escalated',
  'cancellation-asked',
  'pharmacy-digest',
  'controlled-drug',
  'prescription-new',
  'prescription-on-hold',
  'dispense-notification-refused',
] as const;
export type NoticeCode = (typeof NOTICE_CODES)[number];

export interface NoticeKind {
  /** Category of the Communication. */
  readonly code: NoticeCode;
  /** Types of recipients who are told of it outside the app; others read it there. Empty: it is in the app alone. */
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
/** In the app alone. */
const HERE: Omit<NoticeKind, 'code'> = { to: [], channels: [] };

export interface NoticeKindOptions {
  /** Alerts of controlled drugs: one message in so long … */
  readonly alertGroupMs: number;
  /** … and so many in seven days. */
  readonly alertsAWeek: number;
}

/** By code. */
export function noticeKinds({ alertGroupMs, alertsAWeek }: NoticeKindOptions): ReadonlyMap<string, NoticeKind> {
  const patient = (more: Partial<NoticeKind> = {}): Omit<NoticeKind, 'code'> => ({
    to: ['Patient'],
    channels: PATIENT_CHANNELS,
    ...more,
  });
  const kinds: Readonly<Record<NoticeCode, Omit<NoticeKind, 'code'>>> = {
    'request-received': patient(),
    'prescription-approved': patient(),
    'prescription-rejected': patient(),
    'prescription-ready': patient(),
    'prescription-dispensed': patient(),
    'prescription-refused': patient({ to: ['Patient', 'Practitioner'] }),
    'prescription-cancelled': patient({ to: ['Patient', 'Practitioner'] }),
    // Both pharmacies read it in the app.
    'prescription-moved': patient(),
    'cancellation-refused': patient({ to: ['Patient', 'Practitioner'] }),
    'rectification-refused': patient(),
    'break-glass': patient({ isAlways: true }),
    // A practice is not written to for each request.
    'prescription-requested': { to: ['Organization'], channels: ['email'], groupMs: 240 * MINUTE_MS },
    'request-escalated': { to: ['Organization'], channels: ['email'], groupMs: 30 * MINUTE_MS },
    'cancellation-asked': {
      to: ['Practitioner', 'Organization'],
      channels: PATIENT_CHANNELS,
      groupMs: 30 * MINUTE_MS,
    },
    // Pharmacies: nothing else by mail (MISSION M10).
    'pharmacy-digest': { to: ['Organization'], channels: ['email'] },
    'controlled-drug': {
      to: ['Organization'],
      channels: ['email'],
      groupMs: alertGroupMs,
      budget: { count: alertsAWeek, perMs: 7 * DAY_MS },
    },
    // The code itself is sent apart, and stands nowhere.
    'collection-code': HERE,
    'prescription-new': HERE,
    'prescription-on-hold': HERE,
    'dispense-notification-refused': HERE,
  };
  return new Map(NOTICE_CODES.map((code) => [code, { code, ...kinds[code] }]));
}
