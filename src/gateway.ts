/** Composition of the gateway: the dialects, the way in they share, the jobs behind them. docs/gateway.md */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Config } from './config.ts';
import type { Dialect } from './gateways/dialect.ts';
import { createHl7v2Dialect } from './gateways/hl7v2/dialect.ts';
import { createPartnerQueries } from './gateways/partner-queries.ts';
import { createPartners } from './gateways/partners.ts';
import { createReceiver } from './gateways/receive.ts';
import { createScriptDialect } from './gateways/script/dialect.ts';
import { telecomDialect } from './gateways/telecom/dialect.ts';
import { createV2Doors } from './hl7v2-doors.ts';
import { openV2Feeds } from './hl7v2-feeds.ts';
import { readPartnerFiles } from './hl7v2-partners.ts';
import { createMergeJobs } from './jobs/merge-jobs.ts';
import { createMessageJobs } from './jobs/message-jobs.ts';
import { type Carrier, createJobRunner, type JobRunner, type JobSet } from './jobs/runner.ts';
import type { ContextLog } from './log.ts';
import { convertFromV3 } from './mapping/eps/inbound/convert-from-v3.ts';
import { createNcpdp } from './ncpdp.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Caller } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { EpcsArchive } from './ports/epcs.ts';
import type { MessageFilter, StoredMessage } from './ports/message-log.ts';
import type { PartnerOf } from './ports/partner.ts';
import type { Resource } from './ports/resource-store.ts';
import type { ProcessingStop } from './ports/subject-rights.ts';
import type { OpenStore } from './postgres/store.ts';
import { reconcile } from './reconciliation.ts';
import { admit, type Door } from './rest/door.ts';
import { createMessageApi } from './rest/message-api.ts';
import type { MessageDesk, MessageView, Replayed } from './rest/message-desk.ts';
import type { GatewayStats } from './rest/metrics.ts';
import { parseJson } from './standards/fhir/json.ts';
import { badRequest } from './standards/fhir/outcome.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { ApplyMessageServices } from './workflow/apply-message.ts';
import { createApplyMessage } from './workflow/apply-message.ts';
import { moveRest } from './workflow/merge-patients.ts';

export interface GatewayParts extends Omit<ApplyMessageServices, 'newId'> {
  readonly config: Config;
  readonly store: OpenStore;
  readonly door: Door;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** Works a message again that came as FHIR, by `$process-message`. */
  readonly reprocessFhir: (id: string, raw: Buffer) => Promise<Replayed>;
  readonly epcsArchive: EpcsArchive;
  /** Names the Redis queue after the database. */
  readonly queueName: string;
  readonly now: Clock;
  readonly log: ContextLog;
  /** Jobs of other parts, run beside those of messages. */
  readonly moreJobs?: readonly JobSet[];
  /** Whose data may only be stored. */
  readonly stop?: ProcessingStop;
  /** Whom certificates name, and the listener for those who send HL7 v2 over mutual TLS. */
  readonly partners?: PartnerDoors | undefined;
  readonly observeMessage: ((dialect: string, verdict: string, ms: number) => void) | undefined;
}

/** What only certificates open. SECURITY PK-09, PK-15 */
export interface PartnerDoors {
  readonly partnerOf: PartnerOf;
  /** For a partner without a token. */
  readonly authenticate: Authenticate;
  /** TLS that lets in none but partners. */
  readonly createServer: (serve: (socket: Socket) => void) => Server;
}

type RequestHandler = (req: IncomingMessage, res: ServerResponse) => void;

export interface Gateway {
  /** `POST /ncpdp/script` */
  readonly script: RequestHandler;
  /** `POST /hl7v2` */
  readonly hl7v2: RequestHandler;
  /** Paths below `/gateway`. */
  readonly messages: RequestHandler;
  /** Opens the MLLP listener and begins to run jobs. Rejects with the system's error when the port is taken. */
  start(): Promise<{ readonly mllpPort: number | undefined; readonly mllpsPort: number | undefined }>;
  /** What a message of the log translates to today, as a Bundle; undefined where it cannot be read. */
  translate(message: StoredMessage): Resource | undefined;
  stats(): GatewayStats;
  stop(timeoutMs: number): Promise<void>;
}

