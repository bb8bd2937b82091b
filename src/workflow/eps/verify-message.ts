/** What is to be said of the signatures in a message. eps/REFERENCE section 10; nothing is sent or stored. */
import type { EpsContext } from '../../mapping/eps/context.ts';
import { convertToV3 } from '../../mapping/eps/convert.ts';
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { CODE_SYSTEM } from '../../mapping/eps/systems.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { faultsIn, type JudgePrescriptions } from './check-signatures.ts';

/** Of a prescription order in FHIR. The one issue of a good one is informational. */
export async function verifyOrder(
  judge: JudgePrescriptions | undefined,
  bundle: unknown,
  context: EpsContext,
): Promise<readonly Issue[]> {
  if (judge === undefined) return [NO_AUTHORITIES];
  if (!isNode(bundle) || recogniseEps(bundle) !== 'order') return [invalid('It is not a prescription order')];
  const { value, issues } = convertToV3(asSent(bundle), context);
  if (value === undefined) return issues;
  const verdicts = await judge(value);
  const faults = verdicts.length === 0 ? ['Invalid signature format'] : faultsIn(verdicts);
  return faults.length === 0 ? [GOOD] : faults.map(invalid);
}

/** A prescription of repeat dispensing that was released is a reflex order, and may not be sent as one; V3 does not tell. */
function asSent(bundle: Node): Node {
  if (!Array.isArray(bundle['entry'])) return bundle;
  const entry = bundle['entry'].map((one: unknown) => {
    const resource = isNode(one) ? one['resource'] : undefined;
    const isReflex = isNode(resource) && resource['intent'] === 'reflex-order';
    return isReflex && isNode(one) ? { ...one, resource: { ...resource, intent: 'order' } } : one;
  });
  return { ...bundle, entry };
}

/** Of every prescription in V3, each by its place. */
export async function verifyV3(judge: JudgePrescriptions | undefined, content: Buffer): Promise<readonly Issue[]> {
  if (judge === undefined) return [NO_AUTHORITIES];
  const verdicts = await judge(content);
  return verdicts.length === 0 ? [{ ...invalid('There is no prescription in it'), expression: [] }] : verdicts;
}

const GOOD: Issue = { severity: 'information', code: 'informational' };

const invalid = (display: string): Issue => ({
  severity: 'error',
  code: 'invalid',
  details: { coding: [{ system: CODE_SYSTEM.spineIssue, code: 'INVALID', display }] },
  expression: ['Provenance.signature.data'],
});

const NO_AUTHORITIES: Issue = {
  severity: 'error',
  code: 'not-supported',
  diagnostics:
    'No signature can be believed here: no authorities of signers are configured. The operator sets EPS_SIGNER_CA_FILE',
};
