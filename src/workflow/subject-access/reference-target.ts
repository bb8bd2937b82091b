/** Whom a reference in a resource is to, as the copy of one patient's record sees it. SECURITY DP-03 */
import { SHARED_TYPES } from '../../policy/types.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { DESCEND, type Transform } from '../../standards/fhir/transform.ts';

/** Whose copy it is, and what belongs to them. */
export interface Subject {
  /** `Patient/1`, and whatever else the patient goes by in a message. */
  readonly selves: ReadonlySet<string>;
  /** References to other patients that do not look like it: those of a message. */
  readonly others?: ReadonlySet<string>;
  /** `system|value` of the patient's identifiers. */
  readonly identifiers: ReadonlySet<string>;
  /** Base of absolute references to this server. */
  readonly baseUrl: string;
  /** Whether a reference leads to a resource of the patient's own record. */
  readonly isOwn: (reference: string) => boolean;
}

const PEOPLE = new Set(['Patient', 'RelatedPerson', 'Person']);

/** Whom a reference is to. */
export type Target = 'self' | 'professional' | 'own' | 'patient' | 'person' | 'other';

/** Of the resources that one contains, by id. */
export type ContainedTargets = ReadonlyMap<string, Target>;

export interface ReferenceShape {
  readonly reference?: string;
  readonly type?: string;
  readonly identifier?: { readonly system?: string; readonly value?: string };
  readonly display?: string;
}

/** `Type/id` of a local reference, without its version; other references as they are. */
export function localReference(reference: string, baseUrl: string): string {
  const path = reference.startsWith(`${baseUrl}/`) ? reference.slice(baseUrl.length + 1) : reference;
  return path.replace(/\/_history\/[^/]+$/, '');
}

/** References of a resource, contained ones and those of extensions included. */
export function referencesOf(transform: Transform, resource: Resource, baseUrl: string): ReadonlySet<string> {
  const found = new Set<string>();
  transform(resource, ({ type }, value) => {
    const { reference } = type === 'Reference' ? (value as ReferenceShape) : {};
    if (reference !== undefined) found.add(localReference(reference, baseUrl));
    return DESCEND;
  });
  return found;
}

/** Whom it is to, in a resource that contains these; `targets`: types that may stand there, none for any. */
export function classify(
  { selves, others, identifiers, baseUrl, isOwn }: Subject,
  contained: ContainedTargets,
  { reference, type, identifier, display }: ReferenceShape,
  targets: readonly string[],
): Target {
  if (reference?.startsWith('#') === true) return contained.get(reference.slice(1)) ?? 'other';
  if (reference !== undefined) {
    const path = localReference(reference, baseUrl);
    if (selves.has(path)) return 'self';
    if (others?.has(path) === true) return 'patient';
    const [named = ''] = path.split('/').slice(-2);
    if (named === 'Patient') return 'patient';
    if (PEOPLE.has(named)) return 'person';
    if (SHARED_TYPES.has(named)) return 'professional';
    return isOwn(path) ? 'own' : 'other';
  }
  if (identifier && identifiers.has(`${identifier.system ?? ''}|${identifier.value ?? ''}`)) return 'self';
  if (type !== undefined) return PEOPLE.has(type) ? 'person' : SHARED_TYPES.has(type) ? 'professional' : 'other';
  if (display === undefined && identifier === undefined) return 'other';
  // Whom a name without a reference stands for is known only where no patient could stand there.
  const mayBePerson = targets.length === 0 || targets.some((target) => PEOPLE.has(target));
  return mayBePerson ? 'person' : 'professional';
}

/** Whom references to the resources that this one contains are to; what is about other patients alone is as they are. */
export function containedIn(transform: Transform, subject: Subject, resource: Resource): ContainedTargets {
  const list = (resource['contained'] ?? []) as readonly Resource[]; // validated
  const targets = new Map<string, Target>();
  const people = list.filter(({ resourceType }) => PEOPLE.has(resourceType));
  for (const one of people)
    targets.set(
      String(one['id']),
      !isOtherPerson(one, subject) ? 'self' : one.resourceType === 'Patient' ? 'patient' : 'person',
    );
  const known = new Map(targets);
  for (const one of list)
    if (!people.includes(one))
      targets.set(
        String(one['id']),
        isOfOthers(transform, subject, one, known)
          ? 'patient'
          : SHARED_TYPES.has(one.resourceType)
            ? 'professional'
            : 'own',
      );
  return targets;
}

/** Whether a resource inside another names other patients and not this one. */
export function isOfOthers(
  transform: Transform,
  subject: Subject,
  resource: Resource,
  contained: ContainedTargets,
): boolean {
  const names = (target: Target): boolean => mentions(transform, subject, resource, target, contained);
  return names('patient') && !names('self');
}

/** Whether a reference to such a one stands in the resource; one in an extension only adds to what it says. */
export function mentions(
  transform: Transform,
  subject: Subject,
  resource: Resource,
  target: Target,
  outer: ContainedTargets = new Map(),
): boolean {
  const contained = resource['contained'] === undefined ? outer : containedIn(transform, subject, resource);
  let found = false;
  transform(resource, ({ type, owner, targets }, value) => {
    if (type === 'Reference' && owner !== 'Extension')
      found ||= classify(subject, contained, value as ReferenceShape, targets) === target;
    if (type !== 'Resource') return DESCEND;
    found ||= mentions(transform, subject, value as Resource, target, contained);
    return undefined;
  });
  return found;
}

/** A person inside another resource who does not bear the patient's identifiers. */
export const isOtherPerson = (resource: Resource, { identifiers }: Subject): boolean =>
  PEOPLE.has(resource.resourceType) && !identifiersOf(resource).some((one) => identifiers.has(one));

/** `system|value` of a resource's identifiers; those without a system could be anybody's. */
export function identifiersOf(resource: Resource): readonly string[] {
  const list = (resource['identifier'] ?? []) as readonly { readonly system?: string; readonly value?: string }[];
  return list.flatMap(({ system, value }) =>
    system === undefined || value === undefined ? [] : [`${system}|${value}`],
  );
}
