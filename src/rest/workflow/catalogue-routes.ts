/** Looking medicines up. MISSION M9; seed 001 `GET /api/v2/medications?query=` */
import { badValue, notFound } from '../../standards/fhir/outcome.ts';
import type { JsonSchema } from '../../standards/openapi/document.ts';
import type { OpenCatalogue } from '../../workflow/prescribing/catalogue/catalogue.ts';
import { type CatalogueEntry, isScheduled } from '../../workflow/prescribing/catalogue/entry.ts';
import type { WorkflowRoute } from './route.ts';

const MEDICATION: JsonSchema = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    name: { type: 'string' },
    form: { type: 'string' },
    strength: { type: 'string' },
    dm_d_code: { type: ['string', 'null'] },
    bnf_code: { type: ['string', 'null'] },
    rxnorm_code: { type: ['string', 'null'] },
    ndc_code: { type: ['string', 'null'] },
    controlled_drug_category: { type: ['string', 'null'], description: 'CD1 to CD5' },
    us_schedule: { type: ['string', 'null'] },
    nafdac_schedule: { type: ['string', 'null'] },
    risk_level: { type: ['string', 'null'] },
    max_quantity: { type: ['number', 'null'] },
    minimum_age: { type: ['number', 'null'] },
    requires_approval: { type: 'boolean' },
    is_active: { type: 'boolean' },
    is_controlled: { type: 'boolean' },
  },
};

export function createCatalogueRoutes(openCatalogue: OpenCatalogue): readonly WorkflowRoute[] {
  const own = { method: 'GET', tag: 'Medicines', rights: ['medicines:read'], isUntold: true } as const;
  return [
    {
      ...own,
      path: '/api/v2/medications',
      summary: 'Medicines of the catalogue of which words begin so',
      kind: 'search',
      told: 'medications',
      request: {
        query: {
          type: 'object',
          required: ['query'],
          properties: {
            query: { type: 'string', minLength: 2, maxLength: 100 },
            limit: { type: 'integer', minimum: 1, maximum: 50 },
          },
        },
      },
      answers: {
        200: {
          about: 'The nearest first',
          schema: { type: 'object', properties: { medications: { type: 'array', items: MEDICATION } } },
        },
      },
      async handle({ query }) {
        const catalogue = await openCatalogue();
        const text = String(query['query']).trim();
        if (text.length < 2) throw badValue('query has 2 letters or more', 'query');
        const found = catalogue.search(text, Number(query['limit'] ?? 20));
        return { status: 200, json: { medications: found.map(medicationJson) } };
      },
    },
    {
      ...own,
      path: '/api/v2/medications/:id',
      summary: 'A medicine of the catalogue',
      kind: 'read',
      told: 'medication',
      answers: { 200: { about: 'The medicine', schema: MEDICATION } },
      async handle({ path }) {
        const entry = (await openCatalogue()).find(path['id'] ?? '');
        if (!entry) throw notFound('That medicine');
        return { status: 200, json: medicationJson(entry) };
      },
    },
  ];
}

/** By the names of the source designs. */
const medicationJson = (entry: CatalogueEntry): object => ({
  id: entry.id,
  name: entry.name,
  form: entry.form,
  strength: entry.strength,
  dm_d_code: entry.codes.dmd ?? null,
  bnf_code: entry.codes.bnf ?? null,
  rxnorm_code: entry.codes.rxnorm ?? null,
  ndc_code: entry.codes.ndc ?? null,
  controlled_drug_category: entry.ukSchedule === undefined ? null : `CD${entry.ukSchedule}`,
  us_schedule: entry.usSchedule ?? null,
  nafdac_schedule: entry.nafdacSchedule ?? null,
  risk_level: entry.riskLevel ?? null,
  max_quantity: entry.maxQuantity ?? null,
  minimum_age: entry.minAge ?? null,
  requires_approval: entry.requiresApproval,
  is_active: entry.isActive,
  is_controlled: isScheduled(entry),
});
