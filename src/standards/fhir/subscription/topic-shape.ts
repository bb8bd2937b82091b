/**
 * What goes with the events of a topic, in the words of searches. The examples of the standard also write
 * `Encounter:patient&iterate=Patient.link`. https://hl7.org/fhir/R5/subscriptiontopic-definitions.html#SubscriptionTopic.notificationShape
 */
import type { TopicFault, TopicNode } from './topic-extensions.ts';
import type { Shape } from './topics.ts';

const INCLUDES_MAX = 20;
const PART = /^(?:(_include|_revinclude|iterate)(:iterate)?=)?([A-Za-z]+)([:.])([A-Za-z0-9_-]+|\*)(?::([A-Za-z]+))?$/;

/** The includes of one type; undefined where there are none, or they are no includes. */
export function readShape(node: TopicNode, type: string, fault: TopicFault): Shape | undefined {
  const given = [...read(node, 'include', '_include', fault), ...read(node, 'revInclude', '_revinclude', fault)];
  if (given.length > INCLUDES_MAX)
    return void fault(`A shape has at most ${INCLUDES_MAX} of include and revInclude`, node.place);
  return given.length === 0 ? undefined : { type, query: given.join('&') };
}

function read(node: TopicNode, element: string, name: string, fault: TopicFault): readonly string[] {
  return (node.leaves.get(element) ?? []).flatMap(({ value, place }) => {
    const parts = typeof value === 'string' ? value.split('&') : [''];
    return parts.flatMap((part, i) => {
      const [, said, iterate, source, , code, target] = PART.exec(part) ?? [];
      const isSaid = said === undefined || said === name || (said === 'iterate' && i > 0);
      if (source === undefined || !isSaid) {
        fault(`${element} is Type:parameter or Type:parameter:Target, as ${name} has it`, place);
        return [];
      }
      const isAgain = iterate !== undefined || said === 'iterate';
      return [`${name}${isAgain ? ':iterate' : ''}=${source}:${code}${target === undefined ? '' : `:${target}`}`];
    });
  });
}
