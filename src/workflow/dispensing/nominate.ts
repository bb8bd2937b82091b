/**
 * A patient nominates another pharmacy: what waits in the queue of the one before goes along, unless that pharmacy has begun
 * with it (its token was verified there, it is ready to collect, or the Spine has released it). Its token is signed anew for the new pharmacy, the
 * old one is good no more, and both pharmacies are told; all in one transaction. MISSION M9, M10; SECURITY RX-07
 */
import { serviceCaller } from '../../policy/service-caller.ts';
import type { TokenAttempts } from '../../ports/dispensing.ts';
import type { MintedToken, PrescriptionToken, PrescriptionTokens } from '../../ports/prescription-tokens.ts';
import type { Resource, ResourceStore, StoreTransaction, TransactionWrite } from '../../ports/resource-store.ts';
import { FhirError, notFound } from '../../standards/fhir/outcome.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import { readJws } from '../../standards/prescription-token/jws-form.ts';
import type { NoticeCode } from '../notices/kinds.ts';
import { changed, created, type Found, findAllOf, idQuery, notice } from '../prescribing/desk.ts';
import { releaseIdOf } from '../prescribing/eps-notification.ts';
import { ODS_CODE } from '../prescribing/systems.ts';
import { isControlledTask } from './controlled.ts';
import { nominatedPharmacyOf, withNomination } from './nomination.ts';
import type { Node, Pharmacies, Pharmacy } from './pharmacies.ts';
import { DISPENSING_CODES, PRESCRIPTION_TOKEN } from './queue-entry.ts';
import { readyToCollectAt } from './ready-to-collect.ts';

export interface NominateServices {
  /** Audited. */
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  readonly tokens: PrescriptionTokens;
  readonly attempts: Pick<TokenAttempts, 'ofToken'>;
  readonly pharmacies: Pick<Pharmacies, 'find'>;
  readonly now: () => number;
}

export interface Nominated {
  readonly patient: Resource;
  /** How many prescriptions have gone to the new pharmacy. */
  readonly moved: number;
}

/** `of`: the pharmacy that is to be nominated, none, or the one that is. Throws not-found, 409 where the record changes all the time. */
export type Nominate = (
  patientId: string,
  of: (current: string | undefined) => string | undefined,
  correlationId?: string,
) => Promise<Nominated>;

const ATTEMPTS_MAX = 100;
const TRIES = 3;
const SERVICE = serviceCaller('dispensing');

export function createNominate(services: NominateServices): Nominate {
  const { store, tokens, attempts, pharmacies, now } = services;

  /** Entries that the pharmacy has not begun with, each with its order. */
  async function movable(
    tx: Pick<StoreTransaction, 'findCurrent'>,
    patientId: string,
    pharmacyId: string,
  ): Promise<readonly { readonly task: Found; readonly order: Found; readonly token: PrescriptionToken }[]> {
    const patient = encodeURIComponent(patientId);
    const owner = encodeURIComponent(`Organization/${pharmacyId}`);
    const [tasks = []] = await findAllOf(services, tx, [
      ['Task', `patient=Patient/${patient}&owner=${owner}&status=ready&code=${DISPENSING_CODES}|dispense`],
    ]);
    const open = tasks.flatMap((task) => {
      const token = tokens.open(task.resource);
      const orderId = /^MedicationRequest\/(.+)$/.exec(String(nodeOf(task.resource['focus'])['reference']))?.[1];
      const isOurs =
        token !== undefined &&
        orderId !== undefined &&
        releaseIdOf(task.resource) === undefined &&
        !isPrepared(task.resource);
      return isOurs && token.expiresAt > now() ? [{ task, token, orderId }] : [];
    });
    if (open.length === 0) return [];
    const [orders = []] = await findAllOf(services, tx, [
      ['MedicationRequest', idQuery(...open.map(({ orderId }) => orderId))],
    ]);
    const begun = await Promise.all(
      open.map(async ({ token }) =>
        (await attempts.ofToken(token.tokenId, ATTEMPTS_MAX)).some(
          (one) => one.success && one.pharmacyId === pharmacyId,
        ),
      ),
    );
    return open.flatMap(({ task, token, orderId }, n) => {
      const order = orders.find(({ id }) => id === orderId);
      return order && order.resource['status'] === 'active' && !begun[n] ? [{ task, token, order }] : [];
    });
  }

  async function moved(
    tx: Pick<StoreTransaction, 'findCurrent'>,
    patientId: string,
    from: string,
    to: Pharmacy,
    at: number,
  ): Promise<{ readonly writes: readonly TransactionWrite[]; readonly count: number }> {
    const entries = await movable(tx, patientId, from);
    const writes: TransactionWrite[] = [];
    const tell = (kind: NoticeCode, recipient: string, text: string, about: string, more: object = {}): void =>
      void writes.push(created({ ...notice(kind, patientId, recipient, text, at, about), ...more, id: store.newId() }));
    for (const { task, order, token } of entries) {
      const minted = await tokens.mint(subjectOf(task, order, token, patientId, to, at));
      writes.push(
        changed(task, (one) => withToken(one, minted, to.id, at)),
        changed(order, (one) => atPharmacy(one, to)),
      );
      const about = `Task/${task.id}`;
      tell(
        'prescription-moved',
        `Organization/${from}`,
        `${token.tokenId} has gone to another pharmacy: do not dispense it.`,
        about,
        // By which the list of ended tokens knows it.
        { identifier: [{ system: PRESCRIPTION_TOKEN, value: token.tokenId }] },
      );
      tell('prescription-new', `Organization/${to.id}`, 'A new prescription waits in the queue.', about);
      tell(
        'prescription-moved',
        `Patient/${patientId}`,
        `Your prescription waits at ${to.name} now, under the token ${minted.tokenId}.`,
        about,
      );
    }
    return { writes, count: entries.length };
  }

  async function once(
    patientId: string,
    of: (current: string | undefined) => string | undefined,
    correlationId: string | undefined,
  ): Promise<Nominated> {
    const caller = correlationId === undefined ? SERVICE : serviceCaller('dispensing', correlationId);
    return store.transaction(caller, async (tx) => {
      const [patients = []] = await findAllOf(services, tx, [['Patient', idQuery(patientId)]]);
      const [found] = patients;
      if (!found) throw notFound('The record');
      const before = nominatedPharmacyOf(found.resource)?.pharmacyId;
      const next = of(before);
      const at = now();
      const patient = withNomination(found.resource, next, at);
      if (patient === found.resource) return { patient, moved: 0 };
      const pharmacy = next === undefined ? undefined : await pharmacies.find(next);
      const { writes, count } =
        before === undefined || pharmacy === undefined
          ? { writes: [], count: 0 }
          : await moved(tx, patientId, before, pharmacy, at);
      await tx.write([changed(found, () => patient), ...writes]);
      return { patient, moved: count };
    });
  }

  return async (patientId, of, correlationId) => {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await once(patientId, of, correlationId);
      } catch (error) {
        // Somebody dispensed, or wrote the record: it is looked at again.
        if (left <= 1 || !(error instanceof FhirError) || error.status !== 412) throw error;
      }
    }
  };
}

