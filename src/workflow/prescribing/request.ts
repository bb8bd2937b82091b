/** A patient asks for medicines: proposals, one for each item, and the Task of their practice. MISSION M9 */
import type { Caller } from '../../ports/caller.ts';
import { forbidden, notFound } from '../../standards/fhir/outcome.ts';
import { type Node, nominatedOf, practiceOf, textIn } from './chart.ts';
import {
  chartOf,
  chartQueries,
  created,
  findAllOf,
  idQuery,
  judge,
  type Keep,
  notice,
  type Prescribing,
} from './desk.ts';
import { medicationRequestOf, readItems, rulesBroken } from './items.ts';
import { requestTask } from './request-task.ts';
import type { Finding } from './rules.ts';

export interface Asked {
  readonly patientId: string;
  readonly items: readonly Node[];
  readonly pharmacyId?: string;
  readonly notes?: string;
  readonly additionalInformation?: string;
}

export interface RequestMade {
  readonly id: string;
  readonly reference: string;
  readonly itemIds: readonly string[];
  readonly names: readonly string[];
  readonly warnings: readonly Finding[];
  /** Who decides: the practice. */
  readonly owner: string;
}

/** The patient whose record the caller asks about: their own, or the one whose app it is. Throws 403. */
export function ownPatientOf({ user, patientId }: Caller): string {
  const own = user?.patientIds ?? [];
  const found =
    patientId !== undefined && (own.includes(patientId) || user?.proxies?.some((one) => one.patientId === patientId))
      ? patientId
      : own[0];
  if (found === undefined) throw forbidden();
  return found;
}

export const readAsked = (patientId: string, body: Node): Asked => {
  const [pharmacyId, notes, additionalInformation] = [
    textIn(body['pharmacy_id']),
    textIn(body['notes']),
    textIn(body['additional_information']),
  ];
  return {
    patientId,
    items: body['items'] as readonly Node[], // the route's schema describes it
    ...(pharmacyId !== undefined && { pharmacyId }),
    ...(notes !== undefined && { notes }),
    ...(additionalInformation !== undefined && { additionalInformation }),
  };
};

/** Stores the request; `keep` ends its transaction. Throws 422 with the code of each rule that stops it. */
export async function makeRequest(
  desk: Prescribing,
  caller: Caller,
  asked: Asked,
  keep: Keep<RequestMade>,
): Promise<RequestMade> {
  const { store, now } = desk;
  const catalogue = await desk.openCatalogue();
  const { patientId } = asked;
  return store.transaction(
    caller,
    async (tx) => {
      const pharmacy = asked.pharmacyId === undefined ? [] : [['Organization', idQuery(asked.pharmacyId)] as const];
      const found = await findAllOf(desk, tx, [...chartQueries(patientId), ...pharmacy]);
      const chart = chartOf(found, catalogue);
      if (!chart) throw notFound('The record');
      if (asked.pharmacyId !== undefined && found[3]?.[0]?.resource['active'] === undefined && found[3]?.length === 0)
        throw rulesBroken([{ code: 'RX-UNKNOWN-PHARMACY', message: 'No pharmacy has this id', at: 'pharmacy_id' }]);
      const owner = practiceOf(chart.patient);
      if (owner === undefined)
        throw rulesBroken([
          { code: 'RX-NO-PRACTICE', message: 'The record names no practice to ask: register with one first' },
        ]);
      const items = readItems(asked.items, catalogue);
      const at = now();
      const warnings = judge('request', items, chart, at);
      const id = store.newId();
      const reference = `REQ-${id.toUpperCase()}`;
      const pharmacyId = asked.pharmacyId ?? nominatedOf(chart.patient);
      const requester = `Patient/${patientId}`;
      const proposals = items.map((item, i) =>
        medicationRequestOf({
          id: `${id}-${i + 1}`,
          item,
          intent: 'proposal',
          patientId,
          reference,
          at,
          requester,
          ...(pharmacyId !== undefined && { pharmacyId }),
        }),
      );
      const task = requestTask({
        id,
        reference,
        state: 'requested',
        intent: 'proposal',
        patientId,
        owner,
        requester,
        at,
        ...(pharmacyId !== undefined && { pharmacyId }),
        ...(asked.notes !== undefined && { notes: asked.notes }),
        ...(asked.additionalInformation !== undefined && { additionalInformation: asked.additionalInformation }),
      });
      const made: RequestMade = {
        id,
        reference,
        itemIds: proposals.map((one) => String(one['id'])),
        names: items.map(({ name }) => name),
        warnings,
        owner,
      };
      await tx.write(
        [...proposals, task].map(created),
        () => keep(tx, made),
        () => [
          {
            id: store.newId(),
            resource: notice(
              'prescription-requested',
              patientId,
              owner,
              `Request ${reference} waits for review.`,
              at,
              `Task/${id}`,
            ),
          },
          {
            id: store.newId(),
            resource: notice(
              'request-received',
              patientId,
              requester,
              `Your request ${reference} has been received.`,
              at,
              `Task/${id}`,
            ),
          },
        ],
      );
      return made;
    },
    { mayShare: true },
  );
}
