/** A code by text message to whom collects: sent, and said at the counter. MISSION M10; SECURITY RX-06 */
import type { Caller } from '../../ports/caller.ts';
import { isTokenId } from '../../standards/prescription-token/token-id.ts';
import type { SentCode } from '../../workflow/dispensing/collection-code.ts';
import { faultOfEntry, faultOfToken } from '../../workflow/dispensing/dispense-fault.ts';
import type { FoundTask } from '../../workflow/dispensing/find-task.ts';
import type { Pharmacy } from '../../workflow/dispensing/pharmacies.ts';
import { CODE_CONFIRMED, type Fault, REASONS } from '../../workflow/dispensing/reasons.ts';
import { createTaskLookup } from '../../workflow/dispensing/task-lookup.ts';
import { refusedAnswer } from './dispense-answer.ts';
import { COLLECTION_CODE, type DispensingParts, PHARMACY_CODE, TEXT } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { recordFailedCode } from './verification-record.ts';
import { readVisibleTask } from './visible-task.ts';

type Entry = { readonly found: FoundTask } | { readonly fault: Fault; readonly found?: FoundTask };

export function createCollectionCodeRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { plain, pharmacies, attempts, collection, now } = parts;
  const lookUp = createTaskLookup({ ...parts, store: plain });

  /** By the token that was shown, as it is dispensed; without its nonce whatever the pharmacy may see in its queue. */
  async function entryOf({ caller, path, body }: WorkflowCall, pharmacyId: string): Promise<Entry> {
    const { id = '' } = path;
    const { nonce } = body;
    const asked = { pharmacyId, at: now() };
    if (typeof nonce !== 'string') {
      const found = await readVisibleTask(parts, caller, id);
      const fault = faultOfEntry(found, asked);
      return fault === undefined ? { found } : { fault, found };
    }
    const found = isTokenId(id) ? await lookUp(id) : undefined;
    const fault = faultOfToken(found, { nonce, ...asked }) ?? (found ? undefined : 'unknown');
    // Who has not the token learns nothing of the entry, nor is its patient named.
    if (fault === 'unknown' || fault === 'nonce' || !found) return { fault: fault ?? 'unknown' };
    return fault === undefined ? { found } : { fault, found };
  }

  async function refuse(call: WorkflowCall, pharmacy: Pharmacy, entry: Entry, fault: Fault, left?: number) {
    const { caller, path, address } = call;
    const { id = '' } = path;
    const at = now();
    const tokenId = entry.found?.token.tokenId ?? (isTokenId(id) ? id : undefined);
    await Promise.all([
      attempts.record({ ...attemptOf(pharmacy, address, at, tokenId), success: false, reason: REASONS[fault].text }),
      recordFailedCode(parts, caller, fault, pharmacy.id, entry.found),
    ]);
    return { ...refusedAnswer(fault, left), ...told(entry.found, pharmacy, fault) };
  }

  async function send(call: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacyOf(call);
    const entry = await entryOf(call, pharmacy.id);
    if ('fault' in entry) return refuse(call, pharmacy, entry, entry.fault);
    const { found } = entry;
    const { tokenId } = found.token;
    const done = await collection.send(found, pharmacy, (tx, sent) => call.keep(tx, sentAnswer(tokenId, sent, now())));
    if (done.outcome === 'used') return refuse(call, pharmacy, entry, 'dispensed');
    return { ...sentAnswer(tokenId, done, now()), ...told(found, pharmacy, done.outcome) };
  }

  async function confirm(call: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacyOf(call);
    const entry = await entryOf(call, pharmacy.id);
    if ('fault' in entry) return refuse(call, pharmacy, entry, entry.fault);
    const { found } = entry;
    const { tokenId } = found.token;
    const done = await collection.confirm(found, pharmacy, String(call.body['code']));
    if ('fault' in done) return refuse(call, pharmacy, entry, done.fault, done.left);
    await attempts.record({
      ...attemptOf(pharmacy, call.address, now(), tokenId),
      success: true,
      reason: CODE_CONFIRMED,
    });
    const details = { prescription_id: tokenId, confirmed_until: done.until };
    return {
      status: 200,
      json: { success: true, message: CODE_CONFIRMED, details },
      ...told(found, pharmacy, 'confirmed'),
    };
  }

  const pharmacyOf = ({ caller, body }: { readonly caller: Caller; readonly body: WorkflowCall['body'] }) =>
    pharmacies.actingFor(caller, body['pharmacy_code'] as string | undefined); // as the schema says

  const shown = {
    pharmacy_code: PHARMACY_CODE,
    nonce: TEXT(64, { description: 'Of the token that is shown; needed where it names no pharmacy' }),
  };
  const common = {
    method: 'POST',
    tag: 'Pharmacy',
    rights: ['prescriptions:dispense'],
    problems: ['pharmacy'],
  } as const;
  const refusals = {
    403: { about: 'For another pharmacy', schema: { type: 'object' } },
    404: { about: 'No such prescription', schema: { type: 'object' } },
    409: { about: 'Dispensed before, or on hold', schema: { type: 'object' } },
  };
  return [
    {
      ...common,
      path: '/api/prescriptions/:id/collection-code',
      summary: 'Sends the patient the code against which it is handed over, by text message; good for ten minutes',
      kind: 'operation',
      told: 'collection-code-send',
      request: { body: { type: 'object', properties: shown } },
      answers: {
        200: { about: 'Sent; until when it is good', schema: { type: 'object' } },
        ...refusals,
        422: { about: 'No code is needed, or there is no way to the patient', schema: { type: 'object' } },
        429: { about: 'Three were sent within the hour', schema: { type: 'object' } },
        502: { about: 'It is not known whether it was sent' },
      },
      problems: ['pharmacy', 'code-unknown'],
      handle: send,
    },
    {
      ...common,
      path: '/api/prescriptions/:id/collection-code/confirm',
      summary: 'Says the code: for a quarter of an hour this pharmacy may dispense without it, once',
      kind: 'operation',
      told: 'collection-code-confirm',
      request: { body: { type: 'object', required: ['code'], properties: { code: COLLECTION_CODE, ...shown } } },
      answers: {
        200: { about: 'It is right', schema: { type: 'object' } },
        ...refusals,
        422: { about: 'Wrong, expired, tried too often, or never sent', schema: { type: 'object' } },
      },
      handle: confirm,
    },
  ];
}

