/** What joins the log lines, messages and audit entries of one request. https://hl7.org/fhir/R4/http.html#custom */
import { randomUUID } from 'node:crypto';

const REQUEST_ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** The client's `X-Request-Id` when it is one, else a new id. */
export function correlationIdOf(req: {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}): string {
  const given = req.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}