const nodeOf = (value: unknown): Node => (typeof value === 'object' && value !== null ? (value as Node) : {});

/** What the new token says: as the one before, but where. */
function subjectOf(
  task: Found,
  order: Found,
  { token, payload, expiresAt, kinds }: PrescriptionToken,
  patientId: string,
  to: Pharmacy,
  at: number,
): Parameters<PrescriptionTokens['mint']>[0] {
  const claims = readJws(token)?.claims;
  const [, number, of] = /^(\d+)\/(\d+)$/.exec(claims?.issue ?? '') ?? [];
  return {
    prescriptionId: order.id,
    patientId,
    patient: payload.patient,
    ...(claims?.dob !== undefined && { birthDate: claims.dob }),
    hpn: payload.hpn,
    // With the strength in it.
    medication: payload.medication,
    dosage: payload.dosage,
    frequency: payload.frequency,
    ...(claims?.quantity !== undefined && { quantity: claims.quantity }),
    prescriber: payload.prescriber,
    pharmacy: to.contact,
    issuedAt: at,
    expiresAt,
    ...((kinds.includes('controlled') || isControlledTask(task.resource)) && { isControlled: true }),
    kinds,
    ...(number !== undefined && of !== undefined && { issue: { number: Number(number), of: Number(of) } }),
  };
}

const isPrepared = (task: Resource): boolean => readyToCollectAt(task) !== undefined;

const isToken = (input: Node): boolean =>
  (Array.isArray(nodeOf(input['type'])['coding']) ? (nodeOf(input['type'])['coding'] as Node[]) : []).some(
    ({ system, code }) => system === DISPENSING_CODES && code === 'token',
  );

/** The entry in the other queue, with its own token. */
function withToken(task: Resource, minted: MintedToken, pharmacyId: string, at: number): Resource {
  const listOf = (name: string): readonly Node[] => (task[name] ?? []) as readonly Node[]; // made by `queueTask`
  return {
    ...task,
    identifier: listOf('identifier').map((one) =>
      one['system'] === PRESCRIPTION_TOKEN ? { ...one, value: minted.tokenId } : one,
    ),
    owner: { reference: `Organization/${pharmacyId}` },
    lastModified: new Date(at).toISOString(),
    input: listOf('input').map((one) => (isToken(one) ? { ...one, valueString: minted.sealed } : one)),
  };
}

function atPharmacy(order: Resource, { id, odsCode }: Pharmacy): Resource {
  const request = nodeOf(order['dispenseRequest']);
  const before = nodeOf(nodeOf(request['performer'])['identifier']);
  const identifier =
    before['system'] === ODS_CODE && odsCode !== undefined ? { system: ODS_CODE, value: odsCode } : undefined;
  const performer = { reference: `Organization/${id}`, ...(identifier && { identifier }) };
  return { ...order, dispenseRequest: { ...request, performer } };
}
