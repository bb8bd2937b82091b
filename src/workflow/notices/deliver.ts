/**
 * Takes notices to people. Whether they want them, when and where to is asked now, not as they were queued (SECURITY DP-10);
 * each goes out under the same id however often it is tried (RL-24), and says nothing of what a record holds (DP-07, IN-44).
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Cipher } from '../../ports/cipher.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { SendMail } from '../../ports/mail.ts';
import type { Delivery, NoticeBasis, NoticeBook, NoticeGroup, SendPush, SendText, Ways } from '../../ports/notices.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { ProcessingStop } from '../../ports/subject-rights.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { emailOf, languageOfPatient, mobileOf } from './contacts.ts';
import { createGroupDelivery, setApart } from './deliver-group.ts';
import { deliverGroup, deliverOne } from './follow.ts';
import type { NoticeCode, NoticeKind } from './kinds.ts';
import { unsubscribeToken } from './unsubscribe.ts';
import { judge } from './verdict.ts';
import { languageOf, noticeText } from './wording.ts';

type Node = Readonly<Record<string, unknown>>;

export interface DeliveryOptions {
  readonly store: Pick<ResourceStore, 'search' | 'transaction'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly book: NoticeBook;
  readonly addJobs: (jobs: readonly NewJob[]) => Promise<void>;
  readonly stop: ProcessingStop;
  readonly kinds: ReadonlyMap<string, NoticeKind>;
  /** Absent: there is no such way. */
  readonly mail?: SendMail | undefined;
  readonly text?: SendText | undefined;
  readonly push?: SendPush | undefined;
  /** Paragraphs of a pharmacy's digest as of now; undefined where nothing waits. */
  readonly digestOf: (pharmacyId: string) => Promise<string | undefined>;
  readonly cipher: Cipher;
  /** How people reach us, without a trailing slash. */
  readonly url: string;
  readonly now: () => number;
}

export interface NoticeDelivery {
  /** Several, each to somebody else. Rejects when some could not be sent now: those that were are settled. */
  deliver(ids: readonly string[]): Promise<void>;
  /** One that was apart; back among those that it is told of with, where it is of such a kind. */
  deliverOne(id: string): Promise<void>;
  /** All that waits to be told of together. */
  deliverGroup(group: NoticeGroup): Promise<void>;
  /** Whose record it speaks of. */
  patientsOf(id: string): Promise<readonly string[]>;
  /** They are given up, but for those apart, which have a job of their own. */
  bury(ids: readonly string[]): Promise<void>;
  buryOne(id: string): Promise<void>;
}

const SERVICE = serviceCaller('notices');
const AT_ONCE = 5;
const HOUR_MS = 60 * 60_000;
/** To one recipient by one channel in an hour, whatever happens: nobody is flooded. SECURITY IN-47 */
const HOURLY_MAX = 10;
const REFERENCES_MAX = 20;
const OF_PHARMACIES: ReadonlySet<string> = new Set<NoticeCode>(['pharmacy-digest', 'controlled-drug']);

