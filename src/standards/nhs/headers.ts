/** Headers of the API platform of NHS England on endpoints in the manner of EPS. SECURITY NH-07; eps/REFERENCE 1.5 */
import { FhirError, type Issue } from '../fhir/outcome.ts';
import { isOdsCode, isSdsId } from './identifiers.ts';

/** The roles that a session acts in. */
export interface NhsSession {
  readonly roles: readonly { readonly id: string; readonly odsCode: string }[];
}

export interface NhsHeaders {
  /** UUID as it was sent. */
  readonly requestId: string;
  readonly correlationId?: string;
  readonly roleProfileId: string;
  readonly odsCode: string;
}

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

const UUID = /^[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/;
const CORRELATION = /^[\x21-\x7e]{1,128}$/;
const SYSTEM = 'https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode';

/**
 * The headers of a request (names in lower case), checked against the session of who asks. Throws `FhirError`: 400 with
 * every header that is missing or malformed, 403 when a role or an organisation is not the session's.
 */
export function checkNhsHeaders(headers: Headers, session: NhsSession): NhsHeaders {
  const faults = malformed(headers);
  if (faults.length > 0) throw new FhirError(400, faults);
  const [roleProfileId, asked] = [text(headers, 'nhsd-session-urid'), text(headers, 'nhsd-end-user-organisation-ods')];
  const role = session.roles.find(({ id }) => id === roleProfileId);
  if (!role) throw forbidden("The role in header 'NHSD-Session-URID' is not one that this session acts in");
  if (asked !== undefined && asked !== role.odsCode)
    throw forbidden("The organisation in header 'NHSD-End-User-Organisation-ODS' is not that of the role");
  const correlationId = text(headers, 'x-correlation-id');
  return {
    requestId: text(headers, 'x-request-id') ?? '',
    roleProfileId: role.id,
    odsCode: role.odsCode,
    ...(correlationId !== undefined && { correlationId }),
  };
}

/** What of a request's headers goes back with the answer, whatever it is; nothing that is malformed. */
export function echoedNhsHeaders(headers: Headers): Readonly<Record<string, string>> {
  const [requestId, correlationId] = [text(headers, 'x-request-id'), text(headers, 'x-correlation-id')];
  return {
    ...(requestId !== undefined && UUID.test(requestId) && { 'X-Request-ID': requestId }),
    ...(correlationId !== undefined && CORRELATION.test(correlationId) && { 'X-Correlation-ID': correlationId }),
  };
}

function malformed(headers: Headers): Issue[] {
  const issues: Issue[] = [];
  if (!UUID.test(text(headers, 'x-request-id') ?? ''))
    issues.push({
      severity: 'fatal',
      code: 'value',
      diagnostics: 'X-Request-ID header missing or malformed',
      details: {
        coding: [{ system: SYSTEM, code: 'MISSING_FIELD', display: 'X-Request-ID header missing or malformed' }],
      },
    });
  const correlationId = text(headers, 'x-correlation-id');
  if (correlationId !== undefined && !CORRELATION.test(correlationId)) issues.push(invalid('X-Correlation-ID'));
  const role = text(headers, 'nhsd-session-urid');
  if (role === undefined) issues.push(missing('NHSD-Session-URID'));
  else if (!isSdsId(role)) issues.push(invalid('NHSD-Session-URID'));
  const organization = text(headers, 'nhsd-end-user-organisation-ods');
  if (organization !== undefined && !isOdsCode(organization)) issues.push(invalid('NHSD-End-User-Organisation-ODS'));
  return issues;
}

/** Node joins what is sent twice with a comma, which no value here may hold. */
function text(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  return value === undefined || typeof value === 'string' ? value : value.join(', ');
}

const coded = (code: string, display: string, diagnostics: string): Issue => ({
  severity: 'error',
  code: 'value',
  diagnostics,
  details: { coding: [{ system: SYSTEM, code, display }] },
});
const missing = (name: string): Issue =>
  coded('MISSING_VALUE', 'Required value is missing', `Missing value in header '${name}'`);
const invalid = (name: string): Issue =>
  coded('INVALID_VALUE', 'Provided value is invalid', `Invalid value in header '${name}'`);
const forbidden = (diagnostics: string): FhirError =>
  new FhirError(403, [{ severity: 'error', code: 'forbidden', diagnostics }]);
