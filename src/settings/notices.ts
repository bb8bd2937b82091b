/** Settings: Notices to people, beside the mail server of `work.ts`. docs/notifications.md */
import { integer, parseHosts, parseServiceUrl } from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const NOTICES = {
  smsUrl: {
    env: 'SMS_URL',
    fallbackAbout: 'none: no text messages, but in the mailbox for development',
    allowed: 'an https URL, or an http one on this machine, without user name',
    about: 'Where text messages are posted, one a request ([notifications](notifications.md#text-messages)).',
    parse: parseServiceUrl,
  },
  smsToken: {
    env: 'SMS_TOKEN',
    fallbackAbout: 'none',
    secret: true,
    allowed: 'letters, digits and `-._~+/=`',
    about: 'Bearer token for SMS_URL.',
    parse: (text: string): string | undefined => (/^[A-Za-z0-9._~+/-]{1,2000}=*$/.test(text) ? text : undefined),
  },
  smsSender: {
    env: 'SMS_SENDER',
    fallbackAbout: 'none: as the provider has it',
    allowed: 'up to eleven letters and digits, or a number such as `+447700900123`',
    about: 'Who text messages are from.',
    parse: (text: string): string | undefined =>
      /^(?:[A-Za-z0-9 ]{1,11}|\+[1-9]\d{6,14})$/.test(text) ? text : undefined,
  },
  pushTargets: {
    env: 'PUSH_TARGETS',
    fallbackAbout: 'none: https on the public network alone',
    allowed: '`host:port`, with commas between',
    about: 'Push services of browsers that may be reached in the own network too, also without TLS.',
    parse: parseHosts,
  },
  alertGroupMinutes: {
    env: 'ALERT_GROUP_MINUTES',
    fallback: '60',
    ...integer(0, 1440),
    about:
      'After a mail about controlled drugs the pharmacy gets the next one so many minutes later, for all together.',
  },
  alertMailsAWeek: {
    env: 'ALERT_MAILS_A_WEEK',
    fallback: '3',
    ...integer(1, 1000),
    about: 'How many of these mails a pharmacy gets in seven days; after that the daily digest counts them.',
  },
} as const satisfies Record<string, Setting<unknown>>;
