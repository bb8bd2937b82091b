/**
 * Signing in with a smart card: the TLS handshake of a listener of its own has proved that the card is there, and the
 * card's certificate is somebody's by an explicit table. Each proof makes one session. SECURITY NH-11
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import express, { type Express, type Request, type Response } from 'express';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { PeopleStore } from '../../ports/people.ts';
import { pageHeaders } from '../pages/headers.ts';
import { html } from '../pages/html.ts';
import { nextOf, sendFault, sendPage } from '../pages/kit.ts';
import type { RecordPeople } from './audit-people.ts';
import type { PeopleSessions } from './sessions.ts';

export interface CardOptions {
  /** Where the listener for cards is, without a trailing slash: the page to sign in links there. */
  readonly url: () => string;
  /** The e-mail address or name of the account whose card the connection has proved; undefined for nobody's. */
  readonly holderOf: (req: IncomingMessage) => string | undefined;
}

export interface CardSignInParts {
  readonly card: CardOptions;
  readonly people: Pick<PeopleStore, 'findByEmail'>;
  readonly sessions: PeopleSessions;
  readonly record: RecordPeople;
  readonly addressOf: (req: IncomingMessage) => string;
  /** Where people go on, without a trailing slash. */
  readonly siteUrl: string;
  readonly now: Clock;
  readonly log: Log;
}

export const CARD_PATH = '/sign-in/card';
/** RFC 8176: a smart card. The policy that its certificate must carry says that it asks for a PIN. */
const AMR = ['sc', 'mfa'];

const REFUSED = {
  'card-elsewhere': 'Another site has sent you here. Begin on our page to sign in.',
  'card-used': 'The proof of your card was used. Close the browser, open it again, and sign in.',
  'card-unknown': 'Nobody has said whose card this is. Ask your administrator.',
  'card-disabled': 'This account may not sign in. Ask your administrator.',
} as const;

/** Answers `GET /sign-in/card` on the listener for cards, and nothing else. */
export function createCardSignIn(parts: CardSignInParts): Express {
  const { card, people, sessions, record, addressOf, siteUrl, now, log } = parts;
  const used = new WeakSet<object>();

  /** A connection that was resumed or has signed somebody in shows nothing about the card of this moment. */
  function isFresh(socket: TLSSocket): boolean {
    if (used.has(socket) || socket.isSessionReused()) return false;
    used.add(socket);
    return true;
  }

  async function refuse(req: Request, res: Response, rule: keyof typeof REFUSED, account?: string): Promise<void> {
    await record({
      kind: 'login',
      outcome: 4,
      rule,
      address: addressOf(req),
      ...(account !== undefined && { account }),
    });
    const body = html`<h1>You are not signed in</h1><p>${REFUSED[rule]}</p>`;
    sendPage(res, { title: 'You are not signed in', body }, 403);
  }

  async function signIn(req: Request, res: Response): Promise<void> {
    if (req.headers['sec-fetch-site'] === 'cross-site') return refuse(req, res, 'card-elsewhere');
    if (!isFresh(req.socket as TLSSocket)) return refuse(req, res, 'card-used'); // the listener speaks TLS alone
    const holder = card.holderOf(req);
    const person = holder === undefined ? undefined : await people.findByEmail(holder);
    if (!person) return refuse(req, res, 'card-unknown');
    if (person.isDisabled) return refuse(req, res, 'card-disabled', person.id);
    const proof = { user: person, amr: AMR, authTime: now() };
    await sessions.start(req, res, proof);
    const address = addressOf(req);
    await record({ kind: 'login', outcome: 0, rule: 'signed-in-card', account: person.id, address, ...proof });
    res.redirect(303, siteUrl + nextOf(req));
  }

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  app.use(pageHeaders({ isTls: true }));
  app.get(CARD_PATH, (req, res) => signIn(req, res).catch((error: unknown) => sendFault(res, error, log)));
  app.use((_req, res) => {
    const body = html`<h1>Page not found</h1><p>Cards alone are read here.</p>`;
    sendPage(res, { title: 'Page not found', body }, 404);
  });
  return app;
}
