/**
 * Replaces the links of a resource, as a transaction must once ids are known: "all matching links in the bundle,
 * whether they are found in the resource ids, resource references, elements of type uri, url, oid, uuid, and <a href=""
 * & <img src="" in the narrative. Elements of type canonical are not replaced."
 * https://hl7.org/fhir/R4/http.html#trules
 */
import { choiceName, type Definitions } from './definitions.ts';
import { isContainer } from './json-pointer.ts';

/** Where a link was met: `Reference.reference`, an element of type uri, url, oid or uuid, or a narrative. */
export type LinkPlace = 'reference' | 'uri' | 'narrative';
/** Returns what a link becomes; undefined leaves it. */
export type ReplaceLink = (text: string, place: LinkPlace) => string | undefined;

const REFERENCE = 0;
const LINK = 1;
const NARRATIVE = 2;
const COMPLEX = 3;
const RESOURCE = 4;

interface Slot {
  readonly kind: typeof REFERENCE | typeof LINK | typeof NARRATIVE | typeof COMPLEX | typeof RESOURCE;
  readonly type: string;
  slots: Slots | undefined;
}
/** The properties of a type below which a link can be. */
type Slots = ReadonlyMap<string, Slot>;

const LINK_TYPES: ReadonlySet<string> = new Set(['uri', 'url', 'oid', 'uuid']);
const HREF = /(<(?:a|img)\b[^<>]*?\s(?:href|src)\s*=\s*)("[^"<]*"|'[^'<]*')/gi;

/**
 * Returns a function that gives a resource with its links replaced: the very same one when none was. It takes resources
 * that have not been validated, and leaves alone what has another shape than the definitions say.
 */
export function createReferenceRewriter(definitions: Definitions): <R>(resource: R, replace: ReplaceLink) => R {
  const compiled = new Map<string, Slots>();
  const resourceTypes = new Set(definitions.resourceTypes);
  const slotsOf = (type: string): Slots => {
    let slots = compiled.get(type);
    if (slots === undefined) {
      slots = compileSlots(type, definitions);
      compiled.set(type, slots);
    }
    return slots;
  };

  function rewriteResource(value: unknown, replace: ReplaceLink): unknown {
    if (!isContainer(value)) return value;
    const type = value['resourceType'];
    return typeof type === 'string' && resourceTypes.has(type) ? rewriteObject(value, slotsOf(type), replace) : value;
  }

  function rewriteObject(object: Readonly<Record<string, unknown>>, slots: Slots, replace: ReplaceLink): unknown {
    let copy: Record<string, unknown> | undefined;
    for (const key in object) {
      const slot = slots.get(key);
      if (slot === undefined) continue;
      const value = object[key];
      const changed = Array.isArray(value) ? rewriteList(value, slot, replace) : rewriteItem(value, slot, replace);
      if (changed === value) continue;
      copy ??= { ...object };
      copy[key] = changed;
    }
    return copy ?? object;
  }

  function rewriteList(list: readonly unknown[], slot: Slot, replace: ReplaceLink): unknown {
    let copy: unknown[] | undefined;
    for (let i = 0; i < list.length; i++) {
      const changed = rewriteItem(list[i], slot, replace);
      if (changed === list[i]) continue;
      copy ??= [...list];
      copy[i] = changed;
    }
    return copy ?? list;
  }

  function rewriteItem(value: unknown, slot: Slot, replace: ReplaceLink): unknown {
    if (typeof value === 'string') {
      if (slot.kind === REFERENCE) return replace(value, 'reference') ?? value;
      if (slot.kind === LINK) return isAbsolute(value) ? (replace(value, 'uri') ?? value) : value;
      return slot.kind === NARRATIVE ? rewriteNarrative(value, replace) : value;
    }
    if (slot.kind === RESOURCE) return rewriteResource(value, replace);
    if (slot.kind !== COMPLEX || !isContainer(value)) return value;
    slot.slots ??= slotsOf(slot.type);
    return rewriteObject(value, slot.slots, replace);
  }

  // What comes back differs from what went in by the text of links alone.
  return <R>(resource: R, replace: ReplaceLink): R => rewriteResource(resource, replace) as R;
}

function compileSlots(type: string, definitions: Definitions): Slots {
  const slots = new Map<string, Slot>();
  const add = (name: string, kind: Slot['kind'], code: string) =>
    slots.set(name, { kind, type: code, slots: undefined });
  for (const element of definitions.types[type]?.elements ?? [])
    for (const { code } of element.types) {
      const name = element.choice ? choiceName(element.name, code) : element.name;
      if (definitions.primitives[code] === undefined) {
        add(name, definitions.types[code]?.kind === 'resource' ? RESOURCE : COMPLEX, code);
        continue;
      }
      if (type === 'Reference' && name === 'reference') add(name, REFERENCE, code);
      else if (code === 'xhtml') add(name, NARRATIVE, code);
      else if (LINK_TYPES.has(code)) add(name, LINK, code);
      // The extensions of a primitive can hold references.
      add(`_${name}`, COMPLEX, 'Element');
    }
  return slots;
}

/** A fullUrl is absolute, so nothing else in a uri can match one. */
const isAbsolute = (text: string): boolean => text.startsWith('urn:') || text.startsWith('http');

function rewriteNarrative(div: string, replace: ReplaceLink): string {
  if (!div.includes('href') && !div.includes('src')) return div;
  return div.replace(HREF, (whole, before: string, quoted: string) => {
    const changed = replace(quoted.slice(1, -1).replaceAll('&amp;', '&'), 'narrative');
    if (changed === undefined) return whole;
    return `${before}"${changed.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')}"`;
  });
}
