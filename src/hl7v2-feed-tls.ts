/** Certificates for outbound HL7 v2: one for all partners, and those of single partners. docs/hl7v2.md "Feeds", SECURITY PK-16 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { type Config, ConfigError } from './config.ts';
import { caOnly } from './gateways/hl7v2/feed/exchange.ts';
import { openOutboundTls } from './pki/outbound-tls.ts';
import type { Log } from './ports/log.ts';
import type { Feed } from './ports/v2-feed.ts';

export type FeedTlsConfig = Pick<
  Config,
  'hl7v2FeedCertFile' | 'hl7v2FeedKeyFile' | 'hl7v2FeedCaFile' | 'hl7v2FeedCertificatesFile'
>;

export interface FeedTls {
  options(feed: Feed): ConnectionOptions;
  stop(): void;
}

interface Row {
  readonly receiver: string;
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

const SETTING = 'HL7V2_FEED_CERTIFICATES_FILE';
const ROWS_MAX = 1000;

/** With a certificate of ours where one is given; partners are verified always. Throws `ConfigError`, `TlsFileError`. */
export function openFeedTls(config: FeedTlsConfig, log: Log): FeedTls {
  const { hl7v2FeedCertFile: certFile, hl7v2FeedKeyFile: keyFile, hl7v2FeedCaFile: caFile } = config;
  const hasOwn = certFile !== undefined && keyFile !== undefined && caFile !== undefined;
  const settings = { cert: 'HL7V2_FEED_CERT_FILE', key: 'HL7V2_FEED_KEY_FILE', ca: 'HL7V2_FEED_CA_FILE' };
  const shared = hasOwn ? openOutboundTls({ certFile, keyFile, caFile, settings, log }) : undefined;
  const options = shared?.options ?? caOnly(caFile);
  const own = new Map(
    readRows(config.hl7v2FeedCertificatesFile).map(({ receiver, cert, key, ca }) => {
      const files = { certFile: cert, keyFile: key, caFile: ca };
      return [receiver, openOutboundTls({ ...files, settings: { cert: SETTING, key: SETTING, ca: SETTING }, log })];
    }),
  );
  return {
    options: ({ profile }) =>
      (own.get(`${profile.receivingApplication}|${profile.receivingFacility}`)?.options ?? options)(),
    stop() {
      shared?.stop();
      for (const { stop } of own.values()) stop();
    },
  };
}

/** Paths are from the folder of the file. */
function readRows(file: string | undefined): readonly Row[] {
  if (file === undefined) return [];
  const fail = (why: string): ConfigError => new ConfigError([`${SETTING}: ${why}`]);
  let rows: unknown;
  try {
    rows = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    throw fail('it cannot be read as JSON');
  }
  if (!Array.isArray(rows) || rows.length > ROWS_MAX) throw fail(`it must be a list of at most ${ROWS_MAX} rows`);
  const seen = new Set<string>();
  return rows.map((row: Partial<Row> | null, n) => {
    const { receiver, cert, key, ca } = row ?? {};
    const texts = [receiver, cert, key, ca];
    if (texts.some((text) => typeof text !== 'string' || text === '') || Object.keys(row ?? {}).length !== texts.length)
      throw fail(`row ${n + 1} must have receiver, cert, key and ca, and nothing else`);
    if (seen.has(String(receiver))) throw fail(`row ${n + 1}: another row is for ${receiver} too`);
    seen.add(String(receiver));
    const at = (path: string | undefined): string => resolve(dirname(file), String(path));
    return { receiver: String(receiver), cert: at(cert), key: at(key), ca: at(ca) };
  });
}
