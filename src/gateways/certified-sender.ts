/** Whether a message is of the partner whose certificate it came with, and of a kind that partner may send. SECURITY PK-09, PK-15 */
import type { Partner } from '../ports/partner.ts';
import { issue } from '../standards/fhir/outcome.ts';
import type { Envelope, Verdict } from './dialect.ts';

/** Undefined: it may be taken. */
export function findSenderFault({ senders, messages }: Partner, { sender, kind }: Envelope): Verdict | undefined {
  if (sender === undefined || !senders.includes(sender)) return NOT_THE_SENDER;
  if (messages && !messages.includes(kind)) return NOT_OF_THIS_KIND;
  return undefined;
}

const NOT_THE_SENDER: Verdict = {
  kind: 'refused',
  reason: 'partner',
  issues: [
    issue('forbidden', 'The sender that the message names is not the partner whose certificate the connection has'),
  ],
};
const NOT_OF_THIS_KIND: Verdict = {
  kind: 'refused',
  reason: 'kind',
  issues: [issue('forbidden', 'This partner may not send messages of this kind')],
};
