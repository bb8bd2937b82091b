/** Extensions of certificates, read and written. RFC 5280 section 4.2 */
import {
  cursorOver,
  DerFault,
  explicitTag,
  implicitTag,
  readBoolean,
  readDer,
  readFlags,
  readOid,
  readSmallInteger,
  TAG,
  valuesIn,
} from './der.ts';
import { boolean, explicit, flags, implicit, integer, nothing, octets, oid, sequence } from './der-write.ts';
import { formatGeneralName, type GeneralName, generalNameOf, readGeneralNames } from './general-name.ts';
import { ACCESS, EXTENSION } from './oids.ts';

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** Within the octet string. */
  readonly value: Buffer;
}

/** In the order of their bits. */
export const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

export interface BasicConstraints {
  readonly isCa: boolean;
  /** How many intermediate CAs may follow. */
  readonly pathLength?: number;
}

const LIST_MAX = 64;

export function readExtensions(content: Buffer): ReadonlyMap<string, Extension> {
  const extensions = new Map<string, Extension>();
  for (const item of valuesIn(content, 'the extensions')) {
    if (item.tag !== TAG.sequence) throw new DerFault('an extension is of another type');
    const cursor = cursorOver(item.content);
    const id = readOid(cursor.next(TAG.oid, 'the type of an extension'));
    const flag = cursor.optional(TAG.boolean);
    const critical = flag !== undefined && readBoolean(flag);
    if (flag && !critical) throw new DerFault('a default is written out');
    const value = cursor.next(TAG.octetString, 'the value of an extension').content;
    cursor.end('an extension');
    if (extensions.has(id)) throw new DerFault('an extension stands twice');
    extensions.set(id, { oid: id, critical, value });
    if (extensions.size > LIST_MAX) throw new DerFault('there are too many extensions');
  }
  return extensions;
}

export function readBasicConstraints(value: Buffer): BasicConstraints {
  const cursor = cursorOver(readDer(value, TAG.sequence, 'the basic constraints').content);
  const flag = cursor.optional(TAG.boolean);
  const length = cursor.optional(TAG.integer);
  cursor.end('the basic constraints');
  const isCa = flag !== undefined && readBoolean(flag);
  return { isCa, ...(length && { pathLength: readSmallInteger(length, 'the path length') }) };
}

export function readKeyUsage(value: Buffer): ReadonlySet<KeyUsage> {
  const set = readFlags(readDer(value, TAG.bitString, 'the key usage'), 'the key usage');
  return new Set(KEY_USAGES.filter((_, bit) => set.has(bit)));
}

export function readOids(value: Buffer, what: string): readonly string[] {
  const items = [...valuesIn(readDer(value, TAG.sequence, what).content, what)];
  if (items.length === 0 || items.length > LIST_MAX) throw new DerFault(`${what} is empty or too long`);
  return items.map((item) => readOid(readDer(item.bytes, TAG.oid, what)));
}

export const readKeyIdentifier = (value: Buffer): Buffer =>
  readDer(value, TAG.octetString, 'the identifier of the key').content;

export interface AuthorityKeyIdentifier {
  readonly keyIdentifier?: Buffer;
}

export function readAuthorityKeyIdentifier(value: Buffer): AuthorityKeyIdentifier {
  const cursor = cursorOver(readDer(value, TAG.sequence, 'the identifier of the issuer').content);
  const keyIdentifier = cursor.optional(implicitTag(0))?.content;
  cursor.optional(explicitTag(1));
  cursor.optional(implicitTag(2));
  cursor.end('the identifier of the issuer');
  return keyIdentifier ? { keyIdentifier } : {};
}

export const readSubjectAltName = (value: Buffer): readonly GeneralName[] =>
  readGeneralNames(readDer(value, TAG.sequence, 'the alternative names').content, 'the alternative names');

/** Policies by their identifiers. */
export const readPolicies = (value: Buffer): readonly string[] =>
  [...valuesIn(readDer(value, TAG.sequence, 'the policies').content, 'the policies')].map((item) =>
    readOid(cursorOver(readDer(item.bytes, TAG.sequence, 'a policy').content).next(TAG.oid, 'a policy')),
  );

/** A place where a list of revoked certificates is. */
export interface DistributionPoint {
  readonly urls: readonly string[];
  /** It holds only some reasons, or is signed by somebody else than the issuer: neither is supported. */
  readonly isPartial: boolean;
}

