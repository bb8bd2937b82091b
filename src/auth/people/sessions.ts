/** Sessions of people in browsers: begun, found again by their cookie, ended. SECURITY LG-12, LG-13, LG-14, WB-01 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../../ports/clock.ts';
import type { Person, SessionStore, StoredSession } from '../../ports/people.ts';
import type { Acting } from '../../ports/upstream.ts';
import type { Session, Sessions, User } from '../../ports/users.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { Cookies } from './cookies.ts';
import { isStaff } from './passwords.ts';
import { derive, hashOf, isSame, newSecret } from './secrets.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const STAFF = { idleMs: 15 * MINUTE, absoluteMs: 12 * HOUR };
const PATIENT = { idleMs: 30 * MINUTE, absoluteMs: 24 * HOUR };
const CONCURRENT_MAX = 5;
const CACHE_MS = 5_000;
const CACHE_MAX = 10_000;
/** How often it is written down that a session is in use. */
const TOUCH_MS = 30_000;
const AGENT_MAX = 200;
/** How old a proof may be for what needs a fresh one. */
export const STEP_UP_MS = 5 * MINUTE;

/** How a person proved who they are. */
export interface Proof {
  readonly user: User;
  readonly amr: readonly string[];
  /** ms UTC */
  readonly authTime: number;
  /** What another provider vouched for; `user` is the person as they act by it. */
  readonly acting?: Acting;
}

/** A session as its owner sees it in the list. */
export interface SessionSummary {
  readonly id: string;
  readonly createdAt: number;
  readonly seenAt: number;
  readonly address?: string;
  readonly agent?: string;
}

export interface PeopleSessions extends Sessions {
  /** Begins a session under a new id, in place of the one the request may have, and sets its cookie. */
  start(req: IncomingMessage, res: ServerResponse, proof: Proof): Promise<void>;
  /** Ends the session of the request and clears its cookie. */
  end(req: IncomingMessage, res: ServerResponse): Promise<void>;
  list(userId: string): Promise<readonly SessionSummary[]>;
  endOne(userId: string, id: string): Promise<boolean>;
  endAll(userId: string, exceptId?: string): Promise<number>;
}

export interface SessionsOptions {
  readonly store: SessionStore;
  readonly cookies: Cookies;
  readonly isOwnOrigin: (req: IncomingMessage) => boolean;
  /** Whether the person needs a second factor. */
  readonly needsMfa: (user: Person) => boolean;
  readonly addressOf: (req: IncomingMessage) => string;
  readonly now: Clock;
}

interface Found {
  readonly session: StoredSession;
  readonly user: Person;
  readonly readAt: number;
  seenAt: number;
  touchedAt: number;
}

