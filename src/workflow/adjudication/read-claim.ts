/** A Claim that somebody hands in to have it adjudicated: resolved, translated and checked before anything is sent. */
import { isObject, type Json, objectsAt } from '../../mapping/script/place.ts';
import { telecomFromFhir } from '../../mapping/telecom/map-message.ts';
import type { FhirResource } from '../../mapping/transaction-bundle.ts';
import { FhirError, issue, unprocessable } from '../../standards/fhir/outcome.ts';
import { isId } from '../../standards/fhir/reference.ts';
import { findSegment, findValue, type TelecomMessage } from '../../standards/telecom/message.ts';
import { parseTelecom } from '../../standards/telecom/parse.ts';

/** Reads what a Claim refers to, with the rights of who hands it in. Throws not-found. */
export type ReadReferred = (type: string, id: string) => Promise<Json>;

export interface ReadClaim {
  readonly claim: FhirResource;
  readonly request: Buffer;
  readonly message: TelecomMessage;
  /** Whether the plan is one whose members no programme may help, or may be one. */
  readonly isGovernment: boolean;
}

/** A Claim, alone or as the `resource` of Parameters. Throws 422. */
export function claimIn(payload: unknown): FhirResource {
  const isParameters = isObject(payload) && payload['resourceType'] === 'Parameters';
  const resource = isParameters
    ? objectsAt(payload, 'parameter').find(({ name }) => name === 'resource')?.['resource']
    : payload;
  if (!isObject(resource) || resource['resourceType'] !== 'Claim') throw unprocessable([NO_CLAIM]);
  return resource as FhirResource; // has its type
}

const NO_CLAIM = issue(
  'structure',
  'Hand in a Claim, or Parameters with one as resource; what it refers to is stored here, or contained in it',
);
const NOT_HERE = issue('not-found', 'What is referred to is stored here, as `Type/id`, or contained');
const NOT_FIRST = issue(
  'business-rule',
  'Hand in the claim to the first payer: what goes to a programme is made from its answer',
  'Claim.supportingInfo',
);

/** Throws 422 with all that is wrong. */
export async function readClaim(
  claim: FhirResource,
  readReferred: ReadReferred,
  softwareId: string | undefined,
): Promise<ReadClaim> {
  const referred = await referredBy(claim, readReferred);
  const entry = [{ resource: claim }, ...referred.map(([fullUrl, resource]) => ({ fullUrl, resource }))];
  const bundle = { resourceType: 'Bundle', type: 'collection', entry };
  const { value: request, issues } = telecomFromFhir(bundle, softwareId === undefined ? {} : { softwareId });
  const message = request && parseTelecom(request).message;
  if (!request || !message) throw unprocessable(issues);
  const claimSegment = findSegment(message.transactions[0], '07');
  const isFirst = FIRST.has(findValue(claimSegment, 'C8') ?? '00') && !findSegment(message.transactions[0], '05');
  if (message.header['A3'] !== 'B1' || !isFirst) throw unprocessable([NOT_FIRST]);
  const coverages = [...referred.map(([, resource]) => resource), ...objectsAt(claim, 'contained')];
  return { claim, request, message, isGovernment: !coverages.some(isCommercial) };
}

/** 308-C8: no other coverage is known. */
const FIRST: ReadonlySet<string> = new Set(['00', '0', '01']);

/** Plans that are for certain no federal ones; of any other, also of one without a type, no programme is asked. */
const COMMERCIAL: ReadonlySet<unknown> = new Set(['EHCPOL', 'HIP', 'HMO', 'PPO', 'POS', 'DRUGPOL', 'EMPOL']);
const ACT_CODE = 'http://terminology.hl7.org/CodeSystem/v3-ActCode';
const isCommercial = (coverage: Json): boolean =>
  coverage['resourceType'] === 'Coverage' &&
  objectsAt(coverage, 'type.coding').some(({ system, code }) => system === ACT_CODE && COMMERCIAL.has(code));

const REFERRED_MAX = 10;

/** Whom a Claim or an eligibility request names by reference. Throws 422 where one is not here. */
export async function referredBy(
  claim: FhirResource,
  read: ReadReferred,
): Promise<readonly (readonly [string, Json])[]> {
  const references = new Set(
    [
      claim['patient'],
      claim['provider'],
      ...objectsAt(claim, 'insurance').map(({ coverage }) => coverage),
      ...objectsAt(claim, 'careTeam').map(({ provider }) => provider),
    ].flatMap((value) => (isObject(value) && typeof value['reference'] === 'string' ? [value['reference']] : [])),
  );
  const found: (readonly [string, Json])[] = [];
  for (const reference of [...references].slice(0, REFERRED_MAX)) {
    if (reference.startsWith('#')) continue;
    const [type = '', id = '', ...more] = reference.split('/');
    if (more.length > 0 || !/^[A-Z][A-Za-z]+$/.test(type) || !isId(id)) throw unprocessable([NOT_HERE]);
    try {
      found.push([reference, await read(type, id)]);
    } catch (error) {
      if (!(error instanceof FhirError) || (error.status !== 404 && error.status !== 410)) throw error;
      throw unprocessable([
        issue('not-found', `${type} that ${claim.resourceType} refers to is not here`, claim.resourceType),
      ]);
    }
  }
  return found;
}
