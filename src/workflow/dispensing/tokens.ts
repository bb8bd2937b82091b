/**
 * Makes the tokens of prescriptions, in both forms, and opens those that Tasks carry. What is signed is kept encrypted
 * with the Task: whoever may read the Task reads its id, not the token. MISSION M10; SECURITY RX-01, RX-03
 */
import { randomUUID } from 'node:crypto';
import type { Cipher } from '../../ports/cipher.ts';
import type { PrescriptionKeys } from '../../ports/prescription-keys.ts';
import type {
  MintedToken,
  PrescriptionToken,
  PrescriptionTokens,
  TokenPayload,
  TokenSubject,
} from '../../ports/prescription-tokens.ts';
import { canonicalJson } from '../../standards/prescription-token/hmac-form.ts';
import { formatJws } from '../../standards/prescription-token/jws-form.ts';
import { DISPENSING_CODES, PRESCRIPTION_TOKEN } from './queue-entry.ts';

export interface TokensOptions {
  readonly keys: PrescriptionKeys;
  readonly cipher: Cipher;
  /** Ids that were never given out before. */
  readonly nextTokenId: () => Promise<string>;
  /** Of the tokens: how clients reach the server. */
  readonly issuer: string;
}

/** Tokens, of some 3 kB each. */
const OPENED_MAX = 2000;
const DAY_MS = 24 * 60 * 60_000;
export const LIFETIME_MS = 30 * DAY_MS;
export const CONTROLLED_LIFETIME_MS = 28 * DAY_MS;

export function createPrescriptionTokens({ keys, cipher, nextTokenId, issuer }: TokensOptions): PrescriptionTokens {
  /** A queue is looked at again and again, and is much the same each time. */
  const opened = new Map<string, { readonly sealed: string; readonly token: PrescriptionToken }>();
  return {
    async mint(subject) {
      const tokenId = await nextTokenId();
      // Whole seconds, as a JWS says them: both forms expire at the same moment.
      const issuedAt = wholeSecond(subject.issuedAt);
      const latest = issuedAt + (subject.isControlled ? CONTROLLED_LIFETIME_MS : LIFETIME_MS);
      const expiresAt = wholeSecond(Math.min(subject.expiresAt ?? latest, latest));
      const nonce = randomUUID();
      const payload = payloadOf(subject, { tokenId, nonce, issuedAt, expiresAt });
      const { keyId, sign } = keys.signer();
      const { number, of } = subject.issue ?? { number: 1, of: 1 };
      const token = formatJws(
        {
          iss: issuer,
          jti: tokenId,
          nonce,
          sub: keys.pseudonym(`Patient/${subject.patientId}`),
          name: subject.patient,
          ...(subject.birthDate !== undefined && { dob: subject.birthDate }),
          medication: medicineOf(subject),
          dose: subject.dosage,
          ...(subject.quantity !== undefined && { quantity: subject.quantity }),
          pharmacy: subject.pharmacy.code,
          iat: issuedAt / 1000,
          exp: expiresAt / 1000,
          issue: `${number}/${of}`,
        },
        keyId,
        sign,
      );
      const signature = keys.mac(Buffer.from(canonicalJson(payload))).toString('hex');
      const kept = { token, payload, signature, kinds: subject.kinds ?? [] };
      const sealed = cipher.seal(Buffer.from(JSON.stringify(kept)), contextOf(tokenId)).toString('base64');
      return { ...kept, tokenId, nonce, issuedAt, expiresAt, sealed } satisfies MintedToken;
    },

    open(task) {
      const tokenId = tokenIdOf(task);
      const sealed = inputOf(task, 'token');
      if (tokenId === undefined || sealed === undefined) return undefined;
      const before = opened.get(tokenId);
      if (before?.sealed === sealed) return before.token;
      let kept: Pick<PrescriptionToken, 'token' | 'payload' | 'signature'> & Partial<Pick<PrescriptionToken, 'kinds'>>;
      try {
        kept = JSON.parse(cipher.open(Buffer.from(sealed, 'base64'), contextOf(tokenId)).toString());
      } catch {
        return undefined; // not what `mint` sealed for this id
      }
      const { payload } = kept;
      const token: PrescriptionToken = {
        kinds: [],
        ...kept,
        tokenId,
        nonce: payload.nonce,
        issuedAt: Date.parse(payload.issued),
        expiresAt: Date.parse(payload.expiry),
      };
      if (opened.size >= OPENED_MAX) opened.clear();
      opened.set(tokenId, { sealed, token });
      return token;
    },
  };
}

const wholeSecond = (ms: number): number => Math.floor(ms / 1000) * 1000;

const contextOf = (tokenId: string): string => `prescription-token ${tokenId}`;

/** The medicine with its strength, unless its name says it. */
export const medicineOf = ({ medication, strength }: Pick<TokenSubject, 'medication' | 'strength'>): string =>
  strength === undefined || strength === '' || medication.includes(strength) ? medication : `${medication} ${strength}`;

function payloadOf(
  subject: TokenSubject,
  made: { readonly tokenId: string; readonly nonce: string; readonly issuedAt: number; readonly expiresAt: number },
): TokenPayload {
  const { name, code, address, city, postcode, phone } = subject.pharmacy;
  return {
    type: 'PHB_PRESCRIPTION',
    id: made.tokenId,
    nonce: made.nonce,
    hpn: subject.hpn,
    medication: medicineOf(subject),
    patient: subject.patient,
    prescriber: subject.prescriber,
    dosage: subject.dosage,
    frequency: subject.frequency,
    pharmacy: { name, code, address, city, postcode, phone },
    issued: isoSecond(made.issuedAt),
    expiry: isoSecond(made.expiresAt),
  };
}

const isoSecond = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

type Node = Readonly<Record<string, unknown>>;
const listOf = (value: unknown): readonly Node[] => (Array.isArray(value) ? (value as Node[]) : []); // validated

/** The token's id of a queue's Task. */
export function tokenIdOf(task: Node): string | undefined {
  const value = listOf(task['identifier']).find(({ system }) => system === PRESCRIPTION_TOKEN)?.['value'];
  return typeof value === 'string' ? value : undefined;
}

/** What the Task carries under this code of ours. */
export function inputOf(task: Node, code: string): string | undefined {
  const value = listOf(task['input']).find(({ type }) =>
    listOf((type as Node | undefined)?.['coding']).some(
      (coding) => coding['system'] === DISPENSING_CODES && coding['code'] === code,
    ),
  )?.['valueString'];
  return typeof value === 'string' ? value : undefined;
}
