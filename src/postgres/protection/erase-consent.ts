/**
 * Takes what is gone out of the provisions of a Consent that stays, so that it means to others what it meant before: an
 * empty list would be about everybody, and a name that cannot be read as well. Pure. SECURITY DP-04, FA-06
 */
import { actorOf, dataOf, isOptIn } from '../../policy/consent.ts';
import { isContainer } from '../../standards/fhir/json-pointer.ts';
import type { Gone } from './erase-references.ts';

type Json = Readonly<Record<string, unknown>>;
/** An item as it is to stand; more than one, or none, where it can no longer be said as it was. */
type Items = readonly unknown[];

interface Told {
  readonly gone: Gone;
  /** Patients of the Consent. */
  readonly consent: Json;
}

const isObject = (value: unknown): value is Json => isContainer(value) && !Array.isArray(value);

/** The Consent without them; the very same object when they name nothing that is gone. */
export function eraseProvisions(consent: Json, gone: Gone): Json {
  const { provision, ...rest } = consent;
  if (!isObject(provision)) return consent;
  const kept = keptProvision(provision, { gone, consent }, true);
  if (kept === provision) return consent;
  return kept ? { ...rest, provision: kept } : rest;
}

/** Nothing when it was about them alone, with its exceptions: those hold within it only. */
function keptProvision(provision: Json, told: Told, isRoot: boolean): Json | undefined {
  const below = provision['provision'];
  const isBare = isRoot && provision['type'] === undefined && below === undefined;
  const isDenying = provision['type'] === 'deny' || (isBare && isOptIn(told.consent));
  const made: Record<string, unknown> = { ...provision };
  let isChanged = false;
  const change = (name: string, next: (item: Json) => Items): boolean => {
    const list = provision[name];
    if (!Array.isArray(list)) return true;
    const kept = list.flatMap((item: unknown) => (isObject(item) ? next(item) : [item]));
    if (kept.length === list.length && kept.every((item, i) => item === list[i])) return true;
    isChanged = true;
    made[name] = kept;
    return kept.length > 0;
  };
  if (!change('actor', (item) => keptActor(item, told))) return undefined;
  if (!change('data', (item) => keptData(item, told, isDenying))) return undefined;
  const hasBelow = change('provision', (item) => {
    const kept = keptProvision(item, told, false);
    return kept ? [kept] : [];
  });
  if (!hasBelow) delete made['provision'];
  return isChanged ? made : provision;
}

const isGoneItem = ({ reference }: Json, gone: Gone): boolean =>
  isObject(reference) && typeof reference['reference'] === 'string' && gone.isGone(reference['reference']);

/** One that was not understood narrowed nothing, and stays as one that is not. */
function keptActor(item: Json, { gone }: Told): Items {
  return isGoneItem(item, gone) && actorOf(item, gone) !== undefined ? [] : [item];
}

/**
 * What was denied because it referred to them refers to them no longer: it is named itself. Where that would permit what
 * was not permitted, the item stays as one that is not understood.
 */
function keptData(item: Json, { gone, consent }: Told, isDenying: boolean): Items {
  const data = isGoneItem(item, gone) ? dataOf(item, gone) : undefined;
  if (!data) return [item];
  if (!data.isReferring) return [];
  if (!isDenying) return [item];
  return gone
    .referringTo(data.reference, consent)
    .map((reference) => ({ meaning: 'instance', reference: { reference } }));
}
