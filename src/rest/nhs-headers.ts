/** Headers of the NHS on endpoints in the manner of EPS, for people who act in a role of the directory. SECURITY NH-07 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../ports/caller.ts';
import { checkNhsHeaders, echoedNhsHeaders, type NhsHeaders } from '../standards/nhs/headers.ts';

/**
 * Checks the headers of a request by somebody of NHS Care Identity, and answers with those that go back; undefined for
 * every other caller, who acts in no such role. Throws `FhirError` 400 or 403.
 */
export function takeNhsHeaders(req: IncomingMessage, res: ServerResponse, caller: Caller): NhsHeaders | undefined {
  const nhs = caller.user?.nhs;
  if (nhs?.provider !== 'cis2') return undefined;
  for (const [name, value] of Object.entries(echoedNhsHeaders(req.headers))) res.setHeader(name, value);
  return checkNhsHeaders(req.headers, nhs);
}
