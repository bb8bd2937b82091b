/** Takes what points to removed resources out of one that stays. Pure. SECURITY DP-04 */
import { isContainer } from '../../standards/fhir/json-pointer.ts';
import { eraseProvisions } from './erase-consent.ts';

/** What is gone. */
export interface Gone {
  /** Whether a link, as it stands in a resource, leads to something removed. */
  isGone(link: string): boolean;
  /** Whether an identifier is one of a removed patient. */
  isTheirs(system: unknown, value: unknown): boolean;
  /** Whether a resource inside another is theirs. */
  isOwn(resource: Readonly<Record<string, unknown>>): boolean;
  /** `Type/id` of a reference to a resource here. */
  localOf(reference: string): string | undefined;
  /** Resources that stay, of the patients of this Consent, that referred to what is gone: `Type/id`. */
  referringTo(reference: string, consent: Readonly<Record<string, unknown>>): readonly string[];
}

type Json = Readonly<Record<string, unknown>>;

const ERASED = { display: 'erased' };
/** Stands where a link must be and there is none to give. */
const NO_LINK = 'urn:uuid:00000000-0000-0000-0000-000000000000';
const REFERENCE_KEYS: ReadonlySet<string> = new Set(['id', 'extension', 'reference', 'type', 'identifier', 'display']);
const LINKS = /[A-Z][A-Za-z]+\/[A-Za-z0-9.-]{1,64}/g;

/**
 * The resource with `{display: "erased"}` in the place of every reference to what is gone, and without the entries of a
 * Bundle, the contained resources and what the provisions of a Consent say, where these are theirs. A narrative may repeat what a reference said, so it goes where
 * anything does. The very same object when nothing in it is concerned.
 */
export function eraseReferences<R extends Json>(resource: R, gone: Gone): R {
  return eraseObject(resource, gone) as R; // the same resource, with other references
}

function erase(value: unknown, gone: Gone): unknown {
  if (typeof value === 'string') return gone.isGone(value) ? NO_LINK : value;
  if (Array.isArray(value)) return eraseList(value, gone);
  return isContainer(value) ? eraseObject(value, gone) : value;
}

function eraseList(list: readonly unknown[], gone: Gone): readonly unknown[] {
  const kept = list.filter((item) => !isOwnResource(item, gone));
  const changed = kept.map((item) => erase(item, gone));
  return kept.length === list.length && changed.every((item, i) => item === list[i]) ? list : changed;
}

function eraseObject(object: Json, gone: Gone): Json {
  if (isGoneReference(object, gone)) return ERASED;
  const made: Record<string, unknown> = {};
  const given = object['resourceType'] === 'Consent' ? eraseProvisions(object, gone) : object;
  let isChanged = given !== object;
  for (const [key, value] of Object.entries(given)) {
    const next = key === 'div' && typeof value === 'string' ? eraseNarrative(value, gone) : erase(value, gone);
    if (next !== value) isChanged = true;
    if (Array.isArray(next) && next.length === 0 && Array.isArray(value) && value.length > 0) continue;
    made[key] = next;
  }
  if (!isChanged) return object;
  if (typeof object['resourceType'] === 'string') delete made['text'];
  return made;
}

/** An entry of a Bundle with a resource of theirs, or such a resource itself. */
function isOwnResource(item: unknown, gone: Gone): boolean {
  if (!isContainer(item)) return false;
  const resource = isContainer(item['resource']) ? item['resource'] : item;
  return typeof resource['resourceType'] === 'string' && gone.isOwn(resource);
}

function isGoneReference(object: Json, gone: Gone): boolean {
  const { reference, identifier } = object;
  if (typeof reference === 'string' && gone.isGone(reference)) return true;
  return (
    isContainer(identifier) &&
    gone.isTheirs(identifier['system'], identifier['value']) &&
    Object.keys(object).every((key) => REFERENCE_KEYS.has(key))
  );
}

/** Empty when it links to what is gone: another text than before, and the whole narrative goes. */
const eraseNarrative = (div: string, gone: Gone): string =>
  Array.from(div.matchAll(LINKS)).some(([link]) => gone.isGone(link)) ? '' : div;
