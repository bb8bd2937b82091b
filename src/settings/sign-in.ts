/** Settings: Apps and people: tokens, registration, the providers of the NHS. */
import {
  clientId,
  file,
  ISSUER_ALLOWED,
  integer,
  oneOf,
  parseHosts,
  parseIssuer,
  privateFile,
} from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const SIGN_IN = {
  operatorTokens: {
    env: 'OPERATOR_TOKENS',
    fallback: 'off',
    ...oneOf('off', 'on'),
    about:
      'Whether `npm run token` works with NODE_ENV=production: whoever reads `operator.key` below DATA_DIR may then have tokens.',
  },
  registration: {
    env: 'REGISTRATION',
    fallback: 'closed',
    ...oneOf('closed', 'open'),
    about:
      'Whether apps may register themselves without an initial access token; never with NODE_ENV=production. They are marked as unverified.',
  },
  cis2Issuer: {
    env: 'CIS2_ISSUER',
    fallbackAbout: 'none: staff do not sign in through NHS Care Identity',
    allowed: ISSUER_ALLOWED,
    about: 'Issuer of NHS Care Identity Service 2. docs/nhs-sign-in.md says what goes with it.',
    parse: parseIssuer,
  },
  cis2ClientId: {
    env: 'CIS2_CLIENT_ID',
    fallbackAbout: 'none',
    ...clientId,
    about: 'Name of this server at CIS2_ISSUER.',
  },
  cis2KeyFile: {
    env: 'CIS2_KEY_FILE',
    fallbackAbout: 'none',
    ...privateFile,
    about: 'RSA private key, in PEM, by which this server proves who it is to CIS2_ISSUER.',
  },
  cis2Level: {
    env: 'CIS2_LEVEL',
    fallback: 'AAL3',
    ...oneOf('AAL2', 'AAL3'),
    about: 'The lowest level of authentication by which staff may sign in through NHS Care Identity.',
  },
  cis2RolesFile: {
    env: 'CIS2_ROLES_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Which roles the job roles and activities of the national directory give here, in JSON; others give none.',
  },
  nhsLoginIssuer: {
    env: 'NHS_LOGIN_ISSUER',
    fallbackAbout: 'none: patients do not sign in through NHS login',
    allowed: ISSUER_ALLOWED,
    about: 'Issuer of NHS login. docs/nhs-sign-in.md says what goes with it.',
    parse: parseIssuer,
  },
  nhsLoginClientId: {
    env: 'NHS_LOGIN_CLIENT_ID',
    fallbackAbout: 'none',
    ...clientId,
    about: 'Name of this server at NHS_LOGIN_ISSUER.',
  },
  nhsLoginKeyFile: {
    env: 'NHS_LOGIN_KEY_FILE',
    fallbackAbout: 'none',
    ...privateFile,
    about: 'RSA private key, in PEM, by which this server proves who it is to NHS_LOGIN_ISSUER.',
  },
  nhsLoginLevel: {
    env: 'NHS_LOGIN_LEVEL',
    fallback: 'P9',
    ...oneOf('P5', 'P9'),
    about:
      'The lowest proof of identity by which patients may sign in: only P9 opens a record, P5 lets ask for things.',
  },
  signInHosts: {
    env: 'SIGN_IN_HOSTS',
    fallbackAbout: 'none',
    allowed: 'names with ports such as `id.example.org:8443`, with commas between them',
    about: 'Hosts of those issuers that may be reached although they are in the own network, or without TLS.',
    parse: parseHosts,
  },
  closedEncounterDays: {
    env: 'CLOSED_ENCOUNTER_DAYS',
    fallback: '30',
    ...integer(0, 3650),
    about: 'For how many days after an encounter has finished a clinician still reaches its patient.',
  },
} as const satisfies Record<string, Setting<unknown>>;
