/** What the national gateway answers with a list of issues. */
import type { Issue, OperationOutcome } from '../../standards/fhir/outcome.ts';
import { formatIso } from '../../standards/hl7v3/date-time.ts';
import { EpsFault } from './fault.ts';
import { isNode, nodeAt, stringAt } from './node.ts';

export type EpsOutcome = OperationOutcome & { readonly meta?: { readonly lastUpdated: string } };

/** All informational: 200. All forbidden: 403. Otherwise 400. */
export function statusOf(issues: readonly Issue[]): 200 | 400 | 403 {
  if (issues.every(({ code }) => code === 'informational')) return 200;
  return issues.every(({ code }) => code === 'forbidden') ? 403 : 400;
}

/**
 * The OperationOutcome of the issues. Findings of rules carry the time of the message, `lastUpdated`; faults of the
 * translation, which have a fixed form of their own, carry none.
 */
export const toEpsOutcome = (issues: readonly Issue[], lastUpdated?: string): EpsOutcome => ({
  resourceType: 'OperationOutcome',
  ...(lastUpdated !== undefined && !issues.some(isFault) && { meta: { lastUpdated } }),
  issue: issues,
});

/** Faults of the translation have a code of the Spine and no text, or are of inconsistent values. */
const isFault = ({ code, severity, diagnostics, details, expression }: Issue): boolean =>
  code === 'invalid' &&
  details !== undefined &&
  (diagnostics === undefined ? severity === 'fatal' : expression !== undefined);

/** `meta.lastUpdated` of the message, or now (`at`, ms UTC). */
export function lastUpdatedOf(payload: unknown, at: number): string {
  try {
    return (isNode(payload) && stringAt(nodeAt(payload, 'meta', ''), 'lastUpdated', '')) || formatIso(at);
  } catch (error) {
    if (error instanceof EpsFault) return formatIso(at);
    throw error;
  }
}
