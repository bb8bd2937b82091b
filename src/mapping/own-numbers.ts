/**
 * Numbers that Mortar gave: what has no number of its own is told of under its id (`docs/hl7v2.md` "Feeds"), and who
 * quotes that number means that resource.
 */
import type { Identifier } from './transaction-bundle.ts';

/** The assigner's name in messages. */
export const OWN_AUTHORITY = 'MORTAR';
/** `urn:v2:` and the facility, then the name by which the assigner is known. */
export const OWN_NUMBERS = `urn:v2:${OWN_AUTHORITY}:${OWN_AUTHORITY}`;

/** The id of the resource that is meant, where one of the numbers is ours. */
export const ownNumberIn = (identifiers: readonly Identifier[]): string | undefined =>
  identifiers.find(({ system }) => system === OWN_NUMBERS)?.value;
