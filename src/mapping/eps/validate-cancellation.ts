/** The rules of a cancellation. */
import type { Issue } from '../../standards/fhir/outcome.ts';
import { finding } from './fault.ts';
import { type MessageBundle, resourcesOf } from './message-bundle.ts';
import { has } from './node.ts';
import { itemMustHave, requestMustBe } from './rule-issue.ts';

export function validateCancellation(bundle: MessageBundle): readonly Issue[] {
  const requests = resourcesOf(bundle, 'MedicationRequest');
  return [
    ...(requests.length === 1 ? [] : [NOT_ONE_ITEM]),
    ...(requests.some(({ status }) => status !== 'cancelled') ? [requestMustBe('status', 'cancelled')] : []),
    ...(requests.every((request) => has(request, 'statusReason'))
      ? []
      : [itemMustHave('MedicationRequest', 'statusReason')]),
  ];
}

const NOT_ONE_ITEM = finding(
  'value',
  "The Bundle must contain exactly one MedicationRequest if MessageHeader.eventCoding.code is 'prescription-order-update'.",
  'Bundle.entry.resource.ofType(MedicationRequest)',
);
