/** Composition of notices: who is told of what outside the app, and the ways there. docs/notifications.md */
import { join } from 'node:path';
import { AnsweredError, fetchGuarded } from './auth/oauth/guarded-fetch.ts';
import type { Config } from './config.ts';
import { every } from './every.ts';
import { createMailbox } from './gateways/mail/mailbox.ts';
import { createSmtpSender } from './gateways/mail/smtp.ts';
import { createWebPush } from './gateways/push/web-push.ts';
import { createHttpSms } from './gateways/sms/http-sms.ts';
import { createDeliveryJobs } from './jobs/delivery-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import { openPushKey, type PushKey } from './pki/push-key.ts';
import { KeyFileError } from './pki/secret-file.ts';
import type { Cipher } from './ports/cipher.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { NoticeChannel, Post } from './ports/notices.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import type { ProcessingStop } from './ports/subject-rights.ts';
import { createNoticeBook } from './postgres/notices.ts';
import type { Pools } from './postgres/pools.ts';
import { StartError } from './postgres/start-error.ts';
import type { OpenStore } from './postgres/store.ts';
import type { RequestHandler } from './rest/http-server.ts';
import { createMailboxPage } from './rest/mailbox-page.ts';
import { createOperatorAccess } from './rest/operator-access.ts';
import type { RateLimits } from './rest/rate-limit.ts';
import { createNotificationRoutes } from './rest/workflow/notification-routes.ts';
import type { WorkflowRoute } from './rest/workflow/route.ts';
import { createUnsubscribeRoutes } from './rest/workflow/unsubscribe-routes.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import { createNoticeDelivery } from './workflow/notices/deliver.ts';
import { createNoticeFollow } from './workflow/notices/follow.ts';
import { noticeKinds } from './workflow/notices/kinds.ts';
import { createCodeWays, type FindCodeWay } from './workflow/notices/send-code.ts';

export interface NoticeParts {
  readonly config: Pick<
    Config,
    | 'nodeEnv'
    | 'smtpUrl'
    | 'mailFrom'
    | 'smsUrl'
    | 'smsToken'
    | 'smsSender'
    | 'pushTargets'
    | 'alertGroupMinutes'
    | 'alertMailsAWeek'
    | 'messageTimeZone'
    | 'messageRetentionDays'
    | 'metricsToken'
  >;
  readonly dataDir: string;
  readonly pools: Pools;
  readonly cipher: Cipher;
  /** How people reach us, without a trailing slash. */
  readonly url: string;
  /** Audited. */
  readonly store: ResourceStore;
  /** Not audited: what is told says nothing of the record. */
  readonly plain: OpenStore;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly limits: RateLimits;
  readonly stop: ProcessingStop;
  readonly digestOf: (pharmacyId: string) => Promise<string | undefined>;
  readonly now: Clock;
  readonly log: Log;
}

export interface Notices {
  readonly routes: readonly WorkflowRoute[];
  /** By the beginnings of their paths. */
  readonly doors: readonly (readonly [prefix: string, handle: RequestHandler])[];
  readonly jobs: JobSet;
  /** How a code gets to a patient, at once. */
  readonly findCodeWay: FindCodeWay;
  /** Begins to follow the change log. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const POLL_MS = 1000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export function openNotices(parts: NoticeParts): Notices {
  const { config, pools, cipher, url, plain, store, searchOf, limits, now, log } = parts;
  const book = createNoticeBook({ ...pools, cipher, now });
  const pushKey = openKey(parts.dataDir);
  const mailbox = config.nodeEnv === 'production' ? undefined : createMailbox(now);
  const { mail, text, push } = openWays(parts, pushKey, mailbox);
  const channels: readonly NoticeChannel[] = [
    ...(mail ? (['email'] as const) : []),
    ...(text ? (['sms'] as const) : []),
    'push',
  ];
  const kinds = noticeKinds({
    alertGroupMs: config.alertGroupMinutes * MINUTE_MS,
    alertsAWeek: config.alertMailsAWeek,
  });
  const follow = createNoticeFollow({ store: plain, changes: plain.changes, book, kinds, channels, now });
  const delivery = createNoticeDelivery({
    ...parts,
    store: plain,
    book,
    addJobs: (jobs) => plain.jobs.add(jobs),
    kinds,
    mail,
    text,
    push,
  });
  let stop: (() => Promise<void>) | undefined;
  return {
    findCodeWay: createCodeWays({ store: plain, book, stop: parts.stop, text, now }),
    routes: [
      ...createNotificationRoutes({
        store,
        searchOf,
        book,
        kinds,
        channels,
        pushKey: pushKey.publicKey,
        pushTargets: config.pushTargets,
        timeZone: config.messageTimeZone,
      }),
      ...createUnsubscribeRoutes({ book, cipher, limits }),
    ],
    doors: mailbox
      ? [
          [
            '/dev/mailbox',
            createMailboxPage({ list: mailbox.list, isOperator: createOperatorAccess(config.metricsToken) }),
          ],
        ]
      : [],
    jobs: createDeliveryJobs({ delivery, book, keptMs: config.messageRetentionDays * DAY_MS, now }),
    async start() {
      // From here on nothing is passed over.
      await follow();
      stop = every(POLL_MS, follow, (error) => log.warn('people could not be told of what is new', { error, url }));
    },
    stop: async () => stop?.(),
  };
}

/** Where nothing is set, and it is not production, messages stay in the mailbox. */
function openWays(
  { config, url, now }: NoticeParts,
  { key, publicKey }: PushKey,
  mailbox: ReturnType<typeof createMailbox> | undefined,
) {
  const { smtpUrl, mailFrom, smsUrl, smsToken, smsSender, pushTargets } = config;
  const isSmtp = smtpUrl !== undefined && mailFrom !== undefined;
  const contact = mailFrom === undefined ? url : `mailto:${mailFrom}`;
  return {
    mail: isSmtp ? createSmtpSender({ url: smtpUrl, from: mailFrom }) : mailbox?.sendMail,
    text:
      smsUrl === undefined
        ? mailbox?.sendText
        : createHttpSms({
            url: smsUrl,
            // The operator's own choice may lie in their own network.
            post: guardedPost(new Set([hostOf(smsUrl)])),
            ...(smsToken !== undefined && { token: smsToken }),
            ...(smsSender !== undefined && { sender: smsSender }),
          }),
    push: createWebPush({ vapid: { key, publicKey, contact }, post: guardedPost(pushTargets), now }),
  };
}

/** To the public network alone, and wherever the operator says. SECURITY IN-40 */
function guardedPost(allowed: ReadonlySet<string> | undefined): Post {
  return async ({ url, headers, bytes, timeoutMs }) => {
    try {
      await fetchGuarded(url, {
        bytesMax: 0,
        timeoutMs,
        ...(allowed && { allowed }),
        send: { method: 'POST', headers, bytes },
      });
      return 200;
    } catch (error) {
      if (error instanceof AnsweredError) return error.status;
      throw error;
    }
  };
}

const hostOf = (address: string): string => {
  const { hostname, port, protocol } = new URL(address);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
};

function openKey(dataDir: string): PushKey {
  try {
    return openPushKey(join(dataDir, 'keys', 'push.key'));
  } catch (error) {
    throw error instanceof KeyFileError ? new StartError('folder', error.message, error) : error;
  }
}
