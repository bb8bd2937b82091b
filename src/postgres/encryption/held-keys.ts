/**
 * A write that seals and the destruction of its key exclude each other: the last statement before the commit takes the
 * key's row, so that either the key stays until then, or the write fails and is sealed with another. Whoever needs both
 * takes the rows of resources first and those of keys after them: nobody waits in a circle. SECURITY KS-06, DP-04
 */
import { keyIdsOf } from '../../standards/fhir/encryption/sealed-text.ts';
import { errorCode } from '../database-error.ts';
import type { Pipeline, Row, Statement } from '../pools.ts';
import type { NewVersion } from '../write-sql.ts';
import { keyUnavailable } from './data-keys.ts';
import type { Shield } from './shield.ts';

/** A query can raise nothing of its own: it fails by reading these words as a number. */
const SIGNAL = 'a data key is gone, of those held:';
const INVALID_TEXT = '22P02';

/** Goes after the writes in their transaction; nothing where nothing is sealed. Fails when a key is no more. */
export const holdKeys = (versions: readonly Pick<NewVersion, 'stored'>[]): readonly Statement[] =>
  holdKeysOf(versions.flatMap(({ stored }) => stored ?? []));

/** The same for texts as they are stored. */
export const holdKeysOf = (texts: readonly string[]): readonly Statement[] =>
  holdKeysNamed(new Set(texts.flatMap(keyIdsOf)));

/** The same by the ids of the keys. */
export function holdKeysNamed(named: ReadonlySet<string>): readonly Statement[] {
  const ids = [...named].sort();
  if (ids.length === 0) return [];
  return [
    {
      name: 'dk:hold',
      text: `select case when count(*) = $2::int then 0 else concat('${SIGNAL} ', count(*))::int end
from (select from mortar.data_key where id = any($1::text[]) order by id for key share) k`,
      values: [ids, ids.length],
    },
  ];
}

/** Whether a write failed as the key it was sealed with has been destroyed meanwhile, by this process or another. */
export const isKeyGone = (error: unknown): boolean =>
  errorCode(error) === INVALID_TEXT && (error as Error).message.includes(SIGNAL);

/** Writes one version by one statement, in one round trip. */
export async function writeHeld(writes: Pipeline, version: NewVersion, statement: Statement): Promise<readonly Row[]> {
  const held = holdKeys([version]);
  if (held.length === 0) return writes.query(statement);
  const begin = { text: 'begin', values: [] };
  const commit = { text: 'commit', values: [] };
  const results = await writes.batch([begin, statement, ...held, commit]);
  return results[1] ?? [];
}

/** Seals and writes; once more with a new key when the key is gone. Throws 503 when that one is gone as well. */
export async function sealedWith<T>(shield: Shield | undefined, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isKeyGone(error)) throw error;
  }
  shield?.forget();
  try {
    return await write();
  } catch (error) {
    throw isKeyGone(error) ? keyUnavailable(error) : error;
  }
}
