/** Field-level encryption of one database, opened with its store; undefined where nothing is or was configured. SECURITY KS-10 */
import { randomBytes } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type { Log } from '../../ports/log.ts';
import { type ProtectedElements, protectedAtoms } from '../../standards/fhir/encryption/protected-elements.ts';
import type { SearchParameters } from '../../standards/fhir/search/parameter.ts';
import type { Pools } from '../pools.ts';
import { StartError } from '../start-error.ts';
import type { BlindIndex } from './blind-hash.ts';
import { createDataKeys, type DataKeys } from './data-keys.ts';
import { createProtectedSearch, type ProtectedSearch } from './protected-search.ts';
import { createShield, type Shield, shieldedPools } from './shield.ts';

export interface EncryptionOptions {
  /** Empty: what was sealed before still opens, and nothing new is sealed. */
  readonly elements: ProtectedElements;
  /** Opens the key that wraps the data keys; called only when there is something to wrap. */
  readonly openWrapping: () => Cipher;
  /** Named in errors. */
  readonly keyFile: string;
}

export interface Encryption {
  readonly shield: Shield;
  readonly keys: DataKeys;
  readonly wrapping: Cipher;
  readonly blind: BlindIndex;
  readonly search: ProtectedSearch;
  /** Connections whose rows are in plaintext. */
  readonly pools: Pools;
  protectedAtomsOf(type: string): readonly boolean[] | undefined;
}

/** Row of `mortar.meta` that holds the key of the blind index, wrapped; it is there once encryption has been used. */
export const BLIND_KEY = 'blind-index-key';

/** Throws `StartError` when the key file is not the one of this database. */
export async function openEncryption(
  { elements, openWrapping, keyFile }: EncryptionOptions,
  {
    pools,
    parameters,
    now,
    log,
  }: {
    readonly pools: Pools;
    readonly parameters: SearchParameters;
    readonly now: () => number;
    readonly log: Log;
  },
): Promise<Encryption | undefined> {
  const stored = async (): Promise<string | undefined> => {
    const [row] = await pools.writes.query({
      text: 'select value from mortar.meta where name = $1',
      values: [BLIND_KEY],
    });
    return row?.[0] as string | undefined;
  };
  let wrapped = await stored();
  if (elements.size === 0 && wrapped === undefined) return undefined;
  const wrapping = openWrapping();
  if (wrapped === undefined) {
    await pools.writes.query({
      text: 'insert into mortar.meta (name, value) values ($1, $2) on conflict do nothing',
      values: [BLIND_KEY, wrapping.seal(randomBytes(16), BLIND_KEY).toString('base64')],
    });
    wrapped = await stored();
  }
  const key = openBlindKey(wrapping, wrapped ?? '', keyFile);
  const byType = new Map<string, readonly boolean[] | undefined>();
  const protectedAtomsOf = (type: string): readonly boolean[] | undefined => {
    if (!byType.has(type)) {
      const known = parameters.get(type);
      byType.set(type, known && protectedAtoms(elements, known));
    }
    return byType.get(type);
  };
  const keys = createDataKeys({ writes: pools.writes, reads: pools.reads, wrapping, now });
  const shield = createShield({ elements, keys, log });
  return {
    shield,
    keys,
    wrapping,
    blind: { key, isProtected: (type, { index }) => protectedAtomsOf(type)?.[index] === true },
    search: createProtectedSearch(protectedAtomsOf),
    pools: shieldedPools(pools, shield),
    protectedAtomsOf,
  };
}

function openBlindKey(wrapping: Cipher, wrapped: string, keyFile: string): Buffer {
  try {
    return wrapping.open(Buffer.from(wrapped, 'base64'), BLIND_KEY);
  } catch (cause) {
    throw new StartError(
      'unsuitable',
      `the key file ${keyFile} is not the one that this database's protected elements were encrypted with: put the ` +
        'right one in its place (DATA_KEY_FILE), or add its line to the file',
      cause,
    );
  }
}
