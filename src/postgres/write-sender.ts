/**
 * Sends what a transaction writes: rows of one type together, as soon as there are many of them, so that the database
 * writes while others are still made ready, and none is held here longer than it takes. docs/decisions/0003-storage.md
 */
import { keyIdsOf } from '../standards/fhir/encryption/sealed-text.ts';
import { nextTurn } from '../standards/turns.ts';
import { holdKeysNamed } from './encryption/held-keys.ts';
import type { Shield } from './encryption/shield.ts';
import type { Row, Statement } from './pools.ts';
import { mayGoTogether, type Replaced, updateManyStatement } from './update-many.ts';
import { insertManyStatement, type NewVersion, updateStatement } from './write-sql.ts';

export interface WriteSender {
  insert(version: NewVersion): void;
  replace(change: Replaced): void;
  /** Sends what there is much of; undefined where more may come at once, else resolves when there is room for it. */
  room(): Promise<void> | undefined;
  /** Sends what is new of one type; undefined where it is on its way, else resolves when it is. */
  flush(type: string): Promise<void> | undefined;
  /** The same of all there is, and of what goes after everything else. */
  finish(): Promise<void> | undefined;
  /** Resolves when all that was sent is through; rejects with the first error. */
  settled(): Promise<void>;
}

export interface WriteSenderOptions {
  readonly send: (statement: Statement) => Promise<readonly Row[]>;
  /** Absent: nothing is stored encrypted. */
  readonly shield: Shield | undefined;
  /** False where nothing may be written before all is known. */
  readonly isEarly: boolean;
}

/** Of one statement: it is put together without a pause. */
const ROWS_MAX = 500;
/** From here on, in rows or in UTF-16 units of their texts, what there is of a type is sent. */
const EARLY = { rows: 100, length: 512 * 1024 };
/** Statements under way while more is made ready. */
const UNDER_WAY_MAX = 1;

/** New rows of a type that wait. */
interface Waiting {
  readonly versions: NewVersion[];
  length: number;
}

/** What goes as one, or is sealed as one. */
interface Part {
  readonly rows: number;
  send(): Promise<void> | undefined;
}

export function createWriteSender({ send, shield, isEarly }: WriteSenderOptions): WriteSender {
  const waiting = new Map<string, Waiting>();
  let changes: Replaced[] = [];
  /** In the order they were sent; none rejects. */
  let underWay: Promise<void>[] = [];
  let failure: { readonly error: unknown } | undefined;
  const keyIds = new Set<string>();

  function dispatch(statement: Statement, check?: (rows: readonly Row[]) => void): void {
    const answer = send(statement).then(check);
    underWay.push(
      answer.catch((error: unknown) => {
        failure ??= { error };
      }),
    );
  }
  const noteKeys = (versions: readonly NewVersion[]): void => {
    for (const { stored } of versions) for (const id of stored === undefined ? [] : keyIdsOf(stored)) keyIds.add(id);
  };
  function insertAll(versions: readonly NewVersion[]): undefined {
    noteKeys(versions);
    dispatch(insertManyStatement(versions));
  }
  function replaceAll(all: readonly Replaced[]): undefined {
    noteKeys(all.map(({ made }) => made));
    for (const { statement, count } of replacements(all))
      dispatch(statement, ([row]) => {
        if (row?.[0] !== count) throw new Error('a locked row changed under its lock');
      });
  }

  const insertion = (versions: readonly NewVersion[]): Part => ({
    rows: versions.length,
    send: () =>
      shield ? Promise.all(versions.map((version) => shield.seal(version))).then(insertAll) : insertAll(versions),
  });
  const replacement = (all: readonly Replaced[]): Part => ({
    rows: all.length,
    send: () =>
      shield
        ? Promise.all(all.map(async (c) => ({ ...c, made: await shield.seal(c.made) }))).then(replaceAll)
        : replaceAll(all),
  });

  function newOf(type: string): readonly Part[] {
    const versions = waiting.get(type)?.versions ?? [];
    waiting.delete(type);
    return chunksOf(versions).map(insertion);
  }
  function replacedAll(): readonly Part[] {
    const all = changes;
    changes = [];
    return chunksOf(all).map(replacement);
  }

  /** At once where it is little: with what the transaction sends next it leaves in one system call. */
  function sendParts(parts: readonly Part[]): Promise<void> | undefined {
    if (shield || parts.reduce((rows, part) => rows + part.rows, 0) > ROWS_MAX) return sendInTurns(parts);
    for (const part of parts) part.send();
    return undefined;
  }
  async function sendInTurns(parts: readonly Part[]): Promise<void> {
    for (const [i, part] of parts.entries()) {
      if (i > 0) await nextTurn();
      await part.send();
    }
  }

  async function makeRoom(parts: readonly Part[]): Promise<void> {
    await sendInTurns(parts);
    while (underWay.length > UNDER_WAY_MAX) {
      const [first, ...rest] = underWay;
      underWay = rest;
      await first;
    }
    if (failure) throw failure.error;
  }
  const holdKeys = (): undefined => {
    for (const statement of holdKeysNamed(keyIds)) dispatch(statement);
  };

  return {
    insert(version) {
      const { type } = version.table;
      const known = waiting.get(type) ?? { versions: [], length: 0 };
      waiting.set(type, known);
      known.versions.push(version);
      known.length += version.content.length;
    },
    replace: (change) => void changes.push(change),
    room() {
      if (!isEarly) return undefined;
      const many = [...waiting].flatMap(([type, { versions, length }]) =>
        versions.length >= EARLY.rows || length >= EARLY.length ? newOf(type) : [],
      );
      const parts = changes.length >= EARLY.rows ? [...many, ...replacedAll()] : many;
      return parts.length > 0 || failure ? makeRoom(parts) : undefined;
    },
    flush: (type) => sendParts(newOf(type)),
    finish() {
      const sending = sendParts([...[...waiting.keys()].flatMap(newOf), ...replacedAll()]);
      return sending ? sending.then(holdKeys) : holdKeys();
    },
    async settled() {
      await Promise.all(underWay);
      underWay = [];
      if (failure) throw failure.error;
    },
  };
}

const chunksOf = <T>(list: readonly T[]): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(list.length / ROWS_MAX) }, (_, i) => list.slice(i * ROWS_MAX, (i + 1) * ROWS_MAX));

/** Versions of one type in one statement, where there are several; each with the number of rows it replaces. */
function replacements(changes: readonly Replaced[]): { readonly statement: Statement; readonly count: number }[] {
  const groups = Map.groupBy(changes, ({ made }) => made.table.type);
  return [...groups].flatMap(([type, group]) =>
    group.length > 1 && mayGoTogether(type)
      ? [{ statement: updateManyStatement(group), count: group.length }]
      : group.map(({ made, replaced }) => ({ statement: updateStatement(made, replaced), count: 1 })),
  );
}
