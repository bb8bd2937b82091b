/** The CapabilityStatement of this release. */

import { STORED_TYPES } from './postgres/tables.ts';
import { everyTypeOperations, singleTypeOperations, systemOperations } from './rest/record-routes.ts';
import { createRoutes, OPERATIONS, TYPE_OPERATIONS } from './rest/routes.ts';
import { TERMINOLOGY_OPERATIONS } from './rest/terminology-routes.ts';
import { formatCapability } from './standards/fhir/capability.ts';
import type { SearchParameters } from './standards/fhir/search/parameter.ts';

/** The statement of this release: what `capability-statement.json` at the root is a copy of. */
export function publishedCapability(parameters: SearchParameters): Record<string, unknown> {
  const routes = createRoutes(() => {
    throw new Error('these routes are only read');
  });
  const codes = (level: string): string[] => [
    ...new Set(routes.filter((route) => route.level === level).map((route) => route.interaction)),
  ];
  return formatCapability({
    types: STORED_TYPES,
    parameters,
    typeInteractions: codes('type'),
    systemInteractions: codes('system'),
    operations: [...OPERATIONS, ...systemOperations],
    typeOperations: [...TYPE_OPERATIONS, ...everyTypeOperations],
    resourceOperations: [...TERMINOLOGY_OPERATIONS, ...singleTypeOperations],
  });
}
