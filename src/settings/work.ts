/** Settings: Jobs and mail, and how pharmacies and people are numbered. */
import {
  identifierSystem,
  integer,
  mailAddress,
  parseCountries,
  parseDomains,
  parseHosts,
  parseRedisUrl,
  parseSmtpUrl,
} from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const WORK = {
  jobConcurrency: {
    env: 'JOB_CONCURRENCY',
    fallback: '4',
    ...integer(1, 64),
    about: 'Background jobs at once in this process.',
  },
  redisUrl: {
    env: 'REDIS_URL',
    fallbackAbout: 'none: jobs are taken from the database alone',
    secret: true,
    allowed: 'a URL such as `redis://host:6379`',
    about: 'A Redis that carries job ids between processes. It holds no truth and may be emptied at any time.',
    parse: parseRedisUrl,
  },
  smtpUrl: {
    env: 'SMTP_URL',
    fallbackAbout: 'none: people are told nothing by e-mail',
    secret: true,
    allowed: 'a URL such as `smtps://user:password@mail.example.org` or `smtp://mail.example.org:587`',
    about: 'Mail server for messages to people. With `smtp:` it must offer STARTTLS, unless it is on this machine.',
    parse: parseSmtpUrl,
  },
  mailFrom: {
    env: 'MAIL_FROM',
    fallbackAbout: 'none',
    ...mailAddress,
    about: 'Sender of those messages, such as `no-reply@example.org`.',
  },
  subscriptionTargets: {
    env: 'SUBSCRIPTION_TARGETS',
    fallbackAbout: 'none: https on the public network alone',
    allowed: '`host:port`, with commas between',
    about: 'Endpoints of subscriptions that may be reached in the own network too, also without TLS.',
    parse: parseHosts,
  },
  subscriptionMailDomains: {
    env: 'SUBSCRIPTION_MAIL_DOMAINS',
    fallbackAbout: 'none: no subscription by e-mail',
    allowed: 'domains, with commas between',
    about: 'Domains to whose addresses subscriptions may send e-mail. It never says what is new.',
    parse: parseDomains,
  },
  pharmacyCodeSystem: {
    env: 'PHARMACY_CODE_SYSTEM',
    fallback: 'https://phb.example/pharmacy-code',
    ...identifierSystem,
    about:
      '`Organization.identifier.system` of the codes by which pharmacies are known; without such a code the ODS code holds.',
  },
  dispensingCountries: {
    env: 'DISPENSING_COUNTRIES',
    fallbackAbout: 'none: pharmacies act wherever they are',
    allowed: 'codes of countries of two or three letters, with commas between, such as `GB,GBR`',
    about:
      '`Organization.address.country` of pharmacies that may verify and dispense; all others are refused, also those that say nothing of their country.',
    parse: parseCountries,
  },
  healthNumberSystem: {
    env: 'HEALTH_NUMBER_SYSTEM',
    fallback: 'https://phb.example/hpn',
    ...identifierSystem,
    about:
      '`Patient.identifier.system` of the number that prescription tokens show (HPN); without one, the NHS number.',
  },
} as const satisfies Record<string, Setting<unknown>>;
