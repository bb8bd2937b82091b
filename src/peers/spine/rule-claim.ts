/** Claims for payment. eps/REFERENCE section 8.4. */
import { prescribeError, refuse } from './errors.ts';
import type { Content } from './read-message.ts';
import { findSupplied } from './rule-dispensing.ts';
import type { Ruling, World } from './rules.ts';
import { DAY_MS } from './time.ts';
import { CLAIM_DAYS } from './time-passes.ts';

type Claim = Extract<Content, { readonly kind: 'notification' | 'claim' }>;

export function ruleClaim(message: Claim, world: World): Ruling {
  const { prescription, issue } = findSupplied(message, world);
  const last = issue.claims.at(-1);
  if (message.replaces === undefined) {
    if (issue.status === '0008' || issue.status === '0009') return refuse(prescribeError('0012'));
    if (issue.status !== '0006' && issue.status !== '0007') return refuse(prescribeError('0015'));
  } else {
    if (issue.status !== '0008') return refuse(prescribeError('0015'));
    if (last?.id !== message.replaces) return refuse(prescribeError('0021'));
    if (world.now > (issue.completedAt ?? 0) + CLAIM_DAYS * DAY_MS) return refuse(prescribeError('0100'));
  }
  for (const item of message.items) {
    const standing = issue.items[item.itemId] ?? refuse(prescribeError('0014'));
    if (standing !== item.status) return refuse(prescribeError('0013'));
  }
  issue.status = '0008';
  issue.claims.push({ id: message.id, at: world.now });
  return { changed: [prescription], reply: { kind: 'accepted' } };
}
