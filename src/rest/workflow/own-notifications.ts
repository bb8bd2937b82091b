/** What the routes about one's own notices share. MISSION M13 */
import type { CallerUser } from '../../ports/caller.ts';
import { recipientsOf } from '../../workflow/notices/own-notices.ts';
import type { WorkflowCall } from './route.ts';

export const NOTIFICATIONS = { tag: 'Notifications', rights: ['notifications:own'] } as const;

/** Whose notices are asked for: one's own, or those of an organization of one's own. */
export const ofCaller = (call: WorkflowCall): readonly string[] =>
  recipientsOf(call.person(), call.query['organization_id'] as string | undefined); // as the schema says

/** For the trail: of whose record it speaks, where it is one's own. */
export const aboutOf = ({ patientIds }: CallerUser): { readonly patientId?: string } =>
  patientIds[0] === undefined ? {} : { patientId: patientIds[0] };
