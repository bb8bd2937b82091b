/** Every current resource of the store, as it was at one moment, in pages: for copies of the whole. SECURITY DP-08 */
import type { Cipher } from '../ports/cipher.ts';
import type { Log } from '../ports/log.ts';
import { BLIND_KEY, createDataKeys } from './encryption/data-keys.ts';
import { createShield } from './encryption/shield.ts';
import { createKeys } from './keys.ts';
import { type Pools, type Row, type Statement, sendStatement } from './pools.ts';
import { STORED_TYPES, tableOf } from './tables.ts';

export interface CurrentPage {
  readonly type: string;
  /** JSON texts as served. */
  readonly contents: readonly string[];
}

export interface CurrentResources {
  /** Types in their order, each in pages. */
  pages(): AsyncIterable<CurrentPage>;
  /** Those of the references (`Type/id`) that lead to a current resource. */
  existing(references: Iterable<string>): Promise<ReadonlySet<string>>;
}

export interface CurrentResourcesOptions {
  readonly pools: Pools;
  /** Opens the key that wraps the data keys; called only where something is stored encrypted. */
  readonly openWrapping: () => Cipher;
  readonly now: () => number;
  readonly log: Log;
}

const PAGE = 200;

/** Gives `work` the store at one moment; what is written meanwhile is not seen. */
export async function readCurrent<T>(
  options: CurrentResourcesOptions,
  work: (resources: CurrentResources) => Promise<T>,
): Promise<T> {
  const { pools, openWrapping, now, log } = options;
  const client = await pools.transactions.connect();
  let broken: Error | undefined;
  try {
    await client.query('begin isolation level repeatable read read only');
    const send = (statement: Statement): Promise<readonly Row[]> => sendStatement(client, statement);
    const meta = new Map(
      (await send({ text: 'select name, value from mortar.meta', values: [] })) as unknown as [string, string][],
    );
    const hashKey = Buffer.from(meta.get('hash-key') ?? '', 'hex').subarray(0, 16);
    const { rids } = createKeys(hashKey);
    const shield = meta.has(BLIND_KEY)
      ? createShield({
          elements: new Map(),
          keys: createDataKeys({ pipeline: pools.reads, wrapping: openWrapping(), now }),
          log,
        })
      : undefined;

    async function* pagesOf(type: string): AsyncIterable<CurrentPage> {
      for (let after = String(-(2n ** 63n)), isFirst = true; ; isFirst = false) {
        const rows = await send({
          text: `select rid::text, id, content from ${tableOf(type).main}
where rid ${isFirst ? '>=' : '>'} $1::bigint and op <> 'D' order by rid limit ${PAGE}`,
          values: [after],
        });
        const opened = shield ? await shield.open(rows) : rows;
        if (opened.length > 0) yield { type, contents: opened.map((row) => row[2] as string) };
        if (rows.length < PAGE) return;
        after = rows.at(-1)?.[0] as string; // there is one
      }
    }

    return await work({
      async *pages() {
        for (const type of STORED_TYPES) yield* pagesOf(type);
      },
      async existing(references) {
        const byType = Map.groupBy(references, (reference) => reference.split('/')[0] ?? '');
        const found = new Set<string>();
        for (const [type, list] of byType) {
          if (!STORED_TYPES.includes(type)) continue;
          const rows = await send({
            text: `select id from ${tableOf(type).main} where rid = any($1::bigint[]) and op <> 'D'`,
            values: [list.map((reference) => String(rids.rid(reference.split('/')[1] ?? '')))],
          });
          for (const [id] of rows) found.add(`${type}/${id}`);
        }
        return found;
      },
    });
  } finally {
    await client.query('rollback').catch((error: Error) => {
      broken = error;
    });
    client.release(broken);
  }
}
