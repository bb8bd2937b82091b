/**
 * One resource as its patient may have it: nothing of other people but the names of professionals. What several patients
 * share is cut down to this patient's part, without words that anybody wrote. SECURITY DP-03; UK GDPR article 15(4)
 */
import type { Resource } from '../../ports/resource-store.ts';
import { isContainer } from '../../standards/fhir/json-pointer.ts';
import { type Change, DESCEND, type Element, type Transform } from '../../standards/fhir/transform.ts';
import { codesOnly, isPlain, OF_OTHERS } from './kept-elements.ts';
import {
  type ContainedTargets,
  classify,
  containedIn,
  isOfOthers,
  isOtherPerson,
  mentions,
  type ReferenceShape,
  type Subject,
  type Target,
} from './reference-target.ts';

const ANOTHER_PERSON = { display: 'another person' } as const;
const NOT_PART = { display: 'not part of this record' } as const;

type Json = Readonly<Record<string, unknown>>;

/** What the elements of a resource are judged by. */
interface Scope {
  readonly transform: Transform;
  readonly subject: Subject;
  readonly resourceType: string;
  readonly contained: ContainedTargets;
  /** It is about other patients too. */
  readonly isShared: boolean;
  /** It is the patient's own Patient. */
  readonly isSelf: boolean;
}

/** The resource without what is about others; `undefined` where nothing is left that is about the patient. */
export function redact(transform: Transform, resource: Resource, subject: Subject): Resource | undefined {
  const { resourceType } = resource;
  const isSelf = resourceType === 'Patient' && subject.selves.has(`Patient/${resource['id']}`);
  // Another's record may be linked to this one; it is theirs all the same.
  if (resourceType === 'Patient' && !isSelf) return undefined;
  if (resourceType === 'Person' && !mentions(transform, subject, resource, 'self')) return undefined;
  return part(resource, { transform, subject, resourceType, contained: new Map(), isShared: false, isSelf });
}

/** A resource by itself, inside another or not. */
function part(resource: Resource, outer: Scope): Resource | undefined {
  const { transform, subject, isSelf } = outer;
  const { resourceType } = resource;
  const contained = resource['contained'] === undefined ? outer.contained : containedIn(transform, subject, resource);
  const isShared =
    outer.isShared ||
    (!isSelf && (resourceType === 'Group' || mentions(transform, subject, resource, 'patient', contained)));
  return narrated({ ...outer, resourceType, contained, isShared }, (change) => transform(resource, change));
}

/** A narrative may repeat what was cut from that which it tells: then it goes as well. */
function narrated<R extends Json>(scope: Scope, make: (change: Change) => R | undefined): R | undefined {
  let isCut = false;
  const made = make((element, value) => {
    const changed = changeOf(scope, element, value);
    if (changed !== DESCEND && !isSame(changed, value)) isCut = true;
    return changed;
  });
  if (!isCut || made === undefined || !('text' in made)) return made;
  const { text: _, ...rest } = made;
  return rest as unknown as R; // a narrative is never required
}

function changeOf(scope: Scope, element: Element, value: unknown): unknown {
  const { subject, resourceType, contained, isShared, isSelf } = scope;
  const { type, owner, name, targets } = element;
  if (type === 'Reference') return referenceFor(classify(subject, contained, value as ReferenceShape, targets), value);
  if (type === 'Resource') return inner(scope, value as Resource);
  if (type === 'Bundle.entry') {
    const { resource } = value as { readonly resource?: Resource };
    if (resource && isOthers(scope, resource)) return undefined;
  }
  if (owner === resourceType && (isShared || isSelf) && isSharedItem(scope, value)) return undefined;
  const kept = OF_OTHERS.get(owner);
  if (kept && !kept.has(name)) return undefined;
  if (isShared && type === 'CodeableConcept') return codesOnly(value);
  if (isShared && !isPlain(element)) return undefined;
  if (type === 'Composition.section')
    return narrated({ ...scope, resourceType: '' }, (change) => scope.transform.value(type, value as Json, change));
  return DESCEND;
}

/** Of a resource inside another, what is not about others alone. */
const inner = (scope: Scope, resource: Resource): Resource | undefined =>
  isOthers(scope, resource) ? undefined : part(resource, { ...scope, isSelf: false });

const isOthers = ({ transform, subject, contained }: Scope, resource: Resource): boolean =>
  isOtherPerson(resource, subject) || isOfOthers(transform, subject, resource, contained);

/** An item of a list that is about another patient: a member, a participant, a link. */
function isSharedItem({ subject, contained }: Scope, value: unknown): boolean {
  if (!isContainer(value)) return false;
  return Object.values(value).some(
    (one) => isContainer(one) && isReference(one) && classify(subject, contained, one, []) === 'patient',
  );
}

const isReference = (value: object): value is ReferenceShape => 'reference' in value || 'display' in value;

function referenceFor(target: Target, value: unknown): unknown {
  const { reference, type, display } = value as ReferenceShape;
  switch (target) {
    case 'self':
    case 'professional':
      return {
        ...(reference !== undefined && { reference }),
        ...(type !== undefined && { type }),
        ...(display !== undefined && { display }),
      };
    case 'own':
      return { reference };
    case 'other':
      return NOT_PART;
    default:
      return ANOTHER_PERSON;
  }
}

/** Equal, whatever the order of their names. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const others = new Map(Object.entries(b));
  const own = Object.entries(a);
  return (
    own.length === others.size && own.every(([name, value]) => others.has(name) && isSame(value, others.get(name)))
  );
}
