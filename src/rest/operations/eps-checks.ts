/** `$validate`, `$dose-to-text`, `$verify-signature`: checks of EPS messages that send nothing and store nothing. docs/eps.md */
import { randomUUID } from 'node:crypto';
import { epsContext } from '../../mapping/eps/context.ts';
import { convertToV3 } from '../../mapping/eps/convert.ts';
import { dosageTexts } from '../../mapping/eps/dose-to-text.ts';
import { isNode, type Node } from '../../mapping/eps/node.ts';
import { recogniseEps } from '../../mapping/eps/recognise.ts';
import { incorrectResourceType } from '../../mapping/eps/rule-issue.ts';
import { FhirError, type Issue, isError, issue, operationOutcome } from '../../standards/fhir/outcome.ts';
import { verifyOrder } from '../../workflow/eps/verify-message.ts';
import { parseBody } from '../body.ts';
import type { FhirAnswer } from '../exchange.ts';
import { checkContentType, RESOURCE_TYPES } from '../preferences.ts';
import type { Handler, Services } from '../services.ts';

const json = (status: number, body: unknown): FhirAnswer => ({ status, headers: {}, body: JSON.stringify(body) });
const GOOD: Issue = { severity: 'information', code: 'informational' };

/** R4 first, then the rules of EPS where the resource is a message of it. */
export const validateOperation: Handler = (services, request) => {
  checkContentType(request.headers, RESOURCE_TYPES);
  const payload = parseBody(services, request);
  const issues = [
    ...services.validate(payload),
    ...(recogniseEps(payload) === undefined ? [] : rulesOf(services, payload)),
  ];
  return issues.some(isError) ? json(400, operationOutcome(issues)) : json(200, operationOutcome([...issues, GOOD]));
};

/** Whether it may be sent says `$process-message`; these are the rules of the message. */
const rulesOf = ({ now, settings }: Services, payload: unknown): readonly Issue[] =>
  convertToV3(payload, contextOf(now(), settings.epsToAsid)).issues;

const contextOf = (now: number, toAsid: string) => epsContext({}, { now, newId: randomUUID, toAsid });

export const doseToTextOperation: Handler = (services, request) => {
  checkContentType(request.headers, RESOURCE_TYPES);
  const { value, issues } = dosageTexts(parseBody(services, request));
  if (value === undefined) return json(400, operationOutcome(issues));
  return { ...json(200, value), contentType: 'application/json; charset=utf-8' };
};

const PRESCRIPTIONS_MAX = 50;

/**
 * Of a prescription, or of each in a Bundle of them. Deviates: the prescription that is given is verified, not one that the
 * tracker is asked for: the tracker of today has none.
 */
export const verifySignatureOperation: Handler = async (services, request) => {
  checkContentType(request.headers, RESOURCE_TYPES);
  const payload = parseBody(services, request);
  if (!isNode(payload) || payload['resourceType'] !== 'Bundle')
    throw new FhirError(400, [incorrectResourceType('Bundle')]);
  const within = entriesOf(payload).filter(({ resourceType }) => resourceType === 'Bundle');
  const bundles = within.length === 0 ? [payload] : within;
  if (bundles.length > PRESCRIPTIONS_MAX)
    throw new FhirError(400, [issue('too-costly', `At most ${PRESCRIPTIONS_MAX} prescriptions are verified at once`)]);
  const parameter = await Promise.all(
    bundles.map(async (bundle, n) => ({
      name: String(n),
      part: [
        { name: 'messageIdentifier', valueReference: { identifier: bundle['identifier'] } },
        { name: 'result', resource: operationOutcome(await verifyIn(services, bundle)) },
      ],
    })),
  );
  return json(200, { resourceType: 'Parameters', parameter });
};

const verifyIn = ({ judgePrescriptions, now, settings }: Services, bundle: Node): Promise<readonly Issue[]> =>
  verifyOrder(judgePrescriptions, bundle, contextOf(now(), settings.epsToAsid));

const entriesOf = (bundle: Node): readonly Node[] =>
  (Array.isArray(bundle['entry']) ? bundle['entry'] : [])
    .map((entry: unknown) => (isNode(entry) ? entry['resource'] : undefined))
    .filter(isNode);
