/**
 * Partners who name themselves with user and password (HTTP Basic, RFC 7617) where they have no certificate. Passwords
 * are kept as scrypt hashes only, in a file of the operator's. docs/ncpdp.md "Partners"
 */
import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { Partner } from '../../ports/partner.ts';

export interface BasicPartner extends Partner {
  readonly user: string;
  /** `scrypt:` salt `:` hash of 32 bytes, both base64url. */
  readonly password: string;
}

/** The partner an Authorization header names; undefined for a wrong one. */
export type FindBasicPartner = (authorization: string) => Promise<Partner | undefined>;

const HASH_BYTES = 32;
const HEADER_MAX = 1024;
/** A password that was right is not hashed again for each message. */
const REMEMBERED_MS = 60_000;
const REMEMBERED_MAX = 1000;

export function createBasicPartners(partners: readonly BasicPartner[], now: Clock): FindBasicPartner {
  const byUser = new Map(partners.map((one) => [one.user, one]));
  const key = randomBytes(HASH_BYTES);
  const remembered = new Map<string, { readonly partner: Partner; readonly until: number }>();
  const nobody: BasicPartner = {
    organizationId: '',
    senders: [],
    user: '',
    password: `scrypt:${randomBytes(16).toString('base64url')}:${randomBytes(HASH_BYTES).toString('base64url')}`,
  };
  return async (authorization) => {
    const [, token = ''] = /^Basic +([A-Za-z0-9+/=]+)$/i.exec(authorization.slice(0, HEADER_MAX)) ?? [];
    const text = Buffer.from(token, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 1) return undefined;
    const digest = createHmac('sha256', key).update(text).digest('base64');
    const known = remembered.get(digest);
    if (known && known.until > now()) return known.partner;
    // Who is not there takes as long as who is.
    const found = byUser.get(text.slice(0, colon)) ?? nobody;
    const isRight = await verify(text.slice(colon + 1), found.password);
    if (!isRight || found === nobody) return undefined;
    const { user: _user, password: _password, ...partner } = found;
    if (remembered.size >= REMEMBERED_MAX) remembered.clear();
    remembered.set(digest, { partner, until: now() + REMEMBERED_MS });
    return partner;
  };
}

function verify(password: string, stored: string): Promise<boolean> {
  const [scheme, salt = '', hash = ''] = stored.split(':');
  const wanted = Buffer.from(hash, 'base64url');
  return new Promise((resolve, reject) => {
    scrypt(password, Buffer.from(salt, 'base64url'), HASH_BYTES, (error, made) => {
      if (error) reject(error);
      else resolve(scheme === 'scrypt' && wanted.length === made.length && timingSafeEqual(made, wanted));
    });
  });
}

/** The hash of a new password, as the file has it. */
export function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, (error, hash) => {
      if (error) reject(error);
      else resolve(`scrypt:${salt.toString('base64url')}:${hash.toString('base64url')}`);
    });
  });
}

const PASSWORD = /^scrypt:[\w-]{16,128}:[\w-]{43}$/;

/** The partners of a file's text. Throws, with the place and no password, where it is not as it should be. */
export function parseBasicPartners(text: string): readonly BasicPartner[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error('it is no JSON');
  }
  if (!Array.isArray(json)) throw new Error('it must be a list of partners');
  const users = new Set<string>();
  return json.map((one: unknown, at): BasicPartner => {
    const { user, password, senders, organizationId, messages } = (one ?? {}) as Record<string, unknown>;
    const refuse = (what: string): never => {
      throw new Error(`partner ${at + 1}: ${what}`);
    };
    const isNames = (value: unknown): value is readonly string[] =>
      Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string' && name !== '');
    if (typeof user !== 'string' || user === '' || user.includes(':'))
      return refuse('user must be a text without a colon');
    if (users.has(user)) return refuse('the user is there twice');
    users.add(user);
    if (typeof password !== 'string' || !PASSWORD.test(password))
      return refuse('password must be a hash, as npm run -s script:password prints it');
    if (!isNames(senders)) return refuse('senders must list the names in From, like P:0300123');
    if (typeof organizationId !== 'string' || organizationId === '') return refuse('organizationId is missing');
    if (messages !== undefined && !isNames(messages)) return refuse('messages must list kinds, like RxFill');
    return { user, password, senders, organizationId, ...(messages !== undefined && { messages }) };
  });
}
