/** NK1 as RelatedPerson, or as Patient.contact for an organisation. Source: segment maps NK1[RelatedPerson], NK1[Patient]. */

import type { FhirResource } from '../transaction-bundle.ts';
import { CONTACT_ROLE, LANGUAGE, RELATIONSHIP, SEX } from './code-tables.ts';
import { compact, type Json } from './compact.ts';
import { localSystem, type SegmentCursor } from './cursor.ts';
import { address, codeOf, concept, date, humanName, period, telecom } from './data-types.ts';
import { derivedIdentifier, keysOf } from './entries.ts';
import { cx } from './identifiers.ts';
import type { MappedPatient } from './patient.ts';
import { applyMap, compileMap, Draft } from './segment-map.ts';
import type { Translation } from './translation.ts';

const spoken = (language: Json | undefined): Json | undefined => language && { language };

const NK1 = compileMap([
  [2, 'name[]', humanName],
  [30, 'name[]', humanName],
  [3, 'relationship[]', concept(RELATIONSHIP)],
  [7, 'relationship[]', concept(CONTACT_ROLE)],
  [4, 'address[]', address],
  [32, 'address[]', address],
  [5, 'telecom[]', telecom('home')],
  [6, 'telecom[]', telecom('work')],
  [31, 'telecom[]', telecom()],
  [40, 'telecom[]', telecom()],
  [41, 'telecom[]', telecom()],
  [15, 'gender', codeOf(SEX)],
  [16, 'birthDate', date],
  [20, 'communication[]', (cursor) => spoken(concept(LANGUAGE)(cursor))],
]);

/** Employers, agencies and insurers: contacts that are no persons. */
const ORGANISATIONS = new Set(['EMR', 'E', 'F', 'I', 'S']);

export const isOrganisationContact = (nk1: SegmentCursor): boolean =>
  ORGANISATIONS.has(nk1.field(3).value) || ORGANISATIONS.has(nk1.field(7).value);

/** A contact of the patient's record that is an organisation. */
export function mapContact(nk1: SegmentCursor): Json | undefined {
  const draft = new Draft({});
  applyMap(NK1, nk1, draft);
  const { name, address: addresses, relationship, telecom: numbers } = draft.content;
  const first = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);
  const named = nk1.at(13).at(1).value;
  const contact = compact({
    relationship,
    name: first(name),
    telecom: numbers,
    address: first(addresses),
    organization: named === undefined ? undefined : { display: named },
    period: period(nk1.at(8), nk1.at(9)),
  });
  // Who it is has to be said (pat-1).
  return contact && ['name', 'telecom', 'address', 'organization'].some((part) => part in contact)
    ? contact
    : undefined;
}

/**
 * Found again by NK1-33, else by patient, relationship and name: NK1-1 is a position, and no key. Without a name there
 * is nothing to keep.
 */
export function mapRelatedPerson(nk1: SegmentCursor, patient: MappedPatient, to: Translation): void {
  const draft = new Draft({ resourceType: 'RelatedPerson' });
  const fallback = localSystem(to.reading, 'related');
  const numbers = [...nk1.all(33), ...nk1.all(12), ...nk1.all(37)].flatMap((c) => cx(c, { fallback }) ?? []);
  const name = nk1.at(2);
  if (!name.isValued && numbers.length === 0) return;
  const words = [nk1.field(3).value, name.at(1).text, name.at(2).text].map((word) => word.toUpperCase());
  const keys = keysOf(numbers.slice(0, 1));
  const derived = derivedIdentifier('RelatedPerson', patient.key.system ?? '', patient.key.value, ...words);
  draft.append('identifier', keys.length > 0 ? numbers : [derived, ...numbers]);
  draft.set('active', true);
  draft.set('patient', patient.reference);
  applyMap(NK1, nk1, draft);
  draft.set('period', period(nk1.at(8), nk1.at(9)));
  const content = draft.content as FhirResource; // made with its resourceType
  to.entries.store(content, keys.length > 0 ? keys : [derived], { removed: draft.removed });
}
