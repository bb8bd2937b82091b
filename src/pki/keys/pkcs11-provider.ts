/** Keys in hardware. They are found by their labels, never leave the token, and those that could are not used. SECURITY KS-01 */
import { createHash, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import type { KeyInfo, KeyProvider } from '../../ports/key-provider.ts';
import { readDer, TAG } from '../../standards/x509/der.ts';
import { oid } from '../../standards/x509/der-write.ts';
import { isKeyId, KeyProviderError, nextIdOf } from './key-error.ts';
import { checkWraps, infoOf, verifyWith, wrapWith } from './local-keys.ts';
import { type AttributeTemplate, type Handle, loadPkcs11, type Pkcs11Library } from './pkcs11-library.ts';
import { createSessions, type Session, type TokenOptions } from './pkcs11-sessions.ts';

interface TokenKey {
  readonly info: KeyInfo;
  readonly handle: Handle;
}

const OBJECTS_MAX = 1000;
const OUTPUT_BYTES = 1024;
const CURVES = new Map([
  ['1.2.840.10045.3.1.7', { name: 'P-256', bytes: 32 }],
  ['1.3.132.0.34', { name: 'P-384', bytes: 48 }],
]);
const HASHES = { ES256: 'sha256', ES384: 'sha384' } as const;

/** Throws `KeyProviderError` when the library cannot be loaded; the token itself is asked for at the first use. */
export function openPkcs11Provider(options: TokenOptions): KeyProvider {
  const library = loadPkcs11();
  const constant = (name: string): number => library[name] as number; // of the standard, all of them numbers
  const sessions = createSessions(library, options);
  let known: { readonly login: number; readonly keys: ReadonlyMap<string, TokenKey> } | undefined;

  /** Looked through once a login. */
  function keysOf(session: Session): ReadonlyMap<string, TokenKey> {
    if (known?.login !== session.login) known = { login: session.login, keys: readKeys(library, session) };
    return known.keys;
  }

  function find(session: Session, id: string): TokenKey {
    const found = keysOf(session).get(id);
    if (!found)
      throw new KeyProviderError(
        'unknown-key',
        `there is no key ${JSON.stringify(id.slice(0, 64))} on the token ${JSON.stringify(options.tokenLabel)}`,
      );
    return found;
  }
  const infoOfKey = (id: string): Promise<KeyInfo> => sessions.use(async (session) => find(session, id).info);

  return {
    list: () => sessions.use(async (session) => [...keysOf(session).values()].map(({ info }) => info)),
    sign: (id, bytes) =>
      sessions.use(async (session) => {
        const { handle, info } = find(session, id);
        const [mechanism, input] =
          info.algorithm === 'RS256'
            ? ([constant('CKM_SHA256_RSA_PKCS'), bytes] as const)
            : ([constant('CKM_ECDSA'), createHash(HASHES[info.algorithm]).update(bytes).digest()] as const);
        session.pkcs11.C_SignInit(session.handle, { mechanism }, handle);
        return session.pkcs11.C_SignAsync(session.handle, input, Buffer.alloc(OUTPUT_BYTES));
      }),
    verify: async (id, bytes, signature) => verifyWith(await infoOfKey(id), bytes, signature),
    wrap: async (id, key) => wrapWith(await infoOfKey(id), key),
    unwrap: (id, wrapped) =>
      sessions.use(async (session) => {
        const { handle, info } = find(session, id);
        checkWraps(info, wrapped);
        const parameter = {
          type: constant('CK_PARAMS_RSA_OAEP'),
          hashAlg: constant('CKM_SHA_1'),
          mgf: constant('CKG_MGF1_SHA1'),
          source: 1, // CKZ_DATA_SPECIFIED, with nothing specified
        };
        session.pkcs11.C_DecryptInit(session.handle, { mechanism: constant('CKM_RSA_PKCS_OAEP'), parameter }, handle);
        try {
          return await session.pkcs11.C_DecryptAsync(session.handle, wrapped, Buffer.alloc(OUTPUT_BYTES));
        } catch (error) {
          if (!WRONG_INPUT.has((error as { code?: number }).code ?? -1)) throw error;
          throw new KeyProviderError('refused', `what was to be unwrapped is not for the key ${id}`);
        }
      }),
    rotate: (id) =>
      sessions.use(async (session) => {
        const { info } = find(session, id);
        const next = nextIdOf(id, new Set(keysOf(session).keys()));
        generate(library, session, next, info);
        known = undefined;
        return next;
      }),
    check: () => sessions.use(async (session) => void readKeys(library, session)),
    async close() {
      sessions.close();
    },
  };
}

/** General, encrypted data invalid, encrypted length, data invalid. A general error is what SoftHSM says of bad padding. */
const WRONG_INPUT = new Set([0x05, 0x20, 0x21, 0x40, 0x41]);

function objectsOf({ pkcs11, handle }: Session, template: readonly AttributeTemplate[]): readonly Handle[] {
  pkcs11.C_FindObjectsInit(handle, template);
  try {
    return pkcs11.C_FindObjects(handle, OBJECTS_MAX);
  } finally {
    pkcs11.C_FindObjectsFinal(handle);
  }
}

/** Private keys that sign and cannot be taken out, with what belongs to them by its id. */
function readKeys(library: Pkcs11Library, session: Session): ReadonlyMap<string, TokenKey> {
  const c = (name: string): number => library[name] as number; // a constant of the standard
  const read = (object: Handle, ...names: readonly string[]): readonly Buffer[] =>
    session.pkcs11
      .C_GetAttributeValue(
        session.handle,
        object,
        names.map((name) => ({ type: c(name) })),
      )
      .map(({ value }) => value);
  const keys = new Map<string, TokenKey>();
  for (const handle of objectsOf(session, [{ type: c('CKA_CLASS'), value: c('CKO_PRIVATE_KEY') }])) {
    const [label = Buffer.alloc(0), ckaId = Buffer.alloc(0), extractable] = read(
      handle,
      'CKA_LABEL',
      'CKA_ID',
      'CKA_EXTRACTABLE',
    );
    const id = label.toString('utf8');
    if (!isKeyId(id) || extractable?.[0] !== 0 || keys.has(id)) continue;
    const byId = (kind: string): readonly AttributeTemplate[] => [
      { type: c('CKA_CLASS'), value: c(kind) },
      { type: c('CKA_ID'), value: ckaId },
    ];
    const [publicObject] = objectsOf(session, byId('CKO_PUBLIC_KEY'));
    const certificates = objectsOf(session, byId('CKO_CERTIFICATE')).flatMap((object) => read(object, 'CKA_VALUE'));
    const publicKey = publicObject && readPublic(read, c, publicObject);
    if (publicKey) keys.set(id, { handle, info: infoOf(id, publicKey, certificates, id) });
  }
  return keys;
}

function readPublic(
  read: (object: Handle, ...names: readonly string[]) => readonly Buffer[],
  c: (name: string) => number,
  object: Handle,
): KeyObject | undefined {
  const [type] = read(object, 'CKA_KEY_TYPE');
  if (type?.readUInt8(0) === c('CKK_RSA')) {
    const [n, e] = read(object, 'CKA_MODULUS', 'CKA_PUBLIC_EXPONENT');
    return createPublicKey({
      key: { kty: 'RSA', n: n!.toString('base64url'), e: e!.toString('base64url') },
      format: 'jwk',
    });
  }
  const [parameters, wrapped] = read(object, 'CKA_EC_PARAMS', 'CKA_EC_POINT');
  const curve = [...CURVES].find(([id]) => parameters && oid(id).equals(parameters))?.[1];
  if (!curve || !wrapped) return undefined;
  const point = readDer(wrapped, TAG.octetString, 'the point of a key').content;
  const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
  return createPublicKey({
    key: { kty: 'EC', crv: curve.name, x: x.toString('base64url'), y: y.toString('base64url') },
    format: 'jwk',
  });
}

/** A pair that stays on the token. */
function generate(
  library: Pkcs11Library,
  session: Session,
  label: string,
  { algorithm, publicKeyInfo }: KeyInfo,
): void {
  const c = (name: string): number => library[name] as number; // a constant of the standard
  const bits = Math.max(
    3072,
    createPublicKey({ key: publicKeyInfo, format: 'der', type: 'spki' }).asymmetricKeyDetails?.modulusLength ?? 0,
  );
  const isRsa = algorithm === 'RS256';
  const id = randomBytes(16);
  const both = [
    { type: c('CKA_TOKEN'), value: true },
    { type: c('CKA_LABEL'), value: label },
    { type: c('CKA_ID'), value: id },
  ];
  const curve = algorithm === 'ES384' ? '1.3.132.0.34' : '1.2.840.10045.3.1.7';
  const kind = isRsa
    ? [
        { type: c('CKA_MODULUS_BITS'), value: bits },
        { type: c('CKA_PUBLIC_EXPONENT'), value: Buffer.from([1, 0, 1]) },
      ]
    : [{ type: c('CKA_EC_PARAMS'), value: oid(curve) }];
  session.pkcs11.C_GenerateKeyPair(
    session.handle,
    { mechanism: c(isRsa ? 'CKM_RSA_PKCS_KEY_PAIR_GEN' : 'CKM_EC_KEY_PAIR_GEN') },
    [...both, ...kind, { type: c('CKA_VERIFY'), value: true }, { type: c('CKA_ENCRYPT'), value: isRsa }],
    [
      ...both,
      { type: c('CKA_PRIVATE'), value: true },
      { type: c('CKA_SENSITIVE'), value: true },
      { type: c('CKA_EXTRACTABLE'), value: false },
      { type: c('CKA_SIGN'), value: true },
      { type: c('CKA_DECRYPT'), value: isRsa },
    ],
  );
}
