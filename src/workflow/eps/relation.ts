/**
 * For whom a person may prescribe, and for which pharmacy they dispense. What is stored of a message is written by the
 * gateway, so that this is asked before, as plain writes ask it: nothing of EPS reaches further. SECURITY AZ-01, CP-11, PK-09
 *
 * Prescribers: patients whom they have to do with, and those of whom nobody knows anything here. Pharmacists: their own
 * pharmacy, as partners; a prescription is theirs by its number or by nomination, which the Spine decides.
 */
import { isNode } from '../../mapping/eps/node.ts';
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Criteria, ResourceStore } from '../../ports/resource-store.ts';
import { forbidden } from '../../standards/fhir/outcome.ts';
import { readXml } from '../../standards/xml/read.ts';
import { attributeOf, childOf, elementsOf, type XmlElement } from '../../standards/xml/tree.ts';
import { identifierIn, resourcesIn } from './effects.ts';
import { currentOf } from './message-record.ts';

/** `v3`: what the message becomes. Throws `FhirError` 403. */
export type CheckRelation = (caller: Caller, payload: unknown, v3: string) => Promise<void>;
/** Whether a person may look at the patients of these NHS numbers, or nobody knows them here. Throws `FhirError` 403. */
export type CheckPatients = (caller: Caller, nhsNumbers: readonly string[]) => Promise<void>;

export interface RelationServices {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}

const GATEWAY = serviceCaller('gateway');

export const createCheckPatients =
  ({ store, criteriaOf }: RelationServices): CheckPatients =>
  async (caller, nhsNumbers) => {
    for (const number of nhsNumbers) {
      const criteria = criteriaOf('Patient', `identifier=${ID_SYSTEM.nhsNumber}|${number}`);
      const isSeenBy = (who: Caller): Promise<boolean> =>
        store.transaction(who, async (tx) => (await tx.find(criteria, 1)).length > 0);
      if ((await isSeenBy(GATEWAY)) && !(await isSeenBy(lookingAtPatients(caller)))) throw forbidden();
    }
  };

export function createCheckRelation({ store, criteriaOf }: RelationServices): CheckRelation {
  const checkPatients = createCheckPatients({ store, criteriaOf });

  async function odsCodesOf(organizationIds: readonly string[]): Promise<readonly string[]> {
    const versions = organizationIds.map((id) => `Organization/${id}`);
    const organizations = await store.transaction(GATEWAY, (tx) => currentOf(tx, criteriaOf, versions));
    return organizations.flatMap((one) => identifierIn(one, ID_SYSTEM.odsOrganisation)?.toUpperCase() ?? []);
  }

  /** All that speak in the message are the caller's; `isSome`: one of them at least. */
  function checkSpeakers(own: readonly string[], v3: string, isSome = false): void {
    const { value } = readXml(v3); // written by us
    const named = (value === undefined ? [] : organisationsIn(value)).map((code) => own.includes(code.toUpperCase()));
    if (!(isSome ? named.includes(true) : named.length > 0 && !named.includes(false))) throw forbidden();
  }

  return async (caller, payload, v3) => {
    const { user, organizationId } = caller;
    const kind = recogniseEps(payload);
    const isPrescribers = kind === 'order' || kind === 'cancellation';
    if (user !== undefined && isPrescribers) {
      const patients = isNode(payload) ? resourcesIn(payload, 'Patient') : [];
      // One without a number is refused by the rules of the message.
      return checkPatients(
        caller,
        patients.flatMap((patient) => identifierIn(patient, ID_SYSTEM.nhsNumber) ?? []),
      );
    }
    if (user !== undefined) {
      const roles = (user.nhs?.roles ?? []).map(({ odsCode }) => odsCode.toUpperCase());
      return checkSpeakers([...(await odsCodesOf(user.organizationIds)), ...roles], v3);
    }
    // What programs of our own may do their scopes say. Prescribers of a partner can stand in for another surgery's.
    if (organizationId !== undefined) checkSpeakers(await odsCodesOf([organizationId]), v3, isPrescribers);
  };
}

/** Role, relation and Consents of the person; whether their app may prescribe was asked before. */
const lookingAtPatients = (caller: Caller): Caller => ({
  ...caller,
  scopes: [{ level: 'user', type: 'Patient', letters: ['r', 's'] }],
});

/** ODS codes of those in whose name a pharmacy's message speaks. A withdrawal has it as that of a person (eps/REFERENCE section 8.6). */
function organisationsIn(element: XmlElement, isWithdrawal = false): readonly string[] {
  const isIn = isWithdrawal || element.name === 'ETPWithdraw';
  const speaks = element.name === 'representedOrganization' || (isIn && element.name === 'agentPersonSDS');
  const id = speaks ? childOf(element, 'id') : undefined;
  const code = id && attributeOf(id, 'extension');
  return [
    ...(code === undefined ? [] : [code]),
    ...elementsOf(element).flatMap((child) => organisationsIn(child, isIn)),
  ];
}
