/** The journal of claims, kept in the message log: sealed there, seen by operators, and purged with it. */
import { hash } from 'node:crypto';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { ClaimJournal, ClaimState, JournalledClaim } from '../../ports/claim-journal.ts';
import type { MessageLog, MessageState, StoredMessage } from '../../ports/message-log.ts';
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

export const TELECOM_DIALECT = 'telecom';
const GATEWAY = serviceCaller('gateway');

const STATES: ReadonlyMap<MessageState, ClaimState> = new Map([
  ['queued', 'queued'],
  ['sent', 'sent'],
  ['unknown', 'unknown'],
  ['acknowledged', 'answered'],
]);

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
    const { raw: request, answer } = message;
    return { id, request, state, ...(state === 'answered' && answer && { answer }) };
  }

  return {
    find,
    async open(id, request) {
      const known = await find(id);
      if (known) return known;
      const { header } = parseTelecom(request);
      await store.transaction(GATEWAY, async (tx) => {
        await tx.messages.queue({
          id,
          direction: 'out',
          dialect: TELECOM_DIALECT,
          kind: header['A3'] ?? 'unknown',
          sender: header['B1'] ?? '',
          receiver: `${header['A1'] ?? ''}|${header['A4'] ?? ''}`,
          hash: hash('sha256', request, 'buffer'),
          raw: request,
          receivedAt: now(),
          ...(askedBy !== undefined && { askedBy }),
        });
      });
      return (await find(id)) ?? { id, request, state: 'queued' };
    },
    async mark(id, state, cause) {
      await messages.settle(id, { state, ...(cause !== undefined && { error: cause }) });
    },
    async close(id, answer) {
      await messages.settle(id, { state: 'acknowledged', answer });
    },
  };
}
