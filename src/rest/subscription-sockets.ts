/**
 * Websockets on which subscribers are told (RFC 6455): `bind <id>` of R4, which is told `ping <id>`, and
 * `bind-with-token <token>` of the topics, which is told notifications. https://hl7.org/fhir/R4/subscription.html#2.46.7.2
 */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Authenticate } from '../ports/authenticate.ts';
import type { Caller } from '../ports/caller.ts';
import type { Log } from '../ports/log.ts';
import type { SubscriptionBook } from '../ports/subscriptions.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import { correlationIdOf } from '../standards/fhir/request-id.ts';
import { formatNotification, type NotifiedEvent } from '../standards/fhir/subscription/notification.ts';
import type { SubscriptionPlan } from '../standards/fhir/subscription/read-subscription.ts';
import type { Delivery } from '../workflow/subscriptions/deliver.ts';
import type { SubscriptionDesk } from '../workflow/subscriptions/desk.ts';
import type { Plans } from '../workflow/subscriptions/plans.ts';
import type { Guard } from './guard.ts';
import { sendOutcome } from './send-outcome.ts';

export interface SocketsOptions {
  readonly desk: SubscriptionDesk;
  readonly book: SubscriptionBook;
  readonly plans: Plans;
  readonly delivery: Delivery;
  readonly authenticate: Authenticate;
  /** Does a piece of work again and again until it is ended. */
  readonly every: (ms: number, work: () => Promise<unknown>, onError: (error: unknown) => void) => () => Promise<void>;
  readonly baseUrl: string;
  readonly now: () => number;
  readonly log: Log;
}

export interface SubscriptionSockets {
  /** Takes over a connection whose client asks for a websocket. */
  upgrade(guard: Guard, req: IncomingMessage, socket: Duplex, head: Buffer): void;
  stop(): Promise<void>;
}

interface Bound {
  readonly socket: WebSocket;
  readonly id: string;
  /** Notifications, or `ping` alone. */
  readonly isTopic: boolean;
  /** Number of the last event it was told. */
  last: number;
  /** ms UTC */
  saidAt: number;
}

const PATH = /^\/(?:fhir|FHIR)\/R4\/(?:\$|%24)websocket$/;
const MESSAGE_MAX = 4096;
const SOCKETS_MAX = 1000;
const BINDINGS_MAX = 20;
const UNBOUND_MS = 15_000;
const POLL_MS = 250;
const WAITING_MAX = 100;
/** What a client has not read is not added to without end. */
const BUFFERED_MAX = 4 * 1024 * 1024;
const POLICY_VIOLATION = 1008;
const GOING_AWAY = 1001;

