/** For pharmacies that check tokens without a connection: which have ended, and what becomes of what was checked so. SECURITY RX-08 */
import { createListEnded } from '../../workflow/dispensing/ended-tokens.ts';
import { REASONS } from '../../workflow/dispensing/reasons.ts';
import { LIFETIME_MS } from '../../workflow/dispensing/tokens.ts';
import { createVerify } from '../../workflow/dispensing/verify.ts';
import { throttled } from '../rate-limit.ts';
import { type DispensingParts, PHARMACY_CODE, TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { reasonOf, recordVerification } from './verification-record.ts';

const TAG = 'Tokens';
const CHECKS_MAX = 50;

interface Check {
  readonly token: string;
  readonly at: string;
}

export function createOfflineRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { pharmacies, limits, plain, url, now } = parts;
  const verify = createVerify({ ...parts, store: plain, issuer: url });
  const listEnded = createListEnded(parts);

  async function ended({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, query['pharmacy_code'] as string | undefined); // as the schema says
    const asOf = new Date(now()).toISOString();
    const { ids, next } = await listEnded(caller, pharmacy.id, query['after'] as string | undefined);
    return {
      status: 200,
      json: { as_of: asOf, ended: ids, ...(next !== undefined && { next }) },
      detail: { pharmacy: pharmacy.id },
    };
  }

  async function reconcile({ caller, body, address }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, body['pharmacy_code'] as string | undefined);
    const limit = await limits.check('verify', `pharmacy ${pharmacy.id}`);
    if (!limit.allowed) throw throttled(limit);
    const results: object[] = [];
    for (const { token, at } of body['verifications'] as readonly Check[]) {
      const verdict = await verify({ token }, pharmacy.id);
      const { fault, tokenId } = verdict;
      // When the pharmacy looked, as far as that can be.
      const checkedAt = Math.min(Math.max(Date.parse(at), now() - LIFETIME_MS), now());
      await recordVerification(parts, caller, verdict, { pharmacy, address, at: checkedAt });
      results.push({
        prescription_id: tokenId ?? null,
        checked_at: new Date(checkedAt).toISOString(),
        confirmed: fault === undefined,
        reason: reasonOf(verdict),
        ...(fault !== undefined && { step_failed: REASONS[fault].step }),
      });
    }
    return { status: 200, json: { verifications: results }, detail: { pharmacy: pharmacy.id } };
  }

  return [
    {
      method: 'GET',
      path: '/api/pharmacy/ended-tokens',
      summary: 'Tokens of the pharmacy that are good no more, for checks without a connection',
      tag: TAG,
      rights: ['prescriptions:verify'],
      kind: 'search',
      told: 'ended-tokens',
      isUntold: true, // ids alone
      request: { query: { type: 'object', properties: { pharmacy_code: PHARMACY_CODE, after: TEXT(500) } } },
      answers: {
        200: { about: 'Their ids; `next` is the `after` of the page that follows', schema: { type: 'object' } },
      },
      handle: ended,
    },
    {
      method: 'POST',
      path: '/api/pharmacy/offline-verifications',
      summary: 'What was checked without a connection, to be confirmed',
      tag: TAG,
      rights: ['prescriptions:verify'],
      kind: 'verification',
      told: 'offline-verifications',
      isUntold: true, // each is told by itself
      request: {
        body: {
          type: 'object',
          required: ['verifications'],
          properties: {
            pharmacy_code: PHARMACY_CODE,
            verifications: {
              type: 'array',
              minItems: 1,
              maxItems: CHECKS_MAX,
              items: {
                type: 'object',
                required: ['token', 'at'],
                additionalProperties: false,
                properties: { token: TEXT(4000), at: { type: 'string', format: 'date-time' } },
              },
            },
          },
        },
      },
      answers: { 200: { about: 'Each, confirmed or not, and why', schema: { type: 'object' } } },
      handle: reconcile,
    },
  ];
}
