/**
 * Rotation: a new wrapping key rewraps the data keys; new data keys seal everything again in the background, row by row,
 * while reads accept both; then the old ones are destroyed. SECURITY KS-06
 */
import type { KeyObject } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Cipher } from '../../ports/cipher.ts';
import type { ProtectedElements } from '../../standards/fhir/encryption/protected-elements.ts';
import {
  isSealedAsWanted,
  keyIdsOf,
  needsSealing,
  openText,
  sealText,
} from '../../standards/fhir/encryption/sealed-text.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { errorCode } from '../database-error.ts';
import { inTransaction, type Send } from '../in-transaction.ts';
import type { Pipeline, Pools } from '../pools.ts';
import { replaceSearchValues } from '../search-values.ts';
import { STORED_TYPES, type TypeTable, tableOf } from '../tables.ts';
import type { RowBuilder } from '../writer.ts';
import { BLIND_KEY, CACHE_MS, type DataKeys, type KeyScope, wrapContext } from './data-keys.ts';
import { holdKeysOf, isKeyGone } from './held-keys.ts';

export interface KeyRotation {
  /** See `rewrapKeys`. */
  rewrap(): Promise<number>;
  /** Makes every data key an old one: what is written from now on has new ones, and the rest follows by `reseal`. */
  retire(): Promise<void>;
  /**
   * Seals again what has an old key, or what the setting says differently of, from where the last run stopped. `waiting`:
   * other processes may still hold the old keys for some minutes. `stopped`: the signal came.
   */
  reseal(signal?: AbortSignal): Promise<'nothing' | 'waiting' | 'stopped' | 'done'>;
}

export interface RotationTools {
  readonly pools: Pools;
  readonly keys: DataKeys;
  readonly wrapping: Cipher;
  readonly elements: ProtectedElements;
  readonly rowOf: RowBuilder;
  readonly now: () => number;
}

/** Row of `mortar.meta`: how far the sealing has come; absent when there is nothing to do. */
export const RESEAL = 'reseal';
/** Until no process remembers a key that has been retired, and no write that took it is on its way. */
const GRACE_MS = CACHE_MS + 60_000;
const BATCH = 20;
const REWRAP_BATCH = 500;
const LOCK_NOT_AVAILABLE = '55P03';
const BUSY_MS = 20;

/** Where a run goes on: `after` is a rid of the type with this number in the list of types. */
interface Progress {
  readonly notBefore: number;
  readonly type: number;
  readonly after: string;
}

/** What `mortar.meta` says when a run is wanted. */
export const resealFrom = (now: number): string =>
  JSON.stringify({ notBefore: now + GRACE_MS, type: 0, after: String(-(2n ** 63n)) } satisfies Progress);

/** Wraps every data key, and that of the blind index, with the first key of the key file. Resolves to how many. */
export async function rewrapKeys(writes: Pipeline, wrapping: Cipher): Promise<number> {
  const again = (sealed: Buffer, context: string): Buffer => wrapping.seal(wrapping.open(sealed, context), context);
  const [row] = await writes.query({ text: 'select value from mortar.meta where name = $1', values: [BLIND_KEY] });
  if (!row) return 0;
  await writes.query({
    text: 'update mortar.meta set value = $2 where name = $1',
    values: [BLIND_KEY, again(Buffer.from(row[0] as string, 'base64'), BLIND_KEY).toString('base64')],
  });
  let count = 1;
  for (let after = ''; ; ) {
    const rows = await writes.query({
      text: 'select id, wrapped from mortar.data_key where id > $1 order by id limit $2',
      values: [after, REWRAP_BATCH],
    });
    const last = rows.at(-1);
    if (!last) return count;
    await writes.query({
      text: 'update mortar.data_key k set wrapped = u.w from unnest($1::text[], $2::bytea[]) u(id, w) where k.id = u.id',
      values: [rows.map(([id]) => id), rows.map(([id, old]) => again(old as Buffer, wrapContext(id as string)))],
    });
    count += rows.length;
    after = last[0] as string;
  }
}

