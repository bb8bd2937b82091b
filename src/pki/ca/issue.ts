/** Certificates for servers, clients and people who sign, with a key made here or for a key that somebody else holds. */
import { generateKeyPairSync } from 'node:crypto';
import { weaknessOfAlgorithm, weaknessOfKey } from '../../standards/x509/algorithms.ts';
import { type Certificate, certificatePem, readCertificates } from '../../standards/x509/certificate.ts';
import { DerFault } from '../../standards/x509/der.ts';
import { readBasicConstraints, readKeyUsage, readOids, readSubjectAltName } from '../../standards/x509/extensions.ts';
import { generalNameOf, labelOf } from '../../standards/x509/general-name.ts';
import { createName } from '../../standards/x509/name.ts';
import { EXTENSION } from '../../standards/x509/oids.ts';
import { readPem } from '../../standards/x509/pem.ts';
import { readSigningRequest, type SigningRequest } from '../../standards/x509/signing-request.ts';
import {
  addEntry,
  DAY_MS,
  type KeyKind,
  keyPem,
  type PkiFolder,
  publicInfo,
  readAuthority,
  readSettings,
  rsaKey,
  sign,
} from './authority.ts';
import { isThere, leafFile, PkiError, readWhole, writeWhole } from './folder.ts';
import { ALL_AUTHORITIES, leafExtensions, PROFILE, PROFILES, type Profile, type ProfileName } from './profiles.ts';
import { entryOf, type IssuedEntry, keyHashOf, readRegister } from './register.ts';

export interface Order {
  readonly profile: ProfileName;
  readonly commonName: string;
  readonly organization?: string;
  readonly names: readonly string[];
  /** Names the files. */
  readonly label: string;
}

export interface Issued {
  readonly certificate: Certificate;
  readonly entry: IssuedEntry;
  readonly certFile: string;
  /** Of a key that was made here. */
  readonly keyFile?: string;
}

const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const NAME_MAX = 64;
const RSA_BITS = 2048;
/** A certificate is renewed when so little is left, and not long before. */
const RENEW_DAYS = 60;

/** Makes a key and a certificate for it. */
export function issueWithKey(pki: PkiFolder, order: Order, kind: KeyKind): Issued {
  checkOrder(pki, order);
  const key = kind === 'rsa' ? rsaKey(RSA_BITS) : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const keyFile = leafFile(pki.folder, order.profile, order.label, 'key');
  if (isThere(keyFile))
    throw new PkiError(
      `${keyFile} is there already: choose another --label, or renew it: npm run -s pki -- renew ${order.label}`,
    );
  writeWhole(keyFile, keyPem(key), 0o600);
  return { ...certify(pki, order, publicInfo(key)), keyFile };
}

/**
 * Certifies the key of a request. Subject, names, usage and time are those of the order; a request that asks for
 * something else is refused, so that nobody believes it was given.
 */
export function issueFromRequest(pki: PkiFolder, order: Order, content: Buffer): Issued {
  checkOrder(pki, order);
  const request = readRequest(content);
  if (!request.provesPossession)
    throw new PkiError('the request is not signed by the key it is about: whoever made it may not hold that key');
  const weakness = weaknessOfAlgorithm(request.signatureAlgorithm) ?? weaknessOfKey(request.publicKey);
  if (weakness !== undefined) throw new PkiError(`the request is refused: ${weakness}`);
  const excess = excessOf(request, order);
  if (excess !== undefined) throw new PkiError(`the request is refused: it asks for ${excess}`);
  const keyHash = keyHashOf(request.publicKeyInfo);
  const same = findByKey(pki, keyHash);
  if (same)
    throw new PkiError(
      `the request is refused: its key is certified already (${same.serial}); make a new key, or renew`,
    );
  return certify(pki, order, request.publicKeyInfo);
}

function readRequest(content: Buffer): SigningRequest {
  try {
    const text = content.toString('latin1');
    const der = readPem(text, 'CERTIFICATE REQUEST')[0] ?? readPem(text, 'NEW CERTIFICATE REQUEST')[0] ?? content;
    return readSigningRequest(der);
  } catch (cause) {
    if (!(cause instanceof DerFault)) throw cause;
    throw new PkiError(`the file is not a request for a certificate (PKCS#10) in PEM or DER: ${cause.message}`, cause);
  }
}

