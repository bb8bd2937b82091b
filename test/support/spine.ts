/** A local Spine on free ports, and a sender that speaks to it over mutual TLS as the gateway does. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createCircuitBreaker } from '../../src/gateways/circuit-breaker.ts';
import { CONTENT_TYPE, formatEnvelope, soapActionOf } from '../../src/gateways/eps/envelope.ts';
import { createSpineExchange, type Polling, type SpineTracker } from '../../src/gateways/eps/exchange.ts';
import { readSpineReply } from '../../src/gateways/eps/read-reply.ts';
import { readSentMessage } from '../../src/gateways/eps/sent-message.ts';
import { createHttpsCaller, type HttpsCaller } from '../../src/gateways/https-call.ts';
import { type RunningSpine, startSpine } from '../../src/peers/spine/start.ts';
import type { SpineExchange, SpineOutcome } from '../../src/ports/spine-exchange.ts';
import { readSigner, type Signer, type V3Document } from './eps-messages.ts';
import { silentLog } from './log.ts';
import { makeTempFolder } from './temp-folder.ts';

export const PARTY = { fromPartyKey: 'T9991-800001', toPartyKey: 'YES-0000001' };

export interface TestSpine extends RunningSpine {
  readonly signer: Signer;
  readonly exchange: SpineExchange & { readonly tracker: SpineTracker };
  /** Sends a document once and resolves to what became of it. */
  send(document: V3Document | string, requestId?: string): Promise<SpineOutcome>;
  /** `AA`, `AE 0004`, `AA 0001`: of an answer; else the kind of the outcome. */
  tell(document: V3Document | string, requestId?: string): Promise<string>;
  /** The same of a text that need not be V3. */
  tellRaw(interaction: string, text: string): Promise<string>;
  /** Whose clock it goes by, ms UTC. */
  clock: { now: number };
}

export const clientTls = ({ certificates: { client } }: Pick<RunningSpine, 'certificates'>) => ({
  cert: readFileSync(client.certFile, 'utf8'),
  key: readFileSync(client.keyFile, 'utf8'),
  ca: readFileSync(client.caFile, 'utf8'),
});

export interface TestSpineOptions {
  /** ms UTC; the machine's clock unless given. */
  readonly now?: number;
  readonly timeoutMs?: number;
  readonly polling?: Polling;
  readonly folder?: string;
}

export async function startTestSpine(options: TestSpineOptions = {}): Promise<TestSpine> {
  const clock = { now: options.now ?? Date.now() };
  const running = await startSpine({
    folder: options.folder ?? makeTempFolder(),
    port: 0,
    statePort: 0,
    now: () => clock.now,
  });
  const material = clientTls(running);
  const https: HttpsCaller = createHttpsCaller({
    baseUrl: new URL(running.url),
    tls: () => material,
    timeoutMs: options.timeoutMs ?? 5000,
  });
  const exchange = createSpineExchange({
    https,
    breaker: createCircuitBreaker({ failuresMax: 1000, pauseMs: 1, pauseMaxMs: 1, now: Date.now }),
    polling: options.polling ?? { firstMs: 5, delayMs: 10, totalMs: 2000 },
    log: silentLog,
  });
  const send = (document: V3Document | string, requestId: string = randomUUID()): Promise<SpineOutcome> => {
    const v3 = typeof document === 'string' ? document : document.v3;
    const messageId = requestId.toUpperCase();
    const address = { ...PARTY, messageId, conversationId: messageId, at: clock.now };
    return exchange.send({ body: formatEnvelope(v3, readSentMessage(v3).interaction, address) });
  };
  /** As the exchange would, but nothing is read of the text. */
  const tellRaw = async (interaction: string, text: string): Promise<string> => {
    const messageId = randomUUID().toUpperCase();
    const address = { ...PARTY, messageId, conversationId: messageId, at: clock.now };
    const result = await https.call({
      method: 'POST',
      path: '/Prescription',
      headers: { 'Content-Type': CONTENT_TYPE, SOAPAction: soapActionOf(interaction), 'NHSD-Request-ID': messageId },
      body: formatEnvelope(text, interaction, address),
    });
    if (result.kind === 'failed') return result.cause;
    const reply = readSpineReply(result.body);
    return reply ? tellOf({ kind: 'answered', reply, body: result.body }) : `status ${result.status}`;
  };
  return {
    ...running,
    tellRaw,
    clock,
    signer: readSigner(running.certificates.signer),
    exchange,
    send,
    tell: async (document, requestId) => tellOf(await send(document, requestId)),
    async stop() {
      https.close();
      await running.stop();
    },
  };
}

export function tellOf(outcome: SpineOutcome): string {
  if (outcome.kind !== 'answered') return outcome.kind;
  const { acknowledgement, codes } = outcome.reply;
  return [acknowledgement, ...codes.map(({ code }) => code)].join(' ');
}

/** An id in the V3 of an answer, by the name of the element that holds it. */
export function idIn(outcome: SpineOutcome, element: string): string {
  if (outcome.kind !== 'answered') throw new Error(`no answer: ${JSON.stringify(outcome)}`);
  const found = new RegExp(`<${element}[ >][^]*?<id [^>]*root="([^"]+)"`).exec(outcome.body.toString());
  if (found?.[1] === undefined) throw new Error(`no ${element} in the answer`);
  return found[1];
}
