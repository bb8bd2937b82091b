/** `npm run pki`: the certificate authority for development and private networks. docs/pki.md */

import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { endWithReader } from './command.ts';
import {
  DAY_MS,
  initAuthorities,
  type PkiFolder,
  publishList,
  readSettings,
  renewResponder,
  revoke,
} from './pki/ca/authority.ts';
import { endingsOf } from './pki/ca/endings.ts';
import { PkiError, withLock } from './pki/ca/folder.ts';
import { type Issued, issueFromRequest, issueWithKey, renew } from './pki/ca/issue.ts';
import { judge } from './pki/ca/judge.ts';
import { ALL_AUTHORITIES, AUTHORITIES } from './pki/ca/profiles.ts';
import { readRegister } from './pki/ca/register.ts';
import { expiring } from './pki/expiry.ts';
import { KeyPlaceError, KeyProviderError } from './pki/keys/key-error.ts';
import { openKeys } from './pki/keys/open-keys.ts';
import { tryKeys } from './pki/keys/try-keys.ts';
import {
  keyKind,
  one,
  orderOf,
  type PkiOptions,
  parseArguments,
  REASONS,
  reasonIn,
  requestOrder,
  UsageError,
} from './pki-arguments.ts';
import { PORT, servePki } from './pki-serve.ts';
import { DerFault } from './standards/x509/der.ts';
import { formatName } from './standards/x509/name.ts';
import type { RevocationReason } from './standards/x509/revocation-list.ts';

const HELP = `npm run -s pki -- init                      makes a root and an authority each for servers, clients and signing
npm run -s pki -- server NAME…              a key and a certificate for a server's host names and addresses
npm run -s pki -- client CODE --cn NAME     … for a client of the organization with that ODS code or NPI
npm run -s pki -- signer NAME [--sds USER]  … for a person who signs prescriptions (RSA, as EPS needs it)
npm run -s pki -- csr FILE --profile P …    certifies the key of a request (PKCS#10): server with --name, client with
                                            --org, signing with --sds; --cn and --label name it
npm run -s pki -- renew LABEL|ocsp          the same for longer, with a new key; ocsp: the responders
npm run -s pki -- revoke SERIAL --reason R  and publishes the list at once
npm run -s pki -- crl                       publishes all lists anew
npm run -s pki -- list                      what was issued
npm run -s pki -- check [FILE]              what ends within 30 days; of a FILE, whether it is believed, and why not
npm run -s pki -- serve [--port 8079]       lists, authorities and the OCSP responder, over HTTP on this machine
npm run -s pki -- keys --pem FOLDER         the signing keys there, each tried once; or --p12 FOLDER, or
                                            --pkcs11 LIBRARY --token LABEL for a token or a module in hardware

  --dir FOLDER         certs, or PKI_DIR
  --base-url URL       init: where others reach lists and responder; http://localhost:8079/pki unless given
  --organization NAME  init: in every subject; Mortar unless given
  --key ec|rsa         of new keys; ec unless given
  --label LABEL        names the files; made from the name unless given
  --early              renew: also when more than 60 days are left
  --use USE            check FILE: server, client or signing; what it says itself unless given
  --reason R           ${REASONS}

PKI_PASSPHRASE, when it is set, encrypts the keys of authorities at init, and opens them afterwards.
KEY_PASSPHRASE opens the keys of keys; of a token it is the PIN.
`;

const PREFIX = '/pki';
const FILE_BYTES_MAX = 1024 * 1024;

const HINT = 'npm run -s pki -- --help  shows what there is\n';

endWithReader();
await main();

async function main(): Promise<void> {
  try {
    await run();
  } catch (error) {
    const isUsage = error instanceof UsageError || error instanceof KeyPlaceError;
    if (!isUsage && !isKnown(error)) throw error;
    process.stderr.write(
      `pki: ${error.message}\n${isUsage ? (error instanceof UsageError && error.isLost ? `\n${HELP}` : HINT) : ''}`,
    );
    process.exitCode = isUsage ? 2 : 1;
  }
}

/** A fault of what was given, told in a line. */
function isKnown(error: unknown): error is Error {
  return [PkiError, DerFault, KeyProviderError].some((kind) => error instanceof kind);
}

async function run(): Promise<void> {
  const { values, positionals } = parseArguments();
  const [command, ...words] = positionals;
  if (values.help) return print(HELP);
  const passphrase = process.env['PKI_PASSPHRASE'];
  const folder = resolve(values.dir ?? process.env['PKI_DIR'] ?? 'certs');
  const pki: PkiFolder = { folder, now: Date.now, ...(passphrase && { passphrase }) };
  const change = <T>(step: () => T): T => withLock(folder, Date.now, step);
  switch (command) {
    case 'init':
      return change(() => init(pki, values));
    case 'server':
      if (words.length === 0) throw new UsageError('name the hosts: npm run -s pki -- server localhost 127.0.0.1');
      return change(() => printIssued(issueWithKey(pki, orderOf('server', words, values), keyKind(values))));
    case 'client':
    case 'signer': {
      const profile = command === 'client' ? 'client' : 'signing';
      const order = orderOf(profile, [one(words, command === 'client' ? 'CODE' : 'NAME')], values);
      return change(() =>
        printIssued(
          issueWithKey(pki, order, values.key === undefined && profile === 'signing' ? 'rsa' : keyKind(values)),
        ),
      );
    }
    case 'csr': {
      const content = readFile(one(words, 'FILE'));
      const order = requestOrder(values);
      return change(() => printIssued(issueFromRequest(pki, order, content)));
    }
    case 'renew': {
      const label = one(words, 'LABEL');
      return change(() =>
        label === 'ocsp' ? renewResponders(pki) : printIssued(renew(pki, label, values.early ?? false)),
      );
    }
    case 'revoke': {
      const serial = one(words, 'SERIAL');
      return change(() => printRevoked(pki, serial, reasonIn(values)));
    }
    case 'crl':
      return change(() => publishAll(pki));
    case 'list':
      return list(pki);
    case 'check':
      return words.length === 0 ? checkEndings(pki) : checkFile(pki, one(words, 'FILE'), values);
    case 'serve':
      return servePki(pki, values.port);
    case 'keys':
      return keys(values);
    default:
      throw new UsageError(command === undefined ? 'say what to do' : `there is no command ${command}`, true);
  }
}

