/** OperationOutcome and the one error that callers may see. https://hl7.org/fhir/R4/operationoutcome.html */

/** R4 issue types (https://hl7.org/fhir/R4/valueset-issue-type.html) that Mortar uses. */
export type IssueCode =
  | 'invalid'
  | 'structure'
  | 'required'
  | 'value'
  | 'invariant'
  | 'security'
  | 'login'
  | 'forbidden'
  | 'processing'
  | 'not-supported'
  | 'duplicate'
  | 'multiple-matches'
  | 'not-found'
  | 'deleted'
  | 'too-long'
  | 'code-invalid'
  | 'extension'
  | 'too-costly'
  | 'business-rule'
  | 'conflict'
  | 'transient'
  | 'lock-error'
  | 'no-store'
  | 'exception'
  | 'timeout'
  | 'incomplete'
  | 'throttled'
  | 'informational';

export type IssueSeverity = 'fatal' | 'error' | 'warning' | 'information';

export interface Coding {
  readonly system?: string;
  readonly code: string;
  readonly display?: string;
}

/** One issue. `diagnostics` is safe to send: it names elements and rules, never a patient's value. */
export interface Issue {
  readonly severity: IssueSeverity;
  readonly code: IssueCode;
  /** Absent only where another specification fixes the whole answer and puts its text into `details`. */
  readonly diagnostics?: string;
  /** The code another standard has for this (EPS error codes …). */
  readonly details?: { readonly coding: readonly Coding[]; readonly text?: string };
  /** FHIRPath of the element, e.g. `Patient.name[0].family`; in other dialects the place in their own words (`PID-3.1[2]`). */
  readonly expression?: readonly string[];
}

export interface OperationOutcome {
  readonly resourceType: 'OperationOutcome';
  readonly issue: readonly Issue[];
}

/** An error whose issues may be shown to the caller; `cause` is for the log only. */
export class FhirError extends Error {
  readonly status: number;
  readonly issues: readonly Issue[];
  /** Headers the answer must carry (`Allow`, `Retry-After`, `ETag` …). */
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    issues: readonly Issue[],
    options: { cause?: unknown; headers?: Record<string, string> } = {},
  ) {
    super(issues.map((i) => `${i.code}: ${textOf(i)}`).join('; '), { cause: options.cause });
    this.name = 'FhirError';
    this.status = status;
    this.issues = issues;
    this.headers = options.headers ?? {};
  }
}

/** What an issue says to people. */
export const textOf = ({ diagnostics, details, code }: Issue): string =>
  diagnostics ?? details?.text ?? details?.coding[0]?.display ?? code;

/** Issues of these severities stop what was asked for. */
export const isError = ({ severity }: Issue): boolean => severity === 'error' || severity === 'fatal';

/** An error-severity issue. */
export const issue = (code: IssueCode, diagnostics: string, expression?: string): Issue =>
  expression === undefined
    ? { severity: 'error', code, diagnostics }
    : { severity: 'error', code, diagnostics, expression: [expression] };

const one =
  (status: number, code: IssueCode) =>
  (diagnostics: string, expression?: string): FhirError =>
    new FhirError(status, [issue(code, diagnostics, expression)]);

export const badRequest = one(400, 'invalid');
export const badStructure = one(400, 'structure');
export const badValue = one(400, 'value');
export const notSupported = one(400, 'not-supported');
export const notFound = (reference: string): FhirError => one(404, 'not-found')(`${reference} was not found`);
/** `near`: names that look like it. */
export const unknownType = (type: string, near: readonly string[] = []): FhirError =>
  one(
    404,
    'not-supported',
  )(
    `'${type}' is not an R4 resource type that can be stored${near.length > 0 ? `; did you mean ${near.join(' or ')}?` : ''}`,
  );
export const gone = (reference: string): FhirError => one(410, 'deleted')(`${reference} was deleted`);
/** Says nothing of why, nor of what is there (SECURITY AZ-09). */
export const forbidden = (): FhirError => one(403, 'forbidden')('You may not do this: your rights do not reach it');
export const versionConflict = one(412, 'conflict');
export const multipleMatches = one(412, 'multiple-matches');
export const conflict = one(409, 'conflict');
/** Whether somebody else was first. */
export const isConflict = (error: unknown): boolean => error instanceof FhirError && error.status === 409;
export const tooLarge = one(413, 'too-long');
export const tooCostly = one(400, 'too-costly');
export const unsupportedMediaType = one(415, 'not-supported');
export const unprocessable = (issues: readonly Issue[]): FhirError => new FhirError(422, issues);
export const unavailable = (diagnostics: string, cause?: unknown): FhirError =>
  new FhirError(503, [issue('transient', diagnostics)], { cause, headers: { 'Retry-After': '2' } });

export const operationOutcome = (issues: readonly Issue[]): OperationOutcome => ({
  resourceType: 'OperationOutcome',
  issue: issues,
});