/** Makes every data key an old one; a running server seals everything again. Resolves to how many. */
export async function retireKeys(writes: Pipeline, now: number): Promise<number> {
  const [row] = await writes.query({
    text: `with k as (
  update mortar.data_key set state = 'old', retired = $1::bigint where state = 'active' returning 1
), m as (
  insert into mortar.meta (name, value) select $2, $3 where exists (select from k)
  on conflict (name) do update set value = excluded.value
)
select count(*)::int from k`,
    values: [now, RESEAL, resealFrom(now)],
  });
  return row?.[0] as number; // a count has a row
}

export function createKeyRotation(tools: RotationTools): KeyRotation {
  const { pools, keys, wrapping, now } = tools;
  return {
    rewrap: () => rewrapKeys(pools.writes, wrapping),

    async retire() {
      await retireKeys(pools.writes, now());
      keys.forget();
    },

    async reseal(signal) {
      for (let moved = false; ; moved = true) {
        if (signal?.aborted) return 'stopped';
        const result = await inTransaction(pools.transactions, (send) => step(tools, send)).catch((error: unknown) => {
          if (isKeyGone(error)) keys.forget();
          else if (errorCode(error) !== LOCK_NOT_AVAILABLE) throw error;
          return 'busy' as const;
        });
        if (result === 'busy') await setTimeout(BUSY_MS);
        if (result === 'busy' || result === 'more') continue;
        if (result === 'nothing' && moved) return 'done';
        return result;
      }
    },
  };
}

/** One batch and the new position, or neither: whoever is killed in between leaves the old position. */
async function step(tools: RotationTools, send: Send): Promise<'nothing' | 'waiting' | 'more' | 'done'> {
  // The lock on this row keeps two processes from doing the same batch.
  const [row] = await send({ text: 'select value from mortar.meta where name = $1 for update', values: [RESEAL] });
  if (!row) return 'nothing';
  const progress = JSON.parse(row[0] as string) as Progress; // ours
  if (tools.now() < progress.notBefore) return 'waiting';
  const type = STORED_TYPES[progress.type];
  if (type === undefined) {
    // Nothing is sealed with an old key that was one when the run began; younger ones wait for the next.
    await send({
      text: "delete from mortar.data_key where state = 'old' and retired <= $1::bigint",
      values: [progress.notBefore - GRACE_MS],
    });
    await send({ text: 'delete from mortar.meta where name = $1', values: [RESEAL] });
    tools.keys.forget();
    return 'done';
  }
  const last = await resealRows(tools, send, tableOf(type), progress.after);
  const next: Progress =
    last === undefined
      ? { ...progress, type: progress.type + 1, after: String(-(2n ** 63n)) }
      : { ...progress, after: last };
  await send({ text: 'update mortar.meta set value = $2 where name = $1', values: [RESEAL, JSON.stringify(next)] });
  return 'more';
}

interface StoredText {
  readonly rid: string;
  readonly ver: number;
  readonly id: string;
  readonly pat: string | null;
  readonly text: string;
}

