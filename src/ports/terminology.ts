/** What is known of terminology beside what is stored. */
import type { ConceptMap, Terminology } from '../standards/fhir/terminology/resources.ts';

export interface OfficialTerminology {
  /** What R4 publishes under a url, of any version unless one is given. */
  find<T extends Terminology['resourceType']>(
    type: T,
    url: string,
    version?: string,
  ): Promise<Extract<Terminology, { readonly resourceType: T }> | undefined>;
  /** All maps. */
  conceptMaps(): Promise<readonly ConceptMap[]>;
}
