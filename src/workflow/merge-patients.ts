/**
 * Two records of one person: which of them a message means, and what follows the record that gives way to the one that
 * stays. docs/hl7v2.md "Merges"
 */
import { MERGED_INTO, type TransactionEntry } from '../mapping/transaction-bundle.ts';
import type { Caller } from '../ports/caller.ts';
import type { NewJob } from '../ports/jobs.ts';
import type {
  Criteria,
  Resource,
  ResourceStore,
  StoredVersion,
  StoreTransaction,
  TransactionWrite,
} from '../ports/resource-store.ts';
import { parseJson } from '../standards/fhir/json.ts';
import type { ReplaceLink } from '../standards/fhir/reference-rewrite.ts';
import { ChangedMeanwhile } from './changed-meanwhile.ts';
import { type ImportOrigin, importProvenance } from './import-provenance.ts';

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
/** More than these are moved by a job, page by page. */
const MOVED_MAX = 500;

export interface MergeServices {
  readonly criteriaOf: (type: string, query: string) => Criteria;
  readonly rewriteReferences: (resource: Resource, replace: ReplaceLink) => Resource;
}

export interface Merge {
  readonly retiredId: string;
  readonly survivorId: string;
}

/** What is still to be moved when the message is applied. */
export const MERGE_REFERENCES = 'merge-references';

/** Its Provenance has the message as its source, like what the message itself writes: an unmerge finds it there. */
export const moveJob = (
  { retiredId, survivorId }: Merge,
  { kind, messageId }: { readonly kind: string; readonly messageId: string },
): NewJob => ({
  kind: MERGE_REFERENCES,
  key: retiredId,
  dedupe: `${retiredId} ${messageId}`,
  payload: { retired: retiredId, survivor: survivorId, kind, message: messageId },
});

export interface Moved {
  readonly writes: readonly TransactionWrite[];
  /** Merges of which more is left than one transaction takes. */
  readonly rest: readonly Merge[];
}

/** Writes that give the survivor what refers to the record that gives way, but for what the message writes itself. */
export async function moveReferences(
  services: MergeServices,
  tx: Pick<StoreTransaction, 'findCurrent'>,
  merges: readonly Merge[],
  written: ReadonlySet<string> = new Set(),
): Promise<Moved> {
  const places = new Map(merges.map(({ retiredId, survivorId }) => [`Patient/${retiredId}`, `Patient/${survivorId}`]));
  if (places.size === 0) return { writes: [], rest: [] };
  const criteria = [...places.keys()].flatMap((place) =>
    FOLLOWING.map((type) => services.criteriaOf(type, `patient=${place}`)),
  );
  const found = (await tx.findCurrent(criteria, MOVED_MAX + 1)).flat();
  const all = new Map(found.map((version) => [`${version.type}/${version.id}`, version]));
  const moved = [...all].filter(([place]) => !written.has(place));
  const writes = moved.slice(0, MOVED_MAX).map(([, version]) => moveOne(services, version, places));
  return { writes, rest: moved.length > MOVED_MAX ? merges : [] };
}

export interface MoveRestServices extends MergeServices {
  readonly store: Pick<ResourceStore, 'transaction' | 'newId'>;
  readonly caller: Caller;
  readonly now: () => number;
}

/** Moves what a merge left, a page a transaction, until nothing is left or the records are parted again. Resolves to how many. */
export async function moveRest(
  services: MoveRestServices,
  merge: Merge,
  origin: ImportOrigin,
  signal?: AbortSignal,
): Promise<number> {
  let count = 0;
  for (;;) {
    signal?.throwIfAborted();
    const moved = await services.store.transaction(services.caller, async (tx) => {
      const survivorId = await lastSurvivor(tx, merge.retiredId);
      if (survivorId === undefined) return 0;
      const { writes } = await moveReferences(services, tx, [{ retiredId: merge.retiredId, survivorId }]);
      if (writes.length === 0) return 0;
      await tx.write(writes, undefined, importProvenance(origin, services.now(), services.store.newId));
      return writes.length;
    });
    if (moved === 0) return count;
    count += moved;
  }
}

const CHAIN_MAX = 10;

/** The record that stays at the end of all merges; undefined where this one is not merged any more. */
async function lastSurvivor(tx: Pick<StoreTransaction, 'read'>, retiredId: string): Promise<string | undefined> {
  let at = retiredId;
  for (let hops = 0; hops < CHAIN_MAX; hops++) {
    const patient = parseJson((await tx.read('Patient', at)).content) as Content; // stored text was checked
    const next = ((patient['link'] ?? []) as readonly Content[]).find(({ type }) => type === 'replaced-by');
    const { reference = '' } = (next?.['other'] ?? {}) as { reference?: string };
    if (!reference.startsWith('Patient/')) return at === retiredId ? undefined : at;
    at = reference.slice('Patient/'.length);
  }
  return undefined;
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
