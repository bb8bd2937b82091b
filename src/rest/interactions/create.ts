/** create and conditional create. https://hl7.org/fhir/R4/http.html#create */

import { writeAnswer } from '../answers.ts';
import { checkValid, readResource } from '../body.ts';
import { criteriaOf, onlyMatch } from '../criteria.ts';
import type { FhirAnswer, FhirRequest } from '../exchange.ts';
import { idempotent } from '../idempotency.ts';
import type { Services } from '../services.ts';

export const create = idempotent(createOnce);

async function createOnce(services: Services, request: FhirRequest): Promise<FhirAnswer> {
  const type = request.segments[0] as string; // the route has it
  const resource = readResource(services, request, type);
  checkValid(services, resource, type);
  const { store } = services;
  const ifNoneExist = request.headers['if-none-exist'];
  if (ifNoneExist === undefined)
    return writeAnswer(services, request, await store.create(request.caller, resource, store.newId()));
  const criteria = criteriaOf(services, type, ifNoneExist.replace(/^\?/, ''));
  const result = await store.transaction(request.caller, async (tx) => {
    await tx.lockIdentity([criteria]);
    const id = onlyMatch(type, await tx.find(criteria, 2));
    if (id !== undefined) return { version: await tx.read(type, id), outcome: 'existing' } as const;
    const [written] = await tx.write([{ kind: 'create', resource, id: store.newId() }]);
    return written;
  });
  if (!result) throw new Error('a write has a result');
  return writeAnswer(services, request, result);
}
