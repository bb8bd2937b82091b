/** The work item of a message that was taken with findings somebody must look at (reference section 12). */
import { codeSystemUrl } from '../../standards/fhir/canonical.ts';
import { type Issue, textOf } from '../../standards/fhir/outcome.ts';
import { ruleOf } from '../../standards/script/rule-issue.ts';
import { nameUuid, type TransactionBundle, transactionBundle, updateById } from '../transaction-bundle.ts';
import { resourceOf } from './context.ts';
import { getAt, type Json } from './place.ts';

const REVIEW = codeSystemUrl('script-task');
const RULES = codeSystemUrl('script-rule');

/** The Bundle with a Task on the order it brings; as it is where it brings none. */
export function withReview(bundle: TransactionBundle, findings: readonly Issue[]): TransactionBundle {
  const order = bundle.entry.find(
    ({ resource }) => resource.resourceType === 'MedicationRequest' && resource['intent'] === 'order',
  );
  if (!order) return bundle;
  const id = nameUuid('script-review', order.fullUrl);
  const tag = getAt(order.resource, 'meta');
  const task: Json = {
    ...(tag !== undefined && { meta: tag }),
    status: 'requested',
    intent: 'order',
    code: { coding: [{ system: REVIEW, code: 'review' }], text: 'Look at this prescription before it is dispensed' },
    reasonCode: {
      coding: findings.flatMap((one) => {
        const code = ruleOf(one);
        return code === undefined ? [] : [{ system: RULES, code }];
      }),
      text: findings.map(textOf).join('; '),
    },
    focus: { reference: order.fullUrl },
    for: order.resource['subject'],
  };
  return transactionBundle([...bundle.entry, updateById(`urn:uuid:${id}`, { ...resourceOf('Task', task), id })]);
}
