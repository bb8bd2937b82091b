/** Why the database could not be made ready; `server.ts` turns the reason into an exit code. */
export type StartTrouble =
  /** Another living Mortar uses the data folder. */
  | 'folder-in-use'
  /** The data folder cannot be made, written or entered. */
  | 'folder'
  /** No database answers. */
  | 'unreachable'
  /** The database is too old, or its settings would lose acknowledged writes. */
  | 'unsuitable'
  /** A file that a setting names cannot be used. */
  | 'configuration'
  /** A migration failed, stopped half way, or the database is newer than this release. */
  | 'migration';

/** A start that cannot go on for a reason the operator can mend; the message says how, without a stack. */
export class StartError extends Error {
  readonly trouble: StartTrouble;

  constructor(trouble: StartTrouble, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    this.name = 'StartError';
    this.trouble = trouble;
  }
}
