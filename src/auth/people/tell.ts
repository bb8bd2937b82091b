/** Tells people about their account without anybody waiting for it: an answer's time must not say whether there was one. */
import type { Log } from '../../ports/log.ts';
import type { Notice, Notify } from '../../ports/notify.ts';

export type Tell = (notice: Notice) => void;

export const createTell =
  (notify: Notify, log: Log): Tell =>
  (notice) => {
    notify(notice).catch((error: unknown) => log.error('a notice could not be sent', { kind: notice.kind, error }));
  };
