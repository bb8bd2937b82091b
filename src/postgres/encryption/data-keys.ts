/**
 * Data keys: one a patient and one a type for what is about no patient, wrapped by the key in the key file and kept in
 * `mortar.data_key`. SECURITY KS-04, KS-05
 */
import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type { DataKey } from '../../standards/fhir/encryption/sealed-text.ts';
import { unavailable } from '../../standards/fhir/outcome.ts';
import type { Pipeline } from '../pools.ts';

/** Whose key: the rid of a patient, or a type. */
export type KeyScope = { readonly pat: bigint } | { readonly type: string };

export interface DataKeys {
  /** A key for one encryption; makes one when there is none, or when it is worn out. */
  forSealing(scope: KeyScope): Promise<DataKey>;
  /** The keys of these ids; those that are no more are left out. */
  forOpening(ids: readonly string[]): Promise<ReadonlyMap<string, KeyObject>>;
  /** Lets go of what is remembered: after a key was retired or destroyed. */
  forget(): void;
}

/** NIST SP 800-38D section 8.3: random nonces. */
export const ENCRYPTIONS_MAX = 2 ** 32;
const TYPE_KEY_AGE_MS = 90 * 24 * 60 * 60 * 1000;
/** Encryptions a process counts off at once: a crash loses what is left of them. */
const BLOCK = 2 ** 16;
const CACHE_MAX = 10_000;
/** A key that was destroyed elsewhere is remembered this long at most. */
export const CACHE_MS = 5 * 60 * 1000;
const TRIES_MAX = 5;

interface Remembered {
  readonly key: KeyObject;
  readonly until: number;
}

interface Sealing {
  readonly dataKey: DataKey;
  readonly until: number;
  left: number;
}

export function createDataKeys(options: {
  /**
   * The connections of reads: keys are asked for while rows are locked, and on those of writes the question could stand
   * behind a statement that waits for these very rows.
   */
  readonly pipeline: Pipeline;
  readonly wrapping: Cipher;
  readonly now: () => number;
}): DataKeys {
  const { pipeline, wrapping, now } = options;
  const known = new Map<string, Remembered>();
  const sealing = new Map<string, Sealing>();
  const pending = new Map<string, Promise<Sealing>>();

  function unwrap(id: string, wrapped: Buffer): KeyObject {
    try {
      const key = createSecretKey(wrapping.open(wrapped, wrapContext(id)));
      remember(known, id, { key, until: now() + CACHE_MS });
      return key;
    } catch (cause) {
      throw keyUnavailable(cause);
    }
  }

  async function take(scope: KeyScope): Promise<Sealing> {
    const [column, value] = scopeColumn(scope);
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      const oldest = column === 'type' ? now() - TYPE_KEY_AGE_MS : 0;
      const [row] = await pipeline.query({
        name: `dk:${column}`,
        text: `update mortar.data_key set used = used + $2::bigint
where state = 'active' and ${column} = $1 and used + $2::bigint <= ${ENCRYPTIONS_MAX} and created > $3::bigint
returning id, wrapped, created`,
        values: [value, BLOCK, oldest],
      });
      if (row) {
        const id = row[0] as string;
        const key = known.get(id)?.key ?? unwrap(id, row[1] as Buffer);
        const age = column === 'type' ? Number(row[2]) + TYPE_KEY_AGE_MS : Number.POSITIVE_INFINITY;
        return { dataKey: { id, key }, left: BLOCK, until: Math.min(age, now() + CACHE_MS) };
      }
      await make(column, value, oldest);
    }
    throw keyUnavailable(new Error('no data key could be made'));
  }

  /** A new active key; the one that is worn out becomes old. Another process may be first: then nothing is inserted. */
  async function make(column: 'pat' | 'type', value: string, oldest: number): Promise<void> {
    const id = randomBytes(8).toString('hex');
    let wrapped: Buffer;
    try {
      wrapped = wrapping.seal(randomBytes(32), wrapContext(id));
    } catch (cause) {
      throw keyUnavailable(cause);
    }
    await pipeline.query({
      text: `update mortar.data_key set state = 'old', retired = $4::bigint
where state = 'active' and ${column} = $1 and (used + $2::bigint > ${ENCRYPTIONS_MAX} or created <= $3::bigint)`,
      values: [value, BLOCK, oldest, now()],
    });
    await pipeline.query({
      text: `insert into mortar.data_key (id, ${column}, wrapped, created) values ($1, $2, $3, $4) on conflict do nothing`,
      values: [id, value, wrapped, now()],
    });
  }

  return {
    async forSealing(scope) {
      const name = scopeColumn(scope).join(':');
      for (;;) {
        const current = sealing.get(name);
        if (current && current.left > 0 && current.until > now()) {
          current.left -= 1;
          return current.dataKey;
        }
        let taking = pending.get(name);
        if (!taking) {
          taking = take(scope).finally(() => pending.delete(name));
          pending.set(name, taking);
        }
        const taken = await taking;
        // Of those who waited for it together the first finds it full, and who comes too late takes another.
        if (sealing.get(name) !== taken && taken.left > 0) remember(sealing, name, taken);
      }
    },

    async forOpening(ids) {
      const found = new Map<string, KeyObject>();
      const missing: string[] = [];
      for (const id of ids) {
        const one = known.get(id);
        if (one && one.until > now()) found.set(id, one.key);
        else missing.push(id);
      }
      if (missing.length === 0) return found;
      const rows = await pipeline.query({
        name: 'dk:open',
        text: 'select id, wrapped from mortar.data_key where id = any($1::text[])',
        values: [missing],
      });
      for (const id of missing) known.delete(id);
      for (const [id, wrapped] of rows) found.set(id as string, unwrap(id as string, wrapped as Buffer));
      return found;
    },

    forget() {
      known.clear();
      sealing.clear();
    },
  };
}

/** Row of `mortar.meta` that holds the key of the blind index, wrapped; it is there once encryption has been used. */
export const BLIND_KEY = 'blind-index-key';

/** What a wrapped key is bound to. */
export const wrapContext = (id: string): string => `data key ${id}`;

const scopeColumn = (scope: KeyScope): ['pat' | 'type', string] =>
  'pat' in scope ? ['pat', String(scope.pat)] : ['type', scope.type];

/** 503: nothing is read and nothing is written in clear. SECURITY KS-10 */
export const keyUnavailable = (cause: unknown): Error =>
  unavailable('The keys of protected elements are not at hand; try again later', cause);

/** The oldest goes when there are too many. */
function remember<V>(cache: Map<string, V>, name: string, value: V): void {
  cache.delete(name);
  cache.set(name, value);
  if (cache.size <= CACHE_MAX) return;
  const [oldest] = cache.keys();
  if (oldest !== undefined) cache.delete(oldest);
}
