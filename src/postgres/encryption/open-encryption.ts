/** Field-level encryption of one database, opened with its store; undefined where nothing is or was configured. SECURITY KS-10 */
import { randomBytes } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type { Log } from '../../ports/log.ts';
import {
  isProtectedAtom,
  type ProtectedElements,
  type ProtectedNode,
  protectedAtoms,
} from '../../standards/fhir/encryption/protected-elements.ts';
import type { Atom, SearchParameters, TypeParameters } from '../../standards/fhir/search/parameter.ts';
import type { Pools } from '../pools.ts';
import { StartError } from '../start-error.ts';
import type { BlindIndex } from './blind-hash.ts';
import { BLIND_KEY, createDataKeys, type DataKeys } from './data-keys.ts';
import { RESEAL, resealFrom } from './key-rotation.ts';
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
  readonly elements: ProtectedElements;
  readonly blind: BlindIndex;
  readonly search: ProtectedSearch;
  /** Connections whose rows are in plaintext. */
  readonly pools: Pools;
  protectedAtomsOf(type: string): readonly boolean[] | undefined;
  /** Types to which encrypted elements of a type may refer, `*`: any. */
  sealedTargets(type: string): readonly string[];
}

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
  if (await noteSetting(pools, describe(elements), now()))
    log.info('ENCRYPTED_ELEMENTS is another than before: what is stored follows in the background');
  // Custom parameters come and go: by what the type's parameters are now.
  const byType = new WeakMap<TypeParameters, readonly boolean[] | 'none'>();
  const protectedAtomsOf = (type: string): readonly boolean[] | undefined => {
    const known = parameters.get(type);
    if (!known) return undefined;
    const found = byType.get(known) ?? protectedAtoms(elements, known) ?? 'none';
    byType.set(known, found);
    return found === 'none' ? undefined : found;
  };
  const isProtected = (type: string, atom: Atom): boolean =>
    atom.custom ? isProtectedAtom(elements, type, atom) : protectedAtomsOf(type)?.[atom.index] === true;
  const keys = createDataKeys({ pipeline: pools.reads, wrapping, now });
  const shield = createShield({ elements, keys, log });
  return {
    shield,
    keys,
    wrapping,
    elements,
    blind: { key, isProtected },
    search: createProtectedSearch(isProtected, (type) => elements.has(type)),
    pools: shieldedPools(pools, shield),
    protectedAtomsOf,
    // What is sealed though the setting does not name it is from before, and may be anything.
    sealedTargets: (type) => [...(elements.get(type)?.targets ?? ['*'])],
  };
}

/** Notes the setting; true when it is another than the one that the rows were written under. */
async function noteSetting({ writes }: Pools, setting: string, now: number): Promise<boolean> {
  const [changed] = await writes.query({
    text: `with s as (
  insert into mortar.meta as m (name, value) values ('encrypted-elements', $1)
  on conflict (name) do update set value = excluded.value where m.value <> excluded.value
  returning 1
)
insert into mortar.meta (name, value) select $2, $3 from s
on conflict (name) do update set value = excluded.value
returning 1`,
    values: [setting, RESEAL, resealFrom(now)],
  });
  return changed !== undefined;
}

/** The elements as text: equal texts, equal elements. */
function describe(elements: ProtectedElements): string {
  const paths = (name: string, { whole, below }: ProtectedNode): string[] =>
    whole ? [name] : [...below].flatMap(([step, node]) => paths(`${name}.${step}`, node));
  return [...elements]
    .flatMap(([type, node]) => paths(type, node))
    .sort()
    .join(',');
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
