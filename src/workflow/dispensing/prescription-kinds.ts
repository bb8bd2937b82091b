/** Of which kinds a prescription is that stands in a queue, and what is asked at the counter for that. MISSION M10 */
import type { PrescriptionKind } from '../../ports/prescription-tokens.ts';
import { isControlledEntry } from './controlled.ts';
import type { FoundTask } from './find-task.ts';

/** Those for which something is asked; `all`: whatever is dispensed. */
export type KindsAsked = ReadonlySet<PrescriptionKind | 'all'>;

type Found = Pick<FoundTask, 'task' | 'token'>;

/**
 * As the token has it sealed, and as its Task says beside: a pharmacy that changes its Task can add to what is asked of it, and
 * take nothing away.
 */
export function kindsOf(found: Found): ReadonlySet<PrescriptionKind> {
  const { task, token } = found;
  const kinds = new Set(token.kinds);
  if (isControlledEntry(found)) kinds.add('controlled');
  if (task['priority'] === 'urgent') kinds.add('high_risk');
  return kinds;
}

export const isAsked = (asked: KindsAsked, found: Found): boolean =>
  asked.size > 0 && (asked.has('all') || [...kindsOf(found)].some((kind) => asked.has(kind)));
