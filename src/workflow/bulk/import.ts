/**
 * Bulk import, step by step: each step is a piece of some thousand lines, written in transactions of some hundred. What
 * became of a transaction's lines is kept in it, so that what was interrupted goes on at the line where it stopped and
 * no line is applied twice. A transaction that fails is tried again line by line. docs/bulk.md, SECURITY AZ-01, CP-15
 */
import { createHash } from 'node:crypto';
import type { AsyncRequests, AsyncStep, AsyncWork, AsyncWorker } from '../../ports/async-requests.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore, TransactionWrite, WriteResult } from '../../ports/resource-store.ts';
import type { FindSubscriber, SubscriptionOwner } from '../../ports/subscriptions.ts';
import { FhirError, forbidden, issue } from '../../standards/fhir/outcome.ts';
import { covers } from '../../standards/smart/scope.ts';
import {
  type Batch,
  faultOf,
  formatFault,
  type LineFault,
  type LineWrite,
  type ReadLineOptions,
  readBatch,
} from './import-batch.ts';
import { type Applied, appliedOf, type Counts, NONE, sum, sumTypes } from './import-counts.ts';
import { linesOf } from './lines.ts';

/** What is to be imported; kept sealed with the request. */
export interface ImportOrder {
  readonly owner: SubscriptionOwner;
  /** URL of the request, for the manifest. */
  readonly request: string;
}

export interface ImportOptions extends Omit<ReadLineOptions, 'newId'> {
  readonly store: Pick<ResourceStore, 'newId' | 'transaction'>;
  readonly book: Pick<AsyncRequests, 'readStep'>;
  readonly findCaller: FindSubscriber;
  readonly audit: AuditLog;
  readonly now: () => number;
  readonly keptMs?: number;
  /** Lines of a transaction. */
  readonly batchSize?: number;
}

export const IMPORT = 'import';
/** The lines, a piece a step; removed once they are applied. */
export const INPUT = 'input.ndjson';
export const ERRORS = 'error.ndjson';
const BATCH = 500;
/** Transactions of one import: while the database writes one, the next is made ready. */
const AT_ONCE = 2;
const KEPT_MS = 24 * 60 * 60 * 1000;
/** An upload of which nothing was heard for so long has broken off. */
const UPLOAD_SILENCE_MS = 5 * 60 * 1000;
/** Lines of the error file; what is wrong beyond them is counted. */
const FAULTS_MAX = 100_000;
const HASH = createHash('sha256').update(IMPORT).digest();

/** While the lines come. */
export interface Uploading {
  readonly stage: 'upload';
  /** When the last of them came, ms UTC. */
  readonly at: number;
}

/** While they are applied. Piece `n` is what step `n` kept. */
export interface Applying extends Counts {
  readonly stage: 'apply';
  readonly pieces: number;
  readonly lines: number;
  /** The next piece, and the number of its first line. */
  readonly piece: number;
  readonly line: number;
  /** Resources that are stored now, by type. */
  readonly types: Readonly<Record<string, number>>;
}

/** A batch that is being written; undefined comes of one whose lines are to be tried one by one. */
interface Flight {
  readonly batch: Batch;
  readonly applied: Promise<Applied | undefined>;
}

export const beginApplying = (pieces: number, lines: number): Applying => ({
  stage: 'apply',
  pieces,
  lines,
  piece: 0,
  line: 1,
  ...NONE,
  types: {},
});

/** SECURITY AZ-01: a program with `system/*.cruds`, without a constraint, as only administrators' have. */
export const isAdministrator = ({ kind, scopes }: Caller): boolean =>
  kind === 'client' &&
  (['c', 'r', 'u', 'd', 's'] as const).every((letter) =>
    scopes.some(
      (scope) =>
        scope.level === 'system' && scope.type === '*' && scope.constraint === undefined && covers(scope, '*', letter),
    ),
  );

