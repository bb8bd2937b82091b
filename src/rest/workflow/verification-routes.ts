/** Tokens that are shown at a counter: are they good, dispense on them, who showed them. MISSION M10; SECURITY RX-02, RX-04, RX-06 */
import type { Caller } from '../../ports/caller.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import { isControlledEntry } from '../../workflow/dispensing/controlled.ts';
import { createDispense } from '../../workflow/dispensing/dispense.ts';
import { dispensedBy, dispenseIdOf } from '../../workflow/dispensing/dispense-record.ts';
import type { FoundTask } from '../../workflow/dispensing/find-task.ts';
import type { Node, Pharmacy } from '../../workflow/dispensing/pharmacies.ts';
import { type GivenPhoto, isPhotoNeeded } from '../../workflow/dispensing/photo.ts';
import type { CounterRules } from '../../workflow/dispensing/queue-item.ts';
import { REASONS, VERIFIED } from '../../workflow/dispensing/reasons.ts';
import { createVerify, type Verdict } from '../../workflow/dispensing/verify.ts';
import { throttled } from '../rate-limit.ts';
import { dispensedAnswer, toldOf } from './dispense-answer.ts';
import { COLLECTION_CODE, type DispensingParts, PHARMACY_CODE, SAID, TEXT, TOKEN_ID } from './dispensing-parts.ts';
import { PHOTO_PROBLEMS, photoBodyMax } from './photo-routes.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { recordFailedCode, recordVerification } from './verification-record.ts';
import { readVisibleTask } from './visible-task.ts';

const TAG = 'Tokens';
const ATTEMPTS_MAX = 1000;
const TOKEN_BODY_MAX = 16 * 1024;

