/** The profiles and value sets this server knows: its own, those of packages, and those that were posted. */

import { canonicalUrl } from '../code-systems.ts';
import type { Model } from '../fhirpath/model.ts';
import type { CompactValueSet, Terminology } from '../value-sets.ts';
import { createTerminology, expandValueSet } from '../value-sets.ts';
import { type CodeSet, compileCodeSet } from './bindings.ts';
import { createInvariant, isPathFault } from './invariants.ts';
import { coreTypeOf, type Profile, type ProfileSource } from './profile-check.ts';
import { copyNode, emptyNode, layOver, type Node, ProfileError, type RawProfile } from './profile-tree.ts';

/** Later ones win: what the operator installed cannot be changed by posting another of the same url. */
export type Origin = 'store' | 'package' | 'own';
const ORIGINS: readonly Origin[] = ['store', 'package', 'own'];

export const CONFORMANCE_TYPES: ReadonlySet<string> = new Set(['StructureDefinition', 'ValueSet', 'CodeSystem']);
/** Resources, and characters of all of them together, that are held. */
const HELD_MAX = 5000;
const HELD_CHARACTERS_MAX = 100_000_000;
const LINE_MAX = 20;

interface Held {
  readonly origin: Origin;
  readonly url: string;
  readonly version: string | undefined;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly size: number;
  /** Tells one version from another. */
  readonly stamp: string;
}

export interface ProfileRegistry extends ProfileSource {
  /** Takes a StructureDefinition, ValueSet or CodeSystem in; false where there is no room, or it has no url. */
  put(origin: Origin, key: string, resource: Readonly<Record<string, unknown>>): boolean;
  remove(origin: Origin, key: string): void;
  /** Why a profile that is here cannot be used; undefined of one that can, or that is not here. */
  faultOf(canonical: string): string | undefined;
  /** Canonical urls of what is held. */
  readonly urls: () => readonly string[];
}

export interface RegistryParts {
  readonly model: Model;
  /** Whether a name is that of a type of R4. */
  readonly isType: (name: string) => boolean;
  readonly official: (url: string) => CompactValueSet | undefined;
  readonly officialSet: (url: string) => CodeSet | undefined;
}