function print(text: string): void {
  process.stdout.write(text);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function init(pki: PkiFolder, values: PkiOptions): void {
  const baseUrl = values['base-url'] ?? `http://localhost:${PORT}${PREFIX}`;
  if (!/^https?:\/\/[^\s/?#]+(?:\/[^\s?#]*[^\s?#/])?$/.test(baseUrl))
    throw new UsageError('--base-url is an http address without a slash at its end');
  const made = initAuthorities(pki, { baseUrl, organization: values.organization ?? 'Mortar' }, keyKind(values));
  for (const { subject, notAfter } of made) print(`${formatName(subject)}  until ${dayOf(notAfter)}\n`);
  print(`written below ${pki.folder}; next: npm run -s pki -- server localhost 127.0.0.1\n`);
  print(
    `keep ${pki.folder}/root-ca/ca.key apart: from now on it signs nothing but the daily list of the authorities\n`,
  );
  if (pki.passphrase === undefined)
    print('its keys are in clear, readable by you alone; to encrypt them set PKI_PASSPHRASE before init\n');
}

function printIssued({ certificate, certFile, keyFile }: Issued): void {
  print(`${formatName(certificate.subject)}  serial ${certificate.serial}  until ${dayOf(certificate.notAfter)}\n`);
  print(`certificate and its authority: ${certFile}\n`);
  if (keyFile !== undefined) print(`private key, yours alone: ${keyFile}\n`);
}

function printRevoked(pki: PkiFolder, serial: string, reason: RevocationReason): void {
  const entry = revoke(pki, serial, reason);
  print(`${entry.subject}  serial ${entry.serial}  is revoked (${reason}); the list is published\n`);
}

function renewResponders(pki: PkiFolder): void {
  for (const name of AUTHORITIES) {
    const { subject, notAfter } = renewResponder(pki, readSettings(pki), name);
    print(`${formatName(subject)}  until ${dayOf(notAfter)}\n`);
  }
}

function publishAll(pki: PkiFolder): void {
  readSettings(pki);
  for (const name of ALL_AUTHORITIES) {
    const { number, revoked } = publishList(pki, name, pki.now());
    print(`${name}.crl  number ${number}  ${revoked} revoked\n`);
  }
}

function list(pki: PkiFolder): void {
  readSettings(pki);
  for (const name of ALL_AUTHORITIES)
    for (const { serial, profile, label, subject, names, notAfter, revoked } of readRegister(pki.folder, name).issued) {
      const state = revoked
        ? `revoked ${dayOf(revoked.at)} ${revoked.reason}`
        : notAfter < pki.now()
          ? 'expired'
          : `until ${dayOf(notAfter)}`;
      print(`${serial}  ${profile.padEnd(9)}  ${label}  ${[subject, ...names].join('  ')}  ${state}\n`);
    }
}

function checkEndings(pki: PkiFolder): void {
  readSettings(pki);
  const alerts = expiring(endingsOf(pki), pki.now()).filter(({ kind, days }) => kind !== 'list' || days === 0);
  for (const { what, endsAt, days } of alerts)
    print(
      `${what}  ${days === 0 ? 'has ended' : `ends ${dayOf(endsAt)}`}  (${days === 0 ? 'renew it now' : `within ${days} days`})\n`,
    );
  if (alerts.length === 0) print('nothing ends within 30 days\n');
  else process.exitCode = 1;
}

async function checkFile(pki: PkiFolder, file: string, values: PkiOptions): Promise<void> {
  const uses = (['server', 'client', 'signing'] as const).filter(
    (use) => values.use === undefined || use === values.use,
  );
  if (uses.length === 0) throw new UsageError('--use is server, client or signing');
  const { certificate, use, refusal } = await judge(pki, readFile(file), uses);
  if (use === undefined) throw new PkiError(`not believed: ${refusal?.message}`);
  const days = Math.floor((certificate.notAfter - pki.now()) / DAY_MS);
  print(`believed for ${use} use, for ${days} days more: ${formatName(certificate.subject)}\n`);
}

async function keys({ pem, p12, pkcs11, token }: PkiOptions): Promise<void> {
  const path = (given: string | undefined): string | undefined => given && resolve(given);
  const place = { pem: path(pem), p12: path(p12), pkcs11: path(pkcs11), token };
  const provider = openKeys(place, process.env['KEY_PASSPHRASE'] ?? '');
  try {
    const lines = await tryKeys(provider);
    print(lines.length === 0 ? 'there are no keys\n' : lines.map((line) => `${line}\n`).join(''));
  } finally {
    await provider.close();
  }
}

function readFile(file: string): Buffer {
  try {
    if (statSync(file).size > FILE_BYTES_MAX) throw new PkiError(`${file} is too large`);
    return readFileSync(file);
  } catch (error) {
    if (error instanceof PkiError) throw error;
    throw new PkiError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
