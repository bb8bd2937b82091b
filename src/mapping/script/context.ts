/** What the parts of one message's mapping share. */

import { formatJson } from '../../standards/fhir/json.ts';
import {
  type FhirResource,
  type Identifier,
  nameUrl,
  nameUuid,
  type TransactionEntry,
  updateById,
  updateByIdentifier,
} from '../transaction-bundle.ts';
import { identifierSlices } from './identifiers.ts';
import type { Json, Slices } from './place.ts';

/** Collects the entries of one Bundle; a resource that comes twice is one entry. */
export class MessageBundle {
  /** `Qualifier:address` of From. */
  readonly sender: string;
  readonly messageId: string;
  readonly slices: Slices;
  /** Types of resources that came twice with other data. */
  readonly merged: string[] = [];
  readonly #test: boolean;
  readonly #entries = new Map<string, TransactionEntry>();
  readonly #counts = new Map<string, number>();

  constructor(sender: string, messageId: string, test: boolean) {
    this.sender = sender;
    this.messageId = messageId;
    this.slices = identifierSlices(sender);
    this.#test = test;
  }

  get entries(): readonly TransactionEntry[] {
    return [...this.#entries.values()];
  }

  /** Found again by its identifier, `removed` elements emptied; returns the reference to it. */
  addByIdentifier(resource: FhirResource, identifier: Required<Identifier>, removed: readonly string[] = []): string {
    const fullUrl = nameUrl(resource.resourceType, identifier.system, identifier.value);
    return this.#add(updateByIdentifier(fullUrl, this.#marked(resource), [identifier], removed));
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
