/** Requests for certificates (PKCS#10). RFC 2986 */
import type { KeyObject } from 'node:crypto';
import { isSignedBy, readAlgorithm, type X509Signer } from './algorithms.ts';
import { readPublicKey } from './certificate.ts';
import {
  cursorOver,
  DerFault,
  explicitTag,
  readBits,
  readDer,
  readOid,
  readSmallInteger,
  TAG,
  valuesIn,
} from './der.ts';
import { bits, explicit, integer, oid, sequence, setOf } from './der-write.ts';
import { type Extension, formatExtension, readExtensions } from './extensions.ts';
import { type Name, readName } from './name.ts';
import { EXTENSION_REQUEST } from './oids.ts';

export interface SigningRequest {
  readonly subject: Name;
  readonly publicKeyInfo: Buffer;
  readonly publicKey: KeyObject;
  /** Asked for; nobody has to give them. */
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly signatureAlgorithm: ReturnType<typeof readAlgorithm>;
  /** Whether whoever asks holds the private key. */
  readonly provesPossession: boolean;
}

const BYTES_MAX = 64 * 1024;

/** Reads a request in DER. Throws `DerFault`. */
export function readSigningRequest(bytes: Buffer): SigningRequest {
  if (bytes.length > BYTES_MAX) throw new DerFault('the request is too long');
  const whole = cursorOver(readDer(bytes, TAG.sequence, 'the request').content);
  const signed = whole.next(TAG.sequence, 'the body of the request');
  const signatureAlgorithm = readAlgorithm(whole.next(TAG.sequence, 'the algorithm'));
  const signature = readBits(whole.next(TAG.bitString, 'the signature'), 'the signature');
  whole.end('the request');

  const body = cursorOver(signed.content);
  if (readSmallInteger(body.next(TAG.integer, 'the version'), 'the version') !== 0)
    throw new DerFault('the version is not known');
  const subject = readName(body.next(TAG.sequence, 'the subject'));
  const publicKeyInfo = body.next(TAG.sequence, 'the public key').bytes;
  const attributes = body.optional(explicitTag(0));
  body.end('the request');
  const publicKey = readPublicKey(publicKeyInfo);
  return {
    subject,
    publicKeyInfo,
    publicKey,
    extensions: attributes ? requestedExtensions(attributes.content) : new Map(),
    signatureAlgorithm,
    provesPossession: isSignedBy(signatureAlgorithm, signed.bytes, signature, publicKey),
  };
}

function requestedExtensions(attributes: Buffer): ReadonlyMap<string, Extension> {
  let found: ReadonlyMap<string, Extension> | undefined;
  for (const item of valuesIn(attributes, 'the attributes')) {
    const cursor = cursorOver(readDer(item.bytes, TAG.sequence, 'an attribute').content);
    const id = readOid(cursor.next(TAG.oid, 'the type of an attribute'));
    const values = cursor.next(TAG.set, 'the values of an attribute').content;
    cursor.end('an attribute');
    if (id !== EXTENSION_REQUEST) continue;
    if (found) throw new DerFault('extensions are asked for twice');
    found = readExtensions(readDer(values, TAG.sequence, 'the extensions').content);
  }
  return found ?? new Map();
}

/** A request in DER, signed by the key it is about. */
export function formatSigningRequest(
  body: { readonly subject: Name; readonly publicKeyInfo: Buffer; readonly extensions?: readonly Extension[] },
  signer: X509Signer,
): Buffer {
  const asked = body.extensions ?? [];
  const signed = sequence(
    integer(0),
    body.subject.bytes,
    body.publicKeyInfo,
    explicit(
      0,
      ...(asked.length === 0 ? [] : [sequence(oid(EXTENSION_REQUEST), setOf(sequence(...asked.map(formatExtension))))]),
    ),
  );
  return sequence(signed, signer.algorithm, bits(signer.sign(signed)));
}
