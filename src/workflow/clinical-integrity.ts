/**
 * Nothing cascades: a Patient, Practitioner, Organization, Encounter or Medication that clinical records refer to is not
 * deleted (409); erasure is the one way round. MISSION M9, Clinical integrity; docs/fhir.md
 */
import { serviceCaller } from '../policy/service-caller.ts';
import type { ResourceStore, WriteResult } from '../ports/resource-store.ts';
import { conflict } from '../standards/fhir/outcome.ts';
import type { SearchRequest } from '../standards/fhir/search/request.ts';
import { type WriteCheck, withWriteCheck } from './checked-writes.ts';

export interface IntegrityOptions {
  /** Search parameters by which clinical records refer to resources of the type. */
  readonly referrersOf: (type: string) => readonly (readonly [type: string, parameter: string])[];
  readonly searchOf: (type: string, query: string) => SearchRequest;
}

const GUARDED_TYPES: ReadonlySet<string> = new Set([
  'Patient',
  'Practitioner',
  'Organization',
  'Encounter',
  'Medication',
]);
/** What a record of care is made of. */
export const CLINICAL_TYPES: readonly string[] = [
  'AllergyIntolerance',
  'Appointment',
  'CarePlan',
  'CareTeam',
  'Claim',
  'ClinicalImpression',
  'Communication',
  'Composition',
  'Condition',
  'Consent',
  'Coverage',
  'DetectedIssue',
  'DiagnosticReport',
  'DocumentReference',
  'Encounter',
  'EpisodeOfCare',
  'Flag',
  'Goal',
  'Immunization',
  'MedicationAdministration',
  'MedicationDispense',
  'MedicationRequest',
  'MedicationStatement',
  'Observation',
  'Procedure',
  'Provenance',
  'QuestionnaireResponse',
  'ServiceRequest',
  'Specimen',
  'Task',
];

const SERVICE = serviceCaller('jobs');
const AT_ONCE = 8;

type Named = readonly [type: string, id: string];

/** The store, which refuses such deletes to whoever may delete at all. */
export function withIntegrity<S extends ResourceStore>(store: S, { referrersOf, searchOf }: IntegrityOptions): S {
  /** Of what goes in the same transaction nothing is asked. */
  async function check(gone: readonly Named[]): Promise<void> {
    const leaving = new Set(gone.map(([type, id]) => `${type}/${id}`));
    const asked = gone
      .filter(([type]) => GUARDED_TYPES.has(type))
      .flatMap(([type, id]) => referrersOf(type).map(([from, by]) => ({ target: `${type}/${id}`, from, by })));
    for (let i = 0; i < asked.length; i += AT_ONCE)
      await Promise.all(
        asked.slice(i, i + AT_ONCE).map(async ({ target, from, by }) => {
          const query = `${by}=${encodeURIComponent(target)}&_count=${Math.min(leaving.size + 1, 1000)}`;
          const { matches } = await store.search(SERVICE, searchOf(from, query));
          if (matches.some(({ id }) => !leaving.has(`${from}/${id}`)))
            // Which they are is not said: whoever deletes may not see them all.
            throw conflict(
              `${target} is not deleted, as clinical records refer to it: mark it as inactive, or delete them first`,
            );
        }),
      );
  }
  const goneOf = (results: readonly WriteResult[]): readonly Named[] =>
    results.flatMap(({ outcome, version }) => (outcome === 'deleted' ? [[version.type, version.id] as const] : []));
  const writeCheck: WriteCheck = {
    isAsked: (writes) => writes.some((write) => write.kind === 'delete' && GUARDED_TYPES.has(write.type)),
    check: (results) => check(goneOf(results)),
  };
  const wrapped: ResourceStore = {
    ...store,
    async delete(caller, type, id, ifMatch) {
      if (!GUARDED_TYPES.has(type)) return store.delete(caller, type, id, ifMatch);
      return store.transaction(caller, async (tx) => {
        // Who may not delete it is refused here, and learns nothing of what refers to it.
        const results = await tx.write([{ kind: 'delete', type, id, ...(ifMatch !== undefined && { ifMatch }) }]);
        await check(goneOf(results));
        return results.find(({ outcome }) => outcome === 'deleted');
      });
    },
    transaction: (caller, work, options) =>
      store.transaction(caller, (tx) => work(withWriteCheck(tx, writeCheck)), options),
  };
  return { ...store, ...wrapped };
}
