/**
 * Sends a FHIR message to the Spine: its resources are stored in the transaction that commits the message to the log and
 * its job, so that nothing is sent that is not here, and nothing is here that is not sent. Handed in again it is waited
 * for, not sent again. MISSION M3; docs/eps.md "Operations"
 */
import { createHash } from 'node:crypto';
import type { EpsContext } from '../../mapping/eps/context.ts';
import { convertToV3 } from '../../mapping/eps/convert.ts';
import type { Node } from '../../mapping/eps/node.ts';
import { normaliseSystems } from '../../mapping/eps/normalise-systems.ts';
import { lastUpdatedOf, statusOf, toEpsOutcome } from '../../mapping/eps/outcome.ts';
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { storedEntries } from '../../mapping/eps/stored-message.ts';
import { nameUuid, transactionBundle } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { MessageLog, NewMessage, StoredMessage } from '../../ports/message-log.ts';
import type { Criteria, ResourceStore } from '../../ports/resource-store.ts';
import { formatJson } from '../../standards/fhir/json.ts';
import { conflict, type Issue } from '../../standards/fhir/outcome.ts';
import type { ApplyMessage } from '../apply-message.ts';
import type { EpsAnswer } from './answer.ts';
import { faultsIn, type JudgePrescriptions } from './check-signatures.ts';
import { findMessage } from './message-record.ts';
import { withoutOverwriting } from './overwriting.ts';
import type { CheckRelation } from './relation.ts';
import type { EpsSender } from './sender.ts';

/** A V3 document with what its envelope says. */
export interface Outgoing {
  readonly v3: string;
  readonly fromPartyKey: string;
  readonly toPartyKey: string;
  /** Of the request; the ebXML message and conversation get it, in upper case. */
  readonly requestId: string;
  /** SHA-256 of what makes two sendings the same: the FHIR message, as each translation has its own times. */
  readonly hash: Buffer;
  /** ms UTC */
  readonly at: number;
}

/** The log's entry and the job of a message. */
export interface Queued {
  readonly message: NewMessage;
  readonly job: NewJob;
}

export interface EpsSendServices {
  readonly messages: Pick<MessageLog, 'read'>;
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly apply: ApplyMessage;
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly prepareSending: (outgoing: Outgoing) => Queued;
  /** Without it orders are not checked here. */
  readonly judge: JudgePrescriptions | undefined;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly checkRelation: CheckRelation;
  /** Whom a message is about. */
  readonly patientsOf: (message: StoredMessage) => Promise<readonly string[]>;
  readonly toPartyKey: string;
}

export type EpsSend = (
  caller: Caller,
  payload: unknown,
  sender: EpsSender,
) => Promise<{ readonly refused: EpsAnswer } | { readonly message: StoredMessage }>;

/** Takes back a transaction that found its message in the log. */
class SentBefore extends Error {}

function unlessSentBefore(error: unknown): void {
  if (!(error instanceof SentBefore)) throw error;
}

