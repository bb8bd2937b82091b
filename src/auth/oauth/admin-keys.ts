/** Emergency rotation of the keys that sign: `POST /api/v2/admin/keys/rotate`. SECURITY SO-03, LG-12 */
import type { Request } from 'express';
import type { SigningKeys } from '../../ports/signing-keys.ts';
import { type AdminAnswer, type AdminRightParts, checkAdmin } from './admin-right.ts';

export interface AdminKeysParts extends AdminRightParts {
  readonly keys: Pick<SigningKeys, 'rotateAtOnce' | 'published'>;
}

/** New keys sign at once, and what the old ones signed is worth nothing any more. Answers with the new ones' names. */
export async function rotateKeys(parts: AdminKeysParts, req: Request): Promise<AdminAnswer> {
  const caller = await checkAdmin(parts, req, { right: 'admin:keys', kind: 'key', isChange: true });
  await parts.keys.rotateAtOnce();
  const published = await parts.keys.published();
  await parts.trail({ kind: 'key', req, caller, rule: 'rotated-at-once' });
  return { status: 200, body: { keys: published.map(({ kid, alg }) => ({ kid, alg })) } };
}
