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
import type { Log } from './ports/log.ts';
import type { Partner, PartnerOf } from './ports/partner.ts';
import { StartError } from './postgres/start-error.ts';
import type { OpenStore } from './postgres/store.ts';
import { admit, type Door } from './rest/door.ts';
import { badValue, FhirError, isError, issue } from './standards/fhir/outcome.ts';
import { checkIntake } from './standards/script/intake.ts';
import { formatParty, type PartyAddress, type ScriptMessage } from './standards/script/message.ts';
import { SCRIPT_LIMITS } from './standards/script/read.ts';

export interface NcpdpParts {
  readonly config: Config;
  readonly store: Pick<OpenStore, 'messages' | 'newId' | 'transaction'>;
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
  /** The daily look at the archive. */
  readonly jobs: JobSet;
  /** Puts a Bundle into a partner's mailbox as the message it stands for. Throws `FhirError`. */
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
  const conversation = createConversation({ messages, isPartner, now, newId, log });
  const findBasic = openBasicPartners(config.scriptPartnersFile, now);
  const watch = createEpcsWatch({ archive, dialect, covers: config.epcsSignedPart, now, newId: randomUUID, log });

  async function receive(raw: Buffer, partner: Partner | undefined): Promise<Pick<Received, 'answer' | 'verdict'>> {
    const fetched = await conversation.fetch(raw, partner);
    if (fetched) return { answer: fetched.answer, verdict: fetched.verdict as Received['verdict'] }; // of its words
    const refused = await watch(raw);
    if (refused) return refused;
    const received = await receiver.receive(dialect, raw, undefined, partner);
    if (received.verdict === 'applied' || received.verdict === 'repeated') await conversation.pair(raw);
    return received;
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
    jobs: createEpcsJobs({ archive, audit: door.audit, now, log }),
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
      await store.transaction(caller, async (tx) => {
        await tx.messages.queue({
          id,
          direction: 'out',
          dialect: dialect.name,
          ...envelope,
          hash,
          raw,
          receivedAt: now(),
          askedBy: caller.name,
        });
      });
      return { id, messageId, kind: envelope.kind };
    },
  };
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
