/**
 * Field-level encryption between the store and its database: what is written goes through `seal`, every row that comes
 * back through `open`, and everything in between sees plaintext. Absent when nothing is configured. SECURITY KS-07, KS-10
 */
import type { KeyObject } from 'node:crypto';
import type { Log } from '../../ports/log.ts';
import type { ProtectedElements } from '../../standards/fhir/encryption/protected-elements.ts';
import {
  keyIdsOf,
  needsSealing,
  openText,
  SealedValueError,
  sealText,
} from '../../standards/fhir/encryption/sealed-text.ts';
import { toBigInt } from '../hash.ts';
import type { Pipeline, Pools, Row, Unopened } from '../pools.ts';
import type { NewVersion } from '../write-sql.ts';
import type { DataKeys, KeyScope } from './data-keys.ts';

export interface Shield {
  /** The version with the text that is stored. */
  seal(version: NewVersion): Promise<NewVersion>;
  /**
   * Rows with plaintext in the place of sealed values; the same rows when there are none. A value that cannot be opened
   * is told as an alert; then it throws `SealedValueError`, or gives an empty text for that row where they are many.
   */
  open(rows: readonly Row[], unopened?: Unopened): Promise<readonly Row[]>;
  /** Lets go of remembered keys: one of them has been destroyed. */
  forget(): void;
}

/** How every stored text begins: `stampMeta` puts type and id first. */
const BEGIN = '{"resourceType":"';
const TYPE_AND_ID = /^\{"resourceType":"([A-Za-z]+)","id":"([A-Za-z0-9.-]{1,64})"/;

export function createShield(options: {
  readonly elements: ProtectedElements;
  readonly keys: DataKeys;
  readonly log: Log;
}): Shield {
  const { elements, keys, log } = options;

  function openCell(
    text: string,
    row: Row,
    found: ReadonlyMap<string, KeyObject>,
    unopened: Unopened | undefined,
  ): string {
    const [, type = '', id = ''] = TYPE_AND_ID.exec(text) ?? [];
    try {
      // A text that was moved as a whole opens by its own words: the row must say the same.
      if (!row.includes(id)) throw new SealedValueError(`the text of ${type}/${id} lies in another row`);
      return openText(text, type, id, (keyId) => found.get(keyId));
    } catch (cause) {
      if (!(cause instanceof SealedValueError)) throw cause;
      log.error('a protected value cannot be opened', { alert: true, cause: cause.message });
      if (unopened === 'as-empty') return '';
      throw cause;
    }
  }

  return {
    async seal(version) {
      const type = version.table.type;
      if (!needsSealing(version.content, type, elements)) return version;
      const key = await keys.forSealing(scopeOf(version));
      return { ...version, stored: sealText(version.content, type, version.id, elements, key) };
    },

    async open(rows, unopened) {
      const ids = new Set<string>();
      const places: [row: number, column: number][] = [];
      rows.forEach((row, r) => {
        row.forEach((cell, c) => {
          if (typeof cell !== 'string' || !cell.startsWith(BEGIN)) return;
          const found = keyIdsOf(cell);
          if (found.length === 0) return;
          for (const id of found) ids.add(id);
          places.push([r, c]);
        });
      });
      if (places.length === 0) return rows;
      const found = await keys.forOpening([...ids]);
      const opened = [...rows];
      for (const [r, c] of places) {
        const row = opened[r] as Row; // a place in these rows
        opened[r] = row.with(c, openCell(row[c] as string, row, found, unopened));
      }
      return opened;
    },
    forget: () => keys.forget(),
  };
}

/** The patient whose compartment it is in, else its type. */
const scopeOf = ({ row, table }: NewVersion): KeyScope =>
  row.pat ? { pat: toBigInt(row.pat.hi, row.pat.lo) } : { type: table.type };

/** The same connections, with plaintext in the rows they give. */
export function shieldedPools(pools: Pools, shield: Shield): Pools {
  const opening = (pipeline: Pipeline): Pipeline => ({
    query: async (statement) => shield.open(await pipeline.query(statement), statement.unopened),
    batch: async (statements) =>
      Promise.all((await pipeline.batch(statements)).map((rows, i) => shield.open(rows, statements[i]?.unopened))),
  });
  return { ...pools, reads: opening(pools.reads), writes: opening(pools.writes) };
}
