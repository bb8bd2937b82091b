/** Settings: The data, the database, and what one request of FHIR may ask of them. */
import { integer, oneOf, parseDatabaseUrl, parseProfiles } from '../config-parsers.ts';
import { type LogLevel, MIB, type Setting } from './setting.ts';

export const STORE = {
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
  graphqlIntrospection: {
    env: 'GRAPHQL_INTROSPECTION',
    fallback: 'off',
    ...oneOf('on', 'off'),
    about:
      'Whether `$graphql` answers `__schema` and `__type`, for tools. It shows what R4 defines and which search parameters are posted, and no data.',
  },
  fullText: {
    env: 'FULL_TEXT',
    fallback: 'narrative',
    ...oneOf('off', 'narrative', 'all'),
    about:
      'What is searched by words: nothing, narratives (`_text`), or every text as well (`_content`), which costs time on each write and room: docs/fhir.md#words. After a change what is stored follows in the background.',
  },
  conditionalDelete: {
    env: 'CONDITIONAL_DELETE',
    fallback: 'single',
    ...oneOf('single', 'multiple'),
    about: 'Whether `DELETE /Type?…` refuses criteria that several match, or deletes them all: all of them or none.',
  },
  conditionalDeleteMax: {
    env: 'CONDITIONAL_DELETE_MAX',
    fallback: '100',
    ...integer(2, 1000),
    about: 'How many one such request may delete; when more match, none is deleted.',
  },
  referredDelete: {
    env: 'REFERRED_DELETE',
    fallback: 'allow',
    ...oneOf('allow', 'refuse'),
    about:
      'Whether a Patient, Practitioner, Organization, Encounter or Medication is deleted while clinical records refer to it. Nothing is ever deleted with it.',
  },
  profileBase: {
    env: 'PROFILE_BASE',
    fallback: 'https://mortar.example/fhir',
    allowed: 'an https URL without a slash at its end',
    about: 'What the canonical URLs of the profiles that come with Mortar begin with. docs/validation.md lists them.',
    parse: (text: string): string | undefined =>
      /^https:\/\/[A-Za-z0-9.-]+(?::\d+)?(?:\/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-])?$/.test(text) ? text : undefined,
  },
  requiredProfiles: {
    env: 'REQUIRED_PROFILES',
    fallbackAbout: 'none: those that a resource claims',
    allowed: 'pairs `Type=canonical`, with commas between',
    about:
      'Profiles that every resource of a type keeps to, whether it claims them or not: `Patient=https://mortar.example/fhir/StructureDefinition/mortar-patient`.',
    parse: parseProfiles,
  },
  bodyBytesMax: {
    env: 'BODY_BYTES_MAX',
    fallback: String(10 * MIB),
    ...integer(1024, 1024 * MIB),
    about: 'Largest body of a single resource, in bytes.',
  },
  importBytesMax: {
    env: 'IMPORT_BYTES_MAX',
    fallback: String(512 * MIB),
    ...integer(1024, 16_384 * MIB),
    about: 'Largest body of `$import`, in bytes, inflated. A line is bounded by `BODY_BYTES_MAX`.',
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
} as const satisfies Record<string, Setting<unknown>>;
