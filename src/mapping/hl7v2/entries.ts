/** The entries of the bundle in the making: one for each real thing, however often the message names it. */
import {
  createUnlessFound,
  type FhirResource,
  type Identifier,
  nameUrl,
  type TransactionEntry,
  updateByIdentifier,
} from '../transaction-bundle.ts';
import { compact, type Json } from './compact.ts';

/** More identifiers than these say nothing more about who it is. */
const IDENTIFIERS_MAX = 20;

export interface StoreOptions {
  readonly removed?: readonly string[];
  /** Elements that count only when the resource is made. */
  readonly defaults?: readonly string[];
  /** Other extensions of the entry. */
  readonly marks?: readonly { readonly url: string; readonly valueString: string }[];
}

/** `urn:uuid:` of a thing by one identifier: the same in every message. */
export const urlOf = (resourceType: string, { system = '', value }: Identifier): string =>
  nameUrl('hl7v2', resourceType, system, value);

const bounded = (identifiers: readonly Identifier[]): readonly Identifier[] =>
  identifiers.length > IDENTIFIERS_MAX ? identifiers.slice(0, IDENTIFIERS_MAX) : identifiers;

/** A class, as a message makes one: an object literal with a getter makes a hidden class each time, which lives long and keeps the entries. */
export class Entries {
  readonly #entries = new Map<string, TransactionEntry>();

  /** The order in which things were first named. */
  get list(): readonly TransactionEntry[] {
    return [...this.#entries.values()];
  }

  /** A thing the message only mentions: stored unless it is there. */
  mention(resource: Record<string, unknown> & { resourceType: string }, identifiers: readonly Identifier[]): Json {
    const [key] = identifiers;
    if (key === undefined) throw new Error('a resource that is mentioned needs an identifier');
    const fullUrl = urlOf(resource.resourceType, key);
    if (!this.#entries.has(fullUrl))
      this.#entries.set(fullUrl, createUnlessFound(fullUrl, resource, bounded(identifiers)));
    return { reference: fullUrl };
  }

  /** Whether the message is about this already. */
  has(resourceType: string, key: Identifier): boolean {
    return this.#entries.has(urlOf(resourceType, key));
  }

  /** A thing the message is about: found and merged, or made. */
  store(
    resource: FhirResource,
    identifiers: readonly Identifier[],
    { removed = [], defaults = [], marks: own = [] }: StoreOptions = {},
  ): string {
    const [key] = identifiers;
    if (key === undefined) throw new Error('a resource that is stored needs an identifier');
    const fullUrl = urlOf(resource.resourceType, key);
    const found = bounded(identifiers);
    this.#entries.set(fullUrl, updateByIdentifier(fullUrl, resource, found, removed, defaults, own));
    return fullUrl;
  }
}

/** The identifiers among FHIR ones by which a resource may be found: those with a system. */
export const keysOf = (identifiers: readonly unknown[]): readonly Identifier[] =>
  identifiers.flatMap((item) => {
    const { system, value } = item as Partial<Identifier>; // made by this mapper
    return system === undefined || value === undefined ? [] : [{ system, value }];
  });

/** An identifier that stands for what makes a thing the same where HL7 v2 has no number for it. */
export const derivedIdentifier = (...words: readonly string[]): Identifier => ({
  system: 'urn:ietf:rfc:3986',
  value: nameUrl('hl7v2', ...words),
});

/** A reference with the text a person reads. */
export const withDisplay = (reference: Json, display: string | undefined): Json =>
  compact({ ...reference, display }) as Json; // a reference holds something
