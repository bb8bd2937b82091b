/** Our own certificate authority: a root, an intermediate for each use, and what they issue. SECURITY PK-02…PK-05 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { signerOf } from '../../standards/x509/algorithms.ts';
import {
  type Certificate,
  certificatePem,
  formatCertificate,
  keyIdentifierOf,
  readCertificate,
  readCertificates,
} from '../../standards/x509/certificate.ts';
import { type Extension, extensions } from '../../standards/x509/extensions.ts';
import { createName, type Name } from '../../standards/x509/name.ts';
import { formatPem } from '../../standards/x509/pem.ts';
import { formatRevocationList, type RevocationReason } from '../../standards/x509/revocation-list.ts';
import { authorityFile, checkKeyMode, isThere, PkiError, readWhole, settingsFile, writeWhole } from './folder.ts';
import {
  ALL_AUTHORITIES,
  AUTHORITIES,
  type AuthorityName,
  authorityExtensions,
  DAYS,
  responderExtensions,
} from './profiles.ts';
import { entryOf, type IssuedEntry, readRegister, writeRegister } from './register.ts';

export const DAY_MS = 24 * 60 * 60 * 1000;
/** Clocks of those who check may be behind. */
const BEFORE_MS = 5 * 60 * 1000;
const NEVER_MADE = 'make the authority first: npm run -s pki -- init';

export type KeyKind = 'ec' | 'rsa';

export interface Settings {
  /** Where lists and the responder are, without a slash at the end. */
  readonly baseUrl: string;
  readonly organization: string;
}

/** The folder with what every step needs. */
export interface PkiFolder {
  readonly folder: string;
  readonly now: () => number;
  /** Encrypts the keys of authorities, and opens them. */
  readonly passphrase?: string | undefined;
}

