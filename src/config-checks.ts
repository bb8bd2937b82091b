/** What settings say together: where the server listens, and combinations that must not be. */
import type { Config } from './config.ts';

/** Of the TLS listener, where none is given. */
export const HTTPS_PORT = 8443;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);
const WILDCARD = new Set(['0.0.0.0', '::']);

/** Where the server listens; `https` is undefined without TLS. */
export interface ListenAddresses {
  readonly plainHost: string;
  readonly https: { readonly host: string; readonly port: number } | undefined;
  /** Scheme and host of the public URL when none is given. */
  readonly isPublicOverTls: boolean;
}

/** Plain HTTP keeps to this machine unless it is told otherwise. SECURITY PK-01. */
export function listenAddresses({ host, httpsPort, tlsCertFile, plainHttp }: Config): ListenAddresses {
  const port = httpsPort ?? (tlsCertFile === undefined ? 'off' : HTTPS_PORT);
  const isLocal = LOOPBACK.has(host);
  const https = port === 'off' ? undefined : { host, port };
  const plainHost = isLocal || plainHttp === 'allow' ? host : '127.0.0.1';
  return { plainHost, https, isPublicOverTls: https !== undefined && (tlsCertFile !== undefined || !isLocal) };
}

export function findTlsProblems(config: Config): string[] {
  const { host, plainHttp, tlsCertFile, tlsKeyFile, tlsClientCaFile, publicUrl } = config;
  const hasTls = listenAddresses(config).https !== undefined;
  const problems: string[] = [];
  if ((tlsCertFile === undefined) !== (tlsKeyFile === undefined))
    problems.push('TLS_CERT_FILE and TLS_KEY_FILE are given together or not at all');
  if (tlsClientCaFile !== undefined && !hasTls) problems.push('TLS_CLIENT_CA_FILE is given, but HTTPS_PORT is off');
  if (tlsClientCaFile === undefined)
    for (const [name, isGiven] of [
      ['TLS_CLIENT_CERTIFICATE=required', config.tlsClientCertificate === 'required'],
      ['TLS_CLIENT_CRL_FILE', config.tlsClientCrlFile !== undefined],
      ['PARTNER_CERTIFICATES_FILE', config.partnerCertificatesFile !== undefined],
    ] as const)
      if (isGiven) problems.push(`${name} needs TLS_CLIENT_CA_FILE, the authorities of clients`);
  const { cardPort, cardCaFile, cardPolicy, cardHoldersFile } = config;
  if (cardPort !== 'off' && (!hasTls || [cardCaFile, cardPolicy, cardHoldersFile].includes(undefined)))
    problems.push('CARD_PORT needs HTTPS_PORT, CARD_CA_FILE, CARD_POLICY and CARD_HOLDERS_FILE');
  if (config.mllpsPort !== 'off' && config.partnerCertificatesFile === undefined)
    problems.push('MLLPS_PORT needs PARTNER_CERTIFICATES_FILE, which says who may send there');
  if (!LOOPBACK.has(host) && !hasTls && plainHttp !== 'allow')
    problems.push(
      `HOST is ${host}, off this machine, where TLS is needed: set TLS_CERT_FILE and TLS_KEY_FILE, ` +
        'or PLAIN_HTTP=allow behind a proxy that speaks TLS',
    );
  if (WILDCARD.has(host) && publicUrl === undefined)
    problems.push(`HOST is ${host}, every address of this machine: set PUBLIC_URL to how clients reach it`);
  return problems;
}

/** The way to the Spine is given whole. */
export function findSpineProblems({ spineUrl, spineCertFile, spineKeyFile, spineCaFile }: Config): string[] {
  const given = [spineUrl, spineCertFile, spineKeyFile, spineCaFile].filter((value) => value !== undefined).length;
  return given === 0 || given === 4
    ? []
    : ['SPINE_URL, SPINE_CERT_FILE, SPINE_KEY_FILE and SPINE_CA_FILE are given together or not at all'];
}