export function createNoticeDelivery(options: DeliveryOptions): NoticeDelivery {
  const { store, searchOf, book, stop, kinds, cipher, url, now } = options;

  /** By reference; what is gone is not among them. */
  async function resourcesOf(references: readonly string[]): Promise<ReadonlyMap<string, Node>> {
    const found = new Map<string, Node>();
    for (const type of ['Patient', 'Practitioner', 'Organization', 'Communication']) {
      const ids = references.filter((one) => one.startsWith(`${type}/`)).map((one) => one.slice(type.length + 1));
      if (ids.length === 0) continue;
      const request = searchOf(type, `_count=${ids.length}`);
      const conditions = [...request.conditions, { kind: 'id', ids } as const];
      const { matches } = await store.search(SERVICE, { ...request, conditions, count: ids.length });
      for (const { id, content } of matches) found.set(`${type}/${id}`, parseJson(content) as Node); // stored: it is valid
    }
    return found;
  }

  /** Sends one message of these, all of one recipient, channel and kind, and settles them. */
  async function send(
    those: readonly Delivery[],
    basis: NoticeBasis,
    ways: Ways | undefined,
    who: Node,
  ): Promise<void> {
    const [first] = those as [Delivery]; // there is one at least
    const { channel, kind, recipient } = first;
    const ids = those.map(({ id }) => id);
    const [recipientType = '', recipientId = ''] = recipient.split('/');
    const digest = kind === 'pharmacy-digest' ? await options.digestOf(recipientId) : undefined;
    if (kind === 'pharmacy-digest' && digest === undefined) return book.settle(ids, { state: 'skipped', why: 'gone' });
    const isAlways = kinds.get(kind)?.isAlways === true;
    const unsubscribeUrl = isAlways
      ? undefined
      : `${url}/unsubscribe?t=${unsubscribeToken(cipher, { recipient, kind })}`;
    const link = url + (OF_PHARMACIES.has(kind) ? '/api/pharmacy/queue' : '/account');
    const { subject, text } = noticeText({
      kind,
      recipientType,
      channel,
      language: languageOf(ways?.preferences?.language ?? languageOfPatient(who)),
      count: those.length,
      references: kind === 'controlled-drug' ? await tokensOf(those) : [],
      ...(digest !== undefined && { digest }),
      link,
      ...(unsubscribeUrl !== undefined && { unsubscribeLink: unsubscribeUrl }),
    });
    const id = `notice-${first.id}`;
    const outcome = await sendBy({ id, subject, text, link, unsubscribeUrl }, first, ways, who);
    if (outcome === 'sent') await book.settle(ids, { state: 'sent', basis });
    else if (outcome === 'refused') await book.settle(ids, { state: 'dead', why: 'refused' });
    else await book.settle(ids, { state: 'skipped', why: outcome });
  }

  async function sendBy(
    message: {
      readonly id: string;
      readonly subject: string;
      readonly text: string;
      readonly link: string;
      readonly unsubscribeUrl: string | undefined;
    },
    { channel, recipient }: Delivery,
    ways: Ways | undefined,
    who: Node,
  ): Promise<'sent' | 'refused' | 'no-address' | 'no-channel'> {
    const { id, subject, text, link, unsubscribeUrl } = message;
    if (channel === 'email') {
      if (!options.mail) return 'no-channel';
      const to = ways?.accountEmail ?? emailOf(who, now());
      if (to === undefined) return 'no-address';
      return options.mail({ id, to, subject, text, ...(unsubscribeUrl !== undefined && { unsubscribeUrl }) });
    }
    if (channel === 'sms') {
      if (!options.text) return 'no-channel';
      const to = mobileOf(who, now());
      return to === undefined ? 'no-address' : options.text({ id, to, text });
    }
    return options.push ? pushTo(options.push, recipient, { id, title: subject, body: text, link }) : 'no-channel';
  }

  /** To every browser; the same id lets the push service put one message in the place of another that comes twice. */
  async function pushTo(
    push: SendPush,
    recipient: string,
    message: { readonly id: string; readonly title: string; readonly body: string; readonly link: string },
  ): Promise<'sent' | 'no-address'> {
    let sent = 0;
    const failures: unknown[] = [];
    for (const { id, ...to } of await book.pushSubscriptions(recipient))
      try {
        const outcome = await push({ ...message, to });
        if (outcome === 'sent') sent += 1;
        else await book.removePushSubscription(recipient, id);
      } catch (error) {
        failures.push(error);
      }
    if (failures.length > 0 && sent === 0) throw failures[0];
    return sent > 0 ? 'sent' : 'no-address';
  }

  /** Numbers of the tokens that the notices speak of; nothing else of their texts is taken. */
  async function tokensOf(those: readonly Delivery[]): Promise<readonly string[]> {
    const found = await resourcesOf(those.slice(0, REFERENCES_MAX).map(({ noticeId }) => `Communication/${noticeId}`));
    return [...found.values()].flatMap((one) => JSON.stringify(one['payload'] ?? []).match(/\bPHB-RX-\d{8}\b/g) ?? []);
  }

  /** By a job of its own. */
  const later = (delivery: Delivery, runAt?: number): Promise<void> =>
    delivery.isApart
      ? options.addJobs([deliverOne(delivery, runAt)])
      : setApart(store, [delivery], (one) => deliverOne(one, runAt));

  const giveUp = (ids: readonly string[]): Promise<void> => book.settle(ids, { state: 'dead' });

  async function work(those: readonly Delivery[]): Promise<void> {
    const recipients = [...new Set(those.map(({ recipient }) => recipient))];
    const patientIds = [...new Set(those.flatMap(({ patientId }) => patientId ?? []))];
    const [ways, resources, counts, restricted] = await Promise.all([
      book.waysOf(recipients),
      resourcesOf(recipients),
      book.countSent(recipients, now() - HOUR_MS),
      stop.restrictedAmong(patientIds),
    ]);
    const sentNow = new Map(counts);
    const failures: unknown[] = [];
    async function one(delivery: Delivery): Promise<void> {
      const { id, kind, recipient, channel, patientId } = delivery;
      // Alone it is held until the restriction ends, and holds nobody else's.
      if (patientId !== undefined && restricted.has(patientId)) return later(delivery);
      const verdict = judge(kinds.get(kind), delivery, ways.get(recipient), resources.get(recipient), now());
      if (verdict.do === 'skip') return book.settle([id], { state: 'skipped', why: verdict.why });
      if (verdict.do === 'wait') return later(delivery, now() + verdict.ms);
      const key = `${recipient} ${channel}`;
      const count = sentNow.get(key) ?? 0;
      if (count >= HOURLY_MAX) return book.settle([id], { state: 'skipped', why: 'too-many' });
      sentNow.set(key, count + 1);
      await send([delivery], verdict.basis, ways.get(recipient), resources.get(recipient) as Node); // `judge` has looked
    }
    for (let from = 0; from < those.length; from += AT_ONCE) {
      const settled = await Promise.allSettled(those.slice(from, from + AT_ONCE).map(one));
      failures.push(...settled.flatMap((result) => (result.status === 'rejected' ? [result.reason] : [])));
    }
    if (failures.length > 0) throw failures[0];
  }

  const workGroup = createGroupDelivery({ ...options, resourcesOf, send });

  return {
    deliver: async (ids) => work((await book.findWaiting(ids)).filter(({ isApart }) => !isApart)),
    async deliverOne(id) {
      const [delivery] = await book.findWaiting([id]);
      if (!delivery) return;
      if (kinds.get(delivery.kind)?.groupMs === undefined) return work([delivery]);
      await store.transaction(SERVICE, async (tx) => {
        await tx.notices.rejoin([id]);
        await tx.jobs.add([deliverGroup(delivery)]);
      });
    },
    async deliverGroup(group) {
      const kind = kinds.get(group.kind);
      if (kind) await workGroup(group, kind);
    },
    async patientsOf(id) {
      const [delivery] = await book.findWaiting([id]);
      return delivery?.patientId === undefined ? [] : [delivery.patientId];
    },
    async bury(ids) {
      const those = (await book.findWaiting(ids)).filter(({ isApart }) => !isApart);
      await giveUp(those.map(({ id }) => id));
    },
    buryOne: (id) => giveUp([id]),
  };
}
