/** Every setting of the server, as one table: read once by `main.ts`; docs/configuration.md is printed from it. */

import { isIP } from 'node:net';
import {
  findFeedProblems,
  findMailProblems,
  findProductionProblems,
  findSignInProblems,
  findSpineProblems,
  findTlsProblems,
  HTTPS_PORT,
} from './config-checks.ts';
import {
  clientId,
  file,
  ISSUER_ALLOWED,
  integer,
  mailAddress,
  oneOf,
  parseAddressRanges,
  parseDatabaseUrl,
  parseFeedTargets,
  parseHosts,
  parseIssuer,
  parsePublicUrl,
  parseRates,
  parseRedisUrl,
  parseScriptAddresses,
  parseSenders,
  parseSmtpUrl,
  parseSpineUrl,
  parseTelecomUrl,
  parseTimeZone,
  privateFile,
} from './config-parsers.ts';

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

interface Setting<T> {
  readonly env: string;
  /** What to write, in words; shown when a value is refused. */
  readonly allowed: string;
  readonly about: string;
  /** As it would be written; absent where the setting is optional. */
  readonly fallback?: string;
  /** Why a default is not a plain value, for the documents. */
  readonly fallbackAbout?: string;
  /** Never shown, not even when it is wrong. */
  readonly secret?: true;
  /** The value, or undefined when the text is not allowed. */
  parse(text: string): T | undefined;
}

const MIB = 1024 * 1024;
const METRICS_TOKEN_CHARS_MIN = 32;

const ELEMENT_PATHS = /^[A-Za-z0-9.-]{1,200}(?:\s*,\s*[A-Za-z0-9.-]{1,200}){0,499}$/;

