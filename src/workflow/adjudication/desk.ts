/**
 * Adjudication for clients: a Claim is stored in the transaction that commits the message to its payer and the job that
 * takes it up after a crash; then it is sent, and what came back is stored beside it. Handed in again it is not sent
 * again. docs/ncpdp-telecom.md
 */
import { type FhirResource, nameUuid, transactionBundle, updateById } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ClaimJournal } from '../../ports/claim-journal.ts';
import type { NewJob } from '../../ports/jobs.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { conflict, FhirError, unprocessable } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';
import type { ApplyMessage } from '../apply-message.ts';
import { askerOf } from '../eps/send.ts';
import type { Adjudicated, Adjudication } from './adjudicate.ts';
import { type AskEligibility, createAskEligibility } from './eligibility.ts';
import { claimId, type LegServices } from './leg.ts';
import { claimMessage } from './message-log-journal.ts';
import type { CopayProgramme } from './programmes.ts';
import { claimIn, type ReadClaim, readClaim } from './read-claim.ts';
import { recordOf } from './record.ts';

export const CLAIM_ADJUDICATE = 'claim-adjudicate';

export interface Submitted {
  readonly result: Adjudicated;
  /** As stored: the Claim, the answers, and what went to the programme. */
  readonly resources: readonly FhirResource[];
}

export interface ClaimDesk {
  /**
   * Adjudicates the Claim; takes back what it has billed where its status is `cancelled`. `requestId`: makes a Claim
   * without an id the same when it is handed in again. Throws `FhirError` 409 and 422.
   */
  submit(caller: Caller, payload: unknown, requestId?: string): Promise<Submitted>;
  /** Whether somebody is covered: the stored CoverageEligibilityResponse. Throws `FhirError` 422 and 503. */
  readonly askEligibility: AskEligibility;
  /** Takes up a case after a crash or an unanswered claim. Throws while it stays open. */
  resume(claim: string): Promise<void>;
}

export interface ClaimDeskServices {
  readonly leg: LegServices;
  readonly adjudication: Adjudication;
  readonly journal: ClaimJournal;
  readonly store: Pick<ResourceStore, 'transaction' | 'read' | 'newId'>;
  readonly apply: ApplyMessage;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly programmes: readonly CopayProgramme[];
  readonly softwareId: string | undefined;
  readonly now: () => number;
}

/** The request itself does the work; the job is for when it does not come to its end. */
const TAKEN_UP_AFTER_MS = 60_000;

