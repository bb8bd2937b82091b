/** Standing protocols of prescribers. MISSION M9; docs/prescribing.md "Standing protocols" */
import type { Prescribing } from '../../workflow/prescribing/desk.ts';
import { endProtocol, listProtocols, signProtocol } from '../../workflow/prescribing/standing-approval.ts';
import type { StandingProtocol } from '../../workflow/prescribing/standing-protocol.ts';
import { ID, PROTOCOL_BODY } from './prescribing-schemas.ts';
import type { WorkflowAnswer, WorkflowRoute } from './route.ts';

const PROTOCOL = {
  type: 'object',
  properties: {
    id: ID,
    practice_id: ID,
    signed_by: { type: 'string' },
    valid_until: { type: 'string' },
    medications: { type: 'array', items: { type: 'object' } },
  },
} as const;

const shown = ({ id, practiceId, signerName, validUntil, medicines }: StandingProtocol): object => ({
  id,
  practice_id: practiceId,
  signed_by: signerName,
  valid_until: validUntil,
  medications: medicines.map((one) => ({
    medication_id: one.id,
    medication_name: one.name,
    max_quantity: one.maxQuantity,
  })),
});

export function createProtocolRoutes(desk: Prescribing): readonly WorkflowRoute[] {
  const own = { tag: 'Prescriptions of a practice', rights: ['prescriptions:decide'], isUntold: true } as const; // of nobody
  return [
    {
      ...own,
      method: 'GET',
      path: '/api/provider/protocols',
      summary: 'Standing protocols of the practice',
      kind: 'search',
      told: 'protocols',
      answers: { 200: { about: 'All that are signed', schema: { type: 'object' } } },
      async handle({ caller, person }) {
        const protocols = await listProtocols(desk, person(), caller.correlationId);
        return { status: 200, json: { protocols: protocols.map(shown) } };
      },
    },
    {
      ...own,
      method: 'POST',
      path: '/api/provider/protocols',
      summary: 'Sign a standing protocol for the patients of the practice',
      kind: 'signature',
      told: 'protocol-sign',
      request: { body: PROTOCOL_BODY },
      answers: { 201: { about: 'It is signed', schema: PROTOCOL } },
      problems: ['RX-PROTOCOL', 'RX-UNKNOWN-MEDICINE', 'RX-NO-PRACTICE', 'RX-NO-PRACTITIONER'],
      async handle(call) {
        const answer = (done: StandingProtocol): WorkflowAnswer => ({ status: 201, json: shown(done) });
        return answer(
          await signProtocol(desk, call.person(), call.body, call.caller.correlationId, (tx, done) =>
            call.keep(tx, answer(done)),
          ),
        );
      },
    },
    {
      ...own,
      method: 'DELETE',
      path: '/api/provider/protocols/:id',
      summary: 'End one of one’s own',
      kind: 'update',
      told: 'protocol-end',
      answers: { 200: { about: 'It approves nothing any more', schema: PROTOCOL } },
      async handle({ caller, path, person }) {
        const ended = await endProtocol(desk, person(), path['id'] ?? '', caller.correlationId);
        return { status: 200, json: shown(ended) };
      },
    },
  ];
}
