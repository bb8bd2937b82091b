/**
 * What a message asks to be stored, as a FHIR transaction Bundle that any server could take.
 * https://hl7.org/fhir/R4/http.html#transaction
 *
 * How Mortar's gateways apply it (`src/workflow/apply-message.ts`): a conditional update (`PUT Patient?identifier=…`)
 * finds the resource by any of the identifiers named; when it is there, elements of the message replace those of the
 * resource, identifiers are added, elements the message says nothing about stay, and elements in the entry's
 * `removed-elements` extension go, those in its `default-elements` extension are left as they are. A conditional create (`POST` with `ifNoneExist`) leaves what is there as it is.
 */
import { hash } from 'node:crypto';
import { extensionUrl } from '../standards/fhir/canonical.ts';
import { ownNumberIn } from './own-numbers.ts';

export type FhirResource = Readonly<Record<string, unknown>> & { readonly resourceType: string };

export interface Identifier {
  readonly system?: string;
  readonly value: string;
}

export interface TransactionEntry {
  readonly fullUrl: string;
  readonly resource: FhirResource;
  readonly request: { readonly method: 'PUT' | 'POST'; readonly url: string; readonly ifNoneExist?: string };
  readonly extension?: readonly { readonly url: string; readonly valueString: string }[];
}

export interface TransactionBundle extends FhirResource {
  readonly resourceType: 'Bundle';
  readonly type: 'transaction';
  readonly entry: readonly TransactionEntry[];
}

/** Names of elements a message says are to be emptied (`""` in HL7 v2), one extension each, on the Bundle entry. */
export const REMOVED_ELEMENTS = extensionUrl('removed-elements');

/** Names of elements that are said only for a resource that is made: what is stored already keeps its own. */
export const DEFAULT_ELEMENTS = extensionUrl('default-elements');

/** On the entry of a record that gives way to another: the `fullUrl` of the one that stays. */
export const MERGED_INTO = extensionUrl('merged-into');

/** On the entries of two records that are of two people after all: the `fullUrl` of the other. */
export const PARTED_FROM = extensionUrl('parted-from');

/** On the entry of numbers that are another's from now on: the `fullUrl` of the record that has them then. */
export const NUMBERS_MOVE_TO = extensionUrl('numbers-move-to');

/** On the entry of a thing that is given to another patient than the one it had: the element that says whose it is. */
export const MOVES_PATIENT = extensionUrl('moves-patient');

/** On an entry that changes what is stored and is passed over where nothing is: an answer to an order nobody knows. */
export const ONLY_IF_FOUND = extensionUrl('only-if-found');

/**
 * Stores under one of `identifiers`: found and merged, or made. `removed`: top-level elements to empty; `defaults`:
 * those said only for a resource that is made; `marks`: other extensions of the entry.
 */
export function updateByIdentifier(
  fullUrl: string,
  resource: FhirResource,
  identifiers: readonly Identifier[],
  removed: readonly string[] = [],
  defaults: readonly string[] = [],
  marks: NonNullable<TransactionEntry['extension']> = [],
): TransactionEntry {
  const request = { method: 'PUT', url: `${resource.resourceType}?${identifierQuery(identifiers)}` } as const;
  if (removed.length === 0 && defaults.length === 0 && marks.length === 0) return { fullUrl, resource, request };
  const extension = [
    ...removed.map((name) => ({ url: REMOVED_ELEMENTS, valueString: name })),
    ...defaults.map((name) => ({ url: DEFAULT_ELEMENTS, valueString: name })),
    ...marks,
  ];
  return { extension, fullUrl, resource, request };
}

/** Merges into what is stored under one of `identifiers`; nothing happens where there is none. */
export const updateIfFound = (
  fullUrl: string,
  resource: FhirResource,
  identifiers: readonly Identifier[],
): TransactionEntry => ({
  extension: [{ url: ONLY_IF_FOUND, valueString: 'true' }],
  fullUrl,
  resource,
  request: { method: 'PUT', url: `${resource.resourceType}?${identifierQuery(identifiers)}` },
});

/** Stores unless one of `identifiers` is there already, whose resource is left as it is. */
export function createUnlessFound(
  fullUrl: string,
  resource: FhirResource,
  identifiers: readonly Identifier[],
): TransactionEntry {
  const { resourceType } = resource;
  return {
    fullUrl,
    resource,
    request: { method: 'POST', url: resourceType, ifNoneExist: identifierQuery(identifiers) },
  };
}

/** Stores under an id made from the message, so that the same message again changes nothing. */
export function updateById(fullUrl: string, resource: FhirResource & { readonly id: string }): TransactionEntry {
  return { fullUrl, resource, request: { method: 'PUT', url: `${resource.resourceType}/${resource.id}` } };
}

export const transactionBundle = (entry: readonly TransactionEntry[]): TransactionBundle => ({
  resourceType: 'Bundle',
  type: 'transaction',
  entry,
});

/** `identifier=system|value,system|value`, escaped as a search value and as a URL; `_id=1` where a number is ours. */
function identifierQuery(identifiers: readonly Identifier[]): string {
  const [only] = identifiers;
  if (only === undefined) throw new Error('a conditional entry needs an identifier');
  const own = ownNumberIn(identifiers);
  if (own !== undefined) return `_id=${encodeURIComponent(escapeValue(own))}`;
  if (identifiers.length === 1) return rememberedQuery(`${escapeValue(only.system ?? '')}|${escapeValue(only.value)}`);
  return rememberedQuery(
    identifiers.map(({ system = '', value }) => `${escapeValue(system)}|${escapeValue(value)}`).join(','),
  );
}

const REMEMBERED_MAX = 10_000;
const REMEMBERED_LENGTH_MAX = 300;

/** Messages of one hospital name the same places, people and codes again and again. */
function remembered(make: (text: string) => string): (text: string) => string {
  const known = new Map<string, string>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const made = make(text);
    if (text.length > REMEMBERED_LENGTH_MAX) return made;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(text, made);
    return made;
  };
}

const KEPT = new Map([
  ['%3A', ':'],
  ['%2F', '/'],
  ['%7C', '|'],
  ['%2C', ','],
]);
const rememberedQuery = remembered(
  (values) =>
    `identifier=${encodeURIComponent(values).replaceAll(/%3A|%2F|%7C|%2C/g, (code) => KEPT.get(code) ?? code)}`,
);

/** https://hl7.org/fhir/R4/search.html#escaping */
const escapeValue = (text: string): string =>
  /[\\$,|]/.test(text) ? text.replaceAll(/[\\$,|]/g, (c) => `\\${c}`) : text;

/** A UUID that is the same for the same words, in any process and at any time (RFC 9562 section 5.5, version 5). */
export const nameUuid = (...words: readonly string[]): string => uuidOf(words.join('\u0000'));

const uuidOf = remembered((name) => {
  const hex = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(name)]), 'hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
});

/** Mortar's own namespace: any UUID, never changed. */
const NAMESPACE = Buffer.from('6f1d0c4e9a3b4d0f8a57c2b1e6d49a10', 'hex');

/** `urn:uuid:` of `nameUuid`. */
export const nameUrl = (...words: readonly string[]): string => `urn:uuid:${nameUuid(...words)}`;