const attemptOf = (pharmacy: Pharmacy, address: string, at: number, tokenId: string | undefined) => ({
  at,
  ...(tokenId !== undefined && { tokenId }),
  pharmacyId: pharmacy.id,
  pharmacyName: pharmacy.name,
  kind: 'verify' as const,
  address,
});

/** For the trail. */
const told = (found: FoundTask | undefined, pharmacy: Pharmacy, code: string): Partial<WorkflowAnswer> => ({
  ...(found && { patientId: found.patientId }),
  detail: { pharmacy: pharmacy.id, ...(found && { token: found.token.tokenId }), code },
});

/** Why none was sent, and what to do. */
const NOT_SENT: Readonly<Record<Exclude<SentCode['outcome'], 'sent' | 'too-many'>, string>> = {
  'no-mobile':
    'The patient has no mobile number on record: add one (Patient.telecom, use mobile), or dispense with collection_code_waived and the reason',
  'no-channel': 'This server sends no text messages: an operator sets SMS_URL; until then collection_code_waived',
  deceased: 'The record says that the patient has died: nothing is sent',
  restricted: "The processing of this patient's data is restricted: nothing is sent",
  refused:
    'The number on record takes no text messages: correct it, or dispense with collection_code_waived and the reason',
  used: 'Prescription already dispensed',
  'not-needed': 'This prescription is handed over without a code',
};

function sentAnswer(tokenId: string, done: SentCode, at: number): WorkflowAnswer {
  const step_failed = 'collection_code';
  if (done.outcome === 'sent') {
    const details = { prescription_id: tokenId, expires_at: done.expiresAt };
    return { status: 200, json: { success: true, message: 'The code was sent to the patient', details } };
  }
  if (done.outcome === 'too-many') {
    const seconds = Math.max(1, Math.ceil((done.retryAt - at) / 1000));
    return {
      status: 429,
      json: {
        success: false,
        message: 'Three codes were sent within the hour, or ten to this patient: wait, or use the last one',
        details: { step_failed, code: 'code-too-many', retry_after: seconds },
      },
      headers: { 'Retry-After': String(seconds) },
    };
  }
  const code = done.outcome === 'not-needed' ? 'code-not-needed' : `code-${done.outcome}`;
  return { status: 422, json: { success: false, message: NOT_SENT[done.outcome], details: { step_failed, code } } };
}
