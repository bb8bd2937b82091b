/** Who may see what is for operators: this machine itself, and whoever has the token. SECURITY WB-08. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isLocalRequest } from './address.ts';

/** Without a token only requests of this machine pass. */
export function createOperatorAccess(token: string | undefined): (req: IncomingMessage) => boolean {
  const expected = token === undefined ? undefined : digest(token);
  return (req) => {
    const given = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(req.headers.authorization ?? '')?.[1];
    const isOperator = expected !== undefined && given !== undefined && timingSafeEqual(digest(given), expected);
    return isOperator || isLocalRequest(req);
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
