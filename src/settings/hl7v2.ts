/** Settings: HL7 v2: who sends, and who is told. */
import { file, integer, parseFeedTargets, parseSenders, privateFile } from '../config-parsers.ts';
import type { Setting } from './setting.ts';

export const HL7V2 = {
  mllpPort: {
    env: 'MLLP_PORT',
    fallback: '2575',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about: 'Port of the HL7 v2 listener (MLLP), on the loopback address; 0 takes a free one.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  mllpsPort: {
    env: 'MLLPS_PORT',
    fallback: 'off',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about:
      'Port of the HL7 v2 listener over mutual TLS, on HOST, for the partners of PARTNER_CERTIFICATES_FILE; 0 takes a free one.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  mllpConnectionsMax: {
    env: 'MLLP_CONNECTIONS_MAX',
    fallback: '64',
    ...integer(1, 10_000),
    about: 'Most connections of HL7 v2 senders at once.',
  },
  mllpConnectionsPerAddressMax: {
    env: 'MLLP_CONNECTIONS_PER_ADDRESS_MAX',
    fallback: '10000',
    ...integer(1, 10_000),
    about: 'Most connections of HL7 v2 senders at once from one address.',
  },
  mllpIdleTimeoutS: {
    env: 'MLLP_IDLE_TIMEOUT_S',
    fallback: '0',
    ...integer(0, 86_400),
    about:
      'After how many seconds without a message the connection of an HL7 v2 sender is closed; 0: never, as senders expect.',
  },
  hl7v2EnhancedSenders: {
    env: 'HL7V2_ENHANCED_SENDERS',
    fallbackAbout: 'none: one AA, AE or AR for each message',
    allowed: 'senders (MSH-3, a bar, MSH-4) with commas between, or `all`',
    about:
      'HL7 v2 senders that are answered as `MSH-15` and `MSH-16` ask (CA, CE, CR). Many others fill these fields and expect AA.',
    parse: (text: string): ReadonlySet<string> | 'all' | undefined => (text === 'all' ? 'all' : parseSenders(text)),
  },
  hl7v2SequenceSenders: {
    env: 'HL7V2_SEQUENCE_SENDERS',
    fallbackAbout: 'none',
    allowed: 'senders (MSH-3, a bar, MSH-4) with commas between',
    about:
      'HL7 v2 senders whose messages are numbered in `MSH-13`: a gap is refused, with the number that is expected.',
    parse: parseSenders,
  },
  hl7v2Folder: {
    env: 'HL7V2_FOLDER',
    fallbackAbout: 'none',
    allowed: 'a folder',
    about:
      'Folder whose `in` is watched for files of HL7 v2 messages; they go to `done` or `failed`, each with its answers.',
    parse: (text: string): string => text,
  },
  hl7v2PartnersFolder: {
    env: 'HL7V2_PARTNERS_FOLDER',
    fallbackAbout: 'none',
    allowed: 'a folder',
    about: 'Folder of mapping files of HL7 v2 partners (`*.json`), read at start: docs/hl7v2.md says what is in them.',
    parse: (text: string): string => text,
  },
  hl7v2FeedTargets: {
    env: 'HL7V2_FEED_TARGETS',
    fallbackAbout: 'none: nothing is sent',
    allowed:
      '`mllps://host:port` or `mllp://host:port`; for files of messages `https://host/path` or `file:///folder`; with commas between',
    about: 'Where HL7 v2 messages may be sent, whatever an `Endpoint` says. `mllp:` is neither encrypted nor verified.',
    parse: parseFeedTargets,
  },
  hl7v2FeedCaFile: {
    env: 'HL7V2_FEED_CA_FILE',
    fallbackAbout: 'those of the system',
    ...file,
    about: 'Authorities whose certificates the partners of HL7V2_FEED_TARGETS may have, in PEM.',
  },
  hl7v2FeedCertFile: {
    env: 'HL7V2_FEED_CERT_FILE',
    fallbackAbout: 'none',
    ...file,
    about:
      'Client certificate for partners that are sent HL7 v2 over mutual TLS, in PEM. A renewed file is read by itself.',
  },
  hl7v2FeedKeyFile: {
    env: 'HL7V2_FEED_KEY_FILE',
    fallbackAbout: 'none',
    ...privateFile,
    about: 'Private key of HL7V2_FEED_CERT_FILE, in PEM.',
  },
  hl7v2FeedCertificatesFile: {
    env: 'HL7V2_FEED_CERTIFICATES_FILE',
    fallbackAbout: 'none: HL7V2_FEED_CERT_FILE for all',
    ...file,
    about:
      'JSON list of partners that are shown a certificate of their own and have their own authorities: `receiver` (MSH-5, a bar, MSH-6), `cert`, `key`, `ca`.',
  },
  hl7v2AnswerTimeoutMs: {
    env: 'HL7V2_ANSWER_TIMEOUT_MS',
    fallback: '30000',
    ...integer(100, 600_000),
    about: 'How long the acknowledgement of a message that was sent is waited for; then it is sent again.',
  },
} as const satisfies Record<string, Setting<unknown>>;
