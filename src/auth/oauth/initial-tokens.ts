/** Tokens by which somebody may register one app: `POST /api/v2/admin/registration-tokens`. RFC 7591 section 3. SECURITY SR-01 */
import { hash } from 'node:crypto';
import type { Request } from 'express';
import type { Clients } from '../../ports/clients.ts';
import { type AdminAnswer, type AdminRightParts, checkAdmin } from './admin-right.ts';

export interface InitialTokensParts extends AdminRightParts {
  readonly clients: Pick<Clients, 'addInitialToken'>;
}

const LIFETIME_MS = 7 * 24 * 3_600_000;

/** Makes one, which is seen this once and good for a week. */
export async function addInitialToken(parts: InitialTokensParts, req: Request): Promise<AdminAnswer> {
  const caller = await checkAdmin(parts, req, { right: 'admin:clients', kind: 'client', isChange: true });
  const token = await parts.clients.addInitialToken(caller.user?.id ?? caller.name, LIFETIME_MS);
  const detail = { token: initialTokenId(token) };
  await parts.trail({ kind: 'client', req, caller, rule: 'registration-token-added', detail });
  return { status: 201, body: { initial_access_token: token, expires_in: LIFETIME_MS / 1000 } };
}

/** What the audit trail knows it by. */
export const initialTokenId = (token: string): string => hash('sha256', token).slice(0, 16);
