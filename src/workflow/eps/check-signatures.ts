/** Whether prescriptions are truly signed: of an order before it is sent, of each that is released. eps/REFERENCE section 10.6 */
import type { CheckSignature } from '../../mapping/eps/inbound/context.ts';
import { peel } from '../../mapping/eps/inbound/peel.ts';
import { verifyPrescription } from '../../mapping/eps/verify-signature.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { attributeOf, childOf, elementsOf, type XmlElement } from '../../standards/xml/tree.ts';
import type { JudgeSigner } from '../../standards/xmldsig/signer.ts';

/** Verdicts on every prescription in V3 documents, kept with the message as issues: the same answer is given each time. */
export type JudgePrescriptions = (content: Buffer | string) => Promise<readonly Issue[]>;

const PRESCRIPTION = 'ParentPrescription';

export function createJudgePrescriptions(judge: JudgeSigner, now: () => number): JudgePrescriptions {
  return async (content) => {
    const { value: documents = [] } = peel(content);
    const found = documents.flatMap(prescriptionsIn);
    return (
      await Promise.all(
        found.map(async (prescription) => {
          const { faults } = await verifyPrescription(prescription, { now: now(), judge });
          return faults.length === 0 ? [verdict(prescription)] : faults.map((fault) => verdict(prescription, fault));
        }),
      )
    ).flat();
  };
}

function prescriptionsIn(element: XmlElement): readonly XmlElement[] {
  if (element.name === PRESCRIPTION) return [element];
  return elementsOf(element).flatMap(prescriptionsIn);
}

function placeOf(prescription: XmlElement): string {
  const id = childOf(prescription, 'id');
  return `${PRESCRIPTION}/${(id && attributeOf(id, 'root')) ?? 'unknown'}`;
}

const verdict = (prescription: XmlElement, fault?: string): Issue =>
  fault === undefined
    ? { severity: 'information', code: 'informational', diagnostics: GOOD, expression: [placeOf(prescription)] }
    : { severity: 'error', code: 'security', diagnostics: fault, expression: [placeOf(prescription)] };

const GOOD = 'The signature is good';
const NO_VERDICT = 'No verdict was kept';

/** What is wrong with signatures, without those that are good. */
export const faultsIn = (verdicts: readonly Issue[]): readonly string[] =>
  verdicts.filter(({ severity }) => severity === 'error').map(({ diagnostics }) => diagnostics ?? '');

/** What the verdicts say of each prescription; undefined where nobody judged. A prescription without one does not pass. */
export function checkByVerdicts(verdicts: readonly Issue[]): CheckSignature | undefined {
  const judged = verdicts.filter(({ expression }) => expression?.[0]?.startsWith(`${PRESCRIPTION}/`));
  if (judged.length === 0) return undefined;
  return (prescription) => {
    const place = placeOf(prescription);
    const own = judged.filter(({ expression }) => expression?.[0] === place);
    return own.length === 0 ? [NO_VERDICT] : faultsIn(own);
  };
}
