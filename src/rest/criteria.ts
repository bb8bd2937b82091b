/** Search criteria of conditional interactions. https://hl7.org/fhir/R4/http.html#cond-update */
import type { Criteria } from '../ports/resource-store.ts';
import { FhirError, issue, multipleMatches } from '../standards/fhir/outcome.ts';
import { parseSearch } from '../standards/fhir/search/parse.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';
import type { Services } from './services.ts';

/**
 * Parses a search; conditional interactions are always strict: an ignored parameter could match the wrong resource.
 * `hasTerminology`: whoever calls resolves the conditions that terminology answers.
 */
export function searchOf(
  services: Services,
  type: string,
  query: string,
  handling: 'strict' | 'lenient' = 'strict',
  hasTerminology = false,
): SearchRequest {
  const { parameters, definitions, settings } = services;
  return parseSearch({
    type,
    query,
    parameters,
    definitions,
    handling,
    hasTerminology,
    baseUrl: settings.baseUrl,
    limits: { count: settings.pageSizeMax },
  });
}

/** Criteria that pick at most one resource; throws 412 when they select nothing in particular. */
export function criteriaOf(services: Services, type: string, query: string): Criteria {
  const { conditions } = searchOf(services, type, query);
  if (conditions.length === 0)
    throw new FhirError(412, [
      issue('required', `The criteria for ${type} are empty: name at least one search parameter, such as identifier`),
    ]);
  return { type, conditions };
}

/** The one match, or none; throws 412 for several. */
export function onlyMatch(type: string, ids: readonly string[]): string | undefined {
  if (ids.length > 1)
    throw multipleMatches(
      `The criteria match several ${type} resources: make them match one, for example by identifier`,
    );
  return ids[0];
}
