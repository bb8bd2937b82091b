/** What the parts of one message's mapping share. */

import { formatJson } from '../../standards/fhir/json.ts';
import {
  formatParty,
  type PartyAddress,
  type ScriptHeader,
  type ScriptMessage,
} from '../../standards/script/message.ts';
import {
  createUnlessFound,
  type FhirResource,
  type Identifier,
  nameUrl,
  nameUuid,
  type TransactionEntry,
  updateById,
  updateByIdentifier,
  updateIfFound,
} from '../transaction-bundle.ts';
import { identifierSlices } from './identifiers.ts';
import type { Json, Slices } from './place.ts';

/** Whose numbers a message bears: the order's is of who prescribes, the fill's of the pharmacy, the case's of who pays. */
export interface Owners {
  /** `Qualifier:address` of From. */
  readonly sender: string;
  readonly prescriber: string;
  readonly pharmacy: string;
  /** Payer or REMS administrator. */
  readonly payer: string;
}

const ANSWERING = new Set(['P', 'PY', 'REMS', 'CF']);
const ADMINISTRATORS = new Set(['PY', 'REMS']);

/** By the qualifiers of From and To (reference section 2.3); where they do not tell, the sender's. */
export function ownersOf({ from, to }: ScriptHeader): Owners {
  const sender = from ? formatParty(from) : 'unknown';
  const receiver = to ? formatParty(to) : 'unknown';
  const pick = (isSide: (party: PartyAddress | undefined) => boolean): string =>
    isSide(from) || !isSide(to) ? sender : receiver;
  return {
    sender,
    // Two pharmacies speak of the order of whoever asks: its number is the sender's word.
    prescriber: ANSWERING.has(from?.qualifier ?? '') && !ANSWERING.has(to?.qualifier ?? '') && to ? receiver : sender,
    pharmacy: pick((party) => party?.qualifier === 'P'),
    payer: pick((party) => ADMINISTRATORS.has(party?.qualifier ?? '')),
  };
}

/** What the other side knows better: mentioned by who answers, and left as it is where it is stored. */
const MENTIONED = new Set(['Patient', 'Practitioner', 'PractitionerRole']);

/** Collects the entries of one Bundle; a resource that comes twice is one entry. */
export class MessageBundle {
  readonly owners: Owners;
  readonly messageId: string;
  readonly slices: Slices;
  /** Types of resources that came twice with other data. */
  readonly merged: string[] = [];
  readonly #test: boolean;
  readonly #entries = new Map<string, TransactionEntry>();
  readonly #counts = new Map<string, number>();

  constructor(header: ScriptHeader, messageId: string) {
    this.owners = ownersOf(header);
    this.messageId = messageId;
    this.slices = identifierSlices(this.owners);
    this.#test = header.test;
  }

  get sender(): string {
    return this.owners.sender;
  }

  /** Whose patients and orders the message speaks of. */
  get owner(): string {
    return this.owners.prescriber;
  }

  get entries(): readonly TransactionEntry[] {
    return [...this.#entries.values()];
  }

  /** Found again by its identifier, `removed` elements emptied; returns the reference to it. */
  addByIdentifier(resource: FhirResource, identifier: Required<Identifier>, removed: readonly string[] = []): string {
    const fullUrl = nameUrl(resource.resourceType, identifier.system, identifier.value);
    if (this.owner !== this.sender && MENTIONED.has(resource.resourceType))
      return this.#add(createUnlessFound(fullUrl, this.#marked(resource), [identifier]));
    return this.#add(updateByIdentifier(fullUrl, this.#marked(resource), [identifier], removed));
  }

  /** The reference `addByIdentifier` will give. */
  urlOf(resourceType: string, { system, value }: Required<Identifier>): string {
    return nameUrl(resourceType, system, value);
  }

  /** The same, where `defaults` are said only if it is not stored yet. */
  addMention(resource: FhirResource, identifier: Required<Identifier>, defaults: readonly string[]): string {
    const fullUrl = nameUrl(resource.resourceType, identifier.system, identifier.value);
    return this.#add(updateByIdentifier(fullUrl, this.#marked(resource), [identifier], [], defaults));
  }

  /** Changes what is stored under the identifier, and nothing where nothing is. */
  changeIfFound(resource: FhirResource, identifier: Required<Identifier>): void {
    const fullUrl = nameUrl('change of', resource.resourceType, identifier.system, identifier.value);
    this.#add(updateIfFound(fullUrl, resource, [identifier]));
  }

  /** Under an id made from the words, which say what makes it the same thing; returns the reference to it. */
  addByWords(resource: FhirResource, ...words: readonly string[]): string {
    const id = this.uniqueId(resource.resourceType, ...words);
    return this.#add(updateById(`urn:uuid:${id}`, { ...this.#marked(resource), id }));
  }

  /** A payer comes with each of its coverages and is one entry. */
  addPayer(resource: FhirResource, ...words: readonly string[]): string {
    const id = nameUuid(this.sender, 'payer', ...words);
    return this.#add(updateById(`urn:uuid:${id}`, { ...this.#marked(resource), id }));
  }

  /** The second of the same words gets an id of its own. */
  uniqueId(...words: readonly string[]): string {
    const key = words.join('\u0000');
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    return nameUuid(this.sender, ...words, ...(count > 1 ? [String(count)] : []));
  }

  #add(entry: TransactionEntry): string {
    const first = this.#entries.get(entry.fullUrl);
    if (first === undefined) this.#entries.set(entry.fullUrl, entry);
    else if (formatJson(first) !== formatJson(entry)) this.merged.push(entry.resource.resourceType);
    return entry.fullUrl;
  }

  /** Reference section 13.1: every resource of a test message says so. */
  #marked(resource: FhirResource): FhirResource {
    return this.#test ? { ...resource, meta: { tag: [TEST_TAG] } } : resource;
  }
}

export const TEST_TAG = { system: 'http://terminology.hl7.org/CodeSystem/v3-ActReason', code: 'HTEST' } as const;

/** A resource in the making; its builder gives it all that R4 requires. */
export const resourceOf = (resourceType: string, json: Json): FhirResource => ({ resourceType, ...json });

export const referenceTo = (fullUrl: string): Json => ({ reference: fullUrl });

/** The message's own id; one without gets a name from when it came. */
export const messageIdOf = ({ header }: ScriptMessage, receivedAt: number): string =>
  header.messageId ?? nameUuid('message', String(receivedAt));
