/**
 * What the Spine's answer brings, in one transaction with the settling of its message, so that it happens once, whoever
 * stops in the middle: changes of what is stored, prescriptions that were released, returns of those that may not be
 * dispensed. docs/eps.md "What is stored"
 */
import { createHash } from 'node:crypto';
import type { EpsContext } from '../../mapping/eps/context.ts';
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { sendMessage, type V3Message } from '../../mapping/eps/send-message.ts';
import { EXTENSION, UUID_SYSTEM } from '../../mapping/eps/systems.ts';
import { type FhirResource, transactionBundle } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { Log } from '../../ports/log.ts';
import type { MessageLog, Settlement, StoredMessage } from '../../ports/message-log.ts';
import type {
  Criteria,
  Resource,
  ResourceStore,
  StoreTransaction,
  TransactionWrite,
} from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError, type Issue, textOf } from '../../standards/fhir/outcome.ts';
import { INTERACTIONS } from '../../standards/hl7v3/interaction.ts';
import { writeXml } from '../../standards/xml/write.ts';
import type { ApplyMessage } from '../apply-message.ts';
import { importProvenance } from '../import-provenance.ts';
import { answerIn, spineAnswerOf } from './answer.ts';
import type { JudgePrescriptions } from './check-signatures.ts';
import { type Answered, type Effect, effectsOf } from './effects.ts';
import type { EpsFollow } from './follow.ts';
import { askedOf, currentOf, findMessage, patientsNamed, patientsOfMessage } from './message-record.ts';
import { entriesIn, ownerIn, prescriptionsIn, releasedEntries } from './released.ts';
import type { Outgoing, Queued } from './send.ts';
import { type SentOrders, sentOrdersOf } from './sent-order.ts';

export interface EpsSettleServices {
  readonly messages: Pick<MessageLog, 'read'>;
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly apply: ApplyMessage;
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly prepareSending: (outgoing: Outgoing) => Queued;
  readonly validate: (resource: unknown, expectedType?: string) => readonly Issue[];
  /** The log's id of a message to the Spine. */
  readonly sendingId: (partyKey: string, messageId: string) => string;
  /** Who sent a message, from its bytes. */
  readonly readSent: (raw: Buffer) => Pick<EpsContext, 'fromAsid'> & {
    readonly userId: string | undefined;
    readonly roleProfileId: string | undefined;
  };
  /** What of the record hangs on orders, beside what the answer says of them. */
  readonly follow?: EpsFollow;
  /** What follows when pharmacies have asked for prescriptions: `passed` are those that they were given. */
  readonly releaseJobs?: (message: StoredMessage, passed: readonly Node[]) => readonly NewJob[];
  readonly judge: JudgePrescriptions | undefined;
  readonly toAsid: string;
  readonly baseUrl: string;
  readonly now: () => number;
  readonly log: Log;
}

export interface EpsRecord {
  /** Settles a message for good: acknowledged, rejected or dead. Rejects when it is to be tried again. */
  settle(message: StoredMessage, settlement: Settlement): Promise<void>;
  /** Whose data a message holds, by the ids of their Patient resources. */
  patientsOf(message: StoredMessage): Promise<readonly string[]>;
  /** Ids of the Patients who have these NHS numbers here. */
  patientsNamed(nhsNumbers: readonly string[]): Promise<readonly string[]>;
  /** The orders, as far as they were sent from here, of what the answer of a message has released. */
  sentOrders(message: StoredMessage): Promise<SentOrders>;
  /** Writes down what the Spine says beside any message. */
  note(effects: readonly Effect[]): Promise<void>;
}

/** Takes back what a message that was settled before would have brought again. */
class SettledBefore extends Error {}

/** Somebody else was faster: it is done again. */
const RACED: readonly number[] = [409, 412];
const GATEWAY = serviceCaller('gateway');
/** Orders of one patient that are open at the same time. */
const FOUND_MAX = 200;

