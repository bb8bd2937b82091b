/**
 * A code of six digits that the patient gets by text message and says at the counter. It is good for ten minutes and five
 * tries, at the pharmacy that asked for it, and lies nowhere: what is kept of it is a keyed hash. MISSION M10; SECURITY RX-06, IN-44
 */
import { randomInt, randomUUID } from 'node:crypto';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { CollectionCodes } from '../../ports/collection-codes.ts';
import type { PrescriptionKeys } from '../../ports/prescription-keys.ts';
import type { ResourceStore, StoreTransaction } from '../../ports/resource-store.ts';
import { FhirError, issue } from '../../standards/fhir/outcome.ts';
import type { FindCodeWay, NoCodeWay } from '../notices/send-code.ts';
import { notice } from '../prescribing/desk.ts';
import type { FoundTask } from './find-task.ts';
import type { Pharmacy } from './pharmacies.ts';
import { isAsked, type KindsAsked } from './prescription-kinds.ts';
import type { CodeFault } from './reasons.ts';

export interface CollectionCodeOptions {
  /** Not audited: for the notice that a code was sent. */
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly codes: CollectionCodes;
  readonly keys: Pick<PrescriptionKeys, 'mac' | 'macs' | 'pseudonym'>;
  readonly findWay: FindCodeWay;
  /** What is handed over against a code. */
  readonly askedFor: KindsAsked;
  /** Whether a pharmacist may do without. */
  readonly isWaivable: boolean;
  readonly now: () => number;
}

export type SentCode =
  | { readonly outcome: 'sent'; readonly expiresAt: string }
  | { readonly outcome: 'too-many'; readonly retryAt: number }
  | { readonly outcome: NoCodeWay | 'refused' | 'used' | 'not-needed' };

/** `left`: wrong ones that are still heard. */
export interface CodeRefusal {
  readonly fault: CodeFault;
  readonly left?: number;
}

/** What was said at the counter. */
export interface SaidCode {
  readonly pharmacy: Pick<Pharmacy, 'id'>;
  readonly code?: string;
  /** Why there is none. */
  readonly waiver?: string;
}

export interface CollectionDesk {
  isNeeded(found: FoundTask): boolean;
  /** `last` is sent with the notice that tells of it. Throws 502 where it is not known whether the code was sent. */
  send(
    found: FoundTask,
    pharmacy: Pharmacy,
    last: (tx: StoreTransaction, done: SentCode) => Promise<void>,
  ): Promise<SentCode>;
  /** A right one is good for a quarter of an hour at that pharmacy. Resolves to until when, ISO. */
  confirm(
    found: FoundTask,
    pharmacy: Pick<Pharmacy, 'id'>,
    code: string,
  ): Promise<CodeRefusal | { readonly until: string }>;
  /** Before it is handed over: `confirmed` is to be used in the transaction that dispenses. */
  check(caller: Caller, found: FoundTask, said: SaidCode): Promise<CodeRefusal | 'confirmed' | 'waived' | 'not-needed'>;
}

const MINUTE_MS = 60_000;
export const CODE_LIFETIME_MS = 10 * MINUTE_MS;
export const CONFIRMED_MS = 15 * MINUTE_MS;
const SERVICE = serviceCaller('dispensing');

const FAULT_OF = {
  none: 'code-not-sent',
  used: 'code-missing',
  expired: 'code-expired',
  tries: 'code-tries',
  wrong: 'code-wrong',
} as const satisfies Record<string, CodeFault>;

export function createCollectionDesk(options: CollectionCodeOptions): CollectionDesk {
  const { store, codes, keys, findWay, askedFor, isWaivable, now } = options;
  const isNeeded = (found: FoundTask): boolean => isAsked(askedFor, found);
  const bytesOf = (found: FoundTask, pharmacyId: string, code: string): Buffer =>
    Buffer.from(`collection-code ${found.token.tokenId} ${pharmacyId} ${code}`);

  /** The patient sees who asked for it, whoever has their telephone. */
  async function tell(
    { token, patientId, taskId }: FoundTask,
    pharmacy: Pharmacy,
    at: number,
    last: (tx: StoreTransaction) => Promise<void>,
  ): Promise<void> {
    const text = `A code for collecting prescription ${token.tokenId} from ${pharmacy.name} was sent to your mobile telephone.`;
    const resource = notice('collection-code', patientId, `Patient/${patientId}`, text, at, `Task/${taskId}`);
    await store.transaction(SERVICE, (tx) =>
      tx.write([{ kind: 'create', id: store.newId(), resource }], async () => last(tx)),
    );
  }

  async function confirm(
    found: FoundTask,
    pharmacy: Pick<Pharmacy, 'id'>,
    code: string,
  ): Promise<CodeRefusal | { readonly until: string }> {
    const at = now();
    const { tokenId } = found.token;
    const digests = keys.macs(bytesOf(found, pharmacy.id, code));
    const until = at + CONFIRMED_MS;
    const tried = await codes.tryOut({ tokenId, pharmacyId: pharmacy.id, digests, at }, until);
    if (tried.outcome === 'right') return { until: new Date(until).toISOString() };
    return { fault: FAULT_OF[tried.outcome], ...(tried.outcome === 'wrong' && { left: tried.left }) };
  }

  return {
    isNeeded,
    confirm,

    async send(found, pharmacy, last) {
      if (!isNeeded(found)) return { outcome: 'not-needed' };
      const way = await findWay(found.patientId);
      if (typeof way === 'string') return { outcome: way };
      const code = randomInt(0, 1_000_000).toString().padStart(6, '0');
      const at = now();
      const expiresAt = at + CODE_LIFETIME_MS;
      const { tokenId } = found.token;
      const kept = await codes.keep({
        tokenId,
        pharmacyId: pharmacy.id,
        patient: keys.pseudonym(`collection-code Patient/${found.patientId}`),
        digest: keys.mac(bytesOf(found, pharmacy.id, code)),
        at,
        expiresAt,
      });
      if (kept === 'used') return { outcome: 'used' };
      if (kept !== 'kept') return { outcome: 'too-many', retryAt: kept.tooManyUntil };
      let sent: 'sent' | 'refused';
      try {
        sent = await way.send(`collection-${randomUUID()}`, code);
      } catch (cause) {
        // It may have arrived: it counts, and is good.
        const text = 'It is not known whether the code was sent: use it if it has arrived, or send another';
        throw new FhirError(502, [{ ...issue('transient', text), details: { coding: [{ code: 'code-unknown' }] } }], {
          cause,
        });
      }
      if (sent === 'refused') {
        await codes.takeBack(tokenId, at);
        return { outcome: 'refused' };
      }
      const done: SentCode = { outcome: 'sent', expiresAt: new Date(expiresAt).toISOString() };
      await tell(found, pharmacy, at, (tx) => last(tx, done));
      return done;
    },

    async check({ kind, user }, found, { pharmacy, code, waiver }) {
      if (!isNeeded(found)) return 'not-needed';
      if (code !== undefined) {
        const tried = await confirm(found, pharmacy, code);
        return 'fault' in tried ? tried : 'confirmed';
      }
      if (await codes.isConfirmed(found.token.tokenId, pharmacy.id, now())) return 'confirmed';
      if (waiver === undefined) return { fault: 'code-missing' };
      if (!isWaivable) return { fault: 'code-waiver' };
      return kind === 'user' && user ? 'waived' : { fault: 'code-waiver-person' };
    },
  };
}
