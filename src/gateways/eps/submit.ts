/** Hands messages to the Spine to the log and the jobs, and waits for their answers. MISSION M2, M3 */
import { createHash } from 'node:crypto';
import type { Caller } from '../../ports/caller.ts';
import type { MessageLog, StoredMessage } from '../../ports/message-log.ts';
import { conflict } from '../../standards/fhir/outcome.ts';
import type { Outgoing, Queued } from '../../workflow/eps/send.ts';
import { formatEnvelope } from './envelope.ts';
import { readSentMessage } from './sent-message.ts';

/**
 * The log's entry and the job of a message. Its id is made from the sender's party key and the message's own id, so that
 * whoever hands it in twice finds the first.
 */
export function prepareSending({ v3, fromPartyKey, toPartyKey, requestId, hash, at }: Outgoing): Queued {
  const sent = readSentMessage(v3);
  const messageId = requestId.toUpperCase();
  const address = { fromPartyKey, toPartyKey, messageId, conversationId: messageId, at };
  const id = sendingId(fromPartyKey, sent.id);
  return {
    message: {
      id,
      direction: 'out',
      dialect: 'eps',
      kind: sent.interaction,
      controlId: sent.id,
      sender: fromPartyKey,
      receiver: toPartyKey,
      ...(sent.prescriptionId !== undefined && { correlation: sent.prescriptionId }),
      hash,
      raw: formatEnvelope(v3, sent.interaction, address),
      receivedAt: at,
    },
    job: {
      kind: 'eps-send',
      // What is said of one prescription goes out in the order in which it was said.
      ...(sent.prescriptionId !== undefined && { key: sent.prescriptionId }),
      dedupe: id,
      payload: { message: id },
    },
  };
}

/** A UUID of version 8 (RFC 9562). */
export function sendingId(partyKey: string, messageId: string): string {
  const hex = createHash('sha256').update(`eps-out\n${partyKey}\n${messageId.toUpperCase()}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

export interface SpineSenderOptions {
  readonly messages: Pick<MessageLog, 'read'>;
  /** Commits the entry and its job together; one that is there already stays as it is. */
  readonly queue: (queued: Queued) => Promise<void>;
  /** How often another process's work is looked at. */
  readonly pollMs?: number;
  readonly now: () => number;
}

export interface SpineSender {
  /**
   * Commits the message and waits for its answer up to `waitMs`; a message that is handed in again is waited for, not
   * sent again. Resolves to it as it is then: acknowledged, rejected, dead, or still under way. Throws `conflict` when its
   * id stands for another message.
   */
  submit(caller: Caller, outgoing: Outgoing, waitMs: number): Promise<StoredMessage>;
  /** Waits for the answer of a message that is committed, as `submit` does. */
  wait(caller: Caller, id: string, waitMs: number): Promise<StoredMessage>;
  /** To be told of each message that is settled in this process. */
  readonly settled: (id: string) => void;
}

const POLL_MS = 500;
const SETTLED: readonly string[] = ['acknowledged', 'rejected', 'dead'];

export function createSpineSender({ messages, queue, pollMs = POLL_MS, now }: SpineSenderOptions): SpineSender {
  const waiting = new Map<string, Set<() => void>>();

  /** Resolves when the message is settled here, or after `ms`. */
  function wake(id: string, ms: number): Promise<void> {
    return new Promise((done) => {
      const own = waiting.get(id) ?? new Set();
      const finish = (): void => {
        clearTimeout(timer);
        own.delete(finish);
        if (own.size === 0) waiting.delete(id);
        done();
      };
      const timer = setTimeout(finish, ms);
      own.add(finish);
      waiting.set(id, own);
    });
  }

  async function wait(caller: Caller, id: string, waitMs: number): Promise<StoredMessage> {
    const until = now() + waitMs;
    for (;;) {
      const message = await messages.read(caller, id);
      const left = until - now();
      if (SETTLED.includes(message.state) || left <= 0) return message;
      await wake(id, Math.min(left, pollMs));
    }
  }

  return {
    settled: (id) => {
      for (const finish of [...(waiting.get(id) ?? [])]) finish();
    },
    wait,
    async submit(caller, outgoing, waitMs) {
      const queued = prepareSending(outgoing);
      await queue(queued);
      const { id, hash } = queued.message;
      if ((await messages.read(caller, id)).hash !== hash.toString('hex'))
        throw conflict('The id of this message stands for another one: it is sent again under one of its own');
      return wait(caller, id, waitMs);
    },
  };
}
