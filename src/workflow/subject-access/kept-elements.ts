/** What is kept of resources that are about others, or about several patients. SECURITY DP-03 */
import type { Element } from '../../standards/fhir/transform.ts';

/** Elements that may be kept of what is about somebody else, by their owner at any depth; whoever they are stays out. */
export const OF_OTHERS: ReadonlyMap<string, ReadonlySet<string>> = new Map([
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
  ['FamilyMemberHistory.condition', new Set(['id', 'code', 'outcome', 'contributedToDeath', 'onsetAge', 'onsetRange'])],
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

export function isPlain({ type, owner, name }: Element): boolean {
  // A value is somebody's, and of several patients nobody can tell whose.
  if (/^_?value[A-Z]/.test(name)) return false;
  if (type.includes('.')) return true; // its elements are judged one by one
  return PLAIN.has(type) || (owner === 'Timing' && type === 'Element');
}

const MASKED = { system: 'http://terminology.hl7.org/CodeSystem/data-absent-reason', code: 'masked' } as const;

/** The codes without the words that somebody may have written beside them. */
export function codesOnly(value: unknown): unknown {
  const { coding = [] } = value as {
    readonly coding?: readonly { readonly system?: string; readonly code?: string }[];
  };
  const codes = coding.flatMap(({ system, code }) =>
    system !== undefined && code !== undefined ? [{ system, code }] : [],
  );
  return { coding: codes.length > 0 ? codes : [MASKED] };
}