export function createVerificationRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { store, plain, searchOf, tokens, keys, pharmacies, attempts, collection, limits, url, now } = parts;
  const rules: CounterRules = { isCodeNeeded: collection.isNeeded, photos: parts.photos };
  const verify = createVerify({ store: plain, searchOf, tokens, keys, issuer: url, now });
  const dispense = createDispense({ ...parts, lookup: plain });

  async function checkRate(pharmacy: Pharmacy | undefined, address: string): Promise<void> {
    const verdict = await limits.check('verify', pharmacy ? `pharmacy ${pharmacy.id}` : `address ${address}`);
    if (!verdict.allowed) throw throttled(verdict);
  }

  /** The log, the trail, and, of what failed, the limit of the token. */
  async function tell(caller: Caller, verdict: Verdict, pharmacy: Pharmacy | undefined, address: string) {
    const { fault, tokenId } = verdict;
    if (fault !== undefined && tokenId !== undefined) {
      const limit = await limits.check('verify-prescription', tokenId);
      if (!limit.allowed) throw throttled(limit);
    }
    await recordVerification(parts, caller, verdict, { pharmacy, address, at: now() });
  }

  async function handleVerify({ caller, body, may, address }: WorkflowCall): Promise<WorkflowAnswer> {
    const code = body['pharmacy_code'] as string | undefined; // as the schema says
    const pharmacy = may('prescriptions:verify') ? await pharmacies.actingFor(caller, code) : undefined;
    await checkRate(pharmacy, address);
    const verdict = await verify(body, pharmacy?.id);
    await tell(caller, verdict, pharmacy, address);
    return { status: 200, json: pharmacy ? verdictFor(verdict, rules) : verdictForAnybody(verdict) };
  }

  async function handleDispense({ caller, body, address, keep }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, String(body['pharmacy_code']));
    const tokenId = String(body['prescription_id']);
    const notes = body['verification_notes'] as string | undefined;
    const waiver = body['collection_code_waived'];
    const done = await dispense(
      caller,
      {
        tokenId,
        nonce: String(body['nonce']),
        pharmacy,
        pharmacist: String(body['pharmacist_name']),
        ...(notes !== undefined && notes.trim() !== '' && { notes: notes.trim() }),
        identity: { type: body['patient_id_type'], number: body['patient_id_number'] },
        address,
        ...(typeof body['collection_code'] === 'string' && { code: body['collection_code'] }),
        ...(body['photo'] !== undefined && { photo: body['photo'] as GivenPhoto }), // as the schema says
        ...(typeof waiver === 'string' && { waiver: waiver.trim() }),
      },
      (tx, outcome) => keep(tx, dispensedAnswer(tokenId, outcome)),
    );
    if (!done.isDone && (done.fault === 'code-wrong' || done.fault === 'code-tries'))
      await recordFailedCode(parts, caller, done.fault, pharmacy.id, done.found);
    return {
      ...dispensedAnswer(tokenId, done),
      ...(done.found && { patientId: done.found.patientId }),
      detail: {
        pharmacy: pharmacy.id,
        token: tokenId,
        ...(!done.isDone && { fault: done.fault }),
      },
      ...(done.isDone && done.code && { rule: `collection-code-${done.code}` }),
    };
  }

  /** What was noted when it was handed over, for whoever may read that. */
  async function noteOf(caller: Caller, { task }: FoundTask): Promise<string> {
    const id = dispenseIdOf(task);
    if (id === undefined) return '';
    try {
      const dispensed = parseJson((await store.read(caller, 'MedicationDispense', id)).content) as Node;
      const notes = (dispensed['note'] ?? []) as readonly Node[]; // validated
      return notes.map(({ text }) => `. ${String(text)}`).join('');
    } catch (error) {
      if (error instanceof FhirError && error.status < 500) return '';
      throw error;
    }
  }

  async function handleLog({ caller, path }: WorkflowCall): Promise<WorkflowAnswer> {
    const { id = '' } = path;
    const found = await readVisibleTask(parts, caller, id);
    const { tokenId } = found.token;
    const [list, note] = await Promise.all([attempts.ofToken(tokenId, ATTEMPTS_MAX), noteOf(caller, found)]);
    const by = dispensedBy(found.task);
    const json = {
      prescription_id: tokenId,
      patient_name: found.token.payload.patient,
      medication: found.token.payload.medication,
      dispensed: by !== undefined,
      dispensed_at: by?.dispensedAt ?? null,
      dispensed_by: by?.pharmacy ?? null,
      verification_attempts: list.map(({ at, pharmacyId, pharmacyName, kind, success, reason, address }) => ({
        timestamp: new Date(at).toISOString(),
        pharmacy_id: pharmacyId ?? null,
        pharmacy_name: pharmacyName ?? null,
        success,
        reason: kind === 'dispense' && success ? `${reason}${note}` : reason,
        ip_address: address ?? null,
      })),
    };
    return { status: 200, json, patientId: found.patientId };
  }

  return [
    {
      method: 'POST',
      path: '/api/prescriptions/verify',
      summary: 'Whether a token is good; without a right to dispense only that',
      tag: TAG,
      rights: 'anonymous',
      kind: 'verification',
      told: 'prescription-verify',
      isUntold: true, // by itself, with what came of it
      request: {
        body: {
          type: 'object',
          properties: {
            payload: { type: 'object', description: 'Of the HMAC form, as it was scanned' },
            signature: { type: 'string', maxLength: 128 },
            token: { type: 'string', maxLength: 2000, description: 'Compact JWS' },
            pharmacy_code: PHARMACY_CODE,
            pharmacy_name: TEXT(200),
          },
          anyOf: [{ required: ['token'] }, { required: ['payload', 'signature'] }],
        },
        bodyBytesMax: TOKEN_BODY_MAX,
      },
      answers: {
        200: {
          about: 'The verdict, with the first step that failed',
          schema: {
            type: 'object',
            properties: { valid: { type: 'boolean' }, reason: { type: 'string' }, details: { type: 'object' } },
          },
        },
      },
      problems: ['pharmacy', 'throttled'],
      handle: handleVerify,
    },
    {
      method: 'POST',
      path: '/api/prescriptions/dispense',
      summary: 'Records that a prescription was dispensed: once, whoever else tries',
      tag: TAG,
      rights: ['prescriptions:dispense'],
      kind: 'dispense',
      told: 'prescription-dispense',
      request: {
        body: {
          type: 'object',
          required: ['prescription_id', 'nonce', 'pharmacy_code', 'pharmacist_name'],
          properties: {
            prescription_id: TOKEN_ID,
            nonce: TEXT(64),
            pharmacy_code: PHARMACY_CODE,
            pharmacist_name: SAID(200, 'Piotr Zielinski'),
            verification_notes: { type: 'string', maxLength: 2000 },
            patient_id_type: TEXT(64, { description: 'Of controlled drugs: nin, driving_licence, passport …' }),
            patient_id_number: TEXT(64),
            collection_code: COLLECTION_CODE,
            photo: {
              type: 'object',
              required: ['content_type', 'data'],
              additionalProperties: false,
              properties: {
                content_type: { enum: ['image/jpeg', 'image/png'] },
                data: { type: 'string', description: 'base64' },
              },
            },
            collection_code_waived: SAID(500, 'She has no telephone; known to us for years'),
          },
        },
        bodyBytesMax: photoBodyMax(parts.photos),
      },
      answers: {
        200: { about: 'Dispensed', schema: { type: 'object' } },
        409: { about: 'Dispensed before: when, where and by whom', schema: { type: 'object' } },
        422: {
          about: 'Expired, cancelled, another nonce, a collection code that is missing or wrong',
          schema: { type: 'object' },
        },
        403: { about: 'For another pharmacy, or not without a collection code', schema: { type: 'object' } },
        404: { about: 'No such prescription', schema: { type: 'object' } },
      },
      problems: ['pharmacy', 'patient-id', 'quantity', 'register-balance', ...PHOTO_PROBLEMS],
      handle: handleDispense,
    },
    {
      method: 'GET',
      path: '/api/prescriptions/:id/verification-log',
      summary: 'Who showed a token, where and when, and what came of it',
      tag: TAG,
      rights: ['prescriptions:verify', 'prescriptions:review', 'prescription:read'],
      kind: 'read',
      told: 'verification-log',
      answers: { 200: { about: 'The newest thousand attempts, oldest first', schema: { type: 'object' } } },
      handle: handleLog,
    },
    {
      method: 'GET',
      path: '/.well-known/prescription-jwks.json',
      summary: 'Public keys of tokens, RFC 7517',
      tag: TAG,
      rights: 'anonymous',
      kind: 'read',
      told: 'prescription-jwks',
      isUntold: true,
      answers: { 200: { about: 'A JWK set', schema: { type: 'object' } } },
      handle: async () => ({
        status: 200,
        json: { keys: keys.published() },
        headers: { 'Cache-Control': 'public, max-age=300' },
      }),
    },
  ];
}

