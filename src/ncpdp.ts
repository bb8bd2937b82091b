/** Composition of NCPDP SCRIPT: who may send, the archive of controlled substances, the mailbox and the way in. docs/ncpdp.md */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Config } from './config.ts';
import type { Dialect } from './gateways/dialect.ts';
import type { IsPartner } from './gateways/partners.ts';
import type { Received, Receiver } from './gateways/receive.ts';
import { createConversation } from './gateways/script/conversation.ts';
import { createBasicPartners, type FindBasicPartner, parseBasicPartners } from './gateways/script/credentials.ts';
import { createScriptEndpoint } from './gateways/script/endpoint.ts';
import { createEpcsWatch } from './gateways/script/epcs-watch.ts';
import { createEpcsJobs } from './jobs/epcs-jobs.ts';
import type { JobSet } from './jobs/runner.ts';
import { mapToScript } from './mapping/script/map-message.ts';
import { normaliseVersion } from './mapping/script/normalise-version.ts';
import type { Caller } from './ports/caller.ts';
import type { Clock } from './ports/clock.ts';
import type { EpcsArchive } from './ports/epcs.ts';
import type { NewJob } from './ports/jobs.ts';
import type { Log } from './ports/log.ts';
import type { LoggedMessage } from './ports/message-log.ts';
import type { Partner, PartnerOf } from './ports/partner.ts';
import { StartError } from './postgres/start-error.ts';
import type { OpenStore } from './postgres/store.ts';
import { admit, type Door } from './rest/door.ts';
import { openScriptPush } from './script-push.ts';
import { openSigners } from './signers.ts';
import { badValue, FhirError, isError, issue } from './standards/fhir/outcome.ts';
import { checkIntake } from './standards/script/intake.ts';
import { formatParty, type PartyAddress, type ScriptMessage } from './standards/script/message.ts';
import { readScript, SCRIPT_LIMITS } from './standards/script/read.ts';

export interface NcpdpParts {
  readonly config: Config;
  readonly store: Pick<OpenStore, 'messages' | 'newId' | 'transaction' | 'jobs'>;
  readonly dialect: Dialect<ScriptMessage>;
  readonly receiver: Receiver;
  readonly isPartner: IsPartner;
  readonly door: Door;
  readonly partnerOf: PartnerOf | undefined;
  readonly archive: EpcsArchive;
  readonly now: Clock;
  readonly log: Log;
}

export interface Ncpdp {
  /** `POST /ncpdp/script` */
  readonly script: (req: IncomingMessage, res: ServerResponse) => void;
  /** The daily look at the archive; messages that are brought to partners. */
  readonly jobs: readonly JobSet[];
  /** The job that brings a message to its receiver; undefined where that one fetches its messages. */
  jobOf(message: LoggedMessage): NewJob | undefined;
  stop(): void;
  /**
   * Puts a Bundle into a partner's mailbox as the message it stands for, and has it brought there where the operator says
   * so. Throws `FhirError`.
   */
  queue(
    caller: Caller,
    bundle: unknown,
    parties: { readonly from: PartyAddress; readonly to: PartyAddress },
  ): Promise<{
    readonly id: string;
    readonly messageId: string;
    readonly kind: string;
  }>;
}

