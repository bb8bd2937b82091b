/**
 * The parameters of R4 and those that were posted, as one table: what is posted counts from the next write on, and is
 * searched by when the values of what was stored before have been made.
 */
import { type Issue, issue } from '../outcome.ts';
import type { FindOwn } from './custom-definition.ts';
import type { CustomCompiler, CustomParameter } from './custom-parameter.ts';
import { createCustomExtractor } from './extract-custom.ts';
import type { Atom, SearchParameter, SearchParameters, TypeParameters } from './parameter.ts';
import type { Extractor } from './sink.ts';

/** Of one posted parameter: whether its values are complete, for which definition, or how far they are. */
export interface IndexState {
  readonly fingerprint: string;
  readonly isReady: boolean;
  /** Words for whoever asks meanwhile. */
  readonly progress: string;
}

export interface CustomRegistry extends SearchParameters {
  /** Of a type with its custom parameters. Throws for a type that is not stored. */
  extractorOf(resourceType: string): Extractor;
  /** What keeps a SearchParameter from being stored under this id; `id` is absent where it has none yet. */
  check(id: string | undefined, resource: Readonly<Record<string, unknown>>): readonly Issue[];
  /** Takes in a stored version, or takes away what it no longer defines; older versions than the known one do nothing. */
  put(id: string, version: number, resource: Readonly<Record<string, unknown>> | undefined): void;
  setStates(states: ReadonlyMap<string, IndexState>): void;
  /** All that count, by id. */
  list(): readonly CustomParameter[];
  /** Those that count and are searched by, by id. */
  searchable(): readonly CustomParameter[];
  /** The last version of a SearchParameter that was put, defining or not. */
  versionOf(id: string): number | undefined;
}

/** Each is looked at on every write of its types. */
export const CUSTOM_PARAMETERS_MAX = 200;
/** Of SearchParameters seen, so that an older version does not undo a newer one. */
const VERSIONS_MAX = 10_000;

