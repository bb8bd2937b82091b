/** Whether the Spine took a message, and with which codes it refused it. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { errorIssue } from './error-codes.ts';
import { childrenOf, findChild, findPath, requiredAttribute, requiredChild, type V3Node, v3Fault } from './v3-node.ts';

export type Verdict = 'accepted' | 'error' | 'rejected';

const VERDICTS: ReadonlyMap<string, Verdict> = new Map([
  ['AA', 'accepted'],
  ['AE', 'error'],
  ['ER', 'error'],
  ['AR', 'rejected'],
]);

export function verdictOf(interaction: V3Node): Verdict {
  const acknowledgement = requiredChild(interaction, 'acknowledgement');
  const verdict = VERDICTS.get(requiredAttribute(acknowledgement, 'typeCode'));
  if (verdict === undefined)
    throw v3Fault('code-invalid', acknowledgement, 'typeCode is none of AA, AE, ER, AR', '/@typeCode');
  return verdict;
}

/** Of an error the reasons of the act, of a rejection the details of the acknowledgement. One issue a code. */
export function refusals(interaction: V3Node, verdict: 'error' | 'rejected'): readonly Issue[] {
  const codes =
    verdict === 'rejected'
      ? childrenOf(requiredChild(interaction, 'acknowledgement'), 'acknowledgementDetail').map((detail) =>
          findChild(detail, 'code'),
        )
      : reasonsOf(interaction).map((reason) => findPath(reason, 'justifyingDetectedIssueEvent', 'code'));
  return codes.flatMap((code) => (code === undefined ? [] : (errorIssue(code) ?? [])));
}

function reasonsOf(interaction: V3Node): readonly V3Node[] {
  const act = findChild(interaction, 'ControlActEvent');
  return act === undefined ? [] : childrenOf(act, 'reason');
}
