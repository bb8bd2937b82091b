/** A SCRIPT message as a tree with what everyone asks of it. Elements are looked up by local name (reference 24.2). */
import { attributeOf, childOf, elementsOf, ownText, type XmlElement } from '../xml/tree.ts';
import type { VersionFinding } from './version.ts';

/** To or From: the text as sent, and its qualifier (reference section 2.3). */
export interface PartyAddress {
  readonly address: string;
  readonly qualifier?: string;
}

/** The header as far as it could be read. */
export interface ScriptHeader {
  readonly to?: PartyAddress;
  readonly from?: PartyAddress;
  readonly messageId?: string;
  readonly relatesToMessageId?: string;
  readonly sentTime?: string;
  /** The sender says: process, but never dispense or bill. */
  readonly test: boolean;
  readonly rxReferenceNumber?: string;
  readonly prescriberOrderNumber?: string;
}

export interface ScriptMessage {
  readonly version: VersionFinding;
  /** The 2017071 name of the transaction, e.g. `NewRx`. */
  readonly kind: string;
  readonly header: ScriptHeader;
  readonly root: XmlElement;
  readonly transaction: XmlElement;
}

/** The trimmed text of an element; undefined when there is none (reference 24.3; an empty element is an absent one). */
export function textOf(element: XmlElement | undefined): string | undefined {
  if (element === undefined) return undefined;
  return ownText(element).trim() || undefined;
}

/** The element at a path of local names, the first at each step. */
export function findElement(element: XmlElement | undefined, path: string): XmlElement | undefined {
  let at = element;
  for (const name of stepsOf(path)) {
    if (at === undefined) return undefined;
    at = childOf(at, name);
  }
  return at;
}

/** Paths are written in our own tables, so that there are few. */
const STEPS = new Map<string, readonly string[]>();
const STEPS_MAX = 5000;

function stepsOf(path: string): readonly string[] {
  const known = STEPS.get(path);
  if (known) return known;
  const steps = path.split('/');
  if (STEPS.size < STEPS_MAX) STEPS.set(path, steps);
  return steps;
}

export const findText = (element: XmlElement | undefined, path: string): string | undefined =>
  textOf(findElement(element, path));

export const elementsNamed = (element: XmlElement | undefined, name: string): readonly XmlElement[] =>
  element ? elementsOf(element).filter((child) => child.name === name) : [];

/** `Qualifier:address`, the form in which logs and identifiers name a party. */
export const formatParty = ({ address, qualifier }: PartyAddress): string =>
  qualifier === undefined ? address : `${qualifier}:${address}`;

export function headerOf(header: XmlElement | undefined): ScriptHeader {
  const to = partyOf(header, 'To');
  const from = partyOf(header, 'From');
  return {
    ...(to && { to }),
    ...(from && { from }),
    ...textNamed(header, 'messageId', 'MessageID'),
    ...textNamed(header, 'relatesToMessageId', 'RelatesToMessageID'),
    ...textNamed(header, 'sentTime', 'SentTime'),
    ...textNamed(header, 'rxReferenceNumber', 'RxReferenceNumber'),
    ...textNamed(header, 'prescriberOrderNumber', 'PrescriberOrderNumber'),
    test: findText(header, 'TestMessage') === '1',
  };
}

function partyOf(header: XmlElement | undefined, name: string): PartyAddress | undefined {
  const element = findElement(header, name);
  const address = textOf(element);
  if (element === undefined || address === undefined) return undefined;
  const qualifier = attributeOf(element, 'Qualifier');
  return qualifier ? { address, qualifier } : { address };
}

function textNamed<K extends string>(
  header: XmlElement | undefined,
  key: K,
  name: string,
): { readonly [P in K]?: string } {
  const text = findText(header, name);
  // The one key there is, or none: what the return type says.
  return (text === undefined ? {} : { [key]: text }) as { readonly [P in K]?: string };
}
