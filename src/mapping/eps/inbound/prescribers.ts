/** Who signed a prescription, and who answers for it. */
import { type Agent, agent, mergedAgent, resourcesOfAgent } from './agent-person.ts';
import type { AnswerContext } from './context.ts';
import type { Entry } from './fhir-parts.ts';
import { authorNumber, personNumber, prescriberKindOf } from './person-number.ts';
import { requiredAttribute, requiredChild, type V3Node, v3Fault } from './v3-node.ts';

export interface Prescribers {
  readonly author: Agent;
  readonly responsible: Agent;
  readonly resources: readonly Entry[];
}

export function prescribersOf(prescription: V3Node, author: V3Node, context: AnswerContext): Prescribers {
  const kind = prescriberKindOf(requiredAttribute(prescriptionTypeOf(prescription), 'code'));
  const authorPerson = requiredChild(author, 'AgentPerson');
  const first = agent(authorPerson, (value) => authorNumber(value, kind, context.form), context);
  if (first.practitioner === undefined)
    throw v3Fault('required', authorPerson, 'agentPerson is missing', '/agentPerson');
  const responsibleParty = requiredChild(prescription, 'responsibleParty', 'AgentPerson');
  const readNumber = (value: string) => personNumber(value, kind, context.form);
  const merged = mergedAgent(first, responsibleParty, readNumber, context);
  if (merged !== undefined) return { author: merged, responsible: merged, resources: resourcesOfAgent(merged) };
  const second = agent(responsibleParty, readNumber, context);
  return { author: first, responsible: second, resources: [...resourcesOfAgent(first), ...resourcesOfAgent(second)] };
}

export const prescriptionTypeOf = (prescription: V3Node): V3Node =>
  requiredChild(prescription, 'pertinentInformation4', 'pertinentPrescriptionType', 'value');
