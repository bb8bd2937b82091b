/** Settings: Messages of every kind, SCRIPT, what is kept how long, and the keys it lies under. */
import { file, integer, oneOf, parseScriptAddresses, parseTimeZone, privateFile } from '../config-parsers.ts';
import { MIB, type Setting } from './setting.ts';

const ELEMENT_PATHS = /^[A-Za-z0-9.-]{1,200}(?:\s*,\s*[A-Za-z0-9.-]{1,200}){0,499}$/;

export const MESSAGES = {
  messageBytesMax: {
    env: 'MESSAGE_BYTES_MAX',
    fallback: String(16 * MIB),
    ...integer(1024, 256 * MIB),
    about: 'Largest HL7 v2 or SCRIPT message, in bytes.',
  },
  scriptAddresses: {
    env: 'SCRIPT_ADDRESSES',
    fallback: '',
    allowed: 'a list like `P:0300123,D:6301875277001`',
    about: 'Names of ours in `To` of SCRIPT messages. Other messages are refused; empty takes every one.',
    parse: parseScriptAddresses,
  },
  scriptWriteVersion: {
    env: 'SCRIPT_WRITE_VERSION',
    fallback: '2017071',
    allowed: '`2017071` or `2023011`',
    about:
      'SCRIPT version of messages that go out. The shape of 2023011 is that of public prototypes, and not confirmed.',
    parse: (text: string): '2017071' | '2023011' | undefined =>
      text === '2017071' || text === '2023011' ? text : undefined,
  },
  scriptPartnersFile: {
    env: 'SCRIPT_PARTNERS_FILE',
    fallbackAbout: 'none: partners come with a certificate or a token',
    ...privateFile,
    about: 'SCRIPT partners with user and password, as a JSON list with scrypt hashes ([NCPDP](ncpdp.md)).',
  },
  scriptTargetsFile: {
    env: 'SCRIPT_TARGETS_FILE',
    fallbackAbout: 'none: partners fetch their messages with GetMessage',
    ...privateFile,
    about:
      'SCRIPT partners to whom messages are brought over HTTPS, as a JSON list with addresses and credentials ([NCPDP](ncpdp.md)). Nothing is sent anywhere else.',
  },
  scriptAnswerTimeoutMs: {
    env: 'SCRIPT_ANSWER_TIMEOUT_MS',
    fallback: '30000',
    ...integer(100, 600_000),
    about: 'How long the Status or Error to a SCRIPT message that was sent is waited for; then it is sent again.',
  },
  epcsSignedPart: {
    env: 'EPCS_SIGNED_PART',
    fallback: 'unknown',
    allowed: '`unknown` or `transaction`',
    about:
      'What digital signatures of SCRIPT prescriptions cover, as the partners say. `unknown`: they are archived and not verified.',
    parse: (text: string): 'unknown' | 'transaction' | undefined =>
      text === 'unknown' || text === 'transaction' ? text : undefined,
  },
  epcsSignerCaFile: {
    env: 'EPCS_SIGNER_CA_FILE',
    fallbackAbout: 'none: no signature counts as verified',
    ...file,
    about:
      'Authorities whose practitioners may sign prescriptions for controlled substances, in PEM. A certificate of another, or one that is revoked, is refused (21 CFR 1311.210).',
  },
  messageTimeZone: {
    env: 'MESSAGE_TIME_ZONE',
    fallback: 'Europe/London',
    allowed: 'the name of a time zone, such as `Europe/London`',
    about: 'Zone in which HL7 v2 times without an offset are read.',
    parse: parseTimeZone,
  },
  messageKeyFile: {
    env: 'MESSAGE_KEY_FILE',
    fallbackAbout: '`keys/message.key` below DATA_DIR, made at the first start',
    allowed: 'a file that only its owner can read',
    about:
      'Key that raw messages are encrypted with. Processes of one database share it. Back it up apart from the database: without it they are lost.',
    parse: (text: string): string => text,
  },
  encryptedElements: {
    env: 'ENCRYPTED_ELEMENTS',
    fallbackAbout: 'none',
    allowed: 'element paths with commas between, or `uk-protected`',
    about:
      'Elements that are stored encrypted, e.g. `Patient.name,Person.name`; `uk-protected` is Patient identifier, name, telecom, address, birthDate and text. They are then found by equality only. Set it before the first resource is stored.',
    parse: (text: string): string | undefined => (ELEMENT_PATHS.test(text) ? text : undefined),
  },
  dataKeyFile: {
    env: 'DATA_KEY_FILE',
    fallbackAbout: '`keys/data.key` below DATA_DIR, made when ENCRYPTED_ELEMENTS is first set',
    allowed: 'a file that only its owner can read',
    about:
      'Key that wraps the keys of encrypted elements. Processes of one database share it. Back it up apart from the database: without it the elements are lost.',
    parse: (text: string): string => text,
  },
  messageRetentionDays: {
    env: 'MESSAGE_RETENTION_DAYS',
    fallback: '400',
    ...integer(30, 36_500),
    about: 'After how many days settled messages leave the log, and with them the memory of duplicates.',
  },
  auditRetentionYears: {
    env: 'AUDIT_RETENTION_YEARS',
    fallback: '8',
    ...integer(1, 100),
    about: 'For how many years the audit trail is kept: 8 in the United Kingdom, 7 in the United States.',
  },
  retentionYears: {
    env: 'RETENTION_YEARS',
    fallback: '8',
    ...integer(1, 150),
    about:
      "For how many years a patient's record is kept after the last contact or death: 8 in the United Kingdom, 7 in the United States.",
  },
  purge: {
    env: 'PURGE',
    fallback: 'dry-run',
    ...oneOf('dry-run', 'on'),
    about:
      'Whether records whose time has passed are removed each day, or only counted: docs/data-protection.md says what goes.',
  },
  unknownPartners: {
    env: 'UNKNOWN_PARTNERS',
    fallback: 'refuse',
    ...oneOf('refuse', 'accept'),
    about: 'Whether messages are taken from senders that no active `Endpoint` names.',
  },
} as const satisfies Record<string, Setting<unknown>>;
