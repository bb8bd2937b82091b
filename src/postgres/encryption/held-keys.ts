/**
 * A write that seals and the destruction of its key exclude each other: the statement before the write takes the key's row,
 * so that either the key stays until the commit, or the write fails and is sealed with another. SECURITY KS-06, DP-04
 */
import { keyIdsOf } from '../../standards/fhir/encryption/sealed-text.ts';
import { errorCode } from '../database-error.ts';
import type { Pipeline, Row, Statement } from '../pools.ts';
import type { NewVersion } from '../write-sql.ts';
import { keyUnavailable } from './data-keys.ts';
import type { Shield } from './shield.ts';

/** Raised by `holdKeys`, as a query can raise nothing of its own. */
const DIVISION_BY_ZERO = '22012';

/** Goes before the writes in their transaction; nothing where nothing is sealed. Fails when a key is no more. */
export function holdKeys(versions: readonly NewVersion[]): readonly Statement[] {
  const ids = new Set(versions.flatMap(({ stored }) => (stored === undefined ? [] : keyIdsOf(stored))));
  if (ids.size === 0) return [];
  return [
    {
      name: 'dk:hold',
      text: `select 1 / (count(*) = $2::int)::int
from (select from mortar.data_key where id = any($1::text[]) for key share) k`,
      values: [[...ids].sort(), ids.size],
    },
  ];
}

/** Whether a write failed as the key it was sealed with has been destroyed meanwhile, by this process or another. */
export const isKeyGone = (error: unknown): boolean => errorCode(error) === DIVISION_BY_ZERO;

/** Writes one version by one statement, in one round trip. */
export async function writeHeld(writes: Pipeline, version: NewVersion, statement: Statement): Promise<readonly Row[]> {
  const held = holdKeys([version]);
  if (held.length === 0) return writes.query(statement);
  const begin = { text: 'begin', values: [] };
  const commit = { text: 'commit', values: [] };
  const results = await writes.batch([begin, ...held, statement, commit]);
  return results.at(-2) ?? [];
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
