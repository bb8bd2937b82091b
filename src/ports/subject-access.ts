/** Copies of their record that patients ask for. `src/postgres/subject-access/` implements it. SECURITY DP-03 */

/** For machines, and for people. */
export type CopyForm = 'bundle' | 'html';

/** `gone`: its time is over, or it was taken back; nothing of its content is left. */
export type CopyState = 'waiting' | 'ready' | 'failed' | 'gone';

export interface CopyCounts {
  readonly resources: number;
  readonly messages: number;
  readonly visits: number;
}

export interface NewCopy {
  readonly id: string;
  readonly patientId: string;
  /** User, or program where nobody is behind it. */
  readonly askedBy: string;
  /** Asked for by somebody on the patient's behalf: why. Kept sealed. */
  readonly reason?: string;
  /** ms UTC */
  readonly askedAt: number;
}

export interface SubjectCopy extends NewCopy {
  readonly state: CopyState;
  readonly counts: CopyCounts;
  /** ms UTC */
  readonly readyAt?: number;
  readonly expiresAt?: number;
}

/** How far the making of a copy has come. */
export interface CopyProgress {
  /** Grows with every page, so that of two who work on a copy one wins. */
  readonly page: number;
  readonly step: number;
  /** Place within the step. */
  readonly cursor?: string;
  readonly counts: CopyCounts;
}

export interface CopyBook {
  /** False when one is waiting for this patient, or as many as there may be were asked for since `since` (ms UTC). */
  ask(copy: NewCopy, limit: { readonly max: number; readonly since: number }): Promise<boolean>;
  find(id: string): Promise<SubjectCopy | undefined>;
  /** Newest first: of these patients, and what this person has asked for. */
  list(
    of: { readonly patientIds: readonly string[]; readonly askedBy: string },
    limit: number,
  ): Promise<readonly SubjectCopy[]>;
  /** Undefined unless it is waiting. */
  progress(id: string): Promise<CopyProgress | undefined>;
  /** Keeps one page, sealed, together with how far it has come. False when somebody else was there first. */
  append(id: string, done: CopyProgress, page: Readonly<Record<CopyForm, string>>): Promise<boolean>;
  /** Throws away what there is of it, to begin anew. */
  restart(id: string): Promise<void>;
  finish(id: string, times: { readonly readyAt: number; readonly expiresAt: number }): Promise<void>;
  fail(id: string): Promise<void>;
  /** The pages of a copy that is ready, one after another; ends early, with an error, when it goes meanwhile. */
  pages(id: string, form: CopyForm): AsyncIterable<Buffer>;
  /** Waiting ones, oldest first. */
  waiting(limit: number): Promise<readonly string[]>;
  /** Removes the content and the key of those that are over at `now` (ms UTC); resolves to what has gone. */
  expire(now: number, limit: number): Promise<readonly Pick<SubjectCopy, 'id' | 'patientId'>[]>;
}

/** What has been deleted of a patient's record. */
export interface DeletedRecord {
  readonly type: string;
  readonly id: string;
  /** ms UTC */
  readonly deletedAt: number;
}

export interface DeletedRecords {
  /** Oldest first. */
  list(
    patientId: string,
    limit: number,
    cursor?: string,
  ): Promise<{ readonly records: readonly DeletedRecord[]; readonly next?: string }>;
}
