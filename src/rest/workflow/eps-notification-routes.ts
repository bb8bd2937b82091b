/** What the Spine does not know of what was dispensed: why, and telling it again. docs/eps.md "What was dispensed here" */
import { type FoundTask, readTask } from '../../workflow/dispensing/find-task.ts';
import { queueItem } from '../../workflow/dispensing/queue-item.ts';
import { createTellAgain, UNTOLD_QUERY } from '../../workflow/prescribing/eps-tell-again.ts';
import { type DispensingParts, PHARMACY_CODE } from './dispensing-parts.ts';
import type { WorkflowAnswer, WorkflowCall, WorkflowRoute } from './route.ts';
import { readVisibleTask } from './visible-task.ts';

const TAG = 'Pharmacy';
const COUNT = 50;

interface ListQuery {
  readonly pharmacy_code?: string;
  readonly cursor?: string;
  readonly limit?: number;
}

export function createEpsNotificationRoutes(parts: DispensingParts): readonly WorkflowRoute[] {
  const { store, visible, searchOf, tokens, pharmacies, jobsOf, now } = parts;
  const rules = { isCodeNeeded: parts.collection.isNeeded, photos: parts.photos };
  const tellAgain = createTellAgain({ store, searchOf, jobsOf, now });

  async function list({ caller, query }: WorkflowCall): Promise<WorkflowAnswer> {
    const { pharmacy_code, cursor, limit = COUNT } = query as ListQuery; // as the schema says
    const pharmacy = await pharmacies.actingFor(caller, pharmacy_code);
    const from = cursor === undefined ? '' : `&_cursor=${encodeURIComponent(cursor)}`;
    const asked = `owner=Organization/${pharmacy.id}&${UNTOLD_QUERY}&_sort=-modified&_count=${limit}${from}`;
    const { matches, next } = await visible.search(caller, searchOf('Task', asked));
    const found = matches.flatMap((version): FoundTask | readonly [] => readTask(version, tokens) ?? []);
    return {
      status: 200,
      json: {
        notifications: found.map((one) => ({
          ...queueItem(one, now(), rules),
          since: one.task['lastModified'] ?? null,
        })),
        ...(next !== undefined && { next }),
      },
      detail: { pharmacy: pharmacy.id },
      searched: {
        type: 'Task',
        query: 'api/pharmacy/eps-notifications',
        patientIds: [...new Set(found.map(({ patientId }) => patientId))],
      },
    };
  }

  async function again({ caller, path, body, keep }: WorkflowCall): Promise<WorkflowAnswer> {
    const pharmacy = await pharmacies.actingFor(caller, body['pharmacy_code'] as string | undefined); // as the schema says
    const found = await readVisibleTask(parts, caller, path['id'] ?? '');
    const answerOf = (before: string): WorkflowAnswer => ({
      status: 202,
      json: { success: true, message: 'The Spine is told again', details: { eps_reason_before: before } },
    });
    const before = await tellAgain(caller, found, (tx, reason) => keep(tx, answerOf(reason)));
    const detail = { pharmacy: pharmacy.id, token: found.token.tokenId };
    return { ...answerOf(before), patientId: found.patientId, detail };
  }

  return [
    {
      method: 'GET',
      path: '/api/pharmacy/eps-notifications',
      summary: 'What was dispensed and the Spine does not know, with why: `eps_status` and `eps_reason`',
      tag: TAG,
      rights: ['pharmacy:queue'],
      kind: 'search',
      told: 'eps-notifications',
      request: {
        query: {
          type: 'object',
          properties: {
            pharmacy_code: PHARMACY_CODE,
            limit: { type: 'integer', minimum: 1, maximum: 200 },
            cursor: { type: 'string', maxLength: 2000, description: '`next` of the page before' },
          },
        },
      },
      answers: {
        200: { about: 'The newest first; `next` is `cursor` of the page after it', schema: { type: 'object' } },
      },
      problems: ['pharmacy'],
      handle: list,
    },
    {
      method: 'POST',
      path: '/api/prescriptions/:id/notify-again',
      summary: 'Tells the Spine again what was dispensed, after it has refused and what was wrong is put right',
      tag: TAG,
      rights: ['prescriptions:dispense'],
      kind: 'update',
      told: 'eps-notify-again',
      request: { body: { type: 'object', properties: { pharmacy_code: PHARMACY_CODE } } },
      answers: {
        202: { about: 'It is told again; how far it is, `eps_status` in the queue says', schema: { type: 'object' } },
        409: { about: 'Nothing was refused, or it is being told' },
      },
      problems: ['pharmacy', 'eps-notification'],
      handle: again,
    },
  ];
}
