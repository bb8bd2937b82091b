/** What became of a request that was sent with `Prefer: respond-async`. https://hl7.org/fhir/R4/async.html */
import { notFound } from '../../standards/fhir/outcome.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import type { Services } from '../services.ts';

const idOf = ({ segments }: FhirRequest): string => segments[1] as string; // the route has it

/** `GET /_async/id` */
export function asyncStatus({ later }: Services, request: FhirRequest): Promise<FhirAnswer> {
  if (!later) throw notFound('A request with that id');
  return later.status(request.caller, idOf(request));
}

/** `DELETE /_async/id` */
export function asyncCancel({ later }: Services, request: FhirRequest): Promise<FhirAnswer> {
  if (!later) throw notFound('A request with that id');
  return later.cancel(request.caller, idOf(request));
}
