import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createNoticeJobs } from '../../src/jobs/notice-jobs.ts';
import { noticeLifetimeMs, toMail } from '../../src/jobs/notice-mail.ts';
import { createJobRunner, type JobRunner } from '../../src/jobs/runner.ts';
import { createCipher } from '../../src/pki/key-file.ts';
import type { Mail, SendMail } from '../../src/ports/mail.ts';
import type { Notice, NoticeStore } from '../../src/ports/notify.ts';
import { createNotices } from '../../src/postgres/identity/notices.ts';
import { createJobs } from '../../src/postgres/jobs.ts';
import { type IdentityStore, openIdentityStore } from '../support/identity-store.ts';
import { silentLog } from '../support/log.ts';

const URL = 'https://fhir.example.org/mortar';
const LINK = `${URL}/reset/${'x'.repeat(43)}`;
const RESET: Notice = { kind: 'reset', to: 'nell@example.org', name: 'Nell Ashworth', link: LINK };
const KINDS: readonly Notice['kind'][] = [
  'reset',
  'verify-email',
  'already-registered',
  'recovery-code-used',
  'password-changed',
  'second-factor-changed',
  'second-factor-removed',
  'security-key-added',
  'security-key-removed',
  'app-access-ended',
];

describe('jobs › notices', () => {
  let store: IdentityStore;
  let notices: NoticeStore;
  let runner: JobRunner | undefined;
  const sent: Mail[] = [];
  let answers: (() => 'sent' | 'refused')[] = [];
  before(async () => {
    store = await openIdentityStore();
    const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
    notices = createNotices({ ...store.pools, now: store.clock.now, cipher });
  });
  beforeEach(() => {
    sent.length = 0;
    answers = [];
  });
  afterEach(async () => {
    await runner?.stop(1_000);
    runner = undefined;
  });
  after(() => store.stop());

  const table = () => createJobs({ ...store.pools, now: store.clock.now });
  const send: SendMail = async (mail) => {
    const answer = answers.shift()?.() ?? 'sent';
    if (answer === 'sent') sent.push(mail);
    return answer;
  };
  const start = (): void => {
    const { handlers } = createNoticeJobs({ notices, send, url: URL });
    runner = createJobRunner({
      table: table(),
      handlers: handlers.map((handler) => ({ ...handler, delayMs: 1, delayMaxMs: 2 })),
      concurrency: 1,
      pollMs: 10,
      now: store.clock.now,
      log: silentLog,
    });
  };
  async function until(done: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; i < 500 && !(await done()); i += 1) {
      await sleep(10);
      store.clock.pass(10);
    }
    expect(await done()).equal(true);
  }
  const rows = async (name: string): Promise<number> =>
    (await store.pools.writes.query({ text: `select 1 from ${name}`, values: [] })).length;

  it('[ST-13] [DP-06] what waits lies sealed, and its job holds an id', async () => {
    await notices.add(RESET, 60_000);
    const text = `${await store.dump()} ${(
      await store.pools.writes.query({
        text: "select payload::text || coalesce(error, '') from mortar.job",
        values: [],
      })
    ).join()}`;
    expect(text).not.match(/nell|Ashworth|xxxx/i);
    start();
    await until(() => sent.length === 1);
    expect(sent[0]).include({ to: RESET.to });
    expect(sent[0]?.text).include(LINK);
    await until(async () => (await rows('auth.notice')) + (await rows('mortar.job')) === 0);
  });

  it('[RL-16] is sent again until it goes, under one id', async () => {
    await notices.add(RESET, 60_000);
    const ids = new Set<string>();
    const fail = () => {
      throw new Error('the mail server did not take a message (ECONNECTION)');
    };
    answers = [fail, fail];
    start();
    await until(() => sent.length === 1);
    for (const { id } of sent) ids.add(id);
    expect(ids.size).equal(1);
    await until(async () => (await rows('mortar.job')) === 0);
    expect(sent).length(1);
  });

  it('[RL-17] what the mail server refuses is a dead letter, and is sent when it is replayed', async () => {
    await notices.add(RESET, 600_000);
    answers = [() => 'refused'];
    start();
    await until(async () => (await table().list('dead', 10)).length === 1);
    const [dead] = await table().list('dead', 10);
    expect(dead).include({ kind: 'notice-send', error: 'the mail server refuses the message' });
    await table().replay({ kind: 'notice-send' });
    await until(() => sent.length === 1);
    await until(async () => (await rows('auth.notice')) === 0);
  });

  it('a link that is not good any more is not sent', async () => {
    await notices.add(RESET, 60_000);
    store.clock.pass(60_000);
    start();
    await until(async () => (await rows('mortar.job')) === 0);
    expect(sent).length(0);
  });

  for (const kind of KINDS)
    it(`[DP-07] [IN-44] ${kind}: no name, no health, only links to our own pages`, () => {
      const link = kind === 'reset' || kind === 'verify-email' ? LINK : undefined;
      const name = '<b>Nell Ashworth</b>';
      const mail = toMail('id-1', { kind, to: RESET.to, name, left: 3, ...(link !== undefined && { link }) }, URL);
      expect(`${mail.subject} ${mail.text}`).not.match(/Nell|Ashworth|<|\$|undefined|NHS|prescri|medic|appointment/i);
      expect([...mail.text.matchAll(/https?:\S+/g)].map(([url]) => url.startsWith(`${URL}/`))).not.include(false);
      if (link !== undefined) expect(mail.text).include(link);
      expect(noticeLifetimeMs(kind)).within(30 * 60_000, 3 * 86_400_000);
      expect(mail.subject).not.match(/\p{Cc}/u);
    });

  it('[IN-44] a link to somebody else is not sent', () => {
    for (const link of ['https://evil.example/reset/x', `${URL}.evil.example/reset/x`, 'javascript:alert(1)'])
      expect(() => toMail('id', { ...RESET, link }, URL)).throw('somebody else');
  });
});
