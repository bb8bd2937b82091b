/** CDS Hooks: the discovery document and the services. https://cds-hooks.hl7.org/2.0/#discovery */
import { randomUUID } from 'node:crypto';
import type { Prescribing } from '../../workflow/prescribing/desk.ts';
import { answerHook, HOOK_SERVICES } from '../../workflow/prescribing/hooks.ts';
import type { WorkflowRoute } from './route.ts';

const BODY_BYTES_MAX = 1024 * 1024;

export function createHooksRoutes(desk: Prescribing): readonly WorkflowRoute[] {
  const own = { tag: 'CDS Hooks' } as const;
  return [
    {
      ...own,
      method: 'GET',
      path: '/cds-services',
      summary: 'Which services there are',
      rights: 'anonymous',
      kind: 'read',
      told: 'cds-services',
      isUntold: true,
      answers: { 200: { about: 'Services', schema: { type: 'object' } } },
      handle: async () => ({ status: 200, json: { services: HOOK_SERVICES } }),
    },
    ...HOOK_SERVICES.map(
      (service): WorkflowRoute => ({
        ...own,
        method: 'POST',
        path: `/cds-services/${service.id}`,
        summary: service.description,
        rights: ['prescriptions:decide'],
        kind: 'operation',
        told: service.id,
        request: {
          bodyBytesMax: BODY_BYTES_MAX,
          body: {
            type: 'object',
            required: ['hook', 'hookInstance', 'context'],
            properties: {
              hook: { const: service.hook },
              hookInstance: { type: 'string', format: 'uuid' },
              fhirServer: { type: 'string', format: 'uri' },
              fhirAuthorization: { type: 'object' },
              context: { type: 'object' },
              prefetch: { type: 'object' },
              extension: { type: 'object' },
            },
          },
        },
        answers: {
          200: {
            about: 'Cards',
            schema: {
              type: 'object',
              required: ['cards'],
              properties: { cards: { type: 'array', items: { type: 'object' } } },
            },
          },
        },
        async handle({ caller, body }) {
          const { patientId, cards } = await answerHook(desk, caller, service, body, randomUUID);
          return { status: 200, patientId, json: { cards } };
        },
      }),
    ),
  ];
}
