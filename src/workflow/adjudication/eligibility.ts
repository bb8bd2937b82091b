/**
 * Asks a payer whether somebody is covered (E1): the request is stored in the transaction that commits its message, the
 * answer beside it. A question changes nothing at the payer, so that it is asked again until there is an answer.
 */
import { isObject, objectsAt } from '../../mapping/script/place.ts';
import { telecomFromFhir } from '../../mapping/telecom/map-message.ts';
import { responseToFhir } from '../../mapping/telecom/response-to-fhir.ts';
import { type FhirResource, nameUuid, transactionBundle, updateById } from '../../mapping/transaction-bundle.ts';
import { serviceCaller } from '../../policy/service-caller.ts';
import type { AuditLog } from '../../ports/audit.ts';
import type { Caller } from '../../ports/caller.ts';
import type { ResourceStore } from '../../ports/resource-store.ts';
import { issue, unavailable, unprocessable } from '../../standards/fhir/outcome.ts';
import type { TelecomMessage } from '../../standards/telecom/message.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';
import type { ApplyMessage } from '../apply-message.ts';
import { askerOf } from '../eps/send.ts';
import type { LegServices } from './leg.ts';
import { claimMessage } from './message-log-journal.ts';
import { isAnswerTo } from './messages.ts';
import { type ReadReferred, referredBy } from './read-claim.ts';

export interface EligibilityServices extends LegServices {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly apply: ApplyMessage;
  readonly audit: Pick<AuditLog, 'record'>;
  readonly readAs: (caller: Caller) => ReadReferred;
  readonly softwareId: string | undefined;
  readonly now: () => number;
}

/** The stored CoverageEligibilityResponse. Throws `FhirError` 422, and 503 where no payer answers. */
export type AskEligibility = (caller: Caller, payload: unknown) => Promise<FhirResource>;

const NO_REQUEST = issue('structure', 'Hand in a CoverageEligibilityRequest, or Parameters with one as resource');
const GATEWAY = serviceCaller('gateway');

export function createAskEligibility(services: EligibilityServices): AskEligibility {
  const { store, apply, audit, readAs, softwareId, journal, now } = services;
  return async (caller, payload) => {
    const service = serviceCaller('gateway', caller.correlationId);
    const given = requestIn(payload);
    const referred = await referredBy(given, readAs(caller));
    const entry = [{ resource: given }, ...referred.map(([fullUrl, resource]) => ({ fullUrl, resource }))];
    const bundle = { resourceType: 'Bundle', type: 'collection', entry };
    const { value, issues } = telecomFromFhir(bundle, softwareId === undefined ? {} : { softwareId });
    const message = value && parseTelecom(value).message;
    if (!value || !message) throw unprocessable(issues);
    const request: FhirResource & { readonly id: string } = { ...given, id: store.newId() };
    const queued = claimMessage(nameUuid('eligibility', request.id), value, now(), askerOf(caller));
    const origin = { kind: 'E1', messageId: queued.id, sender: { display: askerOf(caller) } };
    await store.transaction(service, (tx) =>
      apply(tx, transactionBundle([updateById(pathOf(request), request)]), origin, async (versions) => {
        await tx.messages.queueOnce(queued, versions);
      }),
    );
    await audit.record({ kind: 'message-out', operation: 'E1', caller, outcome: 0, ...patientOf(request) });
    const answer = await ask(services, queued.id, value, message);
    await journal.close(queued.id, answer.bytes);
    const { patient, insurer } = request as { readonly patient?: unknown; readonly insurer?: unknown };
    const reference = isObject(patient) ? patient['reference'] : undefined;
    const asked = {
      claim: pathOf(request),
      ...(typeof reference === 'string' && !reference.startsWith('#') && { patient: reference }),
      ...(isObject(insurer) && { insurer }),
    };
    const mapped = responseToFhir(answer.message, { receivedAt: now(), asked: [asked] }).value?.entry ?? [];
    const kept = mapped.map(({ fullUrl, resource }, index) =>
      updateById(fullUrl, { ...resource, id: nameUuid('eligibility-answer', request.id, String(index)) }),
    );
    await store.transaction(service, (tx) =>
      apply(tx, transactionBundle(kept), { ...origin, sender: { display: 'The payer' } }, () => Promise.resolve()),
    );
    const response = kept.find(({ resource }) => resource.resourceType === 'CoverageEligibilityResponse')?.resource;
    if (!response) throw new Error('an answer to E1 makes a response');
    return (await readAs(GATEWAY)(response.resourceType, String(response['id']))) as FhirResource;
  };
}

function requestIn(payload: unknown): FhirResource {
  const isParameters = isObject(payload) && payload['resourceType'] === 'Parameters';
  const resource = isParameters
    ? objectsAt(payload, 'parameter').find(({ name }) => name === 'resource')?.['resource']
    : payload;
  if (!isObject(resource) || resource['resourceType'] !== 'CoverageEligibilityRequest')
    throw unprocessable([NO_REQUEST]);
  return resource as FhirResource; // has its type
}

const pathOf = ({ resourceType, id }: FhirResource & { readonly id: string }): string => `${resourceType}/${id}`;

function patientOf(request: FhirResource): { readonly patientId?: string } {
  const patient = request['patient'];
  const reference = isObject(patient) ? patient['reference'] : undefined;
  return typeof reference === 'string' && reference.startsWith('Patient/')
    ? { patientId: reference.slice('Patient/'.length) }
    : {};
}

async function ask(
  { exchange, journal, wait, attemptsMax, delayMs }: LegServices,
  id: string,
  request: Buffer,
  asked: TelecomMessage,
): Promise<{ readonly bytes: Buffer; readonly message: TelecomMessage }> {
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    if (attempt > 1) await wait(delayMs);
    await journal.mark(id, 'sent');
    const sent = await exchange.send(request);
    const message = sent.kind === 'answered' ? parseTelecom(sent.body).message : undefined;
    if (sent.kind === 'answered' && message && isAnswerTo(asked, message)) return { bytes: sent.body, message };
    await journal.mark(id, 'unknown', sent.kind === 'answered' ? 'what came back is no answer to it' : sent.cause);
  }
  await journal.mark(id, 'withdrawn', 'no payer answered; a question may be asked again');
  throw unavailable('No payer answered: ask again later');
}
