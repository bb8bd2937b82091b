/** Composition of the gateway: the dialects, the way in they share, the jobs behind them. docs/gateway.md */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import type { Config } from './config.ts';
import { createGatewayDesk, type GatewayDesk } from './gateway-desk.ts';
import { type GatewayRunners, NO_JOBS, startRunners } from './gateway-runners.ts';
import type { Dialect } from './gateways/dialect.ts';
import { createHl7v2Dialect } from './gateways/hl7v2/dialect.ts';
import { createPartnerQueries } from './gateways/partner-queries.ts';
import { createPartners, type Partnerships } from './gateways/partners.ts';
import { createReceiver, type Receiver } from './gateways/receive.ts';
import { createScriptDialect } from './gateways/script/dialect.ts';
import { telecomDialect } from './gateways/telecom/dialect.ts';
import { createV2Doors } from './hl7v2-doors.ts';
import { openV2Feeds } from './hl7v2-feeds.ts';
import { readPartnerFiles } from './hl7v2-partners.ts';
import { createMergeJobs } from './jobs/merge-jobs.ts';
import { createMessageJobs } from './jobs/message-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import type { ContextLog } from './log.ts';
import { createNcpdp } from './ncpdp.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Authenticate } from './ports/authenticate.ts';
import type { Clock } from './ports/clock.ts';
import type { EpcsArchive } from './ports/epcs.ts';
import type { StoredMessage } from './ports/message-log.ts';
import type { PartnerOf } from './ports/partner.ts';
import type { Resource } from './ports/resource-store.ts';
import type { ProcessingStop } from './ports/subject-rights.ts';
import type { OpenStore } from './postgres/store.ts';
import { admit, type Door } from './rest/door.ts';
import { createMessageApi } from './rest/message-api.ts';
import type { Replayed } from './rest/message-desk.ts';
import type { GatewayStats } from './rest/metrics.ts';
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

export function createGateway(parts: GatewayParts): Gateway {
  const { config, store, searchOf, door, partners, now, log } = parts;
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
  const receiver = openReceiver(parts, partnerships);

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
  const desk = createGatewayDesk({ ...parts, dialects, receiver, ncpdp, feeds });
  let runners: GatewayRunners | undefined;
  return {
    script: ncpdp.script,
    hl7v2: v2.http,
    messages: createMessageApi({
      desk,
      door,
      bodyBytesMax: config.messageBytesMax,
      onError: (error) => log.error('a request failed', { error }),
    }),
    translate: desk.translate,
    async start() {
      runners = await startRunners({ ...parts, table: store.jobs }, [
        ...ownJobs(parts, desk),
        ...(feeds?.jobs ?? []),
        ...ncpdp.jobs,
        ...(parts.moreJobs ?? []),
      ]);
      feeds?.start();
      return v2.start();
    },
    stats: () => ({
      jobs: runners?.stats() ?? NO_JOBS,
      mllp: v2.counters() ?? { connections: 0, faults: 0 },
    }),
    async stop(timeoutMs) {
      await v2.stop(timeoutMs);
      await runners?.stop(timeoutMs);
      await feeds?.stop();
      ncpdp.stop();
    },
  };
}

function openReceiver(parts: GatewayParts, partnerships: Partnerships): Receiver {
  const { config, store, searchOf, now, log } = parts;
  return createReceiver({
    messages: store.messages,
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
}

/** Messages that are worked again, and what a merge left to be moved. */
function ownJobs(parts: GatewayParts, { reprocess }: GatewayDesk): readonly JobSet[] {
  const { config, store, now, log } = parts;
  return [
    createMessageJobs({
      messages: store.messages,
      sourceTimes: store.sourceTimes,
      jobs: store.jobs,
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
  ];
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