/** What a request wants that its profile or its order does not give. */
function excessOf({ extensions }: SigningRequest, { profile, names }: Order): string | undefined {
  const { keyUsage, extendedKeyUsage }: Profile = PROFILE[profile];
  const read = <T>(id: string, reader: (value: Buffer) => T): T | undefined => {
    const found = extensions.get(id);
    return found && reader(found.value);
  };
  try {
    if (read(EXTENSION.basicConstraints, readBasicConstraints)?.isCa) return 'the right to certify others (CA:TRUE)';
    const usages = [...(read(EXTENSION.keyUsage, readKeyUsage) ?? [])];
    const usage = usages.find(
      (found) => !(keyUsage as readonly string[]).includes(found) && found !== 'keyEncipherment',
    );
    if (usage) return `the key usage ${usage}, which is not of the profile ${profile}`;
    const purposes = read(EXTENSION.extendedKeyUsage, (value) => readOids(value, 'the extended key usage')) ?? [];
    const purpose = purposes.find((found) => !extendedKeyUsage.includes(found));
    if (purpose) return `the extended key usage ${purpose}, which is not of the profile ${profile}`;
    const given = new Set(names.map((name) => labelOf(generalNameOf(name))));
    const asked = read(EXTENSION.subjectAltName, readSubjectAltName) ?? [];
    const name = asked.find((found) => !given.has(labelOf(found)));
    if (name) return `the name ${labelOf(name) ?? 'of another kind'}, which was not ordered with --name`;
  } catch (cause) {
    if (cause instanceof DerFault) return 'extensions that cannot be read';
    throw cause;
  }
  return undefined;
}

function checkOrder(pki: PkiFolder, { profile, commonName, organization, names, label }: Order): void {
  readSettings(pki);
  if (!LABEL.test(label))
    throw new PkiError(`--label ${JSON.stringify(label)} cannot name a file: letters, digits, . _ -`);
  for (const text of [commonName, organization ?? 'x'])
    if (text.trim() === '' || text.length > NAME_MAX || /\p{Cc}/u.test(text))
      throw new PkiError(`a name in a certificate has 1 to ${NAME_MAX} characters`);
  const rules: Profile = PROFILE[profile];
  if (names.length === 0 && profile !== 'signing')
    throw new PkiError(`a ${profile} certificate needs --name: ${rules.namesAre}`);
  const odd = names.find((name) => !rules.names.test(name));
  if (odd !== undefined)
    throw new PkiError(`${JSON.stringify(odd)} is no name for a ${profile} certificate: ${rules.namesAre}`);
}

function certify(pki: PkiFolder, order: Order, publicKeyInfo: Buffer): Issued {
  const { profile, commonName, organization, names, label } = order;
  const settings = readSettings(pki);
  const rules: Profile = PROFILE[profile];
  const authority = readAuthority(pki, rules.authority);
  const certificate = sign(pki, settings, {
    issuer: authority,
    subject: createName([
      ['O', organization ?? settings.organization],
      ['CN', commonName],
    ]),
    publicKeyInfo,
    days: rules.days,
    extensions: leafExtensions(rules, names),
  });
  const entry = entryOf(certificate, profile, label);
  addEntry(pki, rules.authority, entry);
  const certFile = leafFile(pki.folder, profile, label, 'crt');
  // With the intermediate, as servers and clients send both.
  writeWhole(certFile, certificatePem(certificate.bytes) + certificatePem(authority.certificate.bytes), 0o644);
  return { certificate, entry, certFile };
}

function findByKey(pki: PkiFolder, keyHash: string): IssuedEntry | undefined {
  return ALL_AUTHORITIES.flatMap((authority) => readRegister(pki.folder, authority).issued).find(
    (entry) => entry.keyHash === keyHash,
  );
}

/** The same names for longer, with a new key where the key was made here; what was before goes on until its end. */
export function renew(pki: PkiFolder, label: string, isEarly: boolean): Issued {
  const profile = PROFILES.find((name) => isThere(leafFile(pki.folder, name, label, 'crt')));
  if (!profile)
    throw new PkiError(`there is no certificate with the label ${label}: npm run -s pki -- list shows those there are`);
  const certFile = leafFile(pki.folder, profile, label, 'crt');
  const [old] = readCertificates(readWhole(certFile, 'issue it anew'));
  if (!old) throw new PkiError(`${certFile} holds no certificate: issue it anew`);
  const entry = readRegister(pki.folder, PROFILE[profile].authority).issued.find(({ serial }) => serial === old.serial);
  if (entry?.revoked)
    throw new PkiError(`${label} is revoked (${entry.revoked.reason}): issue a new one under another label`);
  const left = Math.floor((old.notAfter - pki.now()) / DAY_MS);
  if (left > RENEW_DAYS && !isEarly)
    throw new PkiError(`${label} is good for ${left} days more: say --early to renew it now`);
  const text = (short: string): string | undefined =>
    old.subject.parts.flat().find(({ type }) => type === (short === 'O' ? '2.5.4.10' : '2.5.4.3'))?.value;
  const order: Order = {
    profile,
    label,
    commonName: text('CN') ?? label,
    ...(text('O') !== undefined && { organization: text('O') as string }),
    names: old.alternativeNames.flatMap((name) =>
      'value' in name && typeof name.value === 'string' ? [name.value] : [],
    ),
  };
  const keyFile = leafFile(pki.folder, profile, label, 'key');
  if (!isThere(keyFile)) return certify(pki, order, old.publicKeyInfo); // the key is elsewhere, and was proved before
  const key =
    old.publicKey.asymmetricKeyType === 'rsa'
      ? rsaKey(RSA_BITS)
      : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const issued = certify(pki, order, publicInfo(key));
  writeWhole(keyFile, keyPem(key), 0o600);
  return { ...issued, keyFile };
}
