/**
 * Whom a person may prescribe for: patients whom they have to do with, and those of whom nobody knows anything here. What is
 * stored of a message is written by the gateway, so that this is asked before, as plain writes ask it. SECURITY AZ-01, CP-11
 *
 * Pharmacists are not asked: a prescription is theirs by its number or by nomination, which the Spine decides.
 */
import { isNode } from '../../mapping/eps/node.ts';
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Criteria, ResourceStore } from '../../ports/resource-store.ts';
import { forbidden } from '../../standards/fhir/outcome.ts';
import { identifierIn, resourcesIn } from './effects.ts';

/** Throws `FhirError` 403. */
export type CheckRelation = (caller: Caller, payload: unknown) => Promise<void>;

const PRESCRIBING: readonly (string | undefined)[] = ['order', 'cancellation'];
const GATEWAY = serviceCaller('gateway');

export function createCheckRelation({
  store,
  criteriaOf,
}: {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}): CheckRelation {
  return async (caller, payload) => {
    if (caller.user === undefined || !PRESCRIBING.includes(recogniseEps(payload)) || !isNode(payload)) return;
    for (const patient of resourcesIn(payload, 'Patient')) {
      const number = identifierIn(patient, ID_SYSTEM.nhsNumber);
      if (number === undefined) continue; // the rules of the message refuse it
      const criteria = criteriaOf('Patient', `identifier=${ID_SYSTEM.nhsNumber}|${number}`);
      const isSeenBy = (who: Caller): Promise<boolean> =>
        store.transaction(who, async (tx) => (await tx.find(criteria, 1)).length > 0);
      if ((await isSeenBy(GATEWAY)) && !(await isSeenBy(asked(caller)))) throw forbidden();
    }
  };
}

/** Role, relation and Consents of the person; whether their app may prescribe was asked before. */
const asked = (caller: Caller): Caller => ({
  ...caller,
  scopes: [{ level: 'user', type: 'Patient', letters: ['r', 's'] }],
});