export function createClaimDesk(services: ClaimDeskServices): ClaimDesk {
  const { adjudication, journal, store, apply, audit, programmes, softwareId, now } = services;

  const jobFor = (id: string): NewJob => ({
    kind: CLAIM_ADJUDICATE,
    key: id,
    dedupe: id,
    payload: { claim: id },
    runAt: now() + TAKEN_UP_AFTER_MS,
  });

  const readAs =
    (caller: Caller) =>
    async (type: string, id: string): Promise<Record<string, unknown>> => ({
      ...(parseJson((await store.read(caller, type, id)).content) as Record<string, unknown>), // stored text was checked
      id,
    });

  /** The Claim that is stored. Throws not-found where it is there and out of the caller's reach. */
  async function findOwn(caller: Caller, id: string): Promise<FhirResource | undefined> {
    try {
      await store.read(GATEWAY, 'Claim', id);
    } catch (error) {
      if (error instanceof FhirError && error.status === 404) return undefined;
      throw error;
    }
    return (await readAs(caller)('Claim', id)) as FhirResource;
  }

  /** The Claim, its message and its job, or none of them. */
  async function commit(caller: Caller, id: string, { claim, request }: ReadClaim): Promise<void> {
    const message = claimMessage(claimId(id, 'primary', 'claim'), request, now(), askerOf(caller));
    const origin = { kind: message.kind, messageId: message.id, sender: { display: askerOf(caller) } };
    await store.transaction(serviceCaller('gateway', caller.correlationId), (tx) =>
      apply(tx, transactionBundle([updateById(`Claim/${id}`, { ...claim, id })]), origin, async (versions) => {
        const queued = tx.messages.queueOnce(message, versions);
        const added = tx.jobs.add([jobFor(id)]);
        const [isNew] = await Promise.all([queued, added.catch(() => undefined)]);
        if (!isNew) throw new SentBefore();
        await added;
      }),
    );
  }

  /** From here on whoever takes the case up takes it back. */
  async function commitCancelled(caller: Caller, id: string): Promise<FhirResource> {
    const claim = (await readAs(caller)('Claim', id)) as FhirResource;
    const cancelled = { ...claim, id, status: 'cancelled' };
    const origin = { kind: 'B2', messageId: claimId(id, 'primary', 'reversal'), sender: { display: askerOf(caller) } };
    await store.transaction(serviceCaller('gateway', caller.correlationId), (tx) =>
      apply(tx, transactionBundle([updateById(`Claim/${id}`, cancelled)]), origin, () => tx.jobs.add([jobFor(id)])),
    );
    return cancelled;
  }

  async function keep(caller: Caller, id: string, claim: FhirResource, result: Adjudicated): Promise<Submitted> {
    const entries = await recordOf(journal, id, claim);
    const origin = {
      kind: result.kind,
      messageId: claimId(id, 'primary', 'claim'),
      sender: { display: 'Payers of the claim' },
    };
    if (entries.length > 0)
      await store.transaction(serviceCaller('gateway', caller.correlationId), (tx) =>
        apply(tx, transactionBundle(entries), origin, () => Promise.resolve()),
      );
    return { result, resources: [claim, ...entries.map(({ resource }) => resource)] };
  }

  async function told(caller: Caller, operation: 'B1' | 'B2', { patient }: FhirResource): Promise<void> {
    const reference = (patient as { readonly reference?: unknown } | undefined)?.reference;
    const patientId =
      typeof reference === 'string' && reference.startsWith('Patient/')
        ? reference.slice('Patient/'.length)
        : undefined;
    const about = patientId === undefined ? {} : { patientId };
    await audit.record({ kind: 'message-out', operation, caller, outcome: 0, ...about });
  }

  return {
    askEligibility: createAskEligibility({ ...services.leg, store, apply, audit, readAs, softwareId, now }),

    async submit(caller, payload, requestId) {
      const given = claimIn(payload);
      const id = idOf(given, caller, requestId, store.newId);
      if (given['status'] === 'cancelled') {
        if (!(await journal.find(claimId(id, 'primary', 'claim')))) throw unprocessable([NEVER_SENT]);
        const claim = await commitCancelled(caller, id);
        await told(caller, 'B2', claim);
        return keep(caller, id, claim, await adjudication.reverse(id));
      }
      const stored = await findOwn(caller, id);
      if (!stored && given['id'] !== undefined && caller.user) throw unprocessable([ID_UNKNOWN]);
      const asked = await readClaim({ ...given, id }, readAs(caller), softwareId);
      const read = stored ? await readClaim(stored, readAs(caller), softwareId) : asked;
      if (!read.request.equals(asked.request))
        throw conflict(
          'A Claim of this id is stored and says something else: update it, or hand it in under another id',
        );
      const before = await journal.find(claimId(id, 'primary', 'claim'));
      if (before && !before.request.equals(read.request))
        throw conflict('This Claim was sent with other content: cancel it, and hand in another under an id of its own');
      if (!before)
        await commit(caller, id, read).catch((error: unknown) => {
          if (!(error instanceof SentBefore)) throw error;
        });
      await told(caller, 'B1', read.claim);
      const { message, isGovernment } = read;
      const result = await adjudication.adjudicate({ caseId: id, claim: message, programmes, isGovernment });
      return keep(caller, id, read.claim, result);
    },

    async resume(id) {
      const claim = (await readAs(GATEWAY)('Claim', id)) as FhirResource;
      const entry = await journal.find(claimId(id, 'primary', 'claim'));
      const message = entry && parseTelecom(entry.request).message;
      if (!message) return;
      const { isGovernment } = await readClaim({ ...claim, status: 'active' }, readAs(GATEWAY), softwareId);
      const result =
        claim['status'] === 'cancelled'
          ? await adjudication.reverse(id)
          : await adjudication.adjudicate({ caseId: id, claim: message, programmes, isGovernment });
      await keep(GATEWAY, id, claim, result);
      if (result.kind === 'open') throw new Error(`the ${result.role} payer has not answered: ${result.why}`);
    },
  };
}

/** Takes back a transaction that found its message in the log. */
class SentBefore extends Error {}

const GATEWAY = serviceCaller('gateway');

const ID_UNKNOWN = {
  severity: 'error',
  code: 'not-found',
  diagnostics: 'There is no Claim of this id here: hand it in without an id, which it is given',
  expression: ['Claim.id'],
} as const;

const NEVER_SENT = {
  severity: 'error',
  code: 'not-found',
  diagnostics: 'A Claim of this id was never sent from here: there is nothing to take back',
  expression: ['Claim.id'],
} as const;

function idOf(claim: FhirResource, caller: Caller, requestId: string | undefined, newId: () => string): string {
  const { id } = claim;
  if (typeof id === 'string' && isId(id)) return id;
  return requestId === undefined ? newId() : nameUuid('claim-request', askerOf(caller), requestId);
}
