/**
 * Two records of one person: which of them a message means, and what follows the record that gives way to the one that
 * stays. docs/hl7v2.md "Merges"
 */
import { MERGED_INTO, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Criteria, Resource, StoredVersion, StoreTransaction, TransactionWrite } from '../ports/resource-store.ts';
import { FhirError, issue } from '../standards/fhir/outcome.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';

type Content = Readonly<Record<string, unknown>>;

/** Whether a stored record gave way to another. */
export function isRetired({ active, link = [] }: Content): boolean {
  return active === false && (link as readonly Content[]).some(({ type }) => type === 'replaced-by');
}

/** The `fullUrl` of the record that an entry gives way to; undefined for other entries. */
export const mergedInto = ({ extension = [] }: TransactionEntry): string | undefined =>
  extension.find(({ url }) => url === MERGED_INTO)?.valueString;

/**
 * Of several records under one number those that gave way are not meant, as the record that stays has their numbers
 * too; for the entry of the record that is to give way, that which stays is not meant.
 */
export function meantBy<V extends { readonly id: string; readonly content: Content }>(
  found: readonly V[],
  survivorId: string | undefined,
): readonly V[] {
  const others = found.filter(({ id }) => id !== survivorId);
  const current = others.filter(({ content }) => !isRetired(content));
  return current.length > 0 ? current : others;
}

/** Types whose resources say by the search parameter `patient` whose they are. */
const FOLLOWING = [
  ...[
    'Account',
    'AllergyIntolerance',
    'Appointment',
    'CarePlan',
    'CareTeam',
    'ChargeItem',
    'Claim',
    'ClinicalImpression',
  ],
  ...[
    'Communication',
    'Composition',
    'Condition',
    'Consent',
    'Coverage',
    'DiagnosticReport',
    'DocumentReference',
    'Encounter',
  ],
  ...['EpisodeOfCare', 'Flag', 'Goal', 'ImagingStudy', 'Immunization', 'List', 'Media', 'MedicationAdministration'],
  ...['MedicationDispense', 'MedicationRequest', 'MedicationStatement', 'NutritionOrder', 'Observation', 'Procedure'],
  ...['QuestionnaireResponse', 'RelatedPerson', 'ServiceRequest', 'Specimen', 'Task'],
];
/** More than these belong into a job of their own. */
const MOVED_MAX = 500;

export interface MergeServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
}

export interface Merge {
  readonly retiredId: string;
  readonly survivorId: string;
}

/** Writes that give the survivor what refers to the record that gives way, but for what the message writes itself. */
export async function moveReferences(
  services: MergeServices,
  tx: StoreTransaction,
  merges: readonly Merge[],
  written: ReadonlySet<string>,
): Promise<readonly TransactionWrite[]> {
  const places = new Map(merges.map(({ retiredId, survivorId }) => [`Patient/${retiredId}`, `Patient/${survivorId}`]));
  if (places.size === 0) return [];
  const criteria = [...places.keys()].flatMap((place) =>
    FOLLOWING.map((type) => services.criteriaOf(type, `patient=${place}`)),
  );
  const found = (await tx.findCurrent(criteria, MOVED_MAX + 1)).flat();
  if (found.length > MOVED_MAX)
    throw new FhirError(422, [
      issue('too-costly', `More than ${MOVED_MAX} resources refer to the record that is to give way`),
    ]);
  const moved = new Map(found.map((version) => [`${version.type}/${version.id}`, version]));
  return [...moved].filter(([place]) => !written.has(place)).map(([, version]) => moveOne(services, version, places));
}

function moveOne(
  { rewriteReferences }: MergeServices,
  { type, id }: StoredVersion,
  places: ReadonlyMap<string, string>,
): TransactionWrite {
  const change = (current: Resource | undefined): Resource => {
    if (current === undefined) throw new ChangedMeanwhile('what referred to the record that gave way is gone');
    return rewriteReferences(current, (text, place) => (place === 'reference' ? places.get(text) : undefined));
  };
  return { kind: 'update', operation: 'update', type, id, change };
}
