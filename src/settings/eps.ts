/** Settings: The Electronic Prescription Service: who we are there, and the way to the Spine. */
import { file, integer, parseSpineUrl, privateFile } from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const EPS = {
  epsToAsid: {
    env: 'EPS_TO_ASID',
    fallback: '567456789789',
    allowed: '12 digits',
    about: 'Accredited system id of the Spine that EPS messages are addressed to.',
    parse: (text: string): string | undefined => (/^\d{12}$/.test(text) ? text : undefined),
  },
  epsToPartyKey: {
    env: 'EPS_TO_PARTY_KEY',
    fallback: 'YES-0000806',
    allowed: 'a party key such as `YES-0000806`',
    about: 'ebXML party of the Spine that EPS messages are addressed to.',
    parse: (text: string): string | undefined => (/^[A-Za-z0-9-]{1,40}$/.test(text) ? text : undefined),
  },
  epsFromAsid: {
    env: 'EPS_FROM_ASID',
    fallbackAbout: 'none: each request says it in NHSD-ASID',
    allowed: '12 digits',
    about: 'Accredited system id that EPS messages come from; a request that says another is refused.',
    parse: (text: string): string | undefined => (/^\d{12}$/.test(text) ? text : undefined),
  },
  epsFromPartyKey: {
    env: 'EPS_FROM_PARTY_KEY',
    fallbackAbout: 'none: each request says it in NHSD-Party-Key',
    allowed: 'a party key such as `Z9991-800001`',
    about: 'ebXML party that EPS messages come from; a request that says another is refused.',
    parse: (text: string): string | undefined => (/^[A-Za-z0-9-]{1,40}$/.test(text) ? text : undefined),
  },
  epsSignerCaFile: {
    env: 'EPS_SIGNER_CA_FILE',
    fallbackAbout: 'none: no released prescription passes',
    ...file,
    about: 'Authorities whose prescribers may sign, in PEM. Orders are then checked before they are sent as well.',
  },
  spineUrl: {
    env: 'SPINE_URL',
    fallbackAbout: 'none: nothing is sent to a Spine',
    allowed: 'an https URL without path, query or user name, such as `https://localhost:9443`',
    about: 'The Spine that EPS messages are sent to, over mutual TLS.',
    parse: parseSpineUrl,
  },
  spineCertFile: {
    env: 'SPINE_CERT_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Client certificate for the Spine, in PEM. A renewed file is read by itself.',
  },
  spineKeyFile: {
    env: 'SPINE_KEY_FILE',
    fallbackAbout: 'none',
    ...privateFile,
    about: 'Private key of SPINE_CERT_FILE, in PEM.',
  },
  spineCaFile: {
    env: 'SPINE_CA_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Authorities whose server certificate the Spine may have, in PEM. No others are believed.',
  },
  spinePort: {
    env: 'SPINE_PORT',
    fallback: '9443',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about:
      'Port of the local Spine that starts with the server where there is no SPINE_URL, never with NODE_ENV=production; 0 takes a free one, as a port that is in use does.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  spineStatePort: {
    env: 'SPINE_STATE_PORT',
    fallback: '9444',
    ...integer(0, 65_535),
    about: 'Port where the local Spine shows its state as JSON, on this machine alone.',
  },
} as const satisfies Record<string, Setting<unknown>>;
