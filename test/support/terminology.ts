/** R4's own terminology for tests: compacted once a machine. */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TerminologySource } from '../../src/standards/fhir/terminology/resources.ts';
import { createOfficialTerminology } from '../../src/terminology-cache.ts';

export const officialTerminology = createOfficialTerminology(join(tmpdir(), 'mortar-test-terminology'));

type Resources = readonly {
  readonly resourceType: string;
  readonly url?: string;
  readonly content?: string;
  readonly supplements?: string;
}[];

/** What R4 publishes, behind the given resources. */
export function terminologySource(resources: Resources = []): TerminologySource {
  const own = (type: string, canonical: string): unknown => {
    const [url] = canonical.split('|');
    return resources.find((one) => one.resourceType === type && one.url === url && one.content !== 'supplement');
  };
  const find = async (type: 'CodeSystem' | 'ValueSet' | 'ConceptMap', canonical: string) => {
    const [url = '', version] = canonical.split('|');
    return own(type, canonical) ?? (await officialTerminology.find(type, url, version));
  };
  return {
    findCodeSystem: (url) => find('CodeSystem', url),
    findValueSet: (url) => find('ValueSet', url),
    findConceptMap: (url) => find('ConceptMap', url),
    findConceptMaps: async () => [],
    findSupplements: async (url) => resources.filter((one) => one.supplements === url),
  } as TerminologySource; // tests give resources of the right types
}
