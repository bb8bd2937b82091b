/**
 * One resource as its patient may have it: nothing of other people but the names of professionals. What several patients
 * share is cut down to this patient's part, without words that anybody wrote. SECURITY DP-03; UK GDPR article 15(4)
 */
import { SHARED_TYPES } from '../../policy/types.ts';
import type { Resource } from '../../ports/resource-store.ts';
import { type Change, DESCEND, type Element, type Transform } from '../../standards/fhir/transform.ts';

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

export const ANOTHER_PERSON = { display: 'another person' } as const;
const NOT_PART = { display: 'not part of this record' } as const;

const PEOPLE = new Set(['Patient', 'RelatedPerson', 'Person']);

/** Whom a reference is to. */
type Target = 'self' | 'professional' | 'own' | 'patient' | 'person' | 'other';

interface ReferenceShape {
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

/** The resource without what is about others; `undefined` where nothing is left that is about the patient. */
export function redact(transform: Transform, resource: Resource, subject: Subject): Resource | undefined {
  const { resourceType } = resource;
  const contained = containedOf(resource);
  const targetOf = (value: ReferenceShape, targets: readonly string[] = []): Target =>
    classify(subject, contained, value, targets);
  if (resourceType === 'Person' && !mentions(transform, resource, (value) => targetOf(value) === 'self'))
    return undefined;
  const isSelf = resourceType === 'Patient' && subject.selves.has(`Patient/${resource['id']}`);
  // Another's record may be linked to this one; it is theirs all the same.
  if (resourceType === 'Patient' && !isSelf) return undefined;
  const isShared =
    !isSelf && (resourceType === 'Group' || mentions(transform, resource, (value) => targetOf(value) === 'patient'));

  const change: Change = (element, value) => {
    const { type, owner, name } = element;
    if (type === 'Reference') return referenceFor(targetOf(value as ReferenceShape, element.targets), value);
    if (type === 'Resource' && isOtherPerson(value, subject)) return undefined;
    if (owner === resourceType || owner === 'Patient.contact') {
      if (owner === resourceType && isSharedItem(value, isShared || isSelf)) return undefined;
      const kept = OF_OTHERS.get(owner);
      if (kept && !kept.has(name)) return undefined;
    }
    if (isShared && type === 'CodeableConcept') return codesOnly(value);
    if (isShared && !isPlain(element)) return undefined;
    return DESCEND;
  };

  /** An item of a list that is about another patient: a member, a participant, a link. */
  function isSharedItem(value: unknown, mayBe: boolean): boolean {
    if (!mayBe || typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return Object.values(value).some((one) => {
      const shape = one as ReferenceShape | null;
      return typeof shape === 'object' && shape !== null && isReference(shape) && targetOf(shape) === 'patient';
    });
  }

  return transform(resource, change);
}

/** Elements that may be kept of what is about somebody else; whoever they are stays out. */
const OF_OTHERS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'RelatedPerson',
    new Set([
      'id',
      'meta',
      'active',
      'patient',
      'relationship',
      'period',
      'communication',
      'implicitRules',
      'language',
    ]),
  ],
  ['Patient.contact', new Set(['id', 'relationship', 'organization', 'period'])],
  [
    'FamilyMemberHistory',
    new Set([
      'id',
      'meta',
      'identifier',
      'status',
      'dataAbsentReason',
      'patient',
      'date',
      'relationship',
      'reasonCode',
      'reasonReference',
      'condition',
    ]),
  ],
]);

/** Types whose values name nobody: where a resource is shared, only these are kept. */
const PLAIN = new Set([
  'Resource',
  'Reference',
  'CodeableConcept',
  'Coding',
  'Period',
  'Timing',
  'Meta',
  'code',
  'id',
  'date',
  'dateTime',
  'instant',
  'time',
  'boolean',
  'uri',
  'canonical',
]);

function isPlain({ type, owner, name }: Element): boolean {
  // A value is somebody's, and of several patients nobody can tell whose.
  if (/^_?value[A-Z]/.test(name)) return false;
  if (type.includes('.')) return true; // its elements are judged one by one
  return PLAIN.has(type) || (owner === 'Timing' && type === 'Element');
}

const MASKED = { system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'masked' } as const;

/** The codes without the words that somebody may have written beside them. */
function codesOnly(value: unknown): unknown {
  const { coding = [] } = value as {
    readonly coding?: readonly { readonly system?: string; readonly code?: string }[];
  };
  const codes = coding.flatMap(({ system, code }) =>
    system !== undefined && code !== undefined ? [{ system, code }] : [],
  );
  return { coding: codes.length > 0 ? codes : [MASKED] };
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

function classify(
  { selves, others, identifiers, baseUrl, isOwn }: Subject,
  contained: ReadonlyMap<string, Resource>,
  { reference, type, identifier, display }: ReferenceShape,
  targets: readonly string[],
): Target {
  if (reference?.startsWith('#') === true) {
    const inner = contained.get(reference.slice(1));
    if (!inner) return 'other';
    if (PEOPLE.has(inner.resourceType)) return hasIdentifier(inner, identifiers) ? 'self' : 'person';
    return 'professional';
  }
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

function containedOf(resource: Resource): ReadonlyMap<string, Resource> {
  const list = (resource['contained'] ?? []) as readonly Resource[]; // validated
  return new Map(list.map((one) => [String(one['id']), one]));
}

const isOtherPerson = (value: unknown, { identifiers }: Subject): boolean =>
  PEOPLE.has((value as Resource).resourceType) && !hasIdentifier(value as Resource, identifiers);

/** `system|value` of a resource's identifiers; those without a system could be anybody's. */
export function identifiersOf(resource: Resource): readonly string[] {
  const list = (resource['identifier'] ?? []) as readonly { readonly system?: string; readonly value?: string }[];
  return list.flatMap(({ system, value }) =>
    system === undefined || value === undefined ? [] : [`${system}|${value}`],
  );
}

const hasIdentifier = (resource: Resource, identifiers: ReadonlySet<string>): boolean =>
  identifiersOf(resource).some((one) => identifiers.has(one));

/** Whether such a reference stands in the resource; one in an extension only adds to what it says. */
function mentions(transform: Transform, resource: Resource, is: (value: ReferenceShape) => boolean): boolean {
  let found = false;
  transform(resource, ({ type, owner }, value) => {
    if (type === 'Reference' && owner !== 'Extension') found ||= is(value as ReferenceShape);
    return DESCEND;
  });
  return found;
}
