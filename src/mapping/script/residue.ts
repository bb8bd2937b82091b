/**
 * What of a message has no place in FHIR: kept as XML with the path it stood at, in one extension of the order, so that
 * nothing a partner sent is lost and the way back can put it where it was (reference section 13.4).
 */

import { canonicalText } from '../../standards/script/write.ts';
import { readXml } from '../../standards/xml/read.ts';
import { elementsOf, type XmlElement } from '../../standards/xml/tree.ts';
import { type Json, objectsAt, setAt, textAt } from './place.ts';
import type { Source } from './source.ts';
import { numberOf, type Target } from './target.ts';

/**
 * The envelope of one sending: Provenance says it, and a new sending has its own. Credentials are of no use to anyone
 * else (reference section 2.2: never log).
 */
const OF_THE_SENDING = new Set([
  'To',
  'From',
  'MessageID',
  'RelatesToMessageID',
  'SentTime',
  'Security',
  'SenderSoftware',
]);

const PLACE = 'ext:script-residue.extension';

export interface Fragment {
  readonly path: string;
  readonly xml: string;
}

export interface Residue {
  readonly fragments: readonly Fragment[];
  /** Paths of what is never kept: SocialSecurity (reference section 3.1). */
  readonly dropped: readonly string[];
}

export function collectResidue(header: Source | undefined, transaction: Source): Residue {
  // A tag says so.
  if (header?.peek('TestMessage') === '1') header.take('TestMessage');
  const rest = [
    ...(header?.restOfChildren('Message/Header', OF_THE_SENDING) ?? []),
    ...transaction.restOfChildren(`Message/Body/${transaction.element.name}`),
  ];
  const dropped: string[] = [];
  const fragments = rest.flatMap(({ path, element }): Fragment[] => {
    const kept = withoutNeverKept(element, path, dropped);
    return kept === undefined ? [] : [{ path, xml: canonicalText(kept) }];
  });
  return { fragments, dropped };
}

const NEVER_KEPT = 'SocialSecurity';

/** The element without what is never kept; undefined where nothing else is in it. */
function withoutNeverKept(element: XmlElement, path: string, dropped: string[]): XmlElement | undefined {
  if (element.name === NEVER_KEPT) {
    dropped.push(path);
    return undefined;
  }
  const before = elementsOf(element);
  if (before.length === 0) return element;
  const children = before.flatMap((child) => withoutNeverKept(child, `${path}/${child.name}`, dropped) ?? []);
  return children.length === 0 ? undefined : { ...element, children };
}

export function writeResidue(fragments: readonly Fragment[], order: Json): void {
  if (fragments.length === 0) return;
  const nested = fragments.map(({ path, xml }) => ({
    url: 'fragment',
    extension: [
      { url: 'path', valueString: path },
      { url: 'xml', valueString: xml },
    ],
  }));
  setAt(order, PLACE, nested);
}

/** Puts every fragment back but those whose path `leaves` says to; returns how many could not be. */
export function restoreResidue(order: Json, message: Target, leaves: (path: string) => boolean): number {
  let left = 0;
  for (const fragment of objectsAt(order, PLACE)) {
    const [path, xml] = ['path', 'xml'].map((name) => textAt(fragment, `sub:${name}.valueString`) ?? '');
    if (leaves(path ?? '')) continue;
    const element = readXml(xml ?? '').value;
    const steps = (path ?? '').split('/').slice(1);
    const last = steps.pop();
    const parent = findParent(message, steps);
    if (element && parent && last !== undefined) parent.insert(element, numberOf(last));
    else left += 1;
  }
  return left;
}

/** The element at a path of names, made on the way. */
function findParent(message: Target, steps: readonly string[]): Target | undefined {
  return steps.every((step) => /^[A-Za-z_][\w.-]*(?:\[\d{1,4}\])?$/.test(step)) ? message.at(steps) : undefined;
}
