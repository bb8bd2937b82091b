/** Code systems and value sets as one request meets them: found once, compiled once, within a budget. */
import { FhirError, issue, tooCostly } from '../outcome.ts';
import { type Concepts, compileConcepts } from './concepts.ts';
import { type ConceptTest, compileFilter } from './filters.ts';
import type { CodeSystem, Include, TerminologySource, ValueSet } from './resources.ts';

/** Value sets in one another. */
const NESTED_MAX = 10;
/** Concepts that are looked at, or put together, for one request. */
const CONCEPTS_MAX = 200_000;

export interface Vocabulary {
  readonly source: TerminologySource;
  /** The system's concepts. Throws 422 where it is not here, or not what is in it. */
  concepts(system: string, version?: string): Promise<Concepts>;
  /** Undefined where it is not here. */
  findConcepts(system: string, version?: string): Promise<Concepts | undefined>;
  /** Throws 422 where it is not here. */
  valueSet(url: string): Promise<ValueSet>;
  /** Whether a concept passes all of an include's filters. */
  filter(include: Include, concepts: Concepts): ConceptTest;
  /** Throws 400 `too-costly` once the budget is spent. */
  spend(concepts: number): void;
  /** Does what goes into a value set; refuses one that holds itself. */
  within<T>(
    url: string | undefined,
    path: readonly string[],
    work: (path: readonly string[]) => Promise<T>,
  ): Promise<T>;
}

const compiled = new WeakMap<CodeSystem, Concepts>();

function conceptsOf(codeSystem: CodeSystem, supplements: readonly CodeSystem[]): Concepts {
  if (supplements.length > 0) return compileConcepts(codeSystem, supplements);
  let concepts = compiled.get(codeSystem);
  if (concepts === undefined) {
    concepts = compileConcepts(codeSystem);
    compiled.set(codeSystem, concepts);
  }
  return concepts;
}

export const notHere = (what: string): FhirError => new FhirError(422, [issue('not-found', what)]);

const withVersion = (url: string, version: string | undefined): string =>
  version === undefined ? url : `${url}|${version}`;

/** `systemVersions`: `system|version` of systems that are asked for without one. */
export function createVocabulary(source: TerminologySource, systemVersions: readonly string[] = []): Vocabulary {
  const versions = new Map(systemVersions.map((text) => text.split('|') as [string, string]));
  const systems = new Map<string, Promise<Concepts | undefined>>();
  const valueSets = new Map<string, Promise<ValueSet | undefined>>();
  const filters = new Map<string, ConceptTest>();
  let spent = 0;

  async function load(url: string): Promise<Concepts | undefined> {
    const codeSystem = await source.findCodeSystem(url);
    return codeSystem && conceptsOf(codeSystem, await source.findSupplements(url));
  }
  const remember = <T>(map: Map<string, Promise<T>>, key: string, find: (key: string) => Promise<T>): Promise<T> => {
    const known = map.get(key) ?? find(key);
    map.set(key, known);
    return known;
  };
  const findConcepts: Vocabulary['findConcepts'] = (system, version) =>
    remember(systems, withVersion(system, version ?? versions.get(system)), load);

  return {
    source,
    findConcepts,
    async concepts(system, version) {
      const concepts = await findConcepts(system, version);
      if (concepts === undefined)
        throw notHere(
          `The code system ${withVersion(system, version).slice(0, 256)} is not known here: store it as a CodeSystem`,
        );
      if (concepts.all.size === 0)
        throw notHere(`The code system ${system.slice(0, 256)} is known here by name only: its concepts are not`);
      return concepts;
    },
    async valueSet(url) {
      const valueSet = await remember(valueSets, url, (key) => source.findValueSet(key));
      if (valueSet === undefined)
        throw notHere(`The value set ${url.slice(0, 256)} is not known here: store it as a ValueSet`);
      return valueSet;
    },
    filter(include, concepts) {
      const tests = (include.filter ?? []).map((one) => {
        const key = JSON.stringify([concepts.system, concepts.version, one.property, one.op, one.value]);
        const test = filters.get(key) ?? compileFilter(one, concepts);
        filters.set(key, test);
        return test;
      });
      return (concept) => tests.every((test) => test(concept));
    },
    spend(concepts) {
      spent += concepts;
      if (spent > CONCEPTS_MAX)
        throw tooCostly(`More than ${CONCEPTS_MAX} concepts would have to be looked at: ask for a smaller value set`);
    },
    within(url, path, work) {
      if (url !== undefined && path.includes(url))
        throw new FhirError(422, [issue('processing', `The value set ${url.slice(0, 256)} includes itself`)]);
      if (path.length >= NESTED_MAX) throw tooCostly(`Value sets include one another more than ${NESTED_MAX} deep`);
      return work([...path, url ?? '']);
    },
  };
}