export interface Authority {
  readonly name: AuthorityName;
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export function readSettings({ folder }: PkiFolder): Settings {
  const file = settingsFile(folder);
  if (!isThere(file)) throw new PkiError(`there is no authority in ${folder}: ${NEVER_MADE}`);
  return JSON.parse(readWhole(file, NEVER_MADE).toString('utf8')) as Settings; // as `initAuthorities` writes it
}

/** Makes root and intermediates with their first lists; refuses to touch those that are there. */
export function initAuthorities(pki: PkiFolder, settings: Settings, kind: KeyKind): readonly Certificate[] {
  const { folder, now } = pki;
  if (isThere(settingsFile(folder)) || isThere(authorityFile(folder, 'root-ca', 'ca.crt')))
    throw new PkiError(`there is an authority in ${folder} already: choose another folder with --dir, or move it away`);
  const root = makeAuthority(pki, settings, 'root-ca', kind);
  const others = AUTHORITIES.map((name) => makeAuthority(pki, settings, name, kind, root));
  for (const name of AUTHORITIES) renewResponder(pki, settings, name);
  writeWhole(settingsFile(folder), `${JSON.stringify(settings, null, 1)}\n`, 0o644);
  for (const name of ALL_AUTHORITIES) publishList(pki, name, now());
  return [root.certificate, ...others.map(({ certificate }) => certificate)];
}

function makeAuthority(
  pki: PkiFolder,
  settings: Settings,
  name: AuthorityName,
  kind: KeyKind,
  issuer?: Authority,
): Authority {
  const key =
    kind === 'ec'
      ? generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
      : rsaKey(name === 'root-ca' ? 4096 : 3072);
  const subject = createName([
    ['O', settings.organization],
    ['CN', `${settings.organization} ${name === 'root-ca' ? 'root' : name.replace('-ca', ' authority')}`],
  ]);
  const certificate = sign(pki, settings, {
    issuer: issuer ?? { name, key, certificate: undefined },
    subject,
    publicKeyInfo: publicInfo(key),
    days: issuer ? DAYS.intermediate : DAYS.root,
    extensions: authorityExtensions(name),
  });
  writeWhole(authorityFile(pki.folder, name, 'ca.key'), keyPem(key, pki.passphrase), 0o600);
  writeWhole(authorityFile(pki.folder, name, 'ca.crt'), certificatePem(certificate.bytes), 0o644);
  if (issuer) addEntry(pki, issuer.name, entryOf(certificate, 'authority', name));
  return { name, certificate, key };
}

export const rsaKey = (bits: number): KeyObject => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;

export const publicInfo = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' });

export const keyPem = (key: KeyObject, passphrase?: string): string =>
  key
    .export({ format: 'pem', type: 'pkcs8', ...(passphrase !== undefined && { cipher: 'aes-256-cbc', passphrase }) })
    .toString();

interface Signing {
  /** Without a certificate it signs itself. */
  readonly issuer: {
    readonly name: AuthorityName;
    readonly key: KeyObject;
    readonly certificate: Certificate | undefined;
  };
  readonly subject: Name;
  readonly publicKeyInfo: Buffer;
  readonly days: number;
  readonly extensions: readonly Extension[];
}

/** A certificate that says where its revocation would be told; a root's would be told nowhere. */
export function sign(
  { now }: PkiFolder,
  { baseUrl }: Settings,
  { issuer, subject, publicKeyInfo, days, ...rest }: Signing,
): Certificate {
  const issuerInfo = issuer.certificate?.publicKeyInfo ?? publicKeyInfo;
  const start = now() - BEFORE_MS;
  const end = Math.min(start + days * DAY_MS, issuer.certificate?.notAfter ?? Number.POSITIVE_INFINITY);
  const places = issuer.certificate
    ? [
        extensions.crlDistributionPoints([`${baseUrl}/${issuer.name}.crl`]),
        extensions.authorityInfoAccess({
          // The root is kept offline, and has no responder.
          ...(issuer.name !== 'root-ca' && { ocsp: [`${baseUrl}/ocsp`] }),
          issuers: [`${baseUrl}/${issuer.name}.crt`],
        }),
      ]
    : [];
  return readCertificate(
    formatCertificate(
      {
        serial: serialNumber(),
        issuer: issuer.certificate?.subject ?? subject,
        subject,
        notBefore: start,
        notAfter: end,
        publicKeyInfo,
        extensions: [
          ...rest.extensions,
          extensions.subjectKeyIdentifier(keyIdentifierOf(publicKeyInfo)),
          extensions.authorityKeyIdentifier(keyIdentifierOf(issuerInfo)),
          ...places,
        ],
      },
      signerOf(issuer.key),
    ),
  );
}

/** Positive and of 128 bits, 126 of them random. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes;
}

export function readAuthority(pki: PkiFolder, name: AuthorityName): Authority {
  const certificate = readAuthorityCertificate(pki, name);
  const key = readKey(authorityFile(pki.folder, name, 'ca.key'), pki.passphrase);
  if (!publicInfo(key).equals(certificate.publicKeyInfo))
    throw new PkiError(`${authorityFile(pki.folder, name, 'ca.key')} is not the key of ca.crt beside it: restore both`);
  return { name, certificate, key };
}

export const readAuthorityCertificate = ({ folder }: PkiFolder, name: AuthorityName): Certificate =>
  readCertificates(readWhole(authorityFile(folder, name, 'ca.crt'), NEVER_MADE))[0]!; // it throws when there is none

export function readKey(file: string, passphrase: string | undefined): KeyObject {
  const text = readWhole(file, 'a key that is kept offline must be brought back for this');
  checkKeyMode(file);
  try {
    return createPrivateKey({ key: text, format: 'pem', ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    throw new PkiError(`${file} cannot be opened: set PKI_PASSPHRASE to the passphrase it was made with`, cause);
  }
}

export function addEntry(pki: PkiFolder, authority: AuthorityName, entry: IssuedEntry): void {
  const register = readRegister(pki.folder, authority);
  writeRegister(pki.folder, { ...register, issued: [...register.issued, entry] });
}

/** A new key and certificate for whoever answers in an authority's name. */
export function renewResponder(pki: PkiFolder, settings: Settings, name: (typeof AUTHORITIES)[number]): Certificate {
  const authority = readAuthority(pki, name);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = sign(pki, settings, {
    issuer: authority,
    subject: createName([
      ['O', settings.organization],
      ['CN', `${settings.organization} ${name} responder`],
    ]),
    publicKeyInfo: publicInfo(privateKey),
    days: DAYS.responder,
    extensions: responderExtensions(),
  });
  writeWhole(authorityFile(pki.folder, name, 'ocsp.key'), keyPem(privateKey), 0o600);
  writeWhole(authorityFile(pki.folder, name, 'ocsp.crt'), certificatePem(certificate.bytes), 0o644);
  addEntry(pki, name, entryOf(certificate, 'responder', `${name}-ocsp`));
  return certificate;
}

/** A list of all that is revoked and has not expired, good for a day, under the next number. */
export function publishList(
  pki: PkiFolder,
  name: AuthorityName,
  at: number,
): { readonly number: number; readonly revoked: number } {
  const { certificate, key } = readAuthority(pki, name);
  const register = readRegister(pki.folder, name);
  const number = register.listNumber + 1;
  const revoked = new Map(
    register.issued.flatMap(({ serial, revoked: found, notAfter }) =>
      found && notAfter > at - DAY_MS ? [[serial, { revokedAt: found.at, reason: found.reason }] as const] : [],
    ),
  );
  const list = formatRevocationList(
    {
      issuer: certificate.subject,
      thisUpdate: at,
      nextUpdate: at + DAYS.list * DAY_MS,
      number,
      authorityKeyIdentifier: keyIdentifierOf(certificate.publicKeyInfo),
      revoked,
    },
    signerOf(key),
  );
  writeRegister(pki.folder, { ...register, listNumber: number });
  writeWhole(authorityFile(pki.folder, name, 'ca.crl'), formatPem('X509 CRL', list), 0o644);
  return { number, revoked: revoked.size };
}

/** Marks a certificate and publishes the list at once. */
export function revoke(pki: PkiFolder, serial: string, reason: RevocationReason): IssuedEntry {
  const found = findEntry(pki, serial);
  if (!found)
    throw new PkiError(`no certificate ${serial} was issued here: npm run -s pki -- list shows those that were`);
  const { authority, entry } = found;
  if (entry.revoked)
    throw new PkiError(
      `${entry.serial} is revoked since ${new Date(entry.revoked.at).toISOString()} (${entry.revoked.reason})`,
    );
  const register = readRegister(pki.folder, authority);
  const revoked = { ...entry, revoked: { at: Math.floor(pki.now() / 1000) * 1000, reason } };
  writeRegister(pki.folder, {
    ...register,
    issued: register.issued.map((other) => (other.serial === entry.serial ? revoked : other)),
  });
  publishList(pki, authority, pki.now());
  return revoked;
}

/** By the whole serial number, or the beginning of one that no other has. */
function findEntry(
  pki: PkiFolder,
  serial: string,
): { readonly authority: AuthorityName; readonly entry: IssuedEntry } | undefined {
  const wanted = serial.toLowerCase().replaceAll(':', '');
  if (wanted.length < 8) return undefined;
  const found = ALL_AUTHORITIES.flatMap((authority) =>
    readRegister(pki.folder, authority)
      .issued.filter((entry) => entry.serial.startsWith(wanted))
      .map((entry) => ({ authority, entry })),
  );
  return found.length === 1 ? found[0] : undefined;
}
