/** The journal of claims, kept in the message log: sealed there, seen by operators, and purged with it. */
import { hash } from 'node:crypto';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { ClaimJournal, ClaimState, JournalledClaim } from '../../ports/claim-journal.ts';
import type { MessageLog, MessageState, NewMessage, StoredMessage } from '../../ports/message-log.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { FhirError, notFound } from '../../standards/fhir/outcome.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';

export interface MessageLogJournalServices {
  readonly messages: Pick<MessageLog, 'read' | 'settle'>;
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly now: () => number;
  /** Who asked for it, as `Caller` names them. */
  readonly askedBy?: string;
}

const TELECOM_DIALECT = 'telecom';
const GATEWAY = serviceCaller('gateway');

const STATES: ReadonlyMap<MessageState, ClaimState> = new Map([
  ['queued', 'queued'],
  ['sent', 'sent'],
  ['unknown', 'unknown'],
  ['acknowledged', 'answered'],
  ['rejected', 'withdrawn'],
]);

/** A claim or reversal as the log takes it. `at`: ms UTC. */
export function claimMessage(id: string, request: Buffer, at: number, askedBy?: string): NewMessage {
  const { header } = parseTelecom(request);
  return {
    id,
    direction: 'out',
    dialect: TELECOM_DIALECT,
    kind: header['A3'] ?? 'unknown',
    sender: header['B1'] ?? '',
    receiver: `${header['A1'] ?? ''}|${header['A4'] ?? ''}`,
    hash: hash('sha256', request, 'buffer'),
    raw: request,
    receivedAt: at,
    ...(askedBy !== undefined && { askedBy }),
  };
}

export function createMessageLogJournal(services: MessageLogJournalServices): ClaimJournal {
  const { messages, store, now, askedBy } = services;

  async function find(id: string): Promise<JournalledClaim | undefined> {
    let message: StoredMessage;
    try {
      message = await messages.read(GATEWAY, id);
    } catch (error) {
      if (error instanceof FhirError && error.status === 404) return undefined;
      throw error;
    }
    const state = STATES.get(message.state);
    if (message.dialect !== TELECOM_DIALECT || state === undefined) throw notFound(`Claim ${id}`);
    const { raw: request, answer, receivedAt: at } = message;
    return { id, request, state, at, ...(state === 'answered' && answer && { answer }) };
  }

  return {
    find,
    async open(id, request) {
      const known = await find(id);
      if (known) return known;
      const message = claimMessage(id, request, now(), askedBy);
      await store.transaction(GATEWAY, (tx) => tx.messages.queue(message));
      return (await find(id)) ?? { id, request, state: 'queued', at: message.receivedAt };
    },
    async mark(id, state, cause) {
      await messages.settle(id, {
        state: state === 'withdrawn' ? 'rejected' : state,
        ...(cause !== undefined && { error: cause }),
      });
    },
    async close(id, answer) {
      await messages.settle(id, { state: 'acknowledged', answer });
    },
  };
}