/** Seals the rows after a rid again; resolves to the last of them, undefined at the end of the table. */
async function resealRows(
  tools: RotationTools,
  send: Send,
  table: TypeTable,
  after: string,
): Promise<string | undefined> {
  // An update that waited for one of these rows would take the text for its history from before, sealed with the old
  // key. So writers of this table wait as a whole while a batch is done, and a row that one holds is waited for outside.
  await send({ text: `lock table ${table.main} in share row exclusive mode`, values: [] });
  const rows = await send({
    text: `select m.rid::text, m.ver, m.id, m.pat::text, m.content, m.lu::text from ${table.main} m
where m.rid > $1::bigint order by m.rid limit $2 for update nowait`,
    values: [after, BATCH],
  });
  const last = rows.at(-1);
  if (!last) return undefined;
  const ids = new Map(rows.map(([rid, , id, pat]) => [rid as string, { id: id as string, pat: pat as string | null }]));
  const lastUpdated = new Map(rows.map(([rid, , , , , lu]) => [rid as string, Number(lu)]));
  const current = rows.map(
    ([rid, ver, id, pat, text]) => ({ rid, ver, id, pat, text }) as StoredText, // the columns' types
  );
  const old = await send({
    text: `select h.rid::text, h.ver, h.content from ${table.history} h where h.rid = any($1::bigint[])`,
    values: [[...ids.keys()]],
  });
  const history = old.map(([rid, ver, text]) => ({ ...ids.get(rid as string), rid, ver, text }) as StoredText);
  const known = await keysOf(tools, send, [...current, ...history]);
  const made: string[] = [];
  for (const stored of current) {
    const sealed = await resealed(tools, table, stored, known);
    if (!sealed) continue;
    await replaceRow(tools, send, table, stored, sealed, lastUpdated.get(stored.rid) ?? 0);
    made.push(sealed.text);
  }
  for (const stored of history) {
    const sealed = await resealed(tools, table, stored, known);
    if (!sealed) continue;
    await send({
      text: `update ${table.history} set content = $3 where rid = $1::bigint and ver = $2::int`,
      values: [stored.rid, stored.ver, sealed.text],
    });
    made.push(sealed.text);
  }
  for (const held of holdKeysOf(made)) await send(held);
  return last[0] as string;
}

interface KnownKeys {
  readonly scopes: ReadonlyMap<string, { readonly scope: KeyScope; readonly isOld: boolean }>;
  readonly keys: ReadonlyMap<string, KeyObject>;
}

async function keysOf({ keys }: RotationTools, send: Send, texts: readonly StoredText[]): Promise<KnownKeys> {
  const ids = [...new Set(texts.flatMap(({ text }) => keyIdsOf(text)))];
  if (ids.length === 0) return { scopes: new Map(), keys: new Map() };
  const rows = await send({
    text: 'select id, pat::text, type, state from mortar.data_key where id = any($1::text[])',
    values: [ids],
  });
  const scopes = new Map(
    rows.map(([id, pat, type, state]) => [
      id as string,
      { scope: pat === null ? { type: type as string } : { pat: BigInt(pat as string) }, isOld: state === 'old' },
    ]),
  );
  return { scopes, keys: await keys.forOpening(ids) };
}

/** The text sealed as it should be; undefined when it is so already. */
async function resealed(
  { elements, keys }: RotationTools,
  { type }: TypeTable,
  { rid, id, pat, text }: StoredText,
  known: KnownKeys,
): Promise<{ readonly plain: string; readonly text: string } | undefined> {
  if (text === '') return undefined;
  const plain = openText(text, type, id, (keyId) => known.keys.get(keyId));
  const used = keyIdsOf(text).flatMap((keyId) => known.scopes.get(keyId) ?? []);
  if (!used.some(({ isOld }) => isOld) && isSealedAsWanted(text, plain, type, elements)) return undefined;
  if (!needsSealing(plain, type, elements)) return { plain, text: plain };
  // A deleted row names no patient any more: its versions stay under the patient they were sealed for.
  const owner = pat ?? (type === 'Patient' ? rid : undefined);
  const scope = used[0]?.scope ?? (owner === undefined ? { type } : { pat: BigInt(owner) });
  const key = await keys.forSealing(scope);
  return { plain, text: sealText(plain, type, id, elements, key) };
}

/** The row with its new text, and with the search values that the setting wants. */
async function replaceRow(
  { rowOf }: RotationTools,
  send: Send,
  table: TypeTable,
  { rid, id }: StoredText,
  { plain, text }: { readonly plain: string; readonly text: string },
  lastUpdated: number,
): Promise<void> {
  const row = rowOf(parseJson(plain) as Record<string, unknown>, table.type, id, lastUpdated); // stored text was checked
  await send({ text: `update ${table.main} set content = $2 where rid = $1::bigint`, values: [rid, text] });
  await replaceSearchValues(send, table, rid, row);
}
