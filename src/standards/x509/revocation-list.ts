/** Lists of revoked certificates (CRLs), complete ones. RFC 5280 section 5 */
import { type AlgorithmId, readAlgorithm, type X509Signer } from './algorithms.ts';
import {
  cursorOver,
  DerFault,
  type DerValue,
  explicitTag,
  implicitTag,
  readBits,
  readBoolean,
  readDer,
  readSmallInteger,
  readTime,
  readUnsignedHex,
  TAG,
  valuesIn,
} from './der.ts';
import { bits, enumerated, explicit, implicit, integer, sequence, time, unsigned } from './der-write.ts';
import {
  type Extension,
  formatExtension,
  readAuthorityKeyIdentifier,
  readExtensions,
  urlsOfPoint,
} from './extensions.ts';
import { formatGeneralName } from './general-name.ts';
import { type Name, readName } from './name.ts';
import { EXTENSION } from './oids.ts';

/** By their numbers. RFC 5280 section 5.3.1; 7 is not used. */
export const REVOCATION_REASONS = new Map([
  [0, 'unspecified'],
  [1, 'keyCompromise'],
  [2, 'cACompromise'],
  [3, 'affiliationChanged'],
  [4, 'superseded'],
  [5, 'cessationOfOperation'],
  [6, 'certificateHold'],
  [8, 'removeFromCRL'],
  [9, 'privilegeWithdrawn'],
  [10, 'aACompromise'],
] as const);
export type RevocationReason = NonNullable<ReturnType<typeof REVOCATION_REASONS.get>>;

export interface Revocation {
  /** ms UTC */
  readonly revokedAt: number;
  readonly reason: RevocationReason;
}

export interface RevocationList {
  readonly signed: Buffer;
  readonly signatureAlgorithm: AlgorithmId;
  readonly signature: Buffer;
  readonly issuer: Name;
  /** ms UTC */
  readonly thisUpdate: number;
  readonly nextUpdate?: number;
  /** By serial numbers in lower-case hex. */
  readonly revoked: ReadonlyMap<string, Revocation>;
  readonly authorityKeyIdentifier?: Buffer;
  /** Lower-case hex. */
  readonly number?: string;
  /** Which certificates it is about, where it is not all of the issuer. */
  readonly scope: ListScope;
  /** Why the list says less than it seems to, and must not be used. */
  readonly unsupported?: string;
}

export interface ListScope {
  /** The place it is for, when it says so. */
  readonly urls?: readonly string[];
  readonly only?: 'user' | 'ca' | 'attribute';
}

const BYTES_MAX = 16 * 1024 * 1024;
const KNOWN_CRITICAL = new Set<string>([EXTENSION.issuingDistributionPoint]);

/** Reads a list in DER. Throws `DerFault`. */
export function readRevocationList(bytes: Buffer): RevocationList {
  if (bytes.length > BYTES_MAX) throw new DerFault('the list is too long');
  const whole = cursorOver(readDer(bytes, TAG.sequence, 'the list').content);
  const signed = whole.next(TAG.sequence, 'the body of the list');
  const signatureAlgorithm = readAlgorithm(whole.next(TAG.sequence, 'the algorithm'));
  const signature = readBits(whole.next(TAG.bitString, 'the signature'), 'the signature');
  whole.end('the list');

  const body = cursorOver(signed.content);
  const version = body.optional(TAG.integer);
  if (version && readSmallInteger(version, 'the version') !== 1) throw new DerFault('the version is not known');
  const inner = readAlgorithm(body.next(TAG.sequence, 'the algorithm'));
  if (!inner.bytes.equals(signatureAlgorithm.bytes)) throw new DerFault('two algorithms are named');
  const issuer = readName(body.next(TAG.sequence, 'the issuer'));
  const thisUpdate = readTime(body.any('the time of the list'), 'the time of the list');
  const next = body.optional(TAG.utcTime) ?? body.optional(TAG.generalizedTime);
  const entries = body.optional(TAG.sequence);
  const tail = body.optional(explicitTag(0));
  body.end('the list');
  const { revoked, unsupported: oddEntry } = readEntries(entries);
  const extensions = tail
    ? readExtensions(readDer(tail.content, TAG.sequence, 'the extensions').content)
    : new Map<string, Extension>();
  const authority = extensions.get(EXTENSION.authorityKeyIdentifier);
  const authorityKeyIdentifier = authority && readAuthorityKeyIdentifier(authority.value).keyIdentifier;
  const number = extensions.get(EXTENSION.crlNumber);
  const { scope, unsupported: oddScope } = readScope(extensions.get(EXTENSION.issuingDistributionPoint));
  const unsupported = oddEntry ?? oddScope ?? unknownCritical(extensions);
  return {
    signed: signed.bytes,
    signatureAlgorithm,
    signature,
    issuer,
    thisUpdate,
    ...(next && { nextUpdate: readTime(next, 'the time of the next list') }),
    revoked,
    ...(authorityKeyIdentifier && { authorityKeyIdentifier }),
    ...(number && {
      number: readUnsignedHex(readDer(number.value, TAG.integer, 'the number of the list'), 'the number of the list'),
    }),
    scope,
    ...(unsupported !== undefined && { unsupported }),
  };
}

function unknownCritical(extensions: ReadonlyMap<string, Extension>): string | undefined {
  if (extensions.has(EXTENSION.deltaCrlIndicator)) return 'it holds changes only';
  const odd = [...extensions.values()].find(({ oid: id, critical }) => critical && !KNOWN_CRITICAL.has(id));
  return odd && `its critical extension ${odd.oid} is not understood`;
}

