/** Sends back a prescription that was released and cannot be dispensed: a DispenseProposalReturn in the prescriber's name. */
import { annotation } from '../../../standards/hl7v3/act.ts';
import { element, valueElement } from '../../../standards/hl7v3/element.ts';
import { codeIn, globalId } from '../../../standards/hl7v3/identifier.ts';
import { proposalReturn } from '../dispense-proposal-return.ts';
import { EpsFault } from '../fault.ts';
import type { V3Message } from '../send-message.ts';
import type { AnswerContext } from './context.ts';
import { prescriptionIds } from './medication-request.ts';
import { withoutWhiteSpace } from './signature.ts';
import { requiredChild, type V3Node } from './v3-node.ts';

const REASONS = {
  '0005': 'Invalid digital signature',
  '0007': 'Prescription otherwise invalid or unreadable',
} as const;

export type InvalidReason = keyof typeof REASONS;

/** Of the release response: its id and time. */
interface Release {
  readonly id: string;
  /** As V3 writes it. */
  readonly at: string;
}

/**
 * As the national gateway does, the author of the prescription is that of the return, with time and signature. Undefined
 * where the prescription does not even say which it is, or who wrote it.
 */
export function returnOf(
  component: V3Node,
  reason: InvalidReason,
  release: Release,
  { newId }: AnswerContext,
): V3Message | undefined {
  try {
    const prescription = requiredChild(
      component,
      'ParentPrescription',
      'pertinentInformation1',
      'pertinentPrescription',
    );
    const [, shortFormId] = prescriptionIds(prescription);
    const author = requiredChild(prescription, 'author');
    requiredChild(author, 'AgentPerson');
    const id = newId();
    const why = codeIn('returnReason', reason, REASONS[reason], 'value');
    const message = proposalReturn({
      id: globalId(id),
      effectiveTime: valueElement('effectiveTime', release.at),
      author: element('author', { typeCode: 'AUT' }, withoutWhiteSpace(author.element).children.filter(isNoText)),
      shortFormId,
      reason: annotation('pertinentReturnReason', 'RR', why),
      releaseResponseId: globalId(release.id),
    });
    return { name: 'DispenseProposalReturn', id, message };
  } catch (error) {
    if (error instanceof EpsFault) return undefined;
    throw error;
  }
}

const isNoText = <T>(node: T | string): node is T => typeof node !== 'string';
