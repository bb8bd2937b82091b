/** A pharmacy says that a prescription is ready to collect. MISSION M10, M13 */

import { createPrepare, type Prepared } from '../../workflow/dispensing/ready-to-collect.ts';
import { REASONS } from '../../workflow/dispensing/reasons.ts';
import { type DispensingParts, PHARMACY_CODE } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { readVisibleTask } from './visible-task.ts';

export function createReadyRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { store, pharmacies, now } = parts;
  const prepare = createPrepare({ store, now });

  async function handle({ caller, path, body, keep }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, body['pharmacy_code'] as string | undefined); // as the schema says
    const found = await readVisibleTask(parts, caller, path['id'] ?? '');
    const { tokenId } = found.token;
    const done = await prepare(caller, found, pharmacy, (tx, outcome) => keep(tx, answerOf(tokenId, outcome)));
    return {
      ...answerOf(tokenId, done),
      patientId: found.patientId,
      detail: { pharmacy: pharmacy.id, token: tokenId, ...('fault' in done && { fault: done.fault }) },
    };
  }

  return [
    {
      method: 'POST',
      path: '/api/prescriptions/:id/ready',
      summary: 'Says that a prescription is ready to collect: the patient is told, once',
      tag: 'Pharmacy',
      rights: ['prescriptions:dispense'],
      kind: 'update',
      told: 'prescription-ready',
      request: { body: { type: 'object', properties: { pharmacy_code: PHARMACY_CODE } } },
      answers: {
        200: { about: 'It is ready; since when', schema: { type: 'object' } },
        409: { about: 'Dispensed, or on hold', schema: { type: 'object' } },
        422: { about: 'Expired, or cancelled', schema: { type: 'object' } },
        403: { about: 'For another pharmacy', schema: { type: 'object' } },
      },
      problems: ['pharmacy'],
      handle,
    },
  ];
}

function answerOf(tokenId: string, done: Prepared): WorkflowAnswer {
  if ('fault' in done) {
    const { step, text, status } = REASONS[done.fault];
    return { status, json: { success: false, message: text, details: { step_failed: step } } };
  }
  const details = { prescription_id: tokenId, ready_to_collect_at: done.at };
  return { status: 200, json: { success: true, message: 'The patient is told that it is ready to collect', details } };
}
