/**
 * A narrative's `div` on its way out. In JSON it is a text that the narrative rules have passed; in XML it becomes a part
 * of the document, which must be well-formed with it. https://hl7.org/fhir/R4/narrative.html
 */
import { streamXml } from '../../xml/stream.ts';
import { FhirError, issue } from '../outcome.ts';
import { XHTML_NAMESPACE } from './types.ts';

/** The narrative rules set no depth; this is beyond any text for people. */
export const NARRATIVE_DEPTH = 64;
const LIMITS = { bytes: 5 * 1024 * 1024, depth: NARRATIVE_DEPTH, elements: 1_000_000 };

/** Entities of HTML that narratives of other systems have in practice; XML knows five of its own. */
const HTML_ENTITIES = new Map([
  ['nbsp', '\u00A0'],
  ['copy', '©'],
  ['reg', '®'],
  ['deg', '°'],
  ['plusmn', '±'],
  ['micro', 'µ'],
  ['middot', '·'],
  ['times', '×'],
  ['frac12', '½'],
  ['pound', '£'],
  ['euro', '€'],
  ['ndash', '–'],
  ['mdash', '—'],
  ['lsquo', '‘'],
  ['rsquo', '’'],
  ['ldquo', '“'],
  ['rdquo', '”'],
  ['bull', '•'],
  ['hellip', '…'],
  ['le', '≤'],
  ['ge', '≥'],
  ['rarr', '→'],
  ['larr', '←'],
  ['trade', '™'],
]);

/**
 * Returns the `div` as it stands when it is well-formed XML in the namespace of XHTML. Mended are what JSON lets pass: a
 * `div` without the namespace, entities of HTML, a bare ampersand. Throws 406 for what else is not well-formed.
 */
export function writeNarrative(div: string, path: readonly string[]): string {
  const mended = withNamespace(withoutEntities(div));
  const fault = streamXml(mended, LIMITS, {
    open({ uri, prefix }, at) {
      if (uri !== XHTML_NAMESPACE || prefix !== '') at.fault('an element is not in the namespace of XHTML');
    },
    text: () => undefined,
    close: () => undefined,
  });
  if (fault === undefined) return mended;
  throw new FhirError(406, [
    issue(
      'not-supported',
      'The narrative is not well-formed XHTML, so it cannot be sent as XML: ask for application/fhir+json',
      path.join('.'),
    ),
  ]);
}

const withoutEntities = (div: string): string =>
  div.includes('&')
    ? div.replaceAll(
        /&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)(?:([a-z][a-z0-9]{1,7});)?/g,
        (whole, name: string | undefined) =>
          (name === undefined ? undefined : HTML_ENTITIES.get(name)) ?? `&amp;${whole.slice(1)}`,
      )
    : div;

function withNamespace(div: string): string {
  const text = div.trim();
  const end = text.indexOf('>');
  if (/\sxmlns\s*=/.test(text.slice(0, end))) return text;
  return text.replace(/^<div/, `<div xmlns="${XHTML_NAMESPACE}"`);
}
