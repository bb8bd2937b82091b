/**
 * Requests that are answered later: `Prefer: respond-async`, bulk data. `src/postgres/async-requests.ts` keeps them, the
 * job `async-request` (`src/jobs/async-jobs.ts`) carries them out step by step. https://hl7.org/fhir/R4/async.html
 */
import type { Issue } from '../standards/fhir/outcome.ts';

/** `gone`: its time is over; nothing of its content is left. */
export type AsyncState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'gone';

/** Plain JSON: kept sealed. */
export type AsyncValue = Readonly<Record<string, unknown>>;

export interface NewAsyncRequest {
  /** A UUID, not to be guessed: it stands in the URL of the status. */
  readonly id: string;
  /** Which `AsyncWorker` does it: `interaction`, `export` … */
  readonly kind: string;
  /** Who alone may hear of it: `ownerOf` of the caller. */
  readonly owner: string;
  /** What is to be done, with the caller's rights. */
  readonly payload: AsyncValue;
  /** ms UTC */
  readonly askedAt: number;
}

export interface AsyncFailure {
  /** HTTP status. */
  readonly status: number;
  readonly issues: readonly Issue[];
}

export interface AsyncFile {
  readonly name: string;
  /** Bytes, and whatever the worker counts (resources). */
  readonly length: number;
  readonly count: number;
}

export interface AsyncRequest extends NewAsyncRequest {
  readonly state: AsyncState;
  /** Words or numbers without any patient's data, at most 100 characters: `X-Progress`. */
  readonly progress?: string;
  /** What the worker made of it, besides the files; of `done`. */
  readonly result?: AsyncValue;
  /** Of `failed`. */
  readonly failure?: AsyncFailure;
  /** When it ended, ms UTC. */
  readonly endedAt?: number;
  /** Until when its result is kept, ms UTC. */
  readonly expiresAt?: number;
}

/** Where the work on a request stands. */
export interface AsyncWork extends NewAsyncRequest {
  /** Steps that are kept. */
  readonly step: number;
  /** Whether some worker began before, and did not come to the end of its step. */
  readonly isInterrupted: boolean;
  /** What the last step left for the next. */
  readonly checkpoint?: AsyncValue;
}

/** A part of a file of the result; parts of one name follow one another. */
export interface AsyncPiece {
  readonly file: string;
  readonly bytes: Buffer;
  readonly count: number;
  /** The bytes are packed, by `AsyncRequests.pack`: so many they were before. */
  readonly packedFrom?: number;
}

export interface AsyncStep {
  readonly pieces: readonly AsyncPiece[];
  readonly checkpoint?: AsyncValue;
  readonly progress?: string;
  /** A file of which nothing that was kept before is needed any more. */
  readonly removes?: string;
  /** All is done. */
  readonly result?: AsyncValue;
}

/** When a request ended, and until when what came of it is kept; ms UTC. */
export interface AsyncTimes {
  readonly endedAt: number;
  readonly expiresAt: number;
}

/** Does requests of one kind. */
export interface AsyncWorker {
  readonly kind: string;
  /**
   * Makes the next step; what it throws as `FhirError` below 500 ends the request with it, other errors are tried again.
   * A step that was interrupted is made again: a worker that must not do so looks at `isInterrupted`.
   */
  step(work: AsyncWork, signal: AbortSignal): Promise<AsyncStep>;
  /** False while what the work needs is still on its way: it is looked at again a little later. */
  isReady?(work: AsyncWork): boolean;
  /** How long the result is kept, ms. */
  readonly keptMs: number;
  /** Its steps keep answers of their own in the store's transactions, which stay while there is work. */
  readonly keepsAnswers?: true;
}

export interface AsyncRequests {
  /** False when the owner has `ownerMax` that are neither over nor gone, or everybody together `max`. */
  ask(request: NewAsyncRequest, limit: { readonly ownerMax: number; readonly max: number }): Promise<boolean>;
  /** Undefined also for what is no id. */
  find(id: string): Promise<AsyncRequest | undefined>;
  /** What is to be done next, and marks it as begun; undefined when there is nothing to do (any more). */
  begin(id: string): Promise<AsyncWork | undefined>;
  /** The piece as it is kept in less room; worth its time from some kilobytes on. */
  pack(piece: AsyncPiece): Promise<AsyncPiece>;
  /**
   * Keeps a step that began at `step`, whole or not at all, and with `result` ends the request; false when the request was cancelled, or somebody else was
   * there first. Throws `tooCostly` where the result would pass `RESULT_BYTES_MAX`.
   */
  append(id: string, step: number, done: AsyncStep, times: AsyncTimes): Promise<boolean>;
  /** Ends it without a result; nothing happens where it is over. */
  fail(id: string, failure: AsyncFailure, times: AsyncTimes): Promise<void>;
  /** Ends it, and removes what there is of its result; false where it is over. */
  cancel(id: string): Promise<boolean>;
  files(id: string): Promise<readonly AsyncFile[]>;
  /** The bytes of a file, piece by piece; ends early, with an error, when it goes meanwhile. */
  readFile(id: string, file: string): AsyncIterable<Buffer>;
  /** What one step kept of a file, while the request is running; undefined where there is nothing. */
  readStep(id: string, file: string, step: number): Promise<Buffer | undefined>;
  /** Not yet over, oldest first: for jobs that were lost. */
  waiting(limit: number): Promise<readonly Pick<AsyncRequest, 'id' | 'kind'>[]>;
  /** Removes content and key of those whose time is over at `now`, and the rows a day later. Resolves to what has gone. */
  expire(now: number, limit: number): Promise<readonly Pick<AsyncRequest, 'id' | 'kind' | 'owner'>[]>;
}
