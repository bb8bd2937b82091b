/** Looking medicines up. MISSION M9; seed 001 */
import type { ResourceStore } from '../../ports/resource-store.ts';
import type { SearchRequest } from '../../standards/fhir/search/request.ts';
import type { WorkflowRoute } from './route.ts';

export interface CatalogueParts {
  readonly store: Pick<ResourceStore, 'search'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
}

export function createCatalogueRoutes({ store, searchOf }: CatalogueParts): readonly WorkflowRoute[] {
  return [
    {
      method: 'GET',
      path: '/api/v2/medications',
      summary: 'Medicines of the catalogue whose name has a word that begins so',
      tag: 'Medicines',
      rights: ['medicines:read'],
      kind: 'search',
      told: 'medications',
      request: {
        query: {
          type: 'object',
          required: ['query'],
          properties: {
            query: { type: 'string', minLength: 2, maxLength: 100 },
            limit: { type: 'integer', minimum: 1, maximum: 50, default: 20 },
          },
        },
      },
      answers: { 200: { about: 'The nearest first', schema: { type: 'object' } } },
      async handle({ caller, query }) {
        const request = searchOf(
          'MedicationKnowledge',
          `code:text=${encodeURIComponent(String(query['query']))}&_count=20`,
        );
        const { matches } = await store.search(caller, request);
        return { status: 200, json: { medications: matches.map(({ id }) => ({ id })) } };
      },
    },
  ];
}
