/** Composition of what people are told by e-mail about their accounts, where there is a mail server. docs/smart.md */
import type { Config } from './config.ts';
import { createSmtpSender } from './gateways/mail/smtp.ts';
import { createNoticeJobs } from './jobs/notice-jobs.ts';
import { noticeLifetimeMs } from './jobs/notice-mail.ts';
import type { JobSet } from './jobs/runner.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { Notify } from './ports/notify.ts';
import { createNotices } from './postgres/identity/notices.ts';
import type { Pools } from './postgres/pools.ts';

export interface AccountMailParts {
  readonly config: Pick<Config, 'smtpUrl' | 'mailFrom'>;
  /** How clients reach the server, without a trailing slash. */
  readonly url: string;
  readonly pools: Pools;
  readonly cipher: Cipher;
  readonly now: Clock;
}

export interface AccountMail {
  /** Keeps a message until it was sent. */
  readonly notify: Notify;
  readonly jobs: JobSet;
}

/** Undefined without SMTP_URL and MAIL_FROM. */
export function createAccountMail({ config, url, pools, cipher, now }: AccountMailParts): AccountMail | undefined {
  const { smtpUrl, mailFrom } = config;
  if (smtpUrl === undefined || mailFrom === undefined) return undefined;
  const notices = createNotices({ ...pools, cipher, now });
  const notify: Notify = async (notice) => {
    // Who signs in through a provider alone has no address that we know.
    if (!notice.to.endsWith('.invalid')) await notices.add(notice, noticeLifetimeMs(notice.kind));
  };
  return { notify, jobs: createNoticeJobs({ notices, send: createSmtpSender({ url: smtpUrl, from: mailFrom }), url }) };
}
