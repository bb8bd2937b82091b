/**
 * The keys of prescription tokens, in a file of their own. SECURITY RX-01 to RX-03, KS-01. One line a key, newest first:
 *
 *     <ISO time it was made> ES256 <kid> <PKCS#8 in base64>
 *     <ISO time it was made> HS256 <kid> <32 bytes in base64>
 *
 * The first of an algorithm signs, all of them verify, so that a new key is added by writing a line above the others
 * (`npm run -s rotate-keys -- tokens` does). A running server reads a changed file within seconds.
 */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
  verify,
} from 'node:crypto';
import { renameSync, rmSync, statSync } from 'node:fs';
import type { PrescriptionKeys, PrescriptionVerifier } from '../ports/prescription-keys.ts';
import { KeyFileError, makeKeyFile, readKeyFile } from './secret-file.ts';

const LOOK_EVERY_MS = 5_000;
/** Servers of one folder read a new file a little later than the one that wrote it. */
const OVERLAP_MS = 10 * 60_000;
const SKEW_MS = 120_000;
const MAC_BYTES_MIN = 32;

interface Keys {
  readonly signers: readonly { readonly keyId: string; readonly madeAt: number; readonly key: KeyObject }[];
  readonly macs: readonly KeyObject[];
  readonly verifiers: ReadonlyMap<string, PrescriptionVerifier>;
  readonly published: readonly Readonly<Record<string, unknown>>[];
  readonly oldestMac: KeyObject;
}

/** Opens the key file, or makes it when there is none. Throws `KeyFileError`, later as well when the file is spoilt. */
export function openPrescriptionKeys(path: string, now: () => number): PrescriptionKeys {
  makeKeyFile(path, () => newLines(now()));
  let known = { keys: readKeys(path), stamp: stampOf(path), at: now() };
  const keys = (): Keys => {
    if (Math.abs(now() - known.at) >= LOOK_EVERY_MS) {
      const stamp = stampOf(path);
      known = { keys: stamp === known.stamp ? known.keys : readKeys(path), stamp, at: now() };
    }
    return known.keys;
  };
  return {
    signer() {
      const { keyId, key } = firstOf(keys().signers);
      return { keyId, sign: (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }) };
    },
    verifier: (keyId) => keys().verifiers.get(keyId),
    anyVerifier: () => firstOf([...keys().verifiers.values()]),
    mac: (bytes) => hmac(firstOf(keys().macs), bytes),
    macs: (bytes) => keys().macs.map((key) => hmac(key, bytes)),
    pseudonym: (words) =>
      hmac(keys().oldestMac, Buffer.from(`pseudonym ${words}`))
        .subarray(0, 12)
        .toString('base64url'),
    published: () => keys().published,
  };
}

/** Writes new keys above the others. Throws `KeyFileError`. */
export function rotatePrescriptionKeys(path: string, nowMs: number): void {
  const before = readKeyFile(path);
  const aside = `${path}.${randomUUID()}`;
  makeKeyFile(aside, () => newLines(nowMs) + before);
  try {
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new KeyFileError(`the key file ${path} cannot be replaced`, cause);
  }
}

function newLines(nowMs: number): string {
  const at = new Date(nowMs).toISOString();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64');
  const id = (): string => randomBytes(6).toString('base64url');
  return `${at} ES256 ${id()} ${der}\n${at} HS256 ${id()} ${randomBytes(MAC_BYTES_MIN).toString('base64')}\n`;
}

function readKeys(path: string): Keys {
  const signers: { keyId: string; madeAt: number; key: KeyObject }[] = [];
  const macs: KeyObject[] = [];
  const lines = readKeyFile(path).split('\n');
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    const [at = '', alg, keyId = '', base64 = ''] = line.trim().split(' ');
    const madeAt = Date.parse(at);
    const bytes = Buffer.from(base64, 'base64');
    const key = Number.isNaN(madeAt) || keyId === '' ? undefined : readKey(alg, bytes);
    if (!key)
      throw new KeyFileError(`line ${index + 1} of the key file ${path} is not a key: restore it from a backup`);
    if (alg === 'HS256') macs.push(key);
    else signers.push({ keyId, madeAt, key });
  }
  const oldestMac = macs.at(-1);
  if (signers.length === 0 || !oldestMac)
    throw new KeyFileError(`the key file ${path} needs a key of ES256 and one of HS256: restore it from a backup`);
  const verifiers = signers.map(({ keyId, madeAt, key }, index): readonly [string, PrescriptionVerifier] => {
    const publicKey = createPublicKey(key);
    const next = signers[index - 1]?.madeAt ?? Number.POSITIVE_INFINITY;
    return [
      keyId,
      {
        signedFrom: madeAt - SKEW_MS,
        signedUntil: next + OVERLAP_MS,
        verify: (data, signature) =>
          signature.length === 64 && verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature),
      },
    ];
  });
  const published = signers.map(({ keyId, key }) => ({
    ...createPublicKey(key).export({ format: 'jwk' }),
    kid: keyId,
    alg: 'ES256',
    use: 'sig',
  }));
  return { signers, macs, verifiers: new Map(verifiers), published, oldestMac };
}

function readKey(alg: string | undefined, bytes: Buffer): KeyObject | undefined {
  if (alg === 'HS256') return bytes.length >= MAC_BYTES_MIN ? createSecretKey(bytes) : undefined;
  if (alg !== 'ES256') return undefined;
  try {
    const key = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

const hmac = (key: KeyObject, bytes: Buffer): Buffer => createHmac('sha256', key).update(bytes).digest();

function firstOf<T>(list: readonly T[]): T {
  const [first] = list;
  if (first === undefined) throw new Error('the key file was checked when it was read');
  return first;
}

function stampOf(path: string): string {
  const { mtimeMs, ino, size } = statSync(path);
  return `${ino} ${mtimeMs} ${size}`;
}