const SETTINGS = {
  nodeEnv: {
    env: 'NODE_ENV',
    fallback: 'development',
    ...oneOf('development', 'test', 'production'),
    about: 'With `production` the start refuses what is for development, and a public URL that is not https.',
  },
  host: {
    env: 'HOST',
    fallback: '127.0.0.1',
    allowed: 'an IP address or `localhost`',
    about:
      'Address to listen on. Any but a loopback address is for TLS alone; plain HTTP then stays on the loopback address.',
    parse: (text: string): string | undefined => (isIP(text) !== 0 || text === 'localhost' ? text : undefined),
  },
  port: { env: 'PORT', fallback: '8080', ...integer(0, 65_535), about: 'Port of the HTTP server; 0 takes a free one.' },
  plainHttp: {
    env: 'PLAIN_HTTP',
    fallback: 'loopback',
    ...oneOf('loopback', 'allow'),
    about: 'Whether HTTP without TLS is also served on a HOST off this machine: only behind a proxy that speaks TLS.',
  },
  httpsPort: {
    env: 'HTTPS_PORT',
    fallbackAbout: `\`${HTTPS_PORT}\` when TLS_CERT_FILE is given, else \`off\``,
    allowed: 'a whole number from 0 to 65535, or `off`',
    about:
      'Port of the TLS listener, on HOST; 0 takes a free one. Without TLS_CERT_FILE it has a development certificate.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  tlsCertFile: {
    env: 'TLS_CERT_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Certificate of the server and those between it and the root, in PEM. A renewed file is read by itself.',
  },
  tlsKeyFile: {
    env: 'TLS_KEY_FILE',
    fallbackAbout: 'none',
    allowed: 'a file that other users cannot read',
    about: 'Private key of TLS_CERT_FILE, in PEM.',
    parse: (text: string): string => text,
  },
  tlsClientCaFile: {
    env: 'TLS_CLIENT_CA_FILE',
    fallbackAbout: 'none: no client is asked for a certificate',
    ...file,
    about:
      'Certificates, in PEM, of the authorities whose client certificates are believed, with the intermediate ones below them.',
  },
  tlsClientCertificate: {
    env: 'TLS_CLIENT_CERTIFICATE',
    fallback: 'optional',
    ...oneOf('optional', 'required'),
    about:
      'Whether clients may come without a certificate. One that is sent must hold, or the connection is broken off.',
  },
  tlsClientCrlFile: {
    env: 'TLS_CLIENT_CRL_FILE',
    fallbackAbout: 'none: they are fetched from the places that certificates name',
    ...file,
    about: 'Lists of revoked client certificates (CRLs), in PEM. A renewed file is read by itself.',
  },
  partnerCertificatesFile: {
    env: 'PARTNER_CERTIFICATES_FILE',
    fallbackAbout: 'none: a certificate alone opens nothing',
    ...file,
    about:
      'Whose a client certificate is, as a JSON list ([Certificates](pki.md)): Organization, client, names in messages. A renewed file is read by itself.',
  },
  cardPort: {
    env: 'CARD_PORT',
    fallback: 'off',
    allowed: 'a whole number from 0 to 65535, or `off`',
    about: 'Port where people sign in with smart cards, on HOST ([Certificates](pki.md)); 0 takes a free one.',
    parse: (text: string): number | 'off' | undefined => (text === 'off' ? 'off' : integer(0, 65_535).parse(text)),
  },
  cardCaFile: {
    env: 'CARD_CA_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Certificates, in PEM, of the authorities of smart cards, with the intermediate ones below them.',
  },
  cardPolicy: {
    env: 'CARD_POLICY',
    fallbackAbout: 'none',
    allowed: 'an object identifier such as `2.16.840.1.101.3.2.1.3.13`',
    about: 'Policy that the certificate of a smart card must carry: the one which says that the card asks for a PIN.',
    parse: (text: string): string | undefined => (/^[0-2](?:\.\d{1,20}){1,30}$/.test(text) ? text : undefined),
  },
  cardHoldersFile: {
    env: 'CARD_HOLDERS_FILE',
    fallbackAbout: 'none',
    ...file,
    about: 'Whose a smart card is, as a JSON list ([Certificates](pki.md)). A renewed file is read by itself.',
  },
  revocation: {
    env: 'REVOCATION',
    fallback: 'fail-closed',
    ...oneOf('fail-closed', 'fail-open', 'off'),
    about:
      'What happens when nobody can say whether a certificate is revoked: it is refused, believed with a warning, or never asked about.',
  },
  revocationHosts: {
    env: 'REVOCATION_HOSTS',
    fallbackAbout: 'none',
    allowed: 'names with ports such as `pki.example.org:8079`, with commas between them',
    about: 'Hosts of revocation lists and responders that may be reached although they are in the own network.',
    parse: parseHosts,
  },
  trustedProxies: {
    env: 'TRUSTED_PROXIES',
    fallbackAbout: 'none',
    allowed: 'IP addresses and ranges such as `10.0.0.0/8`, with commas between them',
    about: 'Proxies whose `X-Forwarded-For` is believed.',
    parse: parseAddressRanges,
  },
  metricsToken: {
    env: 'METRICS_TOKEN',
    fallbackAbout: 'none: they are shown to this machine only',
    secret: true,
    allowed: `at least ${METRICS_TOKEN_CHARS_MIN} letters, digits and \`-._~+/=\``,
    about: 'Bearer token that shows `/metrics` and the details of `/readyz` to others than this machine.',
    parse: (text: string): string | undefined =>
      text.length >= METRICS_TOKEN_CHARS_MIN && /^[A-Za-z0-9._~+/-]+=*$/.test(text) ? text : undefined,
  },
  rateLimits: {
    env: 'RATE_LIMITS',
    fallbackAbout: 'login=10/min, register=5/h, token=60/min, read=600/min, search=300/min, write=120/min and others',
    allowed: 'rates such as `login=10/min,token=5/s,register=off`, with commas between them',
    about: 'How often a client may do a thing, where that is not the default. Backend services have no limit by rate.',
    parse: parseRates,
  },
  clockFile: {
    env: 'CLOCK_FILE',
    fallbackAbout: "none: the machine's clock",
    allowed: 'a file that holds a time such as `2026-03-01T09:00:00Z`',
    about: 'For tests and demonstrations: the time from which the clock runs on, read again when it changes.',
    parse: (text: string): string => text,
  },
  publicUrl: {
    env: 'PUBLIC_URL',
    fallbackAbout: 'made from HOST and the port: HTTPS_PORT when TLS_CERT_FILE is given or HOST is off this machine',
    allowed:
      'an http or https URL without a trailing slash, query or user name, such as `https://fhir.example.org`; a path of it has only letters, digits and `-._~`',
    about:
      'How clients reach the server. Every link, `Location` and `fullUrl` begins with it. If it has a path, a proxy takes that off.',
    parse: parsePublicUrl,
  },
  dataDir: {
    env: 'DATA_DIR',
    fallback: '.data',
    allowed: 'a folder',
    about: 'Where everything lies that must outlive the process: database, passwords, caches, `ports.json`.',
    parse: (text: string): string => text,
  },
  databaseUrl: {
    env: 'DATABASE_URL',
    fallbackAbout: 'the embedded Postgres below DATA_DIR',
    secret: true,
    allowed: 'a URL such as `postgresql://user:password@host:5432/database`',
    about: 'A PostgreSQL 15 or later to use instead of the embedded one. Its role owns the schema.',
    parse: parseDatabaseUrl,
  },
  unsafeDatabase: {
    env: 'UNSAFE_DATABASE',
    fallback: 'refuse',
    ...oneOf('refuse', 'allow'),
    about: 'Whether to start on a database that may lose acknowledged writes (`fsync=off` …). Throw-away data only.',
  },
  postgresUid: {
    env: 'POSTGRES_UID',
    fallbackAbout: 'the user `postgres`, else `nobody`',
    ...integer(1, 4_294_967_294),
    about: 'User number that runs the embedded Postgres when Mortar is started by root.',
  },
  logLevel: {
    env: 'LOG_LEVEL',
    fallback: 'info',
    ...oneOf<LogLevel>('error', 'warn', 'info', 'debug'),
    about: 'The least important messages to log. Logs are JSON lines on stderr.',
  },
  patientMfa: {
    env: 'PATIENT_MFA',
    fallback: 'required',
    ...oneOf('required', 'optional'),
    about: 'Whether patients need a second factor to sign in, as staff always do.',
  },
  proxyAgeMax: {
    env: 'PROXY_AGE_MAX',
    fallback: '16',
    ...integer(10, 25),
    about: 'From which birthday on parents see the record of a child only where the young person has consented.',
  },
  searchHandling: {
    env: 'SEARCH_HANDLING',
    fallback: 'strict',
    ...oneOf('strict', 'lenient'),
    about: 'Whether unknown search parameters are refused or ignored; `Prefer: handling=` overrides it.',
  },
  bodyBytesMax: {
    env: 'BODY_BYTES_MAX',
    fallback: String(10 * MIB),
    ...integer(1024, 1024 * MIB),
    about: 'Largest body of a single resource, in bytes.',
  },
  bundleBytesMax: {
    env: 'BUNDLE_BYTES_MAX',
    fallback: String(50 * MIB),
    ...integer(1024, 1024 * MIB),
    about: 'Largest body of a batch, transaction or message, in bytes.',
  },
  bundleEntriesMax: {
    env: 'BUNDLE_ENTRIES_MAX',
    fallback: '5000',
    ...integer(1, 1_000_000),
    about: 'Most entries of a batch or transaction.',
  },
  pageSizeDefault: {
    env: 'PAGE_SIZE_DEFAULT',
    fallback: '20',
    ...integer(1, 1000),
    about: 'Matches on a search page when the client gives no `_count`.',
  },
  pageSizeMax: {
    env: 'PAGE_SIZE_MAX',
    fallback: '1000',
    ...integer(1, 10_000),
    about: 'Most matches on a page; a larger `_count` is lowered to it.',
  },
  readConnections: {
    env: 'READ_CONNECTIONS',
    fallback: '4',
    ...integer(1, 64),
    about: 'Database connections for reads and searches; each carries many statements at once.',
  },
  writeConnections: {
    env: 'WRITE_CONNECTIONS',
    fallback: '4',
    ...integer(1, 64),
    about: 'Database connections for single writes.',
  },
  transactionConnections: {
    env: 'TRANSACTION_CONNECTIONS',
    fallback: '8',
    ...integer(1, 200),
    about: 'Database connections for transactions, one each at a time.',
  },
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
    allowed: '`mllps://host:port` or `mllp://host:port`, with commas between',
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
  epcsSignedPart: {
    env: 'EPCS_SIGNED_PART',
    fallback: 'unknown',
    allowed: '`unknown` or `transaction`',
    about:
      'What digital signatures of SCRIPT prescriptions cover, as the partners say. `unknown`: they are archived and not verified.',
    parse: (text: string): 'unknown' | 'transaction' | undefined =>
      text === 'unknown' || text === 'transaction' ? text : undefined,
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
    ...integer(0, 65_535),
    about: 'Port of the local payer, `npm run payer`; 0 takes a free one.',
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

type Settings = typeof SETTINGS;
type Parsed<S> = S extends { parse(text: string): infer T } ? Exclude<T, undefined> : never;

/** The values of all settings; optional ones without a plain default may be undefined. */
export type Config = {
  readonly [K in keyof Settings]: Settings[K] extends { fallback: string }
    ? Parsed<Settings[K]>
    : Parsed<Settings[K]> | undefined;
};

/** One or more wrong settings; the message names each with what is allowed, ready to be shown. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(`wrong configuration\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** All settings with their names in `Config`. */
export const TABLE: readonly (readonly [keyof Settings, Setting<unknown>])[] = Object.entries(SETTINGS).map(
  ([name, setting]) => [name as keyof Settings, setting],
);

/** Reads all settings from the environment; empty text counts as not set. Throws `ConfigError`. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of TABLE) {
    const given = env[setting.env];
    const text = given === undefined || given === '' ? setting.fallback : given;
    const value = text === undefined ? undefined : setting.parse(text);
    if (text !== undefined && value === undefined) problems.push(wrongValue(setting, text));
    values[name] = value;
  }
  const config = values as unknown as Config; // each value comes from its own parser, and wrong ones are thrown below
  if (problems.length === 0 && config.pageSizeDefault > config.pageSizeMax)
    problems.push(`PAGE_SIZE_DEFAULT is ${config.pageSizeDefault}; PAGE_SIZE_MAX, ${config.pageSizeMax}, is less`);
  if (problems.length === 0)
    problems.push(
      ...findTlsProblems(config),
      ...findSignInProblems(config),
      ...findMailProblems(config),
      ...findSpineProblems(config),
      ...findFeedProblems(config),
      ...findProductionProblems(config, env),
    );
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function wrongValue(setting: Setting<unknown>, text: string): string {
  const shown = setting.secret === true ? 'a value (not shown)' : JSON.stringify(text.slice(0, 200));
  return `${setting.env} is ${shown}; allowed: ${setting.allowed.replaceAll('`', '')}`;
}