const GATEWAY = serviceCaller('gateway');
const MEDIA_TYPES = new Map([
  ['hl7v2', 'x-application/hl7-v2+er7'],
  ['script', 'application/xml'],
  ['telecom', 'application/vnd.ncpdp.telecom'],
  ['fhir', 'application/fhir+json'],
]);
/** Messages that one replay of many may queue. */
const REPLAY_MAX = 10_000;
const REPLAY_PAGE = 500;

export function createGateway(parts: GatewayParts): Gateway {
  const { config, store, searchOf, door, partners, now, log } = parts;
  const { messages, jobs } = store;
  const scriptDialect = createScriptDialect({ receivers: config.scriptAddresses });
  const dialects = new Map<string, Dialect>();
  const partnerFiles = readPartnerFiles(config.hl7v2PartnersFolder);
  const hl7v2Dialect = createHl7v2Dialect((sender) => partnerFiles.get(sender));
  for (const dialect of [hl7v2Dialect, scriptDialect, telecomDialect]) dialects.set(dialect.name, dialect as Dialect);
  const partnerships = createPartners({
    store,
    caller: GATEWAY,
    searchOf,
    unknownPartners: config.unknownPartners,
    now,
  });
  const receiver = createReceiver({
    messages,
    store,
    apply: createApplyMessage({ ...parts, criteriaOf: remembered(parts.criteriaOf), newId: store.newId }),
    isPartner: partnerships.isPartner,
    find: createPartnerQueries({ store, searchOf, partnerships }),
    timeZone: config.messageTimeZone,
    now,
    log,
    onForged: ({ organizationId }, { kind, sender = '' }) => tellForged(parts, organizationId, kind, sender),
    ...(parts.observeMessage && { observe: parts.observeMessage }),
  });

  const feeds = openV2Feeds({ ...parts, sentTo: (receiver) => partnerFiles.get(receiver)?.send });
  const messageDoor: Door = { ...door, ...(partners && { authenticate: partners.authenticate }) };
  const admitSender = async (req: IncomingMessage): Promise<void> =>
    void (await admit(messageDoor, req, 'messages:send'));
  const v2 = createV2Doors({
    config,
    store,
    receive: (raw, partner) => receiver.receive(hl7v2Dialect, raw, undefined, partner),
    acknowledge: feeds?.acknowledge,
    admit: admitSender,
    partners,
    now,
    log,
  });

  /** Sends a dead letter to its partner after all: the same bytes, under the same control id. */
  async function resend(message: StoredMessage): Promise<Replayed> {
    // SCRIPT asks again under the same MessageID, so that what is unknown may be sent as well.
    const isOpen = message.state === 'dead' || (message.dialect === 'script' && message.state === 'unknown');
    if (!isOpen || !['hl7v2', 'script'].includes(message.dialect))
      throw badRequest('Only messages that came in, and dead letters to HL7 v2 and SCRIPT partners, can be replayed');
    const job = message.dialect === 'script' ? ncpdp.jobOf(message) : await feeds?.jobOf(message);
    if (!job) throw badRequest('Nothing is sent to this receiver');
    await jobs.add([job]);
    return { id: message.id, verdict: 'queued', answer: Buffer.alloc(0) };
  }

  async function reprocess(message: StoredMessage): Promise<Replayed> {
    const dialect = dialects.get(message.dialect);
    if (dialect) return receiver.process(dialect, message.id, message.raw);
    if (message.dialect === 'fhir') return parts.reprocessFhir(message.id, message.raw);
    throw badRequest(`Messages of dialect ${message.dialect} cannot be replayed`);
  }

  const ncpdp = createNcpdp({
    config,
    store,
    dialect: scriptDialect,
    receiver,
    isPartner: partnerships.isPartner,
    door: messageDoor,
    partnerOf: partners?.partnerOf,
    archive: parts.epcsArchive,
    now,
    log,
  });
  const desk: MessageDesk = {
    messages,
    jobs,
    view: (message) => viewOf(dialects.get(message.dialect), message, config.messageTimeZone),
    lineage(message) {
      const dialect = dialects.get(message.dialect);
      const read = dialect?.read(message.raw).message;
      if (read === undefined) return undefined;
      return dialect?.lineage?.(read, { receivedAt: message.receivedAt, timeZone: config.messageTimeZone });
    },
    queueScript: (caller, bundle, parties) => ncpdp.queue(caller, bundle, parties),
    epcsReport: (day) => parts.epcsArchive.report(day),
    async replay(caller, id, corrected) {
      const message = await messages.read(caller, id);
      if (message.direction !== 'in') {
        if (corrected !== undefined) throw badRequest('A message that is sent is corrected in the record it tells of');
        return resend(message);
      }
      if (message.relation?.kind === 'conflict')
        throw badRequest('Its control id stands for another message: it is sent again under one of its own');
      if (corrected === undefined && message.isCorrected)
        throw badRequest('A correction of this message has been applied: it stands');
      if (corrected === undefined) return reprocess(message);
      const dialect = dialects.get(message.dialect);
      if (!dialect) throw badRequest(`A correction of a ${message.dialect} message is sent as a message of its own`);
      return receiver.receive(dialect, corrected, message.relation?.firstId ?? message.id);
    },
    replayMany: async (caller, filter) =>
      filter.direction === 'out' ? ((await feeds?.resendMany(caller, filter)) ?? 0) : queueAll(parts, caller, filter),
    reconcile: (caller, filter, cursor) =>
      reconcile(
        { ...parts, dialect: hl7v2Dialect as Dialect, timeZone: config.messageTimeZone },
        caller,
        filter,
        cursor,
      ),
    mediaTypeOf: (dialect) => MEDIA_TYPES.get(dialect) ?? 'application/octet-stream',
  };
  let runners: readonly JobRunner[] = [];
  return {
    script: ncpdp.script,
    hl7v2: v2.http,
    messages: createMessageApi({
      desk,
      door,
      bodyBytesMax: config.messageBytesMax,
      onError: (error) => log.error('a request failed', { error }),
    }),
    translate(message) {
      if (message.dialect === 'eps') return readSpineMessage(message, parts.now());
      const view = viewOf(dialects.get(message.dialect), message, config.messageTimeZone);
      return message.dialect === 'fhir' ? readBundle(message.raw) : (view.fhir as Resource | undefined); // a Bundle
    },
    async start() {
      const { redisUrl, jobConcurrency } = config;
      const carrier = redisUrl === undefined ? undefined : await openCarrier(parts, redisUrl);
      const jobSets: readonly JobSet[] = [
        createMessageJobs({
          messages,
          sourceTimes: store.sourceTimes,
          jobs,
          reprocess,
          retentionDays: config.messageRetentionDays,
          now,
          log,
        }),
        createMergeJobs({
          move: (merge, kind, messageId, signal) => {
            const origin = { kind, messageId, sender: { display: 'Mortar' } };
            return moveRest({ ...parts, caller: GATEWAY }, merge, origin, signal);
          },
          log,
        }),
        ...(feeds?.jobs ?? []),
        ...ncpdp.jobs,
        ...(parts.moreJobs ?? []),
      ];
      const run = (sets: readonly JobSet[], concurrency: number, by?: Carrier): JobRunner =>
        createJobRunner({
          table: jobs,
          handlers: sets.flatMap(({ handlers }) => handlers),
          schedules: sets.flatMap(({ schedules }) => schedules),
          ...(by && { carrier: by }),
          ...(parts.stop && { stop: parts.stop }),
          concurrency,
          now,
          log,
        });
      runners = [
        run(jobSets.filter(sharesPlaces), jobConcurrency, carrier),
        ...jobSets.flatMap((set) => (sharesPlaces(set) ? [] : [run([set], set.concurrency ?? 1)])),
      ];
      feeds?.start();
      return v2.start();
    },
    stats: () => ({
      jobs: runners.reduce((sum, runner) => added(sum, runner.stats()), { running: 0, done: 0, retried: 0, dead: 0 }),
      mllp: v2.counters() ?? { connections: 0, faults: 0 },
    }),
    async stop(timeoutMs) {
      await v2.stop(timeoutMs);
      await Promise.all(runners.map((runner) => runner.stop(timeoutMs)));
      await feeds?.stop();
      ncpdp.stop();
    },
  };
}