export function readDistributionPoints(value: Buffer): readonly DistributionPoint[] {
  const what = 'the distribution points';
  return [...valuesIn(readDer(value, TAG.sequence, what).content, what)].slice(0, LIST_MAX).map((item) => {
    const cursor = cursorOver(readDer(item.bytes, TAG.sequence, what).content);
    const point = cursor.optional(explicitTag(0));
    const reasons = cursor.optional(implicitTag(1));
    const issuer = cursor.optional(explicitTag(2));
    cursor.end(what);
    return { urls: point ? urlsOfPoint(point.content) : [], isPartial: reasons !== undefined || issuer !== undefined };
  });
}

/** DistributionPointName: full names, or a name relative to the issuer, which has no URL. */
export function urlsOfPoint(content: Buffer): readonly string[] {
  const full = cursorOver(content).optional(explicitTag(0));
  if (!full) return [];
  return readGeneralNames(full.content, 'a distribution point').flatMap((name) =>
    name.kind === 'uri' ? [name.value] : [],
  );
}

export function readAuthorityInfoAccess(value: Buffer): {
  readonly ocsp: readonly string[];
  readonly issuers: readonly string[];
} {
  const what = 'the access to the issuer';
  const found: Record<string, string[]> = { [ACCESS.ocsp]: [], [ACCESS.issuers]: [] };
  for (const item of valuesIn(readDer(value, TAG.sequence, what).content, what)) {
    const cursor = cursorOver(readDer(item.bytes, TAG.sequence, what).content);
    const method = readOid(cursor.next(TAG.oid, what));
    const [name] = readGeneralNames(cursor.any(what).bytes, what);
    cursor.end(what);
    if (name?.kind === 'uri') found[method]?.push(name.value);
  }
  return { ocsp: found[ACCESS.ocsp] ?? [], issuers: found[ACCESS.issuers] ?? [] };
}

const extension = (id: string, critical: boolean, value: Buffer): Extension => ({ oid: id, critical, value });

/** What certificates are written with. */
export const extensions = {
  basicConstraints: (isCa: boolean, pathLength?: number): Extension =>
    extension(
      EXTENSION.basicConstraints,
      true,
      sequence(...(isCa ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])),
    ),
  keyUsage: (...usages: readonly KeyUsage[]): Extension =>
    extension(EXTENSION.keyUsage, true, flags(usages.map((usage) => KEY_USAGES.indexOf(usage)))),
  extendedKeyUsage: (usages: readonly string[], critical = false): Extension =>
    extension(EXTENSION.extendedKeyUsage, critical, sequence(...usages.map(oid))),
  subjectAltName: (names: readonly string[]): Extension =>
    extension(
      EXTENSION.subjectAltName,
      false,
      sequence(...names.map((name) => formatGeneralName(generalNameOf(name)))),
    ),
  subjectKeyIdentifier: (id: Buffer): Extension => extension(EXTENSION.subjectKeyIdentifier, false, octets(id)),
  authorityKeyIdentifier: (id: Buffer): Extension =>
    extension(EXTENSION.authorityKeyIdentifier, false, sequence(implicit(0, id))),
  crlDistributionPoints: (urls: readonly string[]): Extension =>
    extension(
      EXTENSION.crlDistributionPoints,
      false,
      sequence(
        ...urls.map((url) => sequence(explicit(0, explicit(0, formatGeneralName({ kind: 'uri', value: url }))))),
      ),
    ),
  authorityInfoAccess: (access: {
    readonly ocsp?: readonly string[];
    readonly issuers?: readonly string[];
  }): Extension =>
    extension(
      EXTENSION.authorityInfoAccess,
      false,
      sequence(
        ...(access.ocsp ?? []).map((url) => sequence(oid(ACCESS.ocsp), formatGeneralName({ kind: 'uri', value: url }))),
        ...(access.issuers ?? []).map((url) =>
          sequence(oid(ACCESS.issuers), formatGeneralName({ kind: 'uri', value: url })),
        ),
      ),
    ),
  certificatePolicies: (policies: readonly string[], critical = false): Extension =>
    extension(EXTENSION.certificatePolicies, critical, sequence(...policies.map((policy) => sequence(oid(policy))))),
  ocspNoCheck: (): Extension => extension(EXTENSION.ocspNoCheck, false, nothing),
} as const;

export const formatExtension = ({ oid: id, critical, value }: Extension): Buffer =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octets(value));