export function createSubscriptionSockets(options: SocketsOptions): SubscriptionSockets {
  const { desk, book, plans, delivery, authenticate, every, baseUrl, now, log } = options;
  const server = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_MAX, perMessageDeflate: false });
  const bound = new Set<Bound>();

  async function bind(socket: WebSocket, id: string, isByToken: boolean): Promise<void> {
    const subscriber = await book.find(id);
    const plan = subscriber && subscriber.state !== 'off' ? await plans.find(id, subscriber.version) : undefined;
    if (!subscriber || plan?.channel !== 'websocket') return socket.close(POLICY_VIOLATION, 'no such subscription');
    if ([...bound].filter((one) => one.socket === socket).length >= BINDINGS_MAX)
      return socket.close(POLICY_VIOLATION, 'too many subscriptions');
    const isTopic = isByToken && plan.topic !== undefined;
    bound.add({ socket, id, isTopic, last: subscriber.events, saidAt: now() });
    socket.send(isTopic ? notification(id, plan, 'handshake', subscriber.events) : `bound ${id}`);
  }

  const notification = (
    id: string,
    plan: SubscriptionPlan,
    kind: 'handshake' | 'heartbeat' | 'event-notification',
    total: number,
    events: readonly NotifiedEvent[] = [],
  ): string =>
    formatNotification(
      {
        baseUrl,
        subscriptionId: id,
        ...(plan.topic !== undefined && { topic: plan.topic }),
        status: 'active',
        kind,
        total,
        events,
        content: plan.content,
      },
      now(),
    );

  async function hear(socket: WebSocket, caller: Caller | undefined, text: string): Promise<void> {
    const [, word, value = ''] = /^(bind|bind-with-token) (\S+)$/.exec(text.trim()) ?? [];
    if (word === undefined) return socket.close(POLICY_VIOLATION, 'say bind or bind-with-token');
    if (word === 'bind-with-token') {
      const id = desk.openToken(value);
      return id === undefined ? socket.close(POLICY_VIOLATION, 'the token is not valid') : bind(socket, id, true);
    }
    if (!caller) return socket.close(POLICY_VIOLATION, 'bind needs an access token; use bind-with-token');
    await desk.checkSubscriber(caller, value);
    await bind(socket, value, false);
  }

  function take(socket: WebSocket, caller: Caller | undefined): void {
    const lonely = setTimeout(() => {
      if (![...bound].some((one) => one.socket === socket)) socket.close(POLICY_VIOLATION, 'nothing was bound');
    }, UNBOUND_MS);
    let hearing = Promise.resolve();
    socket.on('message', (data) => {
      hearing = hearing
        .then(() => hear(socket, caller, data.toString()))
        .catch((error: unknown) => {
          if (!(error instanceof FhirError)) log.error('a websocket could not be bound', { error });
          socket.close(POLICY_VIOLATION, 'no such subscription');
        });
    });
    socket.on('error', () => socket.terminate());
    socket.on('close', () => {
      clearTimeout(lonely);
      for (const one of bound) if (one.socket === socket) bound.delete(one);
    });
  }

  /** Tells every socket of one subscription what is new, in order. */
  async function tell(id: string): Promise<void> {
    const before = await book.find(id);
    const plan = before && before.state !== 'off' ? await plans.find(id, before.version) : undefined;
    const mine = [...bound].filter((one) => one.id === id);
    if (!before || plan?.channel !== 'websocket') {
      for (const { socket } of mine) socket.close(POLICY_VIOLATION, 'the subscription has ended');
      return;
    }
    for (const { seq } of await book.listWaiting(id, WAITING_MAX)) await delivery.show(before, plan, seq);
    const first = Math.min(...mine.map(({ last }) => last)) + 1;
    const fresh = await book.list(id, first, Number.MAX_SAFE_INTEGER, WAITING_MAX);
    for (const event of fresh) {
      const shown = await delivery.show(before, plan, event.seq);
      for (const one of mine) if (one.last === (event.number ?? 0) - 1) say(one, plan, event.number ?? 0, shown);
    }
    for (const one of mine) beat(one, plan, before.events);
  }

  function say(one: Bound, plan: SubscriptionPlan, number: number, shown: NotifiedEvent | undefined): void {
    if (one.socket.bufferedAmount > BUFFERED_MAX) return;
    one.last = number;
    if (!shown) return;
    one.socket.send(one.isTopic ? notification(one.id, plan, 'event-notification', number, [shown]) : `ping ${one.id}`);
    one.saidAt = now();
  }

  function beat(one: Bound, plan: SubscriptionPlan, total: number): void {
    if (!one.isTopic || plan.heartbeatS === undefined || now() - one.saidAt < plan.heartbeatS * 1000) return;
    one.socket.send(notification(one.id, plan, 'heartbeat', total));
    one.saidAt = now();
  }

  const stopTelling = every(
    POLL_MS,
    async () => {
      for (const id of new Set([...bound].map((one) => one.id))) await tell(id);
    },
    (error) => log.warn('subscribers could not be told by websocket', { error }),
  );

  async function admit(guard: Guard, req: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const refuse = (error: FhirError): void => refuseUpgrade(req, socket, error);
    const res = new ServerResponse(req);
    const verdict = guard(req, res);
    if (verdict === 'answered' || verdict !== undefined)
      return refuse(verdict === 'answered' ? new FhirError(400, [issue('invalid', 'this is no websocket')]) : verdict);
    if (!PATH.test(req.url ?? ''))
      return refuse(new FhirError(404, [issue('not-found', 'there is no websocket here')]));
    if (server.clients.size >= SOCKETS_MAX)
      return refuse(new FhirError(503, [issue('throttled', 'there are too many websockets')]));
    // Browsers cannot send a header with it; a token to bind with is asked for before.
    const caller = req.headers.authorization === undefined ? undefined : await authenticate(req, correlationIdOf(req));
    server.handleUpgrade(req, socket, head, (ws) => take(ws, caller));
  }

  return {
    upgrade(guard, req, socket, head) {
      socket.on('error', () => socket.destroy());
      admit(guard, req, socket, head).catch((error: unknown) => {
        if (!(error instanceof FhirError)) log.error('a websocket could not be opened', { error });
        refuseUpgrade(
          req,
          socket,
          error instanceof FhirError ? error : new FhirError(500, [issue('exception', 'the server failed')]),
        );
      });
    },
    async stop() {
      await stopTelling();
      for (const socket of server.clients) socket.close(GOING_AWAY, 'the server stops');
      setTimeout(() => {
        for (const socket of server.clients) socket.terminate();
      }, 500).unref();
    },
  };
}

/** An answer on a connection that is no websocket yet. */
function refuseUpgrade(req: IncomingMessage, socket: Duplex, error: FhirError): void {
  const res = new ServerResponse(req);
  res.shouldKeepAlive = false;
  // Node's own parser hands over the socket of the server.
  res.assignSocket(socket as Parameters<ServerResponse['assignSocket']>[0]);
  res.on('finish', () => socket.end());
  sendOutcome(res, error);
}