const sharesPlaces = ({ concurrency }: JobSet): boolean => concurrency === undefined;

type JobStats = ReturnType<JobRunner['stats']>;

const added = (a: JobStats, b: JobStats): JobStats => ({
  running: a.running + b.running,
  done: a.done + b.done,
  retried: a.retried + b.retried,
  dead: a.dead + b.dead,
});

/** A message that came as FHIR. */
function readBundle(raw: Buffer): Resource | undefined {
  try {
    return parseJson(raw) as Resource; // what was applied was checked
  } catch {
    return undefined;
  }
}

/** What was sent to the Spine, as a Bundle. */
function readSpineMessage({ raw }: StoredMessage, now: number): Resource | undefined {
  const { value } = convertFromV3(raw, { now, newId: randomUUID, form: 'full', baseUrl: '' });
  if (value === undefined || value.resourceType === 'Bundle') return value;
  return { resourceType: 'Bundle', type: 'collection', entry: [{ resource: value }] };
}

/** A partner under another's name, or with what it may not send, is for whoever reads the trail. */
function tellForged({ door, log }: GatewayParts, organizationId: string, kind: string, sender: string): void {
  door.audit
    .record({
      kind: 'access-refused',
      caller: {
        kind: 'partner',
        name: organizationId,
        organizationId,
        correlationId: randomUUID(),
        scopes: [],
        otherScopes: [],
      },
      outcome: 4,
      rule: 'sender-not-of-certificate',
      detail: { kind, sender: sender.slice(0, SENDER_MAX) },
    })
    .catch((error: unknown) => log.error('a refused message could not be recorded', { error }));
}

