/**
 * The issues of the Electronic Prescription Service: faults that stop a translation, and findings of its rules.
 * Both keep the texts of the national gateway, so that its clients read the same answer here.
 */
import type { Issue, IssueCode } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';

const SPINE_R4 = 'https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode';
const SPINE = 'https://fhir.nhs.uk/CodeSystem/Spine-ErrorOrWarningCode';

/** Stops a translation at the first value it cannot go on with; never leaves this folder. */
export class EpsFault extends Error {
  readonly issue: Issue;

  constructor(issue: Issue) {
    super(issue.code);
    this.issue = issue;
  }
}

/** Deviates: where the national gateway answers `expression: [null]`, there is no expression. */
const at = (expression: string | undefined): Pick<Issue, 'expression'> =>
  expression === undefined ? {} : { expression: [expression] };

const fatal =
  (code: string) =>
  (display: string, expression?: string): EpsFault =>
    new EpsFault({
      severity: 'fatal',
      code: 'invalid',
      details: { coding: [{ system: SPINE_R4, code, display }] },
      ...at(expression),
    });

/** A single value is missing or bad. */
export const invalidValue = fatal('INVALID_VALUE');
export const tooFewValues = fatal('TOO_FEW_VALUES_SUBMITTED');
export const tooManyValues = fatal('TOO_MANY_VALUES_SUBMITTED');

/** Values that must agree do not. */
export const inconsistentValues = (diagnostics: string, expression: string): EpsFault =>
  new EpsFault({
    severity: 'error',
    code: 'invalid',
    diagnostics,
    details: { coding: [{ system: SPINE, code: 'INVALID_VALUE' }] },
    expression: [expression],
  });

export const requiredFieldMissing = (expression: string): EpsFault =>
  invalidValue('Required field missing.', expression);

/** A finding of a rule, of severity error. */
export const finding = (code: IssueCode, diagnostics: string, expression?: string): Issue => ({
  severity: 'error',
  code,
  diagnostics,
  ...at(expression),
});

/** A finding after which nothing else is looked at. */
export const fatalFinding = (code: IssueCode, diagnostics: string, expression?: string): Issue => ({
  ...finding(code, diagnostics, expression),
  severity: 'fatal',
});

/** Both forms of naming the medication were used. */
export const conflictingMedication = (resource: 'MedicationRequest' | 'MedicationDispense'): Issue => ({
  severity: 'error',
  code: 'structure',
  diagnostics: `${resource} cannot contain both medicationReference and medicationCodeableConcept fields.`,
  details: {
    coding: [
      {
        system: SPINE_R4,
        code: 'CONFLICTING_VALUES',
        display: 'Conflicting values have been specified in different fields',
      },
    ],
  },
});

/** Several dosages, and not all of them say when they come. The text stands in `details` alone. */
export const MISSING_DOSAGE_SEQUENCE: Issue = {
  severity: 'error',
  code: 'invalid',
  details: {
    coding: [
      {
        code: 'MISSING_VALUE',
        display: 'The request contains multiple dosage instruction lines but no corresponding dosage sequence number.',
      },
    ],
  },
};

/** Runs a translation that may stop at a fault. */
export function mapped<T>(translate: () => Mapped<T>): Mapped<T> {
  try {
    return translate();
  } catch (error) {
    if (error instanceof EpsFault) return { issues: [error.issue] };
    throw error;
  }
}
