/** Words that only their bearer knows. Tables hold their hashes. SECURITY ST-13 */
import { createHash, createHmac, randomBytes } from 'node:crypto';

/** 256 random bits, base64url. */
export const makeOpaque = (): string => randomBytes(32).toString('base64url');

export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/**
 * Refresh tokens of a family are two words: the first is the family's, and tells an old token of it from a made-up one;
 * the second changes with each use. It follows from the token before and a salt in the table, so that the same use,
 * repeated, can be given the same answer although no token is kept.
 */
export const makeRefresh = (): string => `${makeOpaque()}.${makeOpaque()}`;

const REFRESH = /^([A-Za-z0-9_-]{43})\.[A-Za-z0-9_-]{43}$/;

/** The family's word; undefined for what is no refresh token of ours. */
export const handleOf = (token: string): string | undefined => REFRESH.exec(token)?.[1];

export const makeSalt = (): Buffer => randomBytes(32);

export const nextRefresh = (token: string, salt: Buffer): string =>
  `${handleOf(token)}.${createHmac('sha256', salt).update(token).digest('base64url')}`;