/** Our certificate has a key, and says whom it is shown to. */
export const findFeedProblems = ({ hl7v2FeedCertFile, hl7v2FeedKeyFile, hl7v2FeedCaFile }: Config): string[] =>
  findIncomplete([
    ['HL7V2_FEED_CERT_FILE and HL7V2_FEED_KEY_FILE', hl7v2FeedCertFile, hl7v2FeedKeyFile],
    ...(hl7v2FeedCertFile === undefined
      ? []
      : [['HL7V2_FEED_CERT_FILE and HL7V2_FEED_CA_FILE', hl7v2FeedCertFile, hl7v2FeedCaFile] as const]),
  ]);

/** A provider's settings are given together. */
export function findSignInProblems(config: Config): string[] {
  const groups = [
    [
      'CIS2_ISSUER, CIS2_CLIENT_ID, CIS2_KEY_FILE and CIS2_ROLES_FILE',
      config.cis2Issuer,
      config.cis2ClientId,
      config.cis2KeyFile,
      config.cis2RolesFile,
    ],
    [
      'NHS_LOGIN_ISSUER, NHS_LOGIN_CLIENT_ID and NHS_LOGIN_KEY_FILE',
      config.nhsLoginIssuer,
      config.nhsLoginClientId,
      config.nhsLoginKeyFile,
    ],
  ] as const;
  return findIncomplete(groups);
}

/** What is sent has a sender. */
export const findMailProblems = ({ smtpUrl, mailFrom }: Config): string[] =>
  findIncomplete([['SMTP_URL and MAIL_FROM', smtpUrl, mailFrom]]);

/** A code that is asked for can be sent, and what is of high value is known. */
export function findDispensingProblems(config: Config): string[] {
  const { collectionCodeFor, dispensingPhotoFor, highValueFrom, smsUrl, nodeEnv } = config;
  const problems: string[] = [];
  for (const [name, kinds] of [
    ['COLLECTION_CODE_FOR', collectionCodeFor],
    ['DISPENSING_PHOTO_FOR', dispensingPhotoFor],
  ] as const)
    if (kinds.has('high_value') && highValueFrom === undefined)
      problems.push(`${name} names high_value: set HIGH_VALUE_FROM, such as 100 GBP`);
  // Elsewhere text messages stay in the mailbox.
  if (collectionCodeFor.size > 0 && smsUrl === undefined && nodeEnv === 'production')
    problems.push('COLLECTION_CODE_FOR needs SMS_URL, by which the codes are sent');
  return problems;
}

type Group = readonly [names: string, ...values: readonly (string | undefined)[]];

function findIncomplete(groups: readonly Group[]): string[] {
  return groups.flatMap(([names, ...values]) => {
    const given = values.filter((value) => value !== undefined).length;
    return given === 0 || given === values.length ? [] : [`${names} are given together or not at all`];
  });
}

/** What must not be in use where there are patients. SECURITY SU-07. */
export function findProductionProblems(config: Config, env: Readonly<Record<string, string | undefined>>): string[] {
  if (config.nodeEnv !== 'production') return [];
  const problems: string[] = [];
  const refuse = (is: boolean, problem: string): void => {
    if (is) problems.push(`${problem} with NODE_ENV=production`);
  };
  const url = config.publicUrl === undefined ? undefined : new URL(config.publicUrl);
  refuse(url?.protocol === 'http:' && !isLoopbackName(url.hostname), 'PUBLIC_URL must begin with https://');
  refuse(
    config.publicUrl === undefined && !LOOPBACK.has(config.host) && !listenAddresses(config).isPublicOverTls,
    'PUBLIC_URL must be set, and begin with https://,',
  );
  refuse(config.clockFile !== undefined, 'CLOCK_FILE is for tests and demonstrations: it is refused');
  refuse(config.unsafeDatabase === 'allow', 'UNSAFE_DATABASE=allow is refused');
  refuse(
    listenAddresses(config).https !== undefined && config.tlsCertFile === undefined,
    'HTTPS_PORT needs TLS_CERT_FILE and TLS_KEY_FILE: there is no development certificate',
  );
  refuse(env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0', 'NODE_TLS_REJECT_UNAUTHORIZED=0 is refused');
  refuse(/(?:^|\s)--inspect/.test(env['NODE_OPTIONS'] ?? ''), 'NODE_OPTIONS with --inspect is refused');
  return problems;
}

const isLoopbackName = (name: string): boolean => LOOPBACK.has(name.replace(/^\[|\]$/g, ''));

export const hostInUrl = (host: string): string => (host.includes(':') ? `[${host}]` : host);
