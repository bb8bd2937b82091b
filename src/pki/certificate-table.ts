/**
 * A table in JSON of whose a certificate is, read again when it changes; one that cannot be used leaves the last good one
 * in place. docs/pki.md. SECURITY PK-09, PK-12, NH-11
 */
import { readFileSync, statSync } from 'node:fs';
import type { Log } from '../ports/log.ts';
import { DerFault } from '../standards/x509/der.ts';
import { keyOfDistinguishedName } from '../standards/x509/distinguished-name.ts';
import type { CertificateKey } from './certificate-mapping.ts';
import { TlsFileError } from './tls-files.ts';

export interface CertificateTable<Row> {
  rows(): readonly Row[];
  stop(): void;
}

export interface CertificateTableOptions {
  readonly file: string;
  readonly log: Log;
  readonly pollMs?: number;
}

export type Members = Readonly<Record<string, unknown>>;

const POLL_MS = 2_000;
const BYTES_MAX = 4 * 1024 * 1024;
const ROWS_MAX = 10_000;
const LIST_MAX = 100;
const TEXT_MAX = 500;

/** What is wrong with a row, in words. */
export class RowFault extends Error {}

/** Throws `TlsFileError` when the file cannot be used now. `readRow` throws `RowFault`; rows are counted from 1. */
export function openCertificateTable<Row extends CertificateKey>(
  setting: string,
  { file, log, pollMs = POLL_MS }: CertificateTableOptions,
  members: ReadonlySet<string>,
  readRow: (members: Members, number: number) => Row,
): CertificateTable<Row> {
  const read = (): readonly Row[] => readTable(setting, file, members, readRow);
  let look = lookOf(file);
  let rows = read();
  const timer = setInterval(() => {
    const next = lookOf(file);
    if (next === look) return;
    look = next;
    try {
      rows = read();
      log.info('a table of certificates was read again', { setting, count: rows.length });
    } catch (error) {
      log.error(`the new ${setting} cannot be used: the old one is kept`, { error });
    }
  }, pollMs);
  timer.unref();
  return { rows: () => rows, stop: () => clearInterval(timer) };
}

function lookOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat ? `${stat.ino} ${stat.size} ${stat.mtimeMs}` : 'none';
}

function readTable<Row extends CertificateKey>(
  setting: string,
  file: string,
  members: ReadonlySet<string>,
  readRow: (members: Members, number: number) => Row,
): readonly Row[] {
  try {
    if (statSync(file).size > BYTES_MAX) throw new RowFault('it is too large');
    const table: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (!Array.isArray(table) || table.length > ROWS_MAX) throw new RowFault('it is no JSON list');
    const rows = table.map((row, i) => readRow(membersOf(row, i + 1, members), i + 1));
    checkUnique(rows);
    return rows;
  } catch (cause) {
    const why = cause instanceof RowFault || cause instanceof SyntaxError ? cause.message : codeOf(cause);
    throw new TlsFileError(`${setting}: ${file} cannot be used: ${why}`, cause);
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** Two rows for one certificate would make it nobody's: better told than guessed. */
function checkUnique(rows: readonly CertificateKey[]): void {
  const seen = new Map<string, number>();
  for (const [i, { by, value }] of rows.entries()) {
    const before = seen.get(`${by} ${value}`);
    if (before !== undefined) throw new RowFault(`rows ${before} and ${i + 1} name the same certificate`);
    seen.set(`${by} ${value}`, i + 1);
  }
}

function membersOf(row: unknown, number: number, known: ReadonlySet<string>): Members {
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    throw new RowFault(`row ${number} is no JSON object`);
  const unknown = Object.keys(row).find((name) => !known.has(name));
  if (unknown !== undefined) throw new RowFault(`row ${number} has a member "${unknown}" that nobody knows`);
  return row as Members; // an object
}

/** The member `certificate` of a row. */
export function readKey(certificate: unknown, number: number): CertificateKey {
  const { uri, key, issuer, serial, subject, ...more } = (certificate ?? {}) as Members; // or all absent
  const kinds = [uri, key, serial, subject].filter((one) => one !== undefined);
  if (kinds.length !== 1 || Object.keys(more).length > 0)
    throw new RowFault(
      `row ${number} needs "certificate": {"uri": …}, {"key": SHA-256 of the public key in hex}, {"issuer": …, "serial": …} or {"issuer": …, "subject": …}`,
    );
  const at = (name: string) => `row ${number}: certificate.${name}`;
  if (uri !== undefined) return { by: 'uri', value: readText(uri, at('uri')) ?? '' };
  if (key !== undefined) {
    const hex = (readText(key, at('key')) ?? '').toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(hex)) throw new RowFault(`${at('key')} is no SHA-256 in hex`);
    return { by: 'key', value: hex };
  }
  const by = nameKeyOf(issuer, at('issuer'));
  if (subject !== undefined) return { by: 'issuer-subject', value: `${by}|${nameKeyOf(subject, at('subject'))}` };
  const hex = (readText(serial, at('serial')) ?? '').toLowerCase().replaceAll(':', '');
  if (!/^(?:[0-9a-f]{2}){1,20}$/.test(hex)) throw new RowFault(`${at('serial')} is no number in hex`);
  return { by: 'issuer-serial', value: `${by}|${hex}` };
}

function nameKeyOf(name: unknown, what: string): string {
  try {
    return keyOfDistinguishedName(readText(name, what) ?? '');
  } catch (error) {
    if (error instanceof DerFault) throw new RowFault(`${what}: ${error.message}`);
    throw error;
  }
}

export function readText(value: unknown, what: string): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '' || value.length > TEXT_MAX)
    throw new RowFault(`${what} is no text of at most ${TEXT_MAX} characters`);
  return value;
}

export function readList(value: unknown, what: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length > LIST_MAX)
    throw new RowFault(`${what} is no list of at most ${LIST_MAX} texts`);
  return value.map((item) => readText(item ?? '', what) ?? '');
}