function readEntries(list: DerValue | undefined): Pick<RevocationList, 'revoked' | 'unsupported'> {
  const revoked = new Map<string, Revocation>();
  let unsupported: string | undefined;
  for (const item of list ? valuesIn(list.content, 'the entries') : []) {
    if (item.tag !== TAG.sequence) throw new DerFault('an entry is of another type');
    const cursor = cursorOver(item.content);
    const serial = readUnsignedHex(cursor.next(TAG.integer, 'the serial number'), 'the serial number');
    const revokedAt = readTime(cursor.any('the time of the revocation'), 'the time of the revocation');
    const extensions = cursor.optional(TAG.sequence);
    cursor.end('an entry');
    const plain = extensions && plainReason(extensions.content);
    let reason = plain ?? 'unspecified';
    if (extensions && plain === undefined) {
      const found = readExtensions(extensions.content);
      reason = readReason(found.get(EXTENSION.reasonCode)) ?? reason;
      const odd = [...found.values()].find(({ oid: id, critical }) => critical && id !== EXTENSION.reasonCode);
      // Above all `certificateIssuer`, after which the entries are about another authority's certificates.
      if (odd) unsupported ??= `the critical extension ${odd.oid} of an entry is not understood`;
    }
    revoked.set(serial, { revokedAt, reason });
  }
  return { revoked, ...(unsupported !== undefined && { unsupported }) };
}

/** What nearly every entry has, and nothing else: a reason that is not critical. Lists are long. */
const PLAIN_REASON = Buffer.from('300a0603551d1504030a01', 'hex');

const plainReason = (content: Buffer): RevocationReason | undefined =>
  content.length === PLAIN_REASON.length + 1 && content.subarray(0, -1).equals(PLAIN_REASON)
    ? reasonOf(content[content.length - 1]!)
    : undefined;

function readReason(extension: Extension | undefined): RevocationReason | undefined {
  if (!extension) return undefined;
  const number = readSmallInteger(readDer(extension.value, TAG.enumerated, 'the reason'), 'the reason');
  return reasonOf(number);
}

/** A reason that has no name counts as none given. */
export const reasonOf = (number: number): RevocationReason =>
  (REVOCATION_REASONS as ReadonlyMap<number, RevocationReason>).get(number) ?? 'unspecified';

/** The number of a reason. */
export const reasonNumber = (reason: RevocationReason): number =>
  [...REVOCATION_REASONS].find(([, name]) => name === reason)?.[0] ?? 0;

/** RFC 5280 section 5.2.5 */
function readScope(extension: Extension | undefined): Pick<RevocationList, 'scope' | 'unsupported'> {
  if (!extension) return { scope: {} };
  const what = 'the scope of the list';
  const cursor = cursorOver(readDer(extension.value, TAG.sequence, what).content);
  const point = cursor.optional(explicitTag(0));
  const [user, ca, reasons, indirect, attribute] = [1, 2, 3, 4, 5].map((n) => cursor.optional(implicitTag(n)));
  cursor.end(what);
  const isSet = (flag: DerValue | undefined): boolean => flag !== undefined && readBoolean(flag);
  const only = isSet(user) ? 'user' : isSet(ca) ? 'ca' : isSet(attribute) ? 'attribute' : undefined;
  const unsupported = reasons
    ? 'it holds some reasons only'
    : isSet(indirect)
      ? 'it is of several authorities'
      : undefined;
  return {
    scope: { ...(point && { urls: urlsOfPoint(point.content) }), ...(only && { only }) },
    ...(unsupported !== undefined && { unsupported }),
  };
}

export interface RevocationListBody {
  readonly issuer: Name;
  /** ms UTC */
  readonly thisUpdate: number;
  readonly nextUpdate: number;
  readonly number: number;
  readonly authorityKeyIdentifier: Buffer;
  /** Serial numbers in hex. */
  readonly revoked: ReadonlyMap<string, Revocation>;
  /** Beside the two that every list has. */
  readonly extensions?: readonly Extension[];
}

/** A signed list in DER. */
export function formatRevocationList(body: RevocationListBody, signer: X509Signer): Buffer {
  const entries = [...body.revoked].map(([serial, { revokedAt, reason }]) =>
    sequence(
      unsigned(Buffer.from(serial, 'hex')),
      time(revokedAt),
      // Unspecified is best left out. RFC 5280 section 5.3.1
      ...(reason === 'unspecified' ? [] : [sequence(formatExtension(reasonExtension(reason)))]),
    ),
  );
  const extensions: readonly Extension[] = [
    {
      oid: EXTENSION.authorityKeyIdentifier,
      critical: false,
      value: sequence(implicit(0, body.authorityKeyIdentifier)),
    },
    { oid: EXTENSION.crlNumber, critical: false, value: integer(body.number) },
    ...(body.extensions ?? []),
  ];
  const signed = sequence(
    integer(1), // version 2
    signer.algorithm,
    body.issuer.bytes,
    time(body.thisUpdate),
    time(body.nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(Buffer.concat(entries))]),
    explicit(0, sequence(...extensions.map(formatExtension))),
  );
  return sequence(signed, signer.algorithm, bits(signer.sign(signed)));
}

const reasonExtension = (reason: RevocationReason): Extension => ({
  oid: EXTENSION.reasonCode,
  critical: false,
  value: enumerated(reasonNumber(reason)),
});

/** The scope of a list, as an extension: the place it is for. */
export const issuingDistributionPoint = (url: string): Extension => ({
  oid: EXTENSION.issuingDistributionPoint,
  critical: true,
  value: sequence(explicit(0, explicit(0, formatGeneralName({ kind: 'uri', value: url })))),
});