export function createEpsRecord(services: EpsSettleServices): EpsRecord {
  const { store, now, log } = services;

  async function note(effects: readonly Effect[]): Promise<void> {
    if (effects.length === 0) return;
    await store.transaction(GATEWAY, async (tx) => {
      const writes = await writesOf(services, tx, effects);
      const origin = { kind: 'tracker', sender: SPINE };
      if (writes.length > 0) await tx.write(writes, undefined, importProvenance(origin, now(), store.newId));
    });
  }

  async function settle(message: StoredMessage, given: Settlement): Promise<void> {
    const said = answerIn(given);
    const isJudged = said !== undefined && RELEASES.has(message.kind);
    const issues = isJudged && services.judge ? await services.judge(said) : [];
    const settlement: Settlement = { ...given, resources: message.resources, ...(issues.length > 0 && { issues }) };
    try {
      await bring(services, message, settlement);
    } catch (error) {
      if (error instanceof SettledBefore) return;
      // What cannot be stored must not keep the answer from whoever waits for it.
      if (!(error instanceof FhirError) || error.status >= 500 || RACED.includes(error.status)) throw error;
      const why = error.issues.map(textOf).join('; ');
      log.error('what the Spine answered could not be stored', { messageId: message.id, cause: why.slice(0, 500) });
      await bring(services, message, { ...settlement, error: `not stored: ${why}` }, false).catch(unlessBefore);
    }
  }

  const patientsOf = (message: StoredMessage): Promise<readonly string[]> =>
    store.transaction(GATEWAY, (tx) => patientsOfMessage(services, tx, message));

  const named = (nhsNumbers: readonly string[]): Promise<readonly string[]> =>
    nhsNumbers.length === 0
      ? Promise.resolve([])
      : store.transaction(GATEWAY, (tx) => patientsNamed(services.criteriaOf, tx, nhsNumbers));

  async function sentOrders(message: StoredMessage): Promise<SentOrders> {
    const answer = answerIn(message);
    if (answer === undefined || !RELEASES.has(message.kind)) return new Map();
    const { body } = spineAnswerOf(message, answer, services.baseUrl);
    const prescriptions = ['passedPrescriptions', 'failedPrescriptions'].flatMap((name) => prescriptionsIn(body, name));
    if (prescriptions.length === 0) return new Map();
    return store.transaction(GATEWAY, (tx) => sentOrdersOf(tx, services.criteriaOf, prescriptions));
  }

  return { settle, patientsOf, patientsNamed: named, sentOrders, note };
}

function unlessBefore(error: unknown): void {
  if (!(error instanceof SettledBefore)) throw error;
}

/** `isStored`: false where what it brings cannot be; then the message is settled, and what goes back goes. */
async function bring(
  services: EpsSettleServices,
  message: StoredMessage,
  settlement: Settlement,
  isStored = true,
): Promise<void> {
  const { store, apply, criteriaOf, validate, baseUrl, now } = services;
  const asked = SAYS_NO_MORE.has(message.kind) ? undefined : askedOf(message, baseUrl);
  const said = answerIn(settlement);
  const answer = said && spineAnswerOf({ ...message, issues: settlement.issues ?? [] }, said, baseUrl);
  const released = answer === undefined ? [] : prescriptionsIn(answer.body, 'passedPrescriptions');
  // One that is not valid R4 is given to the pharmacy as it is, and keeps no other from being stored.
  const passed = released.filter((bundle) => entriesIn(bundle).every((one) => validate(one).length === 0));
  if (passed.length < released.length)
    services.log.warn('a released prescription is not valid R4 and is not stored', { messageId: message.id });
  const returns = (answer?.returns ?? []).map((one) => returnOf(services, message, one));
  const jobs = RELEASES.has(message.kind) ? (services.releaseJobs?.(message, released) ?? []) : [];
  const origin = { kind: message.kind, messageId: message.id, sender: SPINE };

  await store.transaction(GATEWAY, async (tx) => {
    const settle = async (versions: readonly string[]): Promise<void> => {
      const resources = [...new Set([...message.resources, ...versions])];
      const settled = tx.messages.settle(message.id, { ...settlement, resources });
      const queued = returns.flatMap((one) => [tx.messages.queue(one.message), tx.jobs.add([one.job])]);
      if (jobs.length > 0) queued.push(tx.jobs.add(jobs));
      const [isFirst] = await Promise.all([settled, ...queued.map((one) => one.catch(() => undefined))]);
      if (!isFirst) throw new SettledBefore();
      await Promise.all(queued);
    };
    if (!isStored) return settle([]);
    if (passed.length > 0) {
      const taken = { bundles: passed, owner: ownerIn(asked), messageId: message.id };
      return apply(tx, transactionBundle(await releasedEntries(tx, criteriaOf, taken)), origin, settle);
    }
    const answered = await answeredIn(services, tx, message, settlement, { answer: answer?.body, asked });
    const followed = services.follow ? await services.follow(tx, answered) : [];
    const writes = [...(await writesOf(services, tx, effectsOf(answered))), ...followed];
    if (writes.length === 0) return settle([]);
    const changed = (results: Awaited<ReturnType<StoreTransaction['write']>>): Promise<void> =>
      settle(
        results
          .filter(({ outcome }) => outcome !== 'unchanged')
          .map(({ version }) => `${version.type}/${version.id}/_history/${version.versionId}`),
      );
    await tx.write(writes, changed, importProvenance(origin, now(), store.newId));
  });
}

