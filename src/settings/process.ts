/** Settings: Claims, and how the process ends. */
import { file, integer, oneOf, parseTelecomUrl } from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const PROCESS = {
  telecomUrl: {
    env: 'TELECOM_URL',
    fallbackAbout: 'none: no claims are sent',
    allowed: '`tls://host:port`, or `tcp://` and this machine',
    about: 'The payer or switch that takes NCPDP Telecommunication D.0 claims ([Claims](ncpdp-telecom.md)).',
    parse: parseTelecomUrl,
  },
  telecomSoftwareId: {
    env: 'TELECOM_SOFTWARE_ID',
    fallbackAbout: 'none',
    allowed: 'up to ten letters and digits',
    about: 'Software vendor/certification id (110-AK) that payers know this server by.',
    parse: (text: string): string | undefined => (/^[A-Z0-9]{1,10}$/.test(text) ? text : undefined),
  },
  copayProgrammesFile: {
    env: 'COPAY_PROGRAMMES_FILE',
    fallbackAbout: 'none: claims go to the insurer alone',
    ...file,
    about: 'Copay programmes of manufacturers by drug code, as a JSON list ([Claims](ncpdp-telecom.md)).',
  },
  payerPort: {
    env: 'PAYER_PORT',
    fallback: '9100',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about:
      'Port of the local payer that starts with the server where there is no TELECOM_URL, never with NODE_ENV=production, and of `npm run payer`; 0 takes a free one, as a port that is in use does.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  epsConcurrency: {
    env: 'EPS_CONCURRENCY',
    fallback: '16',
    ...integer(1, 256),
    about:
      'Messages on their way to the Spine at once in this process, those included whose answers are waited for. They take no places of JOB_CONCURRENCY.',
  },
  shutdownDelayMs: {
    env: 'SHUTDOWN_DELAY_MS',
    fallback: '0',
    ...integer(0, 60_000),
    about:
      'After SIGTERM, how long `/readyz` says no before new connections are refused (a load balancer needs ~5000).',
  },
  shutdownTimeoutMs: {
    env: 'SHUTDOWN_TIMEOUT_MS',
    fallback: '25000',
    ...integer(0, 600_000),
    about: 'After that, how long requests under way may take to end.',
  },
  testSize: {
    env: 'TEST_SIZE',
    fallback: 'quick',
    ...oneOf('quick', 'ci', 'long'),
    about: 'How much the test suite tries; the server does not read it.',
  },
} as const satisfies Record<string, Setting<unknown>>;