export function createNcpdp(parts: NcpdpParts): Ncpdp {
  const { config, store, dialect, receiver, isPartner, door, partnerOf, archive, now, log } = parts;
  const { messages, newId } = store;
  const push = openScriptPush({
    config,
    messages,
    isPartner: (receiver) => isPartner(dialect.name, receiver),
    take,
    now,
    log,
  });
  const conversation = createConversation({
    messages,
    isPartner,
    async onAgain(message) {
      const job = push?.jobOf(message);
      if (job) await store.jobs.add([{ ...job, runAt: now() + AGAIN_MS }]);
    },
    now,
    newId,
    log,
  });
  const findBasic = openBasicPartners(config.scriptPartnersFile, now);
  const { epcsSignerCaFile: signers, epcsSignedPart: covers } = config;
  const judge = signers && openSigners({ setting: 'EPCS_SIGNER_CA_FILE', file: signers, config, now, log });
  const watch = createEpcsWatch({
    archive,
    dialect,
    covers,
    ...(judge && { judge }),
    now,
    newId: randomUUID,
    log,
  });

  async function receive(raw: Buffer, partner: Partner | undefined): Promise<Pick<Received, 'answer' | 'verdict'>> {
    const fetched = await conversation.fetch(raw, partner);
    if (fetched) return { answer: fetched.answer, verdict: fetched.verdict as Received['verdict'] }; // of its words
    const refused = await watch(raw);
    if (refused) return refused;
    const received = await receiver.receive(dialect, raw, undefined, partner);
    if (received.verdict === 'applied' || received.verdict === 'repeated') await conversation.pair(raw);
    return received;
  }

  /** An answer is worked as if its sender had brought it, and is believed from nobody else. */
  async function take(answer: Buffer, sender: string): Promise<boolean> {
    const { from } = readScript(answer).header;
    if (!from || formatParty(from) !== sender) return false;
    const { verdict } = await receive(answer, undefined);
    return verdict === 'applied' || verdict === 'repeated';
  }

  /** Nobody sends under a name that is not ours, or to whom nobody fetches for. */
  async function checkParties(from: PartyAddress, to: PartyAddress): Promise<void> {
    const own = config.scriptAddresses;
    if (own.length > 0 && !own.includes(formatParty(from)))
      throw badValue('from is no address of ours: SCRIPT_ADDRESSES lists them', 'from');
    if (!(await isPartner(dialect.name, formatParty(to))))
      throw badValue('to is no partner: store an active Endpoint with its name as identifier', 'to');
  }

  return {
    jobs: [createEpcsJobs({ archive, audit: door.audit, now, log }), ...(push ? [push.jobs] : [])],
    jobOf: (message) => push?.jobOf(message),
    stop: () => push?.stop(),
    script: createScriptEndpoint({
      async admit(req) {
        const { authorization = '' } = req.headers;
        if (findBasic && /^Basic /i.test(authorization)) return admitBasic(door, findBasic, req, authorization);
        await admit(door, req, 'messages:send');
        return partnerOf?.(req.socket);
      },
      receive: (raw, { partner }) => receive(raw, partner),
      log,
      now,
      newId,
      limits: { bodyBytesMax: Math.min(config.messageBytesMax, SCRIPT_LIMITS.bytes) },
    }),
    async queue(caller, bundle, { from, to }) {
      await checkParties(from, to);
      const id = newId();
      const messageId = id.replaceAll('-', '');
      const { value, issues } = mapToScript(bundle, {
        from,
        to,
        messageId,
        sentAt: now(),
        writeAs: config.scriptWriteVersion,
      });
      if (value === undefined) throw new FhirError(422, issues);
      const raw = Buffer.from(value);
      const { envelope, hash, message } = dialect.read(raw);
      // What may not be filled may not be sent either: no controlled drug without its signature (21 CFR 1311.200).
      const faults = message ? checkIntake(normaliseVersion(message), { now: now() }).filter(isError) : [];
      if (faults.length > 0) throw new FhirError(422, faults);
      const queued = {
        id,
        direction: 'out' as const,
        dialect: dialect.name,
        ...envelope,
        hash,
        raw,
        receivedAt: now(),
        askedBy: caller.name,
      };
      const job = push?.jobOf({ id, receiver: formatParty(to) });
      await store.transaction(caller, async (tx) => {
        await tx.messages.queue(queued, patientsIn(bundle));
        if (job) await tx.jobs.add([job]);
      });
      return { id, messageId, kind: envelope.kind };
    },
  };
}

/** Before a message is brought once more whose receiver said "not now" (reference section 8.4). */
const AGAIN_MS = 60_000;

/** `Patient/1`: of whom a Bundle is, as far as they are stored here. */
function patientsIn(bundle: unknown): readonly string[] {
  const found = new Set<string>();
  const { entry = [] } = (bundle ?? {}) as { entry?: readonly { resource?: Record<string, unknown> }[] };
  for (const { resource = {} } of Array.isArray(entry) ? entry : []) {
    const { resourceType, id } = resource;
    if (resourceType === 'Patient' && typeof id === 'string') found.add(`Patient/${id}`);
    for (const name of ['subject', 'patient', 'beneficiary', 'for']) {
      const { reference } = (resource[name] ?? {}) as { reference?: unknown };
      if (typeof reference === 'string') found.add(reference);
    }
  }
  return [...found].filter((one) => /^Patient\/[A-Za-z0-9.-]{1,64}$/.test(one));
}

/** Wrong credentials are told to the trail and to nobody else. RFC 7617 */
async function admitBasic(
  door: Door,
  find: FindBasicPartner,
  req: IncomingMessage,
  authorization: string,
): Promise<Partner> {
  const partner = await find(authorization);
  if (partner) return partner;
  // The ordinary door counts what is wrong, records it, and refuses.
  await admit(door, req, 'messages:send').catch(() => undefined);
  throw new FhirError(401, [issue('login', 'User or password is not right')], {
    headers: { 'WWW-Authenticate': 'Basic realm="ncpdp", charset="UTF-8"' },
  });
}

function openBasicPartners(file: string | undefined, now: Clock): FindBasicPartner | undefined {
  if (file === undefined) return undefined;
  try {
    return createBasicPartners(parseBasicPartners(readFileSync(file, 'utf8')), now);
  } catch (error) {
    throw new StartError('configuration', `SCRIPT_PARTNERS_FILE ${file} cannot be used: ${(error as Error).message}`);
  }
}
