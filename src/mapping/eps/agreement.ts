/** Values that must be the same in every item of a message. */
import { Decimal, formatJson } from '../../standards/fhir/json.ts';
import type { Issue } from '../../standards/fhir/outcome.ts';
import { finding } from './fault.ts';
import { isNode, type Node } from './node.ts';

/** A step of a path: a member, or the extensions of a url. */
export type Step = string | { readonly extension: string };

/** Every value of the path, of each resource in turn; an absent member counts as one, absent extensions do not. */
function valuesAt(resources: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  let values = resources;
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of values) {
      const member = isNode(value) ? value[typeof step === 'string' ? step : 'extension'] : undefined;
      if (typeof step !== 'string') next.push(...extensionsOf(member, step.extension));
      else if (Array.isArray(member)) next.push(...member);
      else next.push(member);
    }
    values = next;
  }
  return values;
}

const extensionsOf = (extensions: unknown, url: string): readonly unknown[] =>
  Array.isArray(extensions) ? extensions.filter((extension) => isNode(extension) && extension['url'] === url) : [];

const pathText = (steps: readonly Step[]): string =>
  steps.map((step) => (typeof step === 'string' ? step : `extension("${step.extension}")`)).join('.');

/**
 * The issue that values differ, in the words of the national gateway, which lists them: codes, dates and references of
 * the message, as the sender wrote them. Deviates: what identifies the patient is not told.
 */
export function findDisagreement(
  type: ItemType,
  resources: readonly Node[],
  steps: readonly Step[],
): Issue | undefined {
  const values = uniqueOf(valuesAt(resources, steps));
  if (values.length < 2) return undefined;
  return disagreement(type, pathText(steps), steps[0] === 'subject' ? values.map(withoutPatient) : values);
}

type ItemType = 'MedicationRequest' | 'MedicationDispense';

export const disagreement = (type: ItemType, path: string, values: readonly unknown[]): Issue =>
  finding(
    'value',
    `Expected all ${type}s to have the same value for ${path}. Received ${formatJson(values)}.`,
    `Bundle.entry.resource.ofType(${type}).${path}`,
  );

/** Of a reference to the patient, where it leads, and neither number nor name. */
const withoutPatient = (value: unknown): unknown =>
  isNode(value) ? (typeof value['reference'] === 'string' ? { reference: value['reference'] } : {}) : null;

/** The values without those equal to an earlier one. */
export function uniqueOf(values: readonly unknown[]): readonly unknown[] {
  const unique: unknown[] = [];
  for (const value of values) if (!unique.some((earlier) => isEqual(earlier, value))) unique.push(value);
  return unique;
}

/** Whether two values of JSON are the same, in whichever order their members stand. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]));
  if (!isNode(a)) return a instanceof Decimal && b instanceof Decimal && a.text === b.text;
  if (!isNode(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
  );
}
