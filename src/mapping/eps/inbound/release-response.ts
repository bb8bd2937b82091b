/** What was released to a pharmacy: the prescriptions that may be dispensed, and those that may not. */
import type { Issue } from '../../../standards/fhir/outcome.ts';
import { formatDateTime, formatIso } from '../../../standards/hl7v3/date-time.ts';
import { RELEASED_PRESCRIPTION } from '../../../standards/hl7v3/interaction.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { EpsFault } from '../fault.ts';
import type { V3Message } from '../send-message.ts';
import { CODE_SYSTEM, EXTENSION } from '../systems.ts';
import type { AnswerContext } from './context.ts';
import { type Entry, entryOf, extension, type Json, uuidIdentifier } from './fhir-parts.ts';
import { prescriptionBundle } from './prescription-bundle.ts';
import { type InvalidReason, returnOf } from './return-invalid.ts';
import {
  childrenOf,
  dateTimeOfValue,
  findAttribute,
  findChild,
  findPath,
  instantOfValue,
  readWhole,
  requiredAttribute,
  requiredChild,
  type V3Node,
  v3Issue,
} from './v3-node.ts';

export interface Released {
  readonly parameters: FhirResource;
  readonly issues: readonly Issue[];
  /** A return for each prescription that failed, to be sent to the Spine. */
  readonly returns: readonly V3Message[];
}

/** Prescriptions of older models, which are not signed, are left out. */
export function releaseResponse(response: V3Node, context: AnswerContext): Released {
  const id = requiredAttribute(requiredChild(response, 'id'), 'root');
  const effectiveTime = requiredChild(response, 'effectiveTime');
  const issues: Issue[] = [];
  const returns: V3Message[] = [];
  const passed: Json[] = [];
  const failed: Json[] = [];
  const requestId = findAttribute(findPath(response, 'inFulfillmentOf', 'priorDownloadRequestRef', 'id'), 'root');
  const returned = (component: V3Node, reason: InvalidReason): void => {
    const message = returnOf(component, reason, { id, at: formatDateTime(instantOfValue(effectiveTime)) }, context);
    if (message !== undefined) returns.push(message);
  };
  for (const component of childrenOf(response, 'component')) {
    if (!isReleased(component)) {
      issues.push(v3Issue('warning', 'not-supported', component, 'A prescription of another model is left out'));
      readWhole(component);
      continue;
    }
    const outcome = translated(component, context, issues, requestId);
    if (outcome.bundle !== undefined && outcome.issues.length === 0) passed.push(entryOf(outcome.bundle));
    else {
      failed.push(entryOf(failure(component, outcome.issues, context)));
      if (outcome.bundle !== undefined) failed.push(entryOf(outcome.bundle));
      if (outcome.reason !== undefined) returned(component, outcome.reason);
      // What could not be read is told as a whole.
      if (outcome.bundle === undefined) readWhole(component);
    }
  }
  const list = (entry: readonly Json[]): FhirResource => ({
    resourceType: 'Bundle',
    id: context.newId(),
    meta: { lastUpdated: dateTimeOfValue(effectiveTime) },
    identifier: uuidIdentifier(id),
    type: 'searchset',
    total: entry.length,
    entry,
  });
  return {
    parameters: {
      resourceType: 'Parameters',
      parameter: [
        { name: 'passedPrescriptions', resource: list(passed) },
        { name: 'failedPrescriptions', resource: list(failed) },
      ],
    },
    issues,
    returns,
  };
}

const isReleased = (component: V3Node): boolean =>
  findAttribute(findChild(component, 'templateId'), 'extension') === RELEASED_PRESCRIPTION;

interface Outcome {
  /** Absent when it cannot be read. */
  readonly bundle?: Entry;
  /** Why it failed; empty when it passed. */
  readonly issues: readonly Issue[];
  /** Why it goes back. What was not checked for want of a checker does not. */
  readonly reason?: InvalidReason;
}

/**
 * Deviates: a prescription that cannot be read fails alone, and goes back as invalid; to the national gateway nothing of
 * the release is readable then.
 */
function translated(
  component: V3Node,
  context: AnswerContext,
  issues: Issue[],
  requestId: string | undefined,
): Outcome {
  try {
    const parentPrescription = requiredChild(component, 'ParentPrescription');
    // A Bundle made here has an id.
    const bundle = prescriptionBundle(parentPrescription, context, issues, requestId) as Entry;
    if (context.checkSignature === undefined) return { bundle, issues: [NOT_CHECKED] };
    const faults = context.checkSignature(parentPrescription.element);
    return faults.length === 0 ? { bundle, issues: [] } : { bundle, issues: [SIGNATURE_INVALID], reason: '0005' };
  } catch (error) {
    if (!(error instanceof EpsFault)) throw error;
    return { issues: [error.issue], reason: '0007' };
  }
}

const signatureIssue = (display: string): Issue => ({
  severity: 'error',
  code: 'invalid',
  details: { coding: [{ system: CODE_SYSTEM.spineIssue, code: 'INVALID_VALUE', display }] },
  expression: ['Provenance.signature.data'],
});

const SIGNATURE_INVALID = signatureIssue('Signature is invalid.');
const NOT_CHECKED: Issue = {
  ...signatureIssue('Signature was not checked.'),
  diagnostics: 'Nothing checks signatures here: the prescription must not be dispensed on the strength of this answer',
};

/** Names the prescription by the id of its message. */
function failure(component: V3Node, issues: readonly Issue[], { newId, now }: AnswerContext): Entry {
  const id = findAttribute(findPath(component, 'ParentPrescription', 'id'), 'root');
  return {
    resourceType: 'OperationOutcome',
    id: newId(),
    meta: { lastUpdated: formatIso(now) },
    ...(id !== undefined && {
      extension: [
        extension(EXTENSION.supportingInfoPrescription, { valueReference: { identifier: uuidIdentifier(id) } }),
      ],
    }),
    issue: issues,
  };
}