const SENDER_MAX = 200;

const CRITERIA_MAX = 5000;
const CRITERIA_LENGTH_MAX = 500;

/** Messages name the same doctors, wards and surgeries again and again. */
function remembered(criteriaOf: GatewayParts['criteriaOf']): GatewayParts['criteriaOf'] {
  const known = new Map<string, ReturnType<typeof criteriaOf>>();
  return (type, query) => {
    const key = `${type}?${query}`;
    if (key.length > CRITERIA_LENGTH_MAX) return criteriaOf(type, query);
    const found = known.get(key) ?? criteriaOf(type, query);
    if (known.size >= CRITERIA_MAX) known.clear();
    known.set(key, found);
    return found;
  };
}

/** Loaded when there is a Redis, as Bull brings much along. */
async function openCarrier({ config, queueName, now, log }: GatewayParts, redisUrl: string): Promise<Carrier> {
  const { createBullCarrier } = await import('./jobs/bull-carrier.ts');
  return createBullCarrier({ redisUrl, name: queueName, concurrency: config.jobConcurrency, now, log });
}

/** The bytes as the dialect reads and translates them today, which need not be as it did when they came. */
function viewOf(dialect: Dialect | undefined, message: StoredMessage, timeZone: string): MessageView {
  if (!dialect) return { issues: [] };
  const read = dialect.read(message.raw);
  if (read.message === undefined) return { issues: read.issues };
  const translated = dialect.translate(read.message, { receivedAt: message.receivedAt, timeZone });
  return {
    parsed: dialect.describe(read.message),
    ...(translated.value && { fhir: translated.value }),
    issues: [...read.issues, ...translated.issues],
  };
}

/** One job a message, of its sender's key, so that their order is kept. */
async function queueAll({ store }: GatewayParts, caller: Caller, filter: MessageFilter): Promise<number> {
  const { messages, jobs } = store;
  const found: { id: string; key: string }[] = [];
  let cursor: string | undefined;
  do {
    const page = await messages.list(caller, { ...filter, direction: 'in' }, REPLAY_PAGE, cursor);
    const open = page.messages.filter(({ relation }) => relation?.kind !== 'conflict');
    found.push(...open.map(({ id, dialect, sender }) => ({ id, key: `${dialect} ${sender ?? ''}` })));
    cursor = page.next;
  } while (cursor !== undefined && found.length < REPLAY_MAX);
  // The list is newest first; the oldest is worked first.
  await jobs.add(
    found.reverse().map(({ id, key }) => ({ kind: 'message-process', key, dedupe: id, payload: { message: id } })),
  );
  return found.length;
}