/** `official`: the value sets of the definitions, `officialSet` the same compiled. */
export function createProfileRegistry({ model, isType, official, officialSet }: RegistryParts): ProfileRegistry {
  const held = new Map<string, Held>();
  let characters = 0;
  // Everything that was compiled depends on what is held: it is made again when that changes.
  let profiles = new Map<string, Profile | undefined>();
  let faults = new Map<string, string>();
  let sets = new Map<string, CodeSet | undefined>();
  let terminology: Terminology | undefined;
  let index: Map<string, Held[]> | undefined;

  const changed = (): void => {
    profiles = new Map();
    faults = new Map();
    sets = new Map();
    terminology = undefined;
    index = undefined;
  };
  const drop = (key: string): void => {
    characters -= held.get(key)?.size ?? 0;
    held.delete(key);
  };
  const byUrl = (): Map<string, Held[]> => {
    index ??= Map.groupBy(
      [...held.values()].sort((a, b) => ORIGINS.indexOf(b.origin) - ORIGINS.indexOf(a.origin)),
      ({ url }) => url,
    );
    return index;
  };
  const findRaw = (canonical: string, type: string): Readonly<Record<string, unknown>> | undefined => {
    const bar = canonical.indexOf('|');
    const version = bar < 0 ? undefined : canonical.slice(bar + 1);
    return byUrl()
      .get(canonicalUrl(canonical))
      ?.find(
        (one) =>
          one.resource['resourceType'] === type &&
          (version === undefined || one.version === version || one.version === undefined),
      )?.resource;
  };

  const compile = (canonical: string, line: readonly string[]): Profile | undefined => {
    const core = coreTypeOf(canonicalUrl(canonical));
    const raw = findRaw(canonical, 'StructureDefinition') as RawProfile | undefined; // validated when it was put
    if (raw === undefined || typeof raw.type !== 'string')
      return core === undefined ? undefined : { url: canonical, type: core, root: emptyNode(core) };
    if (line.includes(canonical) || line.length > LINE_MAX)
      throw new ProfileError('its line of base definitions has a loop');
    const compileRule: Parameters<typeof layOver>[4] = (constraint) => createInvariant(constraint, model);
    const base =
      raw.derivation === 'constraint' && raw.baseDefinition !== undefined
        ? compile(raw.baseDefinition, [...line, canonical])
        : undefined;
    const differential = raw.differential?.element;
    let root: Node;
    if (base !== undefined && differential !== undefined) {
      root = copyNode(base.root);
      layOver(root, raw, differential, model, compileRule);
    } else if (raw.snapshot?.element !== undefined) {
      root = emptyNode(raw.type);
      layOver(root, raw, raw.snapshot.element, model, compileRule);
    } else throw new ProfileError(`it has no snapshot, and its base ${raw.baseDefinition ?? ''} is not known here`);
    return { url: raw.url, type: raw.type, root };
  };

  return {
    put(origin, name, resource) {
      const key = `${origin} ${name}`;
      const stamp = JSON.stringify(resource['meta']) ?? '';
      if (stamp !== '' && held.get(key)?.stamp === stamp) return true;
      drop(key);
      changed();
      const url = resource['url'];
      if (typeof url !== 'string' || !CONFORMANCE_TYPES.has(String(resource['resourceType']))) return false;
      const size = JSON.stringify(resource).length;
      if (held.size >= HELD_MAX || characters + size > HELD_CHARACTERS_MAX) return false;
      const version = typeof resource['version'] === 'string' ? resource['version'] : undefined;
      held.set(key, { origin, url, version, resource, size, stamp });
      characters += size;
      return true;
    },
    remove(origin, name) {
      if (!held.has(`${origin} ${name}`)) return;
      drop(`${origin} ${name}`);
      changed();
    },
    find(canonical) {
      const url = canonicalUrl(canonical);
      // Only what is here is remembered: names that clients make up would fill the memory.
      if (!byUrl().has(url)) {
        const core = coreTypeOf(url);
        return core === undefined || !isType(core) ? undefined : { url, type: core, root: emptyNode(core) };
      }
      if (!profiles.has(canonical)) {
        let made: Profile | undefined;
        try {
          made = compile(canonical, []);
        } catch (error) {
          if (!(error instanceof ProfileError) && !isPathFault(error)) throw error;
          faults.set(canonical, error.message);
        }
        if (profiles.size >= HELD_MAX) profiles.clear();
        profiles.set(canonical, made);
      }
      return profiles.get(canonical);
    },
    faultOf(canonical) {
      this.find(canonical);
      return faults.get(canonical);
    },
    codeSet(canonical) {
      const url = canonicalUrl(canonical);
      if (!byUrl().has(url)) return officialSet(url);
      if (sets.has(url)) return sets.get(url);
      terminology ??= terminologyOf(
        [...byUrl().values()].flatMap((list) => list.map(({ resource }) => resource)),
        official,
      );
      const expanded = expandValueSet(url, terminology);
      const made = expanded && compileCodeSet(url, expanded);
      if (sets.size >= HELD_MAX) sets.clear();
      sets.set(url, made);
      return made;
    },
    urls: () => [...byUrl().keys()].sort(),
  };
}

/** What is held here wins over what is official: a value set may be posted in a newer version. */
function terminologyOf(
  resources: readonly Readonly<Record<string, unknown>>[],
  official: (url: string) => CompactValueSet | undefined,
): Terminology {
  const ofType = (type: string) => resources.filter((one) => one['resourceType'] === type);
  const own = createTerminology(ofType('ValueSet'), ofType('CodeSystem'));
  return { ...own, expanded: (url) => (own.valueSet(url) === undefined ? official(url) : undefined) };
}
