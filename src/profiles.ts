/** The profiles, value sets and code systems that validation knows: a piece of the composition root. docs/validation.md */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError } from './config.ts';
import { every } from './every.ts';
import type { ContextLog } from './log.ts';
import { serviceCaller } from './policy/service-caller.ts';
import type { Clock } from './ports/clock.ts';
import type { ResourceStore } from './ports/resource-store.ts';
import { readKnownProfiles } from './postgres/known-profiles.ts';
import type { Definitions } from './standards/fhir/definitions.ts';
import { parseJson } from './standards/fhir/json.ts';
import type { SearchRequest } from './standards/fhir/search/request.ts';
import type { ProfileRegistry } from './standards/fhir/validation/profile-registry.ts';

export interface ProfilesParts {
  readonly profiles: ProfileRegistry;
  readonly store: Pick<ResourceStore, 'search' | 'history'>;
  readonly searchOf: (type: string, query: string) => SearchRequest;
  /** Below DATA_DIR. */
  readonly packagesDir: string;
  /** What the canonicals of our own profiles begin with. */
  readonly profileBase: string;
  /** Those that resources of a type must keep to. */
  readonly required: ReadonlyMap<string, readonly string[]>;
  readonly now: Clock;
  readonly log: ContextLog;
}

/** What the files of `profiles/` have in the place of PROFILE_BASE. */
const WRITTEN_BASE = 'https://mortar.example/fhir';
const OWN = new URL('../profiles/', import.meta.url);
/** How soon a process knows what another has written. */
const CATCH_UP_EVERY_MS = 5_000;

/** Reads all there is, and goes on reading what others write. Returns what ends that. */
export async function openProfiles(parts: ProfilesParts): Promise<() => Promise<void>> {
  const { profiles, store, searchOf, packagesDir, profileBase, required, now, log } = parts;
  await readOwnProfiles(profiles, profileBase);
  await readPackages(profiles, packagesDir, log);
  const catchUp = await readKnownProfiles(store, profiles, serviceCaller('jobs'), searchOf, now);
  checkRequired(profiles, required, log);
  return every(CATCH_UP_EVERY_MS, catchUp, (error) => log.error('profiles could not be read again', { error }));
}

/** What REQUIRED_PROFILES says. Throws `ConfigError` where it names a type that is not stored. */
export function requiredOf(
  said: ReadonlyMap<string, readonly string[]> = new Map(),
  { types }: Pick<Definitions, 'types'>,
): ReadonlyMap<string, readonly string[]> {
  const unknown = [...said.keys()].filter((type) => types[type]?.kind !== 'resource');
  if (unknown.length > 0)
    throw new ConfigError(unknown.map((type) => `REQUIRED_PROFILES: ${type} is no resource type of R4`));
  return said;
}

/** A profile may be posted later; until it is known, nothing of its type is written. */
function checkRequired(profiles: ProfileRegistry, required: ProfilesParts['required'], log: ContextLog): void {
  for (const [type, urls] of required)
    for (const url of urls) {
      const profile = profiles.find(url);
      if (profile === undefined)
        log.error('a required profile is not known: its type cannot be written', { type, url });
      else if (profile.type !== type)
        throw new ConfigError([`REQUIRED_PROFILES: ${url} is a profile of ${profile.type}, not of ${type}`]);
    }
}

/** The files of `profiles/`, with the canonical base of this server. */
export async function readOwnProfiles(profiles: ProfileRegistry, profileBase: string): Promise<void> {
  for (const name of (await readdir(OWN)).filter((one) => one.endsWith('.json')).sort()) {
    const text = (await readFile(new URL(name, OWN), 'utf8')).replaceAll(WRITTEN_BASE, profileBase);
    profiles.put('own', name, parseJson(text) as Readonly<Record<string, unknown>>); // ours, tested to be valid
  }
}

/** What `npm run ig` has unpacked: a folder a package. */
async function readPackages(profiles: ProfileRegistry, packagesDir: string, log: ContextLog): Promise<void> {
  for (const folder of await namesIn(packagesDir)) {
    let refused = 0;
    for (const name of (await namesIn(join(packagesDir, folder))).filter((one) => one.endsWith('.json'))) {
      const resource = parseJson(await readFile(join(packagesDir, folder, name))) as Readonly<Record<string, unknown>>; // checked when it was unpacked
      if (!profiles.put('package', `${folder}/${name}`, resource)) refused++;
    }
    if (refused > 0) log.warn('not everything of a package has room', { package: folder, refused });
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