/** Requests whose answers bring prescriptions. */
const RELEASES: ReadonlySet<string> = new Set([
  INTERACTIONS.NominatedPrescriptionReleaseRequest,
  INTERACTIONS.PatientPrescriptionReleaseRequest,
]);
/** Messages of which all that matters is stored. */
const SAYS_NO_MORE: ReadonlySet<string> = new Set([INTERACTIONS.ParentPrescription, INTERACTIONS.DispenseClaim]);

const SPINE = { display: 'NHS Spine' };

/** What the message brought when it was sent, and what the one did that it takes the place of. */
async function answeredIn(
  { messages, sendingId, criteriaOf }: EpsSettleServices,
  tx: StoreTransaction,
  message: StoredMessage,
  { state }: Settlement,
  said: { readonly answer: FhirResource | undefined; readonly asked: FhirResource | undefined },
): Promise<Answered> {
  const stored = (versions: readonly string[]): Promise<readonly Resource[]> => currentOf(tx, criteriaOf, versions);
  const own = await stored(message.resources);
  const earlierId = earlierIn(said.asked, own);
  const earlier =
    earlierId === undefined
      ? undefined
      : await findMessage(messages, GATEWAY, sendingId(message.sender ?? '', earlierId));
  return {
    kind: message.kind,
    verdict: state === 'acknowledged' ? 'accepted' : state === 'rejected' ? 'refused' : 'dead',
    ...said,
    own,
    earlier: earlier === undefined ? [] : await stored(earlier.resources),
  };
}

/** The message that is amended, or taken back. */
function earlierIn(asked: FhirResource | undefined, own: readonly Resource[]): string | undefined {
  const header = entriesIn(asked).find(({ resourceType }) => resourceType === 'MessageHeader');
  for (const resource of [header, ...own]) {
    const extensions = resource && Array.isArray(resource['extension']) ? resource['extension'].filter(isNode) : [];
    const replaced = extensions.find(({ url }) => url === EXTENSION.replacementOf)?.['valueIdentifier'];
    if (isNode(replaced) && typeof replaced['value'] === 'string') return replaced['value'];
  }
  const task = own.find(({ resourceType }) => resourceType === 'Task');
  const focus = task && isNode(task['focus']) ? task['focus']['identifier'] : undefined;
  return isNode(focus) && focus['system'] === UUID_SYSTEM ? String(focus['value']) : undefined;
}

/** One write a resource, of all that is said of it. */
async function writesOf(
  { criteriaOf }: EpsSettleServices,
  tx: StoreTransaction,
  effects: readonly Effect[],
): Promise<readonly TransactionWrite[]> {
  if (effects.length === 0) return [];
  const found = await tx.findCurrent(
    effects.map(({ type, query }) => criteriaOf(type, query)),
    FOUND_MAX,
  );
  const changes = new Map<string, { readonly type: string; readonly id: string; readonly all: Effect['change'][] }>();
  effects.forEach(({ type, fits = () => true, change }, n) => {
    for (const { id, content } of found[n] ?? []) {
      if (!fits(parseJson(content) as Resource)) continue; // stored text was checked
      const known = changes.get(`${type}/${id}`) ?? { type, id, all: [] };
      known.all.push(change);
      changes.set(`${type}/${id}`, known);
    }
  });
  return [...changes.values()].map(({ type, id, all }) => ({
    kind: 'update',
    operation: 'update',
    type,
    id,
    change(current) {
      if (current === undefined) throw new FhirError(409, [{ severity: 'error', code: 'conflict', diagnostics: GONE }]);
      return all.reduce((resource, change) => change(resource), current);
    },
  }));
}

const GONE = 'What the answer speaks of was deleted meanwhile';

/** Sent as any message is; its ids come of the answer's, so that it is queued once. */
function returnOf(services: EpsSettleServices, message: StoredMessage, v3: V3Message): Queued {
  const { userId, roleProfileId, fromAsid } = services.readSent(message.raw);
  const at = services.now();
  const context: EpsContext = {
    now: at,
    toAsid: services.toAsid,
    fromAsid,
    fromPartyKey: message.sender ?? '',
    ...(userId !== undefined && roleProfileId !== undefined && { userId, roleProfileId }),
    scopes: new Set(),
    applicationId: '',
    sha1ApplicationIds: new Set(),
    prescribeEnabled: true,
    dispenseEnabled: true,
    newId: services.store.newId,
  };
  return services.prepareSending({
    v3: writeXml(sendMessage(v3, context), 'pretty'),
    fromPartyKey: message.sender ?? '',
    toPartyKey: message.receiver ?? '',
    requestId: v3.id,
    hash: createHash('sha256').update(`return ${v3.id}`).digest(),
    at,
  });
}
