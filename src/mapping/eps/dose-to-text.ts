/** `$dose-to-text`: what the structured dosages of a message say, in words. */
import { doseToText } from '../../standards/fhir/dosage/dose-to-text.ts';
import { type Issue, issue } from '../../standards/fhir/outcome.ts';
import type { Mapped } from '../../standards/mapped.ts';
import { isNode, type Node } from './node.ts';

export interface DosageInstructionText {
  /** As the resource has it. */
  readonly identifier?: unknown;
  readonly dosageInstructionText: string;
}

const DOSED: ReadonlySet<unknown> = new Set(['MedicationRequest', 'MedicationDispense']);

/**
 * One a MedicationRequest or MedicationDispense, of a Bundle in its order. `payload`: as `parseJson` returns it. Without
 * a value each issue names what cannot be told, from `Bundle.entry[0].resource` on. Never throws. Deviates: the national
 * gateway fails at the first dosage that it cannot tell, and tells a dosage that has only a text as nothing.
 */
export function dosageTexts(payload: unknown): Mapped<readonly DosageInstructionText[]> {
  const resources = isNode(payload) ? dosedOf(payload) : [];
  if (resources.length === 0) return { issues: [NOTHING_DOSED] };
  const issues: Issue[] = [];
  const value = resources.flatMap(({ resource, path }) => {
    const dosages = resource['dosageInstruction'] ?? [];
    const told = isEmpty(dosages) ? NOTHING_TOLD : doseToText(dosages);
    issues.push(...told.issues.map((one) => within(one, path)));
    const identifier = resource['identifier'] === undefined ? {} : { identifier: resource['identifier'] };
    return told.value === undefined ? [] : [{ ...identifier, dosageInstructionText: told.value }];
  });
  return issues.length === 0 ? { value, issues } : { issues };
}

const isEmpty = (dosages: unknown): boolean => Array.isArray(dosages) && dosages.length === 0;
/** A cancellation need not say the dose. */
const NOTHING_TOLD: Mapped<string> = { value: '', issues: [] };

interface Dosed {
  readonly resource: Node;
  readonly path: string;
}

function dosedOf(payload: Node): readonly Dosed[] {
  const type = payload['resourceType'];
  if (DOSED.has(type)) return [{ resource: payload, path: String(type) }];
  const entries = payload['entry'];
  if (type !== 'Bundle' || !Array.isArray(entries)) return [];
  return entries.flatMap((entry: unknown, n) => {
    const resource = isNode(entry) ? entry['resource'] : undefined;
    const dosed = isNode(resource) && DOSED.has(resource['resourceType']);
    return dosed ? [{ resource, path: `Bundle.entry[${n}].resource` }] : [];
  });
}

const within = (one: Issue, path: string): Issue => ({
  ...one,
  expression: [`${path}.${(one.expression?.[0] ?? '').replace(/^Dosage/, 'dosageInstruction')}`],
});

const NOTHING_DOSED = issue(
  'value',
  'Dosages are told of a Bundle, a MedicationRequest or a MedicationDispense that has some',
);
