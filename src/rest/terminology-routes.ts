/** Routes of the terminology operations. docs/terminology.md */
import {
  expandOperation,
  lookupOperation,
  subsumesOperation,
  validateInCodeSystemOperation,
  validateInValueSetOperation,
} from './operations/terminology.ts';
import { translateOperation } from './operations/translate.ts';
import type { Route } from './route.ts';

/** Operations of one type and of its resources. */
export const TERMINOLOGY_OPERATIONS = [
  { type: 'CodeSystem', name: 'lookup', handle: lookupOperation },
  { type: 'CodeSystem', name: 'subsumes', handle: subsumesOperation },
  { type: 'CodeSystem', name: 'validate-code', handle: validateInCodeSystemOperation },
  { type: 'ValueSet', name: 'expand', handle: expandOperation },
  { type: 'ValueSet', name: 'validate-code', handle: validateInValueSetOperation },
  { type: 'ConceptMap', name: 'translate', handle: translateOperation },
].map((one) => ({ ...one, definition: `http://hl7.org/fhir/OperationDefinition/${one.type}-${one.name}` }));

/** They change nothing, so a GET is as good as a POST. https://hl7.org/fhir/R4/operations.html#executing */
export const terminologyRoutes = (): readonly Route[] => TERMINOLOGY_OPERATIONS.flatMap(routesOf);

function routesOf({ type, name, handle }: (typeof TERMINOLOGY_OPERATIONS)[number]): Route[] {
  return (['GET', 'POST'] as const).flatMap((method): Route[] => {
    const common = { method, interaction: name, level: 'operation', handle } as const;
    return [
      { ...common, path: `/${type}/$${name}`, access: { letters: 's' } },
      { ...common, path: `/${type}/:id/$${name}`, access: { letters: 'r' } },
    ];
  });
}
