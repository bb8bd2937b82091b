/** What people are told by e-mail: that there is something, and never what their record holds. SECURITY DP-07, IN-44 */
import type { Mail } from '../ports/mail.ts';
import type { Notice } from '../ports/notify.ts';

interface Wording {
  readonly subject: string;
  readonly lines: readonly string[];
  /** After this there is no use in it. */
  readonly lifetimeMs: number;
}

const HOUR_MS = 60 * 60_000;
const DAYS_MS = 3 * 24 * HOUR_MS;
const SUBJECT = 'A message about your account';
const NOT_YOU = 'If this was not you, sign in, change your password, and tell the people who run this service.';

const told = (...lines: readonly string[]): Wording => ({ subject: SUBJECT, lines, lifetimeMs: DAYS_MS });

const WORDS: Readonly<Record<Notice['kind'], Wording>> = {
  reset: {
    subject: 'Choose a new password',
    lines: [
      'Somebody asked for a new password for your account. To choose one, open this link:',
      '$LINK',
      'It works once, for 30 minutes. If you did not ask, do nothing: your password stays as it is.',
    ],
    lifetimeMs: HOUR_MS / 2,
  },
  'verify-email': {
    subject: 'Confirm your e-mail address',
    lines: [
      'Somebody made an account with this e-mail address. If it was you, confirm it by this link:',
      '$LINK',
      'It works once, for a day. If it was not you, do nothing.',
    ],
    lifetimeMs: 24 * HOUR_MS,
  },
  'already-registered': told(
    'Somebody tried to make an account with this e-mail address, which has one already. Nothing has changed.',
    'If it was you, sign in, or ask for a new password on the sign-in page.',
  ),
  'recovery-code-used': told('One of your recovery codes was used to sign in. $LEFT are left.', NOT_YOU),
  'password-changed': told('Your password was changed. You are signed out everywhere else.', NOT_YOU),
  'second-factor-changed': told('Your second step, or its recovery codes, were changed.', NOT_YOU),
  'second-factor-removed': told(
    'An administrator has removed the second step of your account. When you sign in next, you set up a new one.',
    'If you have not asked for that, tell the people who run this service at once.',
  ),
  'security-key-added': told('A security key was added to your account.', NOT_YOU),
  'security-key-removed': told('A security key was removed from your account.', NOT_YOU),
  'app-access-ended': told(
    'An app has lost its access to your data, as somebody else may have had its key.',
    'You can connect it again. “My apps” in your account shows which apps have access.',
  ),
};

export const noticeLifetimeMs = (kind: Notice['kind']): number => WORDS[kind].lifetimeMs;

/** `baseUrl`: how people reach us. Throws for a link that leads anywhere else. */
export function toMail(id: string, { kind, to, link, left }: Notice, baseUrl: string): Mail {
  if (link !== undefined && !link.startsWith(`${baseUrl}/`)) throw new Error('a notice leads to somebody else');
  const { subject, lines } = WORDS[kind];
  const text = lines.map((line) => line.replace('$LINK', link ?? baseUrl).replace('$LEFT', String(left ?? 0)));
  return { id, to, subject, text: `${[...text, `${baseUrl}/account`].join('\n\n')}\n` };
}
