/** Which conditions cost a look-up elsewhere for each row that is tried. */
import type { StoreCondition } from './condition.ts';

export function isDear(condition: StoreCondition): boolean {
  if (condition.kind === 'any' || condition.kind === 'every') return condition.conditions.some(isDear);
  if (condition.kind === 'not') return isDear(condition.condition);
  return condition.kind === 'chain' || condition.kind === 'has';
}
