/**
 * Gives a prescription back what V3 has no place for, from the order as it was sent: categories, structured dosages, the
 * schedule of a controlled drug, the numbers of the prescriber as they were written. Only where V3 says the same of both.
 */
import { canonicalise } from '../../../standards/xml/canonicalise.ts';
import type { FhirResource } from '../../transaction-bundle.ts';
import { NO_INFORMATION } from '../additional-instructions.ts';
import { author, requesterOf, responsibleParty } from '../agent-person.ts';
import { findExtension, findIdentifier } from '../choose.ts';
import { EpsFault } from '../fault.ts';
import { lineItem } from '../line-item.ts';
import { type MessageBundle, readMessageBundle, resolve, resourcesOf } from '../message-bundle.ts';
import { has, isNode, listAt, type Node, nodeAt } from '../node.ts';
import { normaliseSystems } from '../normalise-systems.ts';
import { parentPrescription } from '../parent-prescription.ts';
import { prescriptionId } from '../prescription.ts';
import { EXTENSION, ID_SYSTEM } from '../systems.ts';

/**
 * The bundle of `prescriptionBundle`, restored; as it is when the order is another, or cannot be read. What is returned
 * translates to the same V3 as what was given.
 */
export function restoreFromOrder(bundle: FhirResource, order: unknown): FhirResource {
  try {
    const sent = normaliseSystems(order);
    if (!isNode(sent)) return bundle;
    return restored(bundle, readMessageBundle(bundle), readMessageBundle(sent)) ?? bundle;
  } catch (error) {
    if (error instanceof EpsFault) return bundle;
    throw error;
  }
}

type Changes = ReadonlyMap<Node, Node>;

function restored(bundle: FhirResource, released: MessageBundle, sent: MessageBundle): FhirResource | undefined {
  const [request] = resourcesOf(released, 'MedicationRequest');
  const [ordered] = resourcesOf(sent, 'MedicationRequest');
  if (request === undefined || ordered === undefined) return undefined;
  if (prescriptionId(request).toLowerCase() !== prescriptionId(ordered).toLowerCase()) return undefined;
  const items = new Map(
    resourcesOf(released, 'MedicationRequest').flatMap((one) => {
      const match = resourcesOf(sent, 'MedicationRequest').find((other) => itemIdOf(other) === itemIdOf(one));
      return match !== undefined && saysTheSame(one, released, match, sent) ? [[one, withMembersOf(one, match)]] : [];
    }),
  );
  const people = unlessFault(() => prescriber(released, request, sent, ordered), new Map());
  const before = v3Of(bundle);
  for (const changes of [new Map([...items, ...people]), items, people]) {
    const candidate = changed(bundle, changes);
    if (changes.size > 0 && v3Of(candidate) === before) return candidate;
  }
  return undefined;
}

/** What is known of the people may be too little to say the same of them: the items are restored all the same. */
function unlessFault<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof EpsFault) return otherwise;
    throw error;
  }
}

/** Without a signature the time is the same for both. */
const v3Of = (bundle: Node): string => canonicalise(parentPrescription(readMessageBundle(bundle), 0).message);

const itemIdOf = (request: Node): string | undefined =>
  findIdentifier(
    listAt(request, 'identifier', 'MedicationRequest'),
    ID_SYSTEM.orderItem,
    'MedicationRequest.identifier',
  )?.toLowerCase();

/** What is told to the patient stands with the first item, and is no part of it. */
const saysTheSame = (one: Node, released: MessageBundle, other: Node, sent: MessageBundle): boolean =>
  canonicalise(lineItem(released, one, undefined, NO_INFORMATION)) ===
  canonicalise(lineItem(sent, other, undefined, NO_INFORMATION));

/** Members that refer to no other resource, and are the prescriber's to say. */
const MEMBERS = ['category', 'authoredOn', 'dosageInstruction', 'note', 'substitution', 'medicationCodeableConcept'];

function withMembersOf(request: Node, ordered: Node): Node {
  const taken = MEMBERS.filter((name) => has(ordered, name)).map((name) => [name, ordered[name]]);
  return { ...request, ...Object.fromEntries(taken), ...controlledDrugOf(request, ordered) };
}

/** V3 has the words of the quantity alone. */
function controlledDrugOf(request: Node, ordered: Node): Node {
  const path = 'MedicationRequest.extension';
  const sent = findExtension(ordered, EXTENSION.controlledDrug, path);
  if (sent === undefined) return {};
  const others = (listAt(request, 'extension', 'MedicationRequest') ?? []).filter(
    ({ url }) => url !== EXTENSION.controlledDrug,
  );
  return { extension: [...others, sent] };
}

/** The person who signed, as the order names them. */
function prescriber(released: MessageBundle, request: Node, sent: MessageBundle, ordered: Node): Changes {
  const same =
    canonicalise(author(released, request)) === canonicalise(author(sent, ordered)) &&
    canonicalise(responsibleParty(released, request)) === canonicalise(responsibleParty(sent, ordered));
  const [mine, theirs] = [practitionerOf(released, request), practitionerOf(sent, ordered)];
  if (!same || mine === undefined || theirs === undefined || !has(theirs, 'identifier')) return new Map();
  return new Map([
    [mine, { ...mine, identifier: theirs['identifier'], ...(has(theirs, 'name') && { name: theirs['name'] }) }],
  ]);
}

function practitionerOf(bundle: MessageBundle, request: Node): Node | undefined {
  const reference = nodeAt(requesterOf(bundle, request), 'practitioner', 'PractitionerRole');
  return has(reference, 'reference') ? resolve(bundle, reference, 'PractitionerRole.practitioner') : undefined;
}

function changed(bundle: FhirResource, changes: Changes): FhirResource {
  const entries = listAt(bundle, 'entry', 'Bundle') ?? [];
  return {
    ...bundle,
    entry: entries.map((entry) => {
      const replaced = isNode(entry['resource']) ? changes.get(entry['resource']) : undefined;
      return replaced === undefined ? entry : { ...entry, resource: replaced };
    }),
  };
}
