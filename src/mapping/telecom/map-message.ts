/** Telecommunication D.0 and FHIR, both ways. Reference section 21, docs/ncpdp-telecom.md */
import { isError } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { checkTelecom } from '../../standards/telecom/check.ts';
import type { TelecomMessage } from '../../standards/telecom/message.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';
import { formatTelecom } from '../../standards/telecom/write.ts';
import type { TransactionBundle } from '../transaction-bundle.ts';
import { requestFromFhir, type TelecomFromFhirContext } from './request-from-fhir.ts';
import { requestToFhir } from './request-to-fhir.ts';
import { handedIn } from './resolve.ts';
import { responseFromFhir } from './response-from-fhir.ts';
import { type ResponseContext, responseToFhir } from './response-to-fhir.ts';

/** Claims, requests and answers with all that they name, as a transaction. */
export const telecomToFhir = (message: TelecomMessage, context: ResponseContext): Mapped<TransactionBundle> =>
  message.side === 'request' ? requestToFhir(message, context) : responseToFhir(message, context);

/** The message that a Bundle or a resource asks for, not yet checked. */
export function telecomMessageOf(payload: unknown, context: TelecomFromFhirContext = {}): Mapped<TelecomMessage> {
  const isResponse = handedIn(payload).all.some(
    ({ resourceType }) => resourceType === 'ClaimResponse' || resourceType === 'CoverageEligibilityResponse',
  );
  return isResponse ? responseFromFhir(payload) : requestFromFhir(payload, context);
}

/** The bytes, which hold to every rule: a claim whose price does not balance is refused with the difference. */
export function telecomFromFhir(payload: unknown, context: TelecomFromFhirContext = {}): Mapped<Buffer> {
  const { value: message, issues } = telecomMessageOf(payload, context);
  if (!message) return { issues };
  // As it will be read: the header is filled to its widths, and characters of no field must not make others.
  const bytes = formatTelecom(message);
  const { message: read, issues: faults } = parseTelecom(bytes);
  const all = [...issues, ...faults, ...(read ? checkTelecom(read) : [])];
  return all.some(isError) ? { issues: all } : { value: bytes, issues: all };
}