export function createImportWorker(options: ImportOptions): AsyncWorker {
  const { store, book, findCaller, audit, now } = options;
  const batchSize = options.batchSize ?? BATCH;
  const reading: ReadLineOptions = { ...options, newId: () => store.newId() };

  async function callerOf({ owner }: ImportOrder, id: string): Promise<Caller> {
    const caller = await findCaller(owner, `import-${id}`.slice(0, 64));
    if (!caller || !isAdministrator(caller)) throw forbidden();
    return caller;
  }

  /** One transaction: its lines, and what became of them; or what was kept of it when it was done before. */
  const apply = (caller: Caller, id: string, line: number, batch: Batch): Promise<Applied> =>
    store.transaction(caller, async (tx) => {
      const key = { owner: `import ${id}`, key: String(line) };
      const before = await tx.requestAnswers.claim(key, HASH);
      if (before) return JSON.parse(before.answer.toString()) as Applied; // as it was kept
      /** Of lines that are read as they are written. */
      const late: LineFault[] = [];
      const writes = batch.writes.map((one) => leftOutIfFaulty(one, late));
      let applied = appliedOf(batch, [], late);
      const keep = (results: readonly WriteResult[]): Promise<void> => {
        applied = appliedOf(batch, results, late);
        return tx.requestAnswers.keep(key, { hash: HASH, answer: Buffer.from(JSON.stringify(applied)) });
      };
      await (writes.length === 0 ? keep([]) : tx.write(writes, keep));
      return applied;
    });

  /** Undefined where the lines are to be tried one by one. */
  async function tryApply(caller: Caller, id: string, line: number, batch: Batch): Promise<Applied | undefined> {
    try {
      return await apply(caller, id, line, batch);
    } catch (error) {
      const fault = faultOf(line, error);
      if (batch.to > batch.from + 1) return undefined;
      return apply(caller, id, line, { ...batch, writes: [], faults: [fault] });
    }
  }

  /**
   * All lines of a piece, two transactions at once while a third's lines are read. Those that are under way lie in
   * different cells of `batchSize` lines, and no batch reaches beyond its own: whoever goes on in the midst of one finds
   * the next as it was begun. What writes the same resource waits.
   */
  async function applyPiece(
    caller: Caller,
    id: string,
    piece: Buffer,
    firstLine: number,
    signal: AbortSignal,
  ): Promise<readonly Applied[]> {
    const lines = linesOf(piece);
    const done: Applied[] = [];
    /** Up to here lines go one by one. */
    let singlyTo = 0;
    const cellOf = (at: number): number => Math.floor(at / batchSize);
    const read = (from: number): Promise<Batch> =>
      readBatch(lines, from, from < singlyTo ? 1 : (cellOf(from) + 1) * batchSize - from, firstLine, reading);
    const begin = (batch: Batch): Flight => {
      const applied = tryApply(caller, id, firstLine + batch.from, batch);
      applied.catch(() => undefined); // seen below
      return { batch, applied };
    };
    let flights: readonly Flight[] = [];
    let ahead = await read(0);
    while (flights.length > 0 || ahead.from < lines.length) {
      const mayBegin =
        flights.length < AT_ONCE &&
        ahead.from < lines.length &&
        !signal.aborted &&
        flights.every(({ batch }) => cellOf(batch.from) < cellOf(ahead.from) && isApart(batch, ahead));
      if (mayBegin) {
        flights = [...flights, begin(ahead)];
        ahead = await read(ahead.to);
        continue;
      }
      const [first, ...rest] = flights;
      if (!first) break; // it was told to stop
      const applied = await first.applied.catch(async (error: unknown) => {
        await Promise.allSettled(rest.map((one) => one.applied));
        throw error;
      });
      const isWhole = applied !== undefined && applied.to === first.batch.to;
      if (applied) done.push(applied);
      else singlyTo = first.batch.to;
      flights = rest;
      if (isWhole) continue;
      // Those after it are met again in their turn: what they did is kept.
      await Promise.all(rest.map((one) => one.applied));
      flights = [];
      ahead = await read(applied ? applied.to : first.batch.from);
    }
    signal.throwIfAborted();
    return done;
  }

  async function step({ id, payload, checkpoint }: AsyncWork, signal: AbortSignal): Promise<AsyncStep> {
    const order = payload as unknown as ImportOrder; // as the door asked for it
    const place = checkpoint as unknown as Uploading | Applying | undefined; // what the last step left
    if (place?.stage !== 'apply')
      throw new FhirError(408, [issue('timeout', 'The upload broke off, and nothing was imported: send it again')]);
    const caller = await callerOf(order, id);
    if (place.piece >= place.pieces) return finish(order, place, caller);
    const piece = await book.readStep(id, INPUT, place.piece);
    if (!piece) throw new Error('a piece of an import is not there: it was cancelled, or is damaged');
    const applied = await applyPiece(caller, id, piece, place.line, signal);
    const faults = applied.flatMap((one) => one.faults).slice(0, Math.max(0, FAULTS_MAX - place.failed));
    const next: Applying = {
      ...place,
      ...sum([place, ...applied]),
      types: sumTypes([place, ...applied]),
      piece: place.piece + 1,
      line: place.line + linesOf(piece).length,
    };
    return {
      pieces:
        faults.length === 0
          ? []
          : [{ file: ERRORS, bytes: Buffer.from(faults.map(formatFault).join('')), count: faults.length }],
      checkpoint: { ...next },
      progress: `${next.line - 1} of ${next.lines} lines, ${next.failed} failed`,
    };
  }

  async function finish({ request }: ImportOrder, place: Applying, caller: Caller): Promise<AsyncStep> {
    const { lines, types } = place;
    const counts = sum([place]);
    const detail = Object.fromEntries(Object.entries({ lines, ...counts }).map(([name, n]) => [name, String(n)]));
    await audit.record({ kind: 'operation', operation: 'import', caller, outcome: 0, rule: 'done', detail });
    return {
      pieces: [],
      removes: INPUT,
      result: { transactionTime: new Date(now()).toISOString(), request, lines, ...counts, types },
    };
  }

  return {
    kind: IMPORT,
    step,
    isReady({ checkpoint, askedAt }) {
      const place = checkpoint as unknown as Uploading | Applying | undefined; // what the last step left
      return place?.stage === 'apply' || now() - (place?.at ?? askedAt) > UPLOAD_SILENCE_MS;
    },
    keptMs: options.keptMs ?? KEPT_MS,
    keepsAnswers: true,
  };
}

/** Whether no resource is written by both. */
const isApart = (one: Batch, other: Batch): boolean => one.updated.isDisjointFrom(other.updated);

/** The write of a line, which notes what is wrong with it in `faults` and is left out then. */
function leftOutIfFaulty({ line, write }: LineWrite, faults: LineFault[]): TransactionWrite {
  if (write.kind !== 'make' && write.kind !== 'update') return write;
  return {
    ...write,
    leaveOut(error) {
      faults.push(faultOf(line, error));
      return true;
    },
  };
}
