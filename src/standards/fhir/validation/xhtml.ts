/**
 * What a Narrative's `div` may hold. https://hl7.org/fhir/R4/narrative.html#xhtml
 * One pass over the tags: they must be balanced, and nothing in them may act (scripts, forms, frames, events).
 */

const FORBIDDEN = new Set(
  'applet base body button embed form frame frameset head html iframe input link meta object script select svg textarea'.split(
    ' ',
  ),
);
const NAME = /[A-Za-z][A-Za-z0-9:-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_:][A-Za-z0-9_:.-]*)\s*=\s*("[^"<]*"|'[^'<]*')/y;
const TAG_END = /\s*(\/?)>/y;
const SCRIPT_URL = /^\s*(javascript|vbscript|data:text)/i;

const FORM = 'must be XHTML in one <div>: start with <div xmlns="http://www.w3.org/1999/xhtml">, end with </div>';
const UNBALANCED = 'must be well-formed XHTML: each tag closed in order, attributes in quotes, < written as &lt;';
const ACTIVE = 'must not hold scripts, forms, frames, objects or event attributes';
const BLANK = 'must have some text or an image; leave the narrative out instead (txt-2)';
const DECLARATION = 'must not hold a DOCTYPE, processing instructions or CDATA';

/** Returns what is wrong with a narrative, or undefined. */
export function xhtmlFault(text: string): string | undefined {
  if (!/^\s*<div[\s>]/.test(text)) return FORM;
  const open: string[] = [];
  let blank = true;
  let textFrom = 0;
  for (let at = text.indexOf('<'); at >= 0; at = text.indexOf('<', at)) {
    if (text.startsWith('<!--', at)) {
      const end = text.indexOf('-->', at + 4);
      if (end < 0) return UNBALANCED;
      blank &&= text.slice(textFrom, at).trim() === '';
      at = end + 3;
      textFrom = at;
      continue;
    }
    blank &&= text.slice(textFrom, at).trim() === '';
    const next = text.charCodeAt(at + 1);
    if (next === 0x21 || next === 0x3f) return DECLARATION;
    const closing = next === 0x2f;
    NAME.lastIndex = closing ? at + 2 : at + 1;
    const name = NAME.exec(text)?.[0];
    if (name === undefined) return UNBALANCED;
    if (FORBIDDEN.has(name.toLowerCase())) return ACTIVE;
    if (name === 'img') blank = false;
    at = NAME.lastIndex;
    if (!closing) {
      for (;;) {
        ATTRIBUTE.lastIndex = at;
        const attribute = ATTRIBUTE.exec(text);
        if (attribute === null) break;
        if (/^on/i.test(attribute[1]!) || SCRIPT_URL.test(attribute[2]!.slice(1))) return ACTIVE;
        at = ATTRIBUTE.lastIndex;
      }
    }
    TAG_END.lastIndex = at;
    const end = TAG_END.exec(text);
    if (end === null || (closing && end[1] !== '')) return UNBALANCED;
    at = TAG_END.lastIndex;
    textFrom = at;
    if (closing) {
      if (open.pop() !== name) return UNBALANCED;
      // The outermost element ends the narrative.
      if (open.length === 0) return text.slice(at).trim() !== '' ? FORM : blank ? BLANK : undefined;
    } else if (end[1] === '') open.push(name);
  }
  return UNBALANCED;
}