export function createSessions(options: SessionsOptions): PeopleSessions {
  const { store, cookies, isOwnOrigin, needsMfa, addressOf, now } = options;
  const cache = new Map<string, Found>();

  async function read(value: string): Promise<Found | undefined> {
    const hash = hashOf(value);
    const key = hash.toString('base64');
    const at = now();
    const cached = cache.get(key);
    if (cached && at - cached.readAt < CACHE_MS && at >= cached.readAt) return cached;
    const row = await store.find(hash);
    cache.delete(key);
    if (!row) return undefined;
    if (cache.size >= CACHE_MAX) cache.delete(cache.keys().next().value as string); // not empty
    const seenAt = Math.max(row.session.seenAt, cached?.seenAt ?? 0);
    const found: Found = { ...row, readAt: at, seenAt, touchedAt: row.session.seenAt };
    cache.set(key, found);
    return found;
  }

  function isAlive({ session, user, seenAt }: Found): boolean {
    const at = now();
    const { idleMs } = timesOf(user);
    const isProven = !needsMfa(user) || isMfa(session.amr);
    const isCurrent = !user.isDisabled && session.securityVersion === user.securityVersion;
    return isProven && isCurrent && at < session.endsAt && at - seenAt < idleMs;
  }

  async function touch(found: Found): Promise<void> {
    found.seenAt = Math.max(found.seenAt, now());
    if (found.seenAt - found.touchedAt < TOUCH_MS) return;
    found.touchedAt = found.seenAt;
    await store.touch(found.session.id, found.seenAt);
  }

  const forget = (matches: (found: Found) => boolean): void => {
    for (const [key, found] of cache) if (matches(found)) cache.delete(key);
  };

  return {
    async find(req) {
      const value = cookies.read(req, 'session');
      const found = value === undefined ? undefined : await read(value);
      if (!found || value === undefined || !isAlive(found)) return undefined;
      await touch(found);
      return toSession(found, value);
    },

    isGenuine: (req, session, csrf) => csrf !== undefined && isOwnOrigin(req) && isSame(csrf, session.csrf),

    async start(req, res, { user, amr, authTime, acting }) {
      await endCurrent(req);
      const value = newSecret();
      await store.add(
        {
          hash: hashOf(value),
          userId: user.id,
          securityVersion: user.securityVersion,
          authTime,
          amr,
          address: addressOf(req),
          agent: (req.headers['user-agent'] ?? '').slice(0, AGENT_MAX),
          endsAt: now() + timesOf(user).absoluteMs,
          ...(acting && { acting }),
        },
        CONCURRENT_MAX,
      );
      forget((found) => found.user.id === user.id);
      cookies.set(res, 'session', value);
    },

    async end(req, res) {
      await endCurrent(req);
      cookies.clear(res, 'session');
    },

    async list(userId) {
      const sessions = await store.list(userId);
      return sessions
        .filter(({ endsAt }) => endsAt > now())
        .map(({ id, createdAt, seenAt, address, agent }) => ({
          id,
          createdAt,
          seenAt,
          ...(address !== undefined && { address }),
          ...(agent !== undefined && { agent }),
        }));
    },

    async endOne(userId, id) {
      const ended = await store.end(userId, id);
      forget((found) => found.session.id === id && found.user.id === userId);
      return ended;
    },

    async endAll(userId, exceptId) {
      const ended = await store.endAll(userId, exceptId);
      forget((found) => found.user.id === userId);
      return ended;
    },
  };

  async function endCurrent(req: IncomingMessage): Promise<void> {
    const value = cookies.read(req, 'session');
    const found = value === undefined ? undefined : await read(value);
    if (!found) return;
    await store.end(found.user.id, found.session.id);
    forget(({ session }) => session.id === found.session.id);
  }
}

const timesOf = (user: User) => (isStaff(user.roles) ? STAFF : PATIENT);

/** Whether more than a password was shown. */
export const isMfa = (amr: readonly string[]): boolean => ['otp', 'hwk', 'mfa'].some((way) => amr.includes(way));

function toSession({ session, user }: Found, cookie: string): Session {
  const { passwordHash, totp, isEmailVerified, mustEnrol, securityKeyCount, recoveryCodeCount, ...plain } = user;
  return {
    id: session.id,
    user: plain,
    authTime: session.authTime,
    amr: session.amr,
    acr: isMfa(session.amr) ? 'urn:mortar:aal2' : 'urn:mortar:aal1',
    csrf: derive(cookie, 'csrf'),
  };
}

/** Throws 401 `step_up_required` unless the person proved who they are lately. SECURITY LG-12 */
export function requireRecentAuth(
  who: { readonly authTime: number },
  now: number,
  maxAgeMs: number = STEP_UP_MS,
): void {
  if (isRecentAuth(who, now, maxAgeMs)) return;
  const again = {
    ...issue('login', 'Sign in again to do this: the last time is too long ago'),
    details: { coding: [{ code: 'step_up_required' }] },
  };
  // RFC 9470
  const challenge = `Bearer error="insufficient_user_authentication", max_age=${maxAgeMs / 1000}`;
  throw new FhirError(401, [again], { headers: { 'WWW-Authenticate': challenge } });
}

export const isRecentAuth = (who: { readonly authTime: number }, now: number, maxAgeMs = STEP_UP_MS): boolean =>
  now - who.authTime <= maxAgeMs;