const verdictForAnybody = ({ fault }: Verdict): object =>
  fault === undefined || fault === 'pharmacy'
    ? { valid: true, reason: VERIFIED, details: {} }
    : { valid: false, reason: 'Not valid', details: {} };

function verdictFor({ fault, found, isProved }: Verdict, { isCodeNeeded, photos }: CounterRules): object {
  if (fault !== undefined) {
    const by = fault === 'dispensed' && found && isProved ? dispensedBy(found.task) : undefined;
    const { text, step } = REASONS[fault];
    return { valid: false, reason: text, details: { step_failed: step, ...(by && toldOf(by)) } };
  }
  if (!found) throw new Error('a token that is good was found');
  const { payload } = found.token;
  return {
    valid: true,
    reason: VERIFIED,
    details: {
      prescription_id: payload.id,
      patient_name: payload.patient,
      medication: payload.medication,
      dosage: payload.dosage,
      frequency: payload.frequency,
      patient_hpn: payload.hpn,
      dispensed: false,
      nominated_pharmacy: payload.pharmacy.name,
      prescriber: payload.prescriber,
      issued: payload.issued,
      expiry: payload.expiry,
      requires_id_verification: isControlledEntry(found),
      requires_collection_code: isCodeNeeded(found),
      requires_photo: isPhotoNeeded(photos, found),
    },
  };
}
