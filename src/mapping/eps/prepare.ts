/** `$prepare`: what a prescriber is to sign. */
import { Buffer } from 'node:buffer';
import { formatIso } from '../../standards/hl7v3/date-time.ts';
import type { Mapped } from '../../standards/mapped.ts';
import type { FhirResource } from '../transaction-bundle.ts';
import type { EpsContext } from './context.ts';
import { invalidValue, mapped } from './fault.ts';
import { readMessageBundle } from './message-bundle.ts';
import { isNode } from './node.ts';
import { normaliseSystems } from './normalise-systems.ts';
import { parentPrescription } from './parent-prescription.ts';
import { incorrectResourceType } from './rule-issue.ts';
import { type SigningAlgorithm, signedInfo } from './signed-info.ts';
import { validateBundle } from './validate-bundle.ts';

/**
 * The Parameters of an unsigned prescription order: `digest`, the base64 of the SignedInfo to be signed; `timestamp`,
 * which must come back as the time of the signature; `algorithm`. `payload`: as `parseJson` returns it. Never throws.
 */
export function prepare(payload: unknown, context: EpsContext): Mapped<FhirResource> {
  return mapped(() => {
    const resource = normaliseSystems(payload);
    if (!isNode(resource) || resource['resourceType'] !== 'Bundle')
      return { issues: [incorrectResourceType('Bundle')] };
    const bundle = readMessageBundle(resource);
    const issues = validateBundle(bundle, context);
    if (issues.length > 0) return { issues };
    if (bundle.eventCode !== 'prescription-order')
      throw invalidValue(
        "MessageHeader.eventCoding.code must be 'prescription-order'.",
        'MessageHeader.eventCoding.code',
      );
    const prescription = parentPrescription(bundle, context.now);
    const algorithm: SigningAlgorithm = context.sha1ApplicationIds.has(context.applicationId) ? 'RS1' : 'RS256';
    return {
      value: parameters([
        ['digest', Buffer.from(signedInfo(prescription, algorithm)).toString('base64')],
        ['timestamp', formatIso(prescription.signedAt)],
        ['algorithm', algorithm],
      ]),
      issues,
    };
  });
}

const parameters = (values: readonly (readonly [name: string, valueString: string])[]): FhirResource => ({
  resourceType: 'Parameters',
  parameter: values.map(([name, valueString]) => ({ name, valueString })),
});
