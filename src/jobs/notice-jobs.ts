/** Sends what people are to be told: again while the mail server does not answer, to the dead letters when it refuses. */
import type { SendMail } from '../ports/mail.ts';
import type { NoticeJobKind, NoticeStore } from '../ports/notify.ts';
import { toMail } from './notice-mail.ts';
import { type JobSet, PermanentJobError } from './runner.ts';

export interface NoticeJobsOptions {
  readonly notices: NoticeStore;
  readonly send: SendMail;
  /** How people reach us, without a trailing slash. */
  readonly url: string;
}

const KIND: NoticeJobKind = 'notice-send';
const RETRY = { attemptsMax: 12, delayMs: 5_000, delayMaxMs: 30 * 60_000 };

export function createNoticeJobs({ notices, send, url }: NoticeJobsOptions): JobSet {
  return {
    handlers: [
      {
        kind: KIND,
        ...RETRY,
        async run({ payload }) {
          const id = String(payload['notice']);
          const notice = await notices.find(id);
          if (!notice) return;
          if ((await send(toMail(id, notice, url))) === 'refused')
            throw new PermanentJobError('the mail server refuses the message');
          await notices.remove(id);
        },
      },
    ],
    schedules: [],
  };
}
