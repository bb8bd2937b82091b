/** A subscriber as a caller, hours after the request: with the rights that are left at this moment. SECURITY CP-17, ST-08 */
import type { OpenRecord } from '../../ports/break-glass.ts';
import type { Caller, ProxyRight } from '../../ports/caller.ts';
import type { Clients } from '../../ports/clients.ts';
import type { Grants } from '../../ports/grants.ts';
import type { FindSubscriber, SubscriptionOwner } from '../../ports/subscriptions.ts';
import type { User, Users } from '../../ports/users.ts';
import { formatResourceScope, parseGranted } from '../../standards/smart/scope.ts';
import { chooseAllowed } from '../../standards/smart/scope-set.ts';
import { toCallerUser } from './authenticate.ts';
import { findGrantor } from './people.ts';

export interface StandingCallerOptions {
  readonly clients: Pick<Clients, 'find'>;
  readonly grants: Pick<Grants, 'listFamilies'>;
  readonly users: Users;
  readonly organizationsBelow: (ids: readonly string[]) => Promise<readonly string[]>;
  readonly emergencyPatients?: (userId: string) => Promise<readonly OpenRecord[]>;
  readonly proxiesOf?: (user: User) => Promise<readonly ProxyRight[]>;
}

/** What of a caller is kept, so that they can be spoken for later; undefined for who is no client of ours. */
export async function ownerOf(caller: Caller, users: Users): Promise<SubscriptionOwner | undefined> {
  const { kind, clientId, grantId, user, patientId, encounterId, purpose } = caller;
  if ((kind !== 'client' && kind !== 'user') || clientId === undefined) return undefined;
  const found = user && (await users.find(user.id, user.sessionId));
  if (user && !found) return undefined;
  return {
    kind,
    clientId,
    scope: [...caller.scopes.map(formatResourceScope), ...caller.otherScopes].join(' '),
    ...(grantId !== undefined && { grantId }),
    ...(patientId !== undefined && { patientId }),
    ...(encounterId !== undefined && { encounterId }),
    ...(purpose !== undefined && { purpose }),
    ...(user &&
      found && {
        user: {
          id: user.id,
          securityVersion: found.securityVersion,
          ...(user.sessionId !== undefined && { sessionId: user.sessionId }),
          authTime: user.authTime,
          amr: user.amr,
        },
      }),
  };
}

export function createFindSubscriber(options: StandingCallerOptions): FindSubscriber {
  const { clients, grants, users, organizationsBelow } = options;
  return async (owner, correlationId) => {
    const client = await clients.find(owner.clientId);
    if (!client || client.isDisabled) return undefined;
    if (owner.grantId !== undefined && (await grants.listFamilies({ id: owner.grantId }, 1)).length === 0)
      return undefined;
    const person = owner.user && (await findGrantor(users, owner.user));
    if (owner.user && !person) return undefined;
    const scopes = chooseAllowed(parseGranted(owner.scope), parseGranted(client.scope));
    return {
      kind: owner.kind,
      name: owner.clientId,
      clientId: owner.clientId,
      correlationId,
      scopes: scopes.flatMap(({ resource }) => (resource ? [resource] : [])),
      otherScopes: scopes.flatMap(({ text, resource }) => (resource ? [] : [text])),
      ...(owner.grantId !== undefined && { grantId: owner.grantId }),
      ...(owner.patientId !== undefined && { patientId: owner.patientId }),
      ...(owner.encounterId !== undefined && { encounterId: owner.encounterId }),
      ...(owner.purpose !== undefined && { purpose: owner.purpose }),
      ...(person &&
        owner.user && {
          user: toCallerUser(person, owner.user, {
            organizationIds: await organizationsBelow(person.organizationIds),
            emergency: await options.emergencyPatients?.(person.id),
            proxies: await options.proxiesOf?.(person),
          }),
        }),
    };
  };
}
