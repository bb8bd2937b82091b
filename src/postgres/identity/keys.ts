/**
 * Keys that sign ID tokens: made here, private halves sealed. A new key is published before it signs, so that whoever
 * keeps the JWKS for its five minutes knows it by then, and stays published until what it signed has expired.
 * SECURITY SO-02, SO-03
 */
import { createPrivateKey, generateKeyPair, type KeyObject, randomUUID, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { Cipher } from '../../ports/cipher.ts';
import type { Clock } from '../../ports/clock.ts';
import type { SigningAlg, SigningKey, SigningKeys } from '../../ports/signing-keys.ts';
import { translated } from '../database-error.ts';
import type { Pipeline, Row } from '../pools.ts';

export interface KeysOptions {
  readonly writes: Pipeline;
  readonly cipher: Cipher;
  readonly now: Clock;
  /** How long a key signs before the next one is made. */
  readonly rotateAfterMs?: number;
}

const MINUTE_MS = 60_000;
const PUBLISHED_BEFORE_MS = 10 * MINUTE_MS;
/** The longest an ID token lives (SO-01), and what clocks may differ by. */
const PUBLISHED_AFTER_MS = 65 * MINUTE_MS;
const ROTATE_AFTER_MS = 90 * 24 * 60 * MINUTE_MS;
/** Another process may have rotated. */
const REREAD_AFTER_MS = 5_000;
const ALGS: readonly SigningAlg[] = ['RS256', 'ES256'];
const makePair = promisify(generateKeyPair);

interface StoredKey {
  readonly id: string;
  readonly alg: SigningAlg;
  readonly publicJwk: Readonly<Record<string, unknown>>;
  readonly privateKey: KeyObject | undefined;
  readonly createdAt: number;
  readonly signsFrom: number;
  /** When the next one signs instead. */
  readonly signsUntil: number;
}

export function createSigningKeys(options: KeysOptions): SigningKeys {
  const { writes, cipher, now, rotateAfterMs = ROTATE_AFTER_MS } = options;
  const query = (text: string, values: readonly unknown[]): Promise<readonly Row[]> =>
    translated(() => writes.query({ text, values }));
  let known: { readonly at: number; readonly keys: Promise<readonly StoredKey[]> } | undefined;

  async function read(): Promise<readonly StoredKey[]> {
    const rows = await query(
      `select id, alg, public_jwk, private_key, created_at, signs_from, signs_until from auth.signing_key
order by signs_from desc, id limit 100`,
      [],
    );
    return rows.map((row) => toKey(row, cipher));
  }

  function keys(): Promise<readonly StoredKey[]> {
    const at = now();
    if (known && at - known.at < REREAD_AFTER_MS && at >= known.at) return known.keys;
    const reading = read();
    known = { at, keys: reading };
    reading.catch(() => {
      known = undefined; // the next one asks again
    });
    return reading;
  }

  /** Makes one key an algorithm; those before it sign until then. */
  async function make(signsFrom: number, algs = ALGS): Promise<void> {
    for (const alg of algs) {
      const id = randomUUID();
      const { publicKey, privateKey } = await pairOf(alg);
      const publicJwk = { ...publicKey.export({ format: 'jwk' }), kid: id, alg, use: 'sig' };
      const sealed = cipher.seal(privateKey.export({ type: 'pkcs8', format: 'der' }), contextOf(id));
      await query(
        `with before as (
  update auth.signing_key set signs_until = least(signs_until, $6::timestamptz) where alg = $2
)
insert into auth.signing_key (id, alg, public_jwk, private_key, created_at, signs_from) values ($1, $2, $3, $4, $5, $6)`,
        [id, alg, JSON.stringify(publicJwk), sealed, new Date(now()), new Date(signsFrom)],
      );
    }
    known = undefined;
  }

  return {
    async current(alg) {
      const at = now();
      const key = (await keys()).find((one) => one.alg === alg && one.signsFrom <= at && one.privateKey);
      if (!key?.privateKey) throw new Error(`there is no key that signs ${alg}`);
      return toSigningKey(key, key.privateKey);
    },

    async published() {
      const at = now();
      return (await keys()).filter((key) => at < key.signsUntil + PUBLISHED_AFTER_MS).map((key) => key.publicJwk);
    },

    async ensure() {
      const there = new Set((await read()).map(({ alg }) => alg));
      await make(
        now(),
        ALGS.filter((alg) => !there.has(alg)), // the start that was to make them may have ended half way
      );
    },

    rotate: () => make(now() + PUBLISHED_BEFORE_MS),

    async rotateAtOnce() {
      const old = (await read()).map(({ id }) => id);
      await make(now());
      await query('delete from auth.signing_key where id = any($1)', [old]);
      known = undefined;
    },

    async tend() {
      const at = now();
      const gone = await query('delete from auth.signing_key where signs_until < $1 returning 1', [
        new Date(at - PUBLISHED_AFTER_MS),
      ]);
      const newest = Math.max(...(await read()).map(({ createdAt }) => createdAt));
      if (at - newest < rotateAfterMs) return gone.length > 0;
      await make(at + PUBLISHED_BEFORE_MS);
      return true;
    },
  };
}

const contextOf = (id: string): string => `signing-key ${id}`;

const pairOf = (alg: SigningAlg): Promise<{ publicKey: KeyObject; privateKey: KeyObject }> =>
  alg === 'RS256' ? makePair('rsa', { modulusLength: 2048 }) : makePair('ec', { namedCurve: 'P-256' });

function toSigningKey({ id, alg }: StoredKey, key: KeyObject): SigningKey {
  return { id, alg, sign: (bytes) => sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }) };
}

function toKey(row: Row, cipher: Cipher): StoredKey {
  const [id, alg, publicJwk, sealed, createdAt, signsFrom, signsUntil] = row as [
    string,
    SigningAlg,
    Record<string, unknown>,
    Buffer | null,
    Date,
    Date,
    Date | null,
  ];
  const der = sealed && cipher.open(sealed, contextOf(id));
  return {
    id,
    alg,
    publicJwk,
    privateKey: der ? createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }) : undefined,
    createdAt: createdAt.getTime(),
    signsFrom: signsFrom.getTime(),
    signsUntil: signsUntil?.getTime() ?? Number.POSITIVE_INFINITY,
  };
}
