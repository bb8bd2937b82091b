/** Short forms of issues, as the tables of rules write them. */
import type { Issue } from '../../../src/standards/fhir/outcome.ts';

/**
 * A finding of a rule: severity, code, text and place; the text in brackets where it stands in `details` alone. A fault of the translation: `F`, its code of the Spine, text and
 * place. Inconsistent values: `C`.
 */
export function short({ severity, code, diagnostics, details, expression }: Issue): string {
  const place = expression === undefined ? '' : ` @ ${expression.join()}`;
  const coding = details?.coding[0];
  if (diagnostics === undefined && severity === 'error')
    return `error/${code} ${coding?.code} (${coding?.display})${place}`;
  if (diagnostics === undefined) return `F ${coding?.code}: ${coding?.display}${place}`;
  if (coding !== undefined && expression !== undefined) return `C ${coding.code}: ${diagnostics}${place}`;
  return `${severity}/${code}${coding === undefined ? '' : ` ${coding.code}`}: ${diagnostics}${place}`;
}

export const FEW = 'F TOO_FEW_VALUES_SUBMITTED: Too few values submitted. Expected 1 element';
export const MANY = 'F TOO_MANY_VALUES_SUBMITTED: Too many values submitted. Expected 1 element';
export const AT_MOST = 'F TOO_MANY_VALUES_SUBMITTED: Too many values submitted. Expected at most 1 element';
export const INVALID = 'F INVALID_VALUE:';
export const REQUIRED = `${INVALID} Required field missing.`;
