/** Values found by walking a path of a resource's JSON: what was posted never becomes code. SECURITY IN-03 */
import type { Element } from './extract-values.ts';
import type { PathStep } from './parameter.ts';

/** Calls `visit` with each value at the end of the steps from `at` on. */
export function follow(from: unknown, steps: readonly PathStep[], at: number, visit: (value: unknown) => void): void {
  const step = steps[at];
  if (step === undefined) {
    visit(from);
    return;
  }
  if (!isElement(from)) return;
  const found = own(from, step.name);
  const all = !step.array
    ? [found]
    : !Array.isArray(found)
      ? []
      : step.index === undefined
        ? found
        : [found[step.index]];
  const { where } = step;
  for (const one of all as readonly unknown[])
    if (one !== undefined && one !== null && (!where || (isElement(one) && own(one, where.name) === where.value)))
      follow(one, steps, at + 1, visit);
}

const isElement = (value: unknown): value is Element =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const own = (element: Element, name: string): unknown => (Object.hasOwn(element, name) ? element[name] : undefined);

const isNumber = (type: string): boolean => type === 'decimal' || type === 'integer' || /Int$/.test(type);

/** Whether a value has the JSON shape of the FHIR type. Numbers are looked at by who reads them. */
export function shapeOf(type: string): (value: unknown) => boolean {
  if (type === 'boolean') return (value) => typeof value === 'boolean';
  if (isNumber(type)) return () => true;
  return /^[a-z]/.test(type) ? (value) => typeof value === 'string' : isElement;
}
