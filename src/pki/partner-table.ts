/**
 * PARTNER_CERTIFICATES_FILE: whose a client certificate is, as a table in JSON that is read again when it changes; one
 * that cannot be used leaves the last good one in place. docs/pki.md. SECURITY PK-09, PK-12
 */
import { readFileSync, statSync } from 'node:fs';
import type { Log } from '../ports/log.ts';
import { DerFault } from '../standards/x509/der.ts';
import { keyOfDistinguishedName } from '../standards/x509/distinguished-name.ts';
import type { CertificateKey, CertificateMapping } from './certificate-mapping.ts';
import { TlsFileError } from './tls-files.ts';

export interface PartnerTable {
  rows(): readonly CertificateMapping[];
  stop(): void;
}

export interface PartnerTableOptions {
  readonly file: string;
  readonly log: Log;
  readonly pollMs?: number;
}

const POLL_MS = 2_000;
const BYTES_MAX = 4 * 1024 * 1024;
const ROWS_MAX = 10_000;
const LIST_MAX = 100;
const TEXT_MAX = 500;
const MEMBERS = new Set(['certificate', 'organization', 'endpoint', 'client', 'senders', 'messages', 'enabled']);

/** What is wrong with a row, in words. */
class RowFault extends Error {}

/** Throws `TlsFileError` when the file cannot be used now. */
export function openPartnerTable({ file, log, pollMs = POLL_MS }: PartnerTableOptions): PartnerTable {
  let look = lookOf(file);
  let rows = readTable(file);
  const timer = setInterval(() => {
    const next = lookOf(file);
    if (next === look) return;
    look = next;
    try {
      rows = readTable(file);
      log.info('the table of partners was read again', { count: rows.length });
    } catch (error) {
      log.error('the new PARTNER_CERTIFICATES_FILE cannot be used: the old one is kept', { error });
    }
  }, pollMs);
  timer.unref();
  return { rows: () => rows, stop: () => clearInterval(timer) };
}

function lookOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : 'none';
}

function readTable(file: string): readonly CertificateMapping[] {
  try {
    if (statSync(file).size > BYTES_MAX) throw new RowFault('it is too large');
    const table: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!Array.isArray(table) || table.length > ROWS_MAX) throw new RowFault('it is no JSON list');
    const rows = table.map((row, i) => readRow(row, i + 1));
    checkUnique(rows);
    return rows;
  } catch (cause) {
    const why = cause instanceof RowFault || cause instanceof SyntaxError ? cause.message : codeOf(cause);
    throw new TlsFileError(`PARTNER_CERTIFICATES_FILE: ${file} cannot be used: ${why}`, cause);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** Two rows for one certificate would make it nobody's: better told than guessed. */
function checkUnique(rows: readonly CertificateMapping[]): void {
  const seen = new Map<string, number>();
  for (const [i, { by, value }] of rows.entries()) {
    const before = seen.get(`${by} ${value}`);
    if (before !== undefined) throw new RowFault(`rows ${before} and ${i + 1} name the same certificate`);
    seen.set(`${by} ${value}`, i + 1);
  }
}

function readRow(row: unknown, number: number): CertificateMapping {
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new RowFault(`row ${number} is no JSON object`);
  const members = row as Readonly<Record<string, unknown>>; // an object
  const unknown = Object.keys(members).find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) throw new RowFault(`row ${number} has a member "${unknown}" that nobody knows`);
  const text = (name: string): string | undefined => readText(members[name], `row ${number}: ${name}`);
  const list = (name: string): readonly string[] | undefined => readList(members[name], `row ${number}: ${name}`);
  const [organizationId, endpointId, clientId] = [text('organization'), text('endpoint'), text('client')];
  if (organizationId === undefined) throw new RowFault(`row ${number} needs "organization", the id of an Organization`);
  const messages = list('messages');
  const { enabled = true } = members;
  if (typeof enabled !== 'boolean') throw new RowFault(`row ${number}: enabled is neither true nor false`);
  return {
    ...readKey(members['certificate'], number),
    organizationId,
    ...(endpointId !== undefined && { endpointId }),
    ...(clientId !== undefined && { clientId }),
    senders: list('senders') ?? [],
    ...(messages && { messages }),
    isEnabled: enabled,
  };
}

function readKey(certificate: unknown, number: number): CertificateKey {
  const { uri, key, issuer, serial, ...more } = (certificate ?? {}) as Readonly<Record<string, unknown>>; // or all absent
  const kinds = [uri, key, issuer ?? serial].filter((one) => one !== undefined);
  if (kinds.length !== 1 || Object.keys(more).length > 0)
    throw new RowFault(
      `row ${number} needs "certificate": {"uri": …}, {"key": SHA-256 of the public key in hex} or {"issuer": …, "serial": …}`,
    );
  const at = (name: string) => `row ${number}: certificate.${name}`;
  if (uri !== undefined) return { by: 'uri', value: readText(uri, at('uri')) ?? '' };
  if (key !== undefined) {
    const hex = (readText(key, at('key')) ?? '').toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new RowFault(`${at('key')} is no SHA-256 in hex`);
    return { by: 'key', value: hex };
  }
  const hex = (readText(serial, at('serial')) ?? '').toLowerCase().replaceAll(':', '');
  if (!/^(?:[0-9a-f]{2}){1,20}$/.test(hex)) throw new RowFault(`${at('serial')} is no number in hex`);
  try {
    return { by: 'issuer-serial', value: `${keyOfDistinguishedName(readText(issuer, at('issuer')) ?? '')}|${hex}` };
  } catch (error) {
    if (error instanceof DerFault) throw new RowFault(`${at('issuer')}: ${error.message}`);
    throw error;
  }
}

function readText(value: unknown, what: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > TEXT_MAX)
    throw new RowFault(`${what} is no text of at most ${TEXT_MAX} characters`);
  return value;
}

function readList(value: unknown, what: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > LIST_MAX)
    throw new RowFault(`${what} is no list of at most ${LIST_MAX} texts`);
  return value.map((item) => readText(item ?? '', what) ?? '');
}
