/** What a resource says it keeps to, and extensions that are defined here. https://hl7.org/fhir/R4/resource-definitions.html#Meta.profile */
import { checkProfile } from './profile-check.ts';
import type { JsonObject, Run } from './run.ts';

/** Profiles that one resource may claim. */
const CLAIMS_MAX = 20;

/** Checks a resource whose structure is right by every profile in `meta.profile` that is known here. */
export function checkClaims(type: string, resource: JsonObject, run: Run): void {
  const meta = resource['meta'] as JsonObject | undefined; // its structure was checked
  const claimed = meta?.['profile'];
  if (!Array.isArray(claimed)) return;
  for (const url of (claimed as readonly unknown[]).slice(0, CLAIMS_MAX))
    if (typeof url === 'string') checkByProfile(url, type, resource, run);
}

/** Checks the resource the run stands at by one profile; one that is not known is a warning. */
export function checkByProfile(url: string, type: string, resource: JsonObject, run: Run): void {
  const { profiling } = run;
  const profile = profiling?.source.find(url);
  if (profiling === undefined || profile === undefined) {
    const at = claimIndex(resource, url);
    if (at >= 0) {
      run.enter('meta');
      run.enter('profile');
      run.at(at);
    }
    run.warn('not-found', 'names a profile that is not known here: the resource was not checked by it');
    if (at >= 0) {
      run.leave();
      run.leave();
    }
    return;
  }
  if (profile.type !== type) {
    run.add('value', `claims a profile of ${profile.type}: ${profile.url}`);
    return;
  }
  checkProfile(profile, { type, value: resource }, { ...profiling, run, depth: 0 });
}

/** Checks the resource by what this server asks of its type: what it claims was checked, and what is not known here refuses. */
export function checkByRequired(url: string, type: string, resource: JsonObject, run: Run): void {
  if (claimIndex(resource, url) >= 0 && run.profiling?.source.find(url) !== undefined) return;
  if (run.profiling?.source.find(url) === undefined)
    run.add(
      'not-supported',
      `must keep to ${url}, which this server asks for and does not know: its operator can add it`,
    );
  else checkByProfile(url, type, resource, run);
}

function claimIndex(resource: JsonObject, url: string): number {
  const claimed = (resource['meta'] as JsonObject | undefined)?.['profile'];
  return Array.isArray(claimed) ? claimed.indexOf(url) : -1;
}

/** An extension whose definition is known keeps to it. */
export function checkExtension(extension: JsonObject, run: Run): void {
  const url = extension['url'];
  const { profiling } = run;
  // The parts of a complex extension have names, which are no addresses.
  if (profiling === undefined || typeof url !== 'string' || !url.includes(':')) return;
  const profile = profiling.source.find(url);
  if (profile?.type === 'Extension')
    checkProfile(profile, { type: 'Extension', value: extension }, { ...profiling, run, depth: 0 });
}