export function createEpsSend(services: EpsSendServices): EpsSend {
  const { messages, store, apply, prepareSending, judge, audit, patientsOf, toPartyKey } = services;
  async function commit(caller: Caller, payload: unknown, { message, job }: Queued): Promise<void> {
    const entries = storedEntries(payload, message.id);
    const service = serviceCaller('gateway', caller.correlationId);
    await store.transaction(service, async (tx) => {
      const queue = async (versions: readonly string[]): Promise<void> => {
        const queued = tx.messages.queueOnce(message, versions);
        const added = tx.jobs.add([job]);
        // Both are sent before either is awaited; of a message that is there the job goes with the transaction.
        const [isNew] = await Promise.all([queued, added.catch(ignore)]);
        if (!isNew) throw new SentBefore();
        await added;
      };
      if (entries.length === 0) return queue([]);
      const own = await withoutOverwriting(services, tx, entries, message.id);
      const origin = { kind: message.kind, messageId: message.id, sender: agentOf(caller) };
      await apply(tx, transactionBundle(own), origin, queue);
    });
  }

  /** What was laid aside, and never sent, is sent after all. */
  const revive = ({ id, resources }: StoredMessage, job: NewJob): Promise<void> =>
    store.transaction(serviceCaller('gateway'), async (tx) => {
      // Of two that want it the second finds it on its way, which nothing may make look unsent.
      if (!(await tx.messages.settle(id, { state: 'queued', resources, from: 'dead' }))) throw new SentBefore();
      await tx.jobs.add([job]);
    });

  return async (caller, payload, sender) => {
    const { context, requestId } = sender;
    const resource = normaliseOrGiven(payload);
    const { value: v3, issues } = convertToV3(payload, context);
    const refuse = async (refused: EpsAnswer): Promise<{ readonly refused: EpsAnswer }> => {
      const operation = recogniseEps(resource) ?? 'unknown';
      await audit.record({ kind: 'message-out', operation, caller, outcome: 4, rule: 'eps' });
      return { refused };
    };
    if (v3 === undefined) return refuse(refusal(issues, payload, context));
    const outgoing: Outgoing = {
      v3,
      fromPartyKey: context.fromPartyKey,
      toPartyKey,
      requestId: requestId ?? requestIdFor(context, payload),
      hash: createHash('sha256').update(formatJson(payload)).digest(),
      at: context.now,
    };
    const { message, job } = prepareSending(outgoing);
    await services.checkRelation(caller, resource, v3);
    if (judge !== undefined && recogniseEps(resource) === 'order') {
      const verdicts = await judge(v3);
      // Whoever found no prescription in an order has judged none.
      const faults = verdicts.length === 0 ? ['Invalid signature format'] : faultsIn(verdicts);
      if (faults.length > 0) return refuse(unsigned(faults));
    }
    const queued = { message: { ...message, askedBy: askerOf(caller) }, job };
    const before = await findMessage(messages, caller, message.id);
    if (before === undefined) await commit(caller, resource, queued).catch(unlessSentBefore);
    const stored = before ?? (await messages.read(caller, message.id));
    if (stored.hash !== message.hash.toString('hex'))
      throw conflict('The id of this message stands for another one: it is sent again under one of its own');
    if (stored.state === 'dead') await revive(stored, job).catch(unlessSentBefore);
    const told = { kind: 'message-out', operation: message.kind, caller, outcome: 0 } as const;
    for (const about of aboutEach(await patientsOf(stored)))
      await audit.record({ ...told, targets: stored.resources.map(targetOf), ...about });
    return { message: stored };
  };
}

/** An entry of the trail for each patient; one where none is known. */
export const aboutEach = (patientIds: readonly string[]): readonly { readonly patientId?: string }[] =>
  patientIds.length === 0 ? [{}] : patientIds.map((patientId) => ({ patientId }));

const ignore = (): void => undefined;

/** Translation refuses what this cannot go through. */
function normaliseOrGiven(payload: unknown): unknown {
  try {
    return normaliseSystems(payload);
  } catch {
    return payload;
  }
}

/** For the audit trail, and to give the answer to nobody else. */
export const askerOf = ({ user, clientId, name }: Caller): string =>
  user === undefined ? `client ${clientId ?? name}` : `user ${user.id}`;

const agentOf = ({ user, clientId, name }: Caller): Node =>
  user?.fhirUser === undefined ? { display: clientId ?? name } : { reference: user.fhirUser };

/** Of a message without a request id: always the same for the same message of the same sender. */
const requestIdFor = ({ fromPartyKey }: EpsContext, payload: unknown): string =>
  nameUuid('eps-request-id', fromPartyKey, formatJson(payload));

const targetOf = (version: string): { type: string; id: string; versionId: number } => {
  const [type = '', id = '', , versionId] = version.split('/');
  return { type, id, versionId: Number(versionId) };
};

const refusal = (issues: readonly Issue[], payload: unknown, { now }: EpsContext): EpsAnswer => ({
  status: statusOf(issues),
  body: { ...toEpsOutcome(issues, lastUpdatedOf(payload, now)) },
});

const unsigned = (faults: readonly string[]): EpsAnswer => ({
  status: 400,
  body: {
    resourceType: 'OperationOutcome',
    issue: faults.map((diagnostics) => ({ severity: 'error', code: 'invalid', diagnostics })),
  },
});
