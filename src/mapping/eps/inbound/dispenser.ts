/** A dispenser in a role at an organisation, as requests name them: the reverse of ../dispenser.ts. */
import { ID_SYSTEM } from '../systems.ts';
import { jobRole, odsIdentifier, organization, roleProfileIdOf } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import { telecoms } from './demographics.ts';
import { type Entry, identifier, type Json, present, resource } from './fhir-parts.ts';
import { findAttribute, findPath, findText, requiredChild, type V3Node, v3Fault } from './v3-node.ts';

export interface Dispenser {
  readonly role: Entry;
  readonly organisation: Entry;
}

const ORGANISATION: Json = { reference: '#organisation' };

/** Both to be contained; the person is known by identifier and name. */
export function dispenser(agentPerson: V3Node, context: AnswerContext): Dispenser {
  const organisation = organization(requiredChild(agentPerson, 'representedOrganization'), context);
  return {
    role: resource('PractitionerRole', 'requester', {
      identifier: [identifier(ID_SYSTEM.sdsRoleProfile, profileIdOf(agentPerson))],
      practitioner: practitioner(agentPerson),
      organization: ORGANISATION,
      code: jobRole(agentPerson),
      telecom: telecoms(agentPerson, context.form),
    }),
    organisation: { ...organisation, id: 'organisation' },
  };
}

/** Withdrawals name the role, and under the person the organisation. */
export const withdrawer = (agentPersonSds: V3Node): Dispenser => ({
  role: resource('PractitionerRole', 'requester', {
    identifier: [identifier(ID_SYSTEM.sdsRoleProfile, profileIdOf(agentPersonSds))],
    organization: ORGANISATION,
  }),
  organisation: resource('Organization', 'organisation', {
    identifier: [odsIdentifier(requiredChild(agentPersonSds, 'agentPersonSDS'))],
  }),
});

function profileIdOf(agentPerson: V3Node): string {
  const id = roleProfileIdOf(agentPerson);
  if (id === undefined) throw v3Fault('required', agentPerson, 'The id of the role is missing', '/id');
  return id;
}

/** The SDS user id stands under the professional codes. */
function practitioner(agentPerson: V3Node): Json | undefined {
  const userId = findAttribute(findPath(agentPerson, 'agentPerson', 'id'), 'extension');
  const display = findText(findPath(agentPerson, 'agentPerson', 'name'));
  if (userId === undefined && display === undefined) return undefined;
  return present({ identifier: userId && identifier(ID_SYSTEM.sdsUser, userId), display });
}
