/** Who a person is in the directory of the NHS, as their own resources here say. SECURITY NH-07 */
import { isNode } from '../../mapping/eps/node.ts';
import { ID_SYSTEM } from '../../mapping/eps/systems.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { Caller } from '../../ports/caller.ts';
import type { Criteria, ResourceStore } from '../../ports/resource-store.ts';
import { currentOf } from './message-record.ts';

/** SDS ids; empty where the person's resources name none. */
export interface Identities {
  readonly userIds: readonly string[];
  readonly roleProfileIds: readonly string[];
}

export type IdentitiesOf = (caller: Caller) => Promise<Identities>;

const NOBODY: Identities = { userIds: [], roleProfileIds: [] };
const GATEWAY = serviceCaller('gateway');

export function createIdentitiesOf({
  store,
  criteriaOf,
}: {
  readonly store: Pick<ResourceStore, 'transaction'>;
  readonly criteriaOf: (type: string, query: string) => Criteria;
}): IdentitiesOf {
  return async ({ user }) => {
    if (user === undefined) return NOBODY;
    const { nhs, practitionerId, practitionerRoleIds } = user;
    if (nhs?.provider === 'cis2' && nhs.sdsUserId !== undefined)
      return { userIds: [nhs.sdsUserId], roleProfileIds: nhs.roles.map(({ id }) => id) };
    const versions = [
      ...(practitionerId === undefined ? [] : [`Practitioner/${practitionerId}`]),
      ...practitionerRoleIds.map((id) => `PractitionerRole/${id}`),
    ];
    if (versions.length === 0) return NOBODY;
    const resources = await store.transaction(GATEWAY, (tx) => currentOf(tx, criteriaOf, versions));
    const valuesOf = (system: string): readonly string[] =>
      resources
        .flatMap(({ identifier }) => (Array.isArray(identifier) ? identifier.filter(isNode) : []))
        .filter((one) => one['system'] === system)
        .map(({ value }) => String(value));
    return { userIds: valuesOf(ID_SYSTEM.sdsUser), roleProfileIds: valuesOf(ID_SYSTEM.sdsRoleProfile) };
  };
}