export function createCustomRegistry(
  official: SearchParameters,
  officialExtractorOf: (type: string) => Extractor,
  compiler: CustomCompiler,
): CustomRegistry {
  const known = new Map<string, CustomParameter>();
  const versions = new Map<string, number>();
  /** Composites, which count while what they are made of does. */
  const composites = new Map<string, { readonly version: number; readonly resource: Fields }>();
  let states: ReadonlyMap<string, IndexState> = new Map();
  let types = new Map<string, TypeParameters>();
  const custom = new WeakMap<TypeParameters, readonly SearchParameter[]>();
  const extractors = new WeakMap<TypeParameters, Extractor>();

  /** In the order of ids, so that of two with one code every process takes the same. */
  const counting = (): readonly CustomParameter[] => {
    const taken = new Set<string>();
    return [...known.values()]
      .sort(byId)
      .filter(({ code, of }) => {
        const names = [...of.keys()].map((type) => `${type} ${code}`);
        if (names.some((name) => taken.has(name))) return false;
        for (const name of names) taken.add(name);
        return true;
      })
      .slice(0, CUSTOM_PARAMETERS_MAX);
  };
  const stateOf = ({ id, fingerprint }: CustomParameter): IndexState | undefined => {
    const state = states.get(id);
    return state?.fingerprint === fingerprint ? state : undefined;
  };
  const rebuild = (): void => {
    const byType = new Map<string, CustomParameter[]>();
    for (const one of counting())
      for (const type of one.of.keys()) byType.set(type, [...(byType.get(type) ?? []), one]);
    types = new Map(
      [...byType].flatMap(([type, all]) => {
        const plain = official.get(type);
        return plain ? [[type, overlay(plain, all)]] : [];
      }),
    );
  };
  const overlay = (plain: TypeParameters, all: readonly CustomParameter[]): TypeParameters => {
    const atoms: Atom[] = [...plain.atoms];
    const parameters = new Map(plain.parameters);
    const indexing = new Map<string, () => string>();
    const own: SearchParameter[] = [];
    for (const one of all) {
      const parameter = numbered(one.of.get(plain.resourceType) as SearchParameter, atoms.length); // `byType` is made from its keys
      atoms.push(...parameter.atoms);
      own.push(parameter);
      if (stateOf(one)?.isReady) parameters.set(one.code, parameter);
      else indexing.set(one.code, () => stateOf(one)?.progress ?? 'waiting');
    }
    const made = { ...plain, atoms, parameters, indexing };
    custom.set(made, own);
    return made;
  };
  const findOwn: FindOwn = (url) =>
    [...known.values()].filter((one) => one.url === url && one.type !== 'composite').sort(byId)[0];
  /** Takes it in as the others are now; false where nothing has changed. */
  const take = (id: string, version: number, resource: Fields | undefined): boolean => {
    const value = resource && compiler.read(resource, findOwn).value;
    const before = known.get(id);
    if (!value) return known.delete(id);
    if (before?.version === version && before.fingerprint === value.fingerprint) return false;
    known.set(id, { ...value, id, version });
    return true;
  };
  const get = (type: string): TypeParameters | undefined => types.get(type) ?? official.get(type);

  return {
    ...(official.fullText && { fullText: official.fullText }),
    get,
    extractorOf(type) {
      const plain = officialExtractorOf(type);
      const found = types.get(type);
      if (!found) return plain;
      const made = extractors.get(found) ?? both(plain, custom.get(found) ?? []);
      extractors.set(found, made);
      return made;
    },
    check(id, resource) {
      const { value, issues } = compiler.read(resource, findOwn);
      if (!value) return issues;
      const others = [...known.values()].filter((one) => one.id !== id);
      const same = others.find(
        (one) => one.code === value.code && [...one.of.keys()].some((type) => value.of.has(type)),
      );
      if (same)
        return [
          issue('duplicate', `SearchParameter/${same.id} has this code for one of the types`, 'SearchParameter.code'),
        ];
      if (others.length >= CUSTOM_PARAMETERS_MAX)
        return [issue('too-costly', `At most ${CUSTOM_PARAMETERS_MAX} custom parameters are active: retire one first`)];
      return [];
    },
    put(id, version, resource) {
      if (version <= (versions.get(id) ?? 0)) return;
      versions.set(id, version);
      if (versions.size > VERSIONS_MAX) versions.delete(versions.keys().next().value as string); // the oldest; there is one
      if (resource?.['type'] === 'composite') composites.set(id, { version, resource });
      else composites.delete(id);
      let isChanged = take(id, version, resource);
      for (const [one, held] of composites) if (take(one, held.version, held.resource)) isChanged = true;
      if (isChanged) rebuild();
    },
    setStates(given) {
      const before = described(states);
      states = given;
      // What is the same stays the same: much is remembered by it.
      if (described(given) !== before) rebuild();
    },
    ...(official.fullText !== undefined && { fullText: official.fullText }),
    list: counting,
    searchable: () => counting().filter((one) => stateOf(one)?.isReady),
    versionOf: (id) => versions.get(id),
  };
}

type Fields = Readonly<Record<string, unknown>>;

const byId = (a: CustomParameter, b: CustomParameter): number => (a.id < b.id ? -1 : 1);

const described = (states: ReadonlyMap<string, IndexState>): string =>
  JSON.stringify([...states].map(([id, { fingerprint, isReady }]) => [id, fingerprint, isReady]).sort());

const numbered = (parameter: SearchParameter, from: number): SearchParameter => ({
  ...parameter,
  atoms: parameter.atoms.map((atom, i) => ({ ...atom, index: from + i })),
});

/** The generated extractor, then the walks of the custom atoms. */
function both(plain: Extractor, parameters: readonly SearchParameter[]): Extractor {
  const walks = parameters.map(createCustomExtractor);
  return (resource, sink) => {
    plain(resource, sink);
    for (const walk of walks) walk(resource, sink);
  };
}
