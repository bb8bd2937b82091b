/** Composition of the ways in for HL7 v2: MLLP plain and over mutual TLS, `POST /hl7v2`, the folder of files. docs/hl7v2.md */
import type { IncomingMessage } from 'node:http';
import type { Config } from './config.ts';
import { every } from './every.ts';
import type { PartnerDoors } from './gateway.ts';
import { createV2Endpoint } from './gateways/hl7v2/http-endpoint.ts';
import { createMllpListener, type MllpListener } from './gateways/hl7v2/mllp-listener.ts';
import { createV2Reception, type V2ReceptionOptions } from './gateways/hl7v2/reception.ts';
import type { SequenceOptions } from './gateways/hl7v2/sequence.ts';
import { openWatchedFolder } from './gateways/hl7v2/watched-folder.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Clock } from './ports/clock.ts';
import type { Log } from './ports/log.ts';
import type { OpenStore } from './postgres/store.ts';

export interface V2DoorParts {
  readonly config: Config;
  readonly store: OpenStore;
  /** The way in that all dialects share. */
  readonly receive: V2ReceptionOptions['receive'];
  /** Takes acknowledgements of what we sent. */
  readonly acknowledge: V2ReceptionOptions['acknowledge'];
  /** Throws when who sends over HTTP may not. */
  readonly admit: (req: IncomingMessage) => Promise<void>;
  readonly partners: PartnerDoors | undefined;
  readonly now: Clock;
  readonly log: Log;
}

export interface V2Doors {
  readonly http: ReturnType<typeof createV2Endpoint>;
  /** Opens the listeners and the folder. Rejects with the system's error when a port is taken. */
  start(): Promise<{ readonly mllpPort: number | undefined; readonly mllpsPort: number | undefined }>;
  counters(): MllpListener['counters'] | undefined;
  stop(timeoutMs: number): Promise<void>;
}

const CALLER = serviceCaller('gateway');
const FOLDER_EVERY_MS = 2000;

export function createV2Doors(parts: V2DoorParts): V2Doors {
  const { config, store, partners, now, log } = parts;
  const { newId } = store;
  const sequence = sequenceOf(parts);
  const reception = createV2Reception({
    receive: parts.receive,
    enhancedSenders: config.hl7v2EnhancedSenders ?? new Set(),
    ...(sequence && { sequence }),
    ...(parts.acknowledge && { acknowledge: parts.acknowledge }),
    now,
    newId,
    log,
  });
  let plain: MllpListener | undefined;
  let secure: MllpListener | undefined;
  let stopFolder: (() => Promise<void>) | undefined;

  async function watch(path: string): Promise<void> {
    const folder = await openWatchedFolder({ folder: path, receive: reception.receive, log });
    const stopping = new AbortController();
    const ended = every(
      FOLDER_EVERY_MS,
      () => folder.turn(stopping.signal),
      (error) => log.error('the folder of HL7 v2 files could not be read', { error }),
    );
    stopFolder = () => {
      stopping.abort();
      return ended();
    };
  }

  const limits = {
    connectionsMax: config.mllpConnectionsMax,
    connectionsPerAddressMax: config.mllpConnectionsPerAddressMax,
    idleTimeoutMs: config.mllpIdleTimeoutS * 1000,
    frameBytesMax: config.messageBytesMax,
    log,
  };
  return {
    http: createV2Endpoint({
      admit: parts.admit,
      receive: (raw, { socket }) => reception.answers(raw, partners?.partnerOf(socket)),
      bodyBytesMax: config.messageBytesMax,
      log,
    }),
    async start() {
      if (config.hl7v2Folder !== undefined) await watch(config.hl7v2Folder);
      if (config.mllpsPort !== 'off' && partners)
        secure = await createMllpListener({
          ...limits,
          host: config.host,
          port: config.mllpsPort,
          createServer: partners.createServer,
          async receive(raw, { socket }) {
            const partner = partners.partnerOf(socket);
            if (!partner) throw new Error('the certificate is no partner’s any more');
            return reception.answers(raw, partner);
          },
        });
      if (config.mllpPort !== 'off')
        plain = await createMllpListener({
          ...limits,
          host: config.host === '::1' ? '::1' : '127.0.0.1', // it speaks without TLS, so to this machine only
          port: config.mllpPort,
          receive: (raw) => reception.answers(raw),
        });
      return { mllpPort: plain?.port, mllpsPort: secure?.port };
    },
    counters: () => plain?.counters,
    async stop(timeoutMs) {
      await Promise.all([plain?.stop(timeoutMs), secure?.stop(timeoutMs), stopFolder?.()]);
    },
  };
}

/** Undefined where nobody numbers messages. */
function sequenceOf({ config, store, now }: V2DoorParts): SequenceOptions | undefined {
  const senders = config.hl7v2SequenceSenders;
  return (
    senders && {
      senders,
      read: store.changes.readSequence,
      write: store.changes.writeSequence,
      async isKnown(sender, controlId) {
        const filter = { direction: 'in', dialect: 'hl7v2', sender, controlId } as const;
        return controlId !== '' && (await store.messages.list(CALLER, filter, 1)).messages.length > 0;
      },
      now,
      newId: store.newId,
    }
  );
}
