/** Headers of the NHS on endpoints in the manner of EPS, for people who act in a role of the directory. SECURITY NH-07 */
import { FhirError } from '../standards/fhir/outcome.ts';
import { checkNhsHeaders, echoedNhsHeaders } from '../standards/nhs/headers.ts';
import type { Handler } from './services.ts';

/**
 * A handler that checks the headers of requests by somebody of NHS Care Identity, and answers with those that go back;
 * every other caller acts in no such role and needs none.
 */
export const withNhsHeaders =
  (handle: Handler): Handler =>
  async (services, request) => {
    const nhs = request.caller.user?.nhs;
    if (nhs?.provider !== 'cis2') return handle(services, request);
    const echoed = echoedNhsHeaders(request.headers);
    try {
      checkNhsHeaders(request.headers, nhs);
      const answer = await handle(services, request);
      return { ...answer, headers: { ...answer.headers, ...echoed } };
    } catch (error) {
      if (!(error instanceof FhirError)) throw error;
      throw new FhirError(error.status, error.issues, { cause: error.cause, headers: { ...error.headers, ...echoed } });
    }
  };
