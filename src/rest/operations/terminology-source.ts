/** Code systems, value sets and maps as a caller sees them: what R4 publishes, and what is stored and theirs to see. */
import type { Caller } from '../../ports/caller.ts';
import type { StoredVersion } from '../../ports/resource-store.ts';
import { parseJson } from '../../standards/fhir/json.ts';
import { FhirError } from '../../standards/fhir/outcome.ts';
import type {
  CodeSystem,
  ConceptMap,
  MapEnds,
  Terminology,
  TerminologySource,
} from '../../standards/fhir/terminology/resources.ts';
import { searchOf } from '../criteria.ts';
import type { Services } from '../services.ts';

type Type = Terminology['resourceType'];
type OfType<T extends Type> = Extract<Terminology, { readonly resourceType: T }>;

/** What was parsed is kept by its text, so that a large code system is compiled once, and nobody has what another saw. */
const PARSED_MAX = 50;
const parsedBy = new WeakMap<Services['store'], Map<string, Terminology>>();

export function parseStored(services: Services, { content }: StoredVersion): Terminology {
  const parsed = parsedBy.get(services.store) ?? new Map<string, Terminology>();
  parsedBy.set(services.store, parsed);
  const known = parsed.get(content);
  if (known !== undefined) return known;
  const [oldest] = parsed.keys();
  if (parsed.size >= PARSED_MAX && oldest !== undefined) parsed.delete(oldest);
  const resource = parseJson(content) as Terminology; // stored, so it is valid
  parsed.set(content, resource);
  return resource;
}

/**
 * What R4 publishes whole cannot be replaced by storing another under its url, as what is stored is checked by it; what
 * it publishes in part can. Of several that are stored the one that changed last counts.
 */
export function createTerminologySource(services: Services, caller: Caller): TerminologySource {
  async function search(type: Type, query: string): Promise<readonly StoredVersion[]> {
    try {
      const page = await services.store.search(
        caller,
        searchOf(services, type, `${query}&_sort=-_lastUpdated&_count=20`),
      );
      return page.matches;
    } catch (error) {
      // Somebody who may not see what is stored has what is published.
      if (error instanceof FhirError && error.status === 403) return [];
      throw error;
    }
  }

  async function find<T extends Type>(type: T, canonical: string): Promise<OfType<T> | undefined> {
    const [url = '', version] = canonical.split('|');
    if (url === '') return undefined;
    const official = await services.terminology.find(type, url, version);
    if (official !== undefined && !isPart(official)) return official;
    const query = `url=${searchValue(url)}${version === undefined ? '' : `&version=${searchValue(version)}`}`;
    const [stored] = await search(type, query);
    return stored === undefined ? official : (parseStored(services, stored) as OfType<T>); // searched by type
  }

  return {
    findCodeSystem: (url) => find('CodeSystem', url),
    findValueSet: (url) => find('ValueSet', url),
    findConceptMap: (url) => find('ConceptMap', url),
    async findConceptMaps(ends) {
      const found: StoredVersion[] = [];
      for (const query of queriesFor(ends)) found.push(...(await search('ConceptMap', query)));
      const stored = found.map((version) => parseStored(services, version) as ConceptMap); // searched by type
      return [...(await services.terminology.conceptMaps()), ...stored].filter((map) => isBetween(map, ends));
    },
    async findSupplements(url) {
      if (bare(url) === '') return [];
      const found = await search('CodeSystem', `supplements=${searchValue(bare(url))}`);
      return found
        .map((version) => parseStored(services, version) as CodeSystem)
        .filter(({ content }) => content === 'supplement');
    },
  };
}

/** Searches that find such maps among those that are stored; a value set stands there as a canonical or as a URI. */
function queriesFor({ of, source, target }: MapEnds): readonly string[] {
  const is = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`${name}=${searchValue(value)}`];
  if (of === 'CodeSystem') return [[...is('source-system', source), ...is('target-system', target)].join('&')];
  return source === undefined
    ? ['target', 'target-uri'].flatMap((name) => is(name, target))
    : ['source', 'source-uri'].flatMap((name) => is(name, source));
}

function isBetween(map: ConceptMap, { of, source, target }: MapEnds): boolean {
  const { sourceUri, sourceCanonical = sourceUri, targetUri, targetCanonical = targetUri, group = [] } = map;
  const fits = (asked: string | undefined, given: string | undefined): boolean =>
    asked === undefined || bare(asked) === bare(given);
  return of === 'ValueSet'
    ? fits(source, sourceCanonical) && fits(target, targetCanonical)
    : group.some((one) => fits(source, one.source) && fits(target, one.target));
}
const bare = (canonical = ''): string => canonical.split('|')[0] ?? '';

const isPart = (resource: Terminology): boolean =>
  resource.resourceType === 'CodeSystem' && (resource.content === 'not-present' || resource.content === 'example');

/** A text as one value of a search. https://hl7.org/fhir/R4/search.html#escaping */
const searchValue = (text: string): string => encodeURIComponent(text.replaceAll(/[\\,$|]/g, '\\$&'));
