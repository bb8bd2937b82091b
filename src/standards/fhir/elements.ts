/** Parts of a resource: `_summary` and `_elements`. https://hl7.org/fhir/R4/search.html#summary, #elements */
import { choiceName, type Definitions, type ElementDefinition, type TypeDefinition } from './definitions.ts';
import { isContainer } from './json-pointer.ts';

export interface SubsetOptions {
  /** `count` and `false` say nothing about a single resource. */
  readonly summary?: 'true' | 'text' | 'data' | 'count' | 'false';
  /** `name`, `Patient.name`, or a path below: `name.family`. Comes before `summary`. */
  readonly elements?: readonly string[];
}

type JsonObject = Readonly<Record<string, unknown>>;

/** One element of a type, under each of its JSON names and their `_` companions. */
interface Part {
  readonly element: ElementDefinition;
  /** Name by which `_elements` may select it, besides the element's own. */
  readonly jsonName: string;
  /** Type of what is below; undefined for primitives, extensions and narratives, which are kept whole. */
  readonly below: string | undefined;
  /** Told by `resourceType`. */
  readonly resource: boolean;
}
type Parts = ReadonlyMap<string, Part>;

/** What `_elements` asks for: names, and what is asked for below each; an empty tree is everything below. */
interface Tree {
  readonly [name: string]: Tree;
}

const ALWAYS: ReadonlySet<string> = new Set(['resourceType', 'id', 'meta']);
/** https://hl7.org/fhir/R4/resource.html#simple-tags */
const SUBSETTED = {
  system: 'http://terminology.hl7.org/CodeSystem/v3-ObservationValue',
  code: 'SUBSETTED',
};

/**
 * Returns a function that gives the part of a resource a client asked for, tagged SUBSETTED so that it is not taken for
 * the whole; the resource itself when the whole is wanted. Mandatory elements are kept, and so are modifier elements:
 * without them the rest could be read wrongly.
 */
export function createSubsetter(
  definitions: Definitions,
): <R extends object>(resource: R, options: SubsetOptions) => R {
  const compiled = new Map<string, Parts>();
  const partsOf = (type: string): Parts => {
    let parts = compiled.get(type);
    if (parts === undefined) {
      parts = compileParts(definitions.types[type], definitions);
      compiled.set(type, parts);
    }
    return parts;
  };

  const keep = (object: JsonObject, parts: Parts, top: boolean, wants: (part: Part) => unknown): JsonObject => {
    const kept: Record<string, unknown> = {};
    for (const key in object) {
      if (top && ALWAYS.has(key)) {
        kept[key] = object[key];
        continue;
      }
      const part = parts.get(key);
      if (part === undefined) continue;
      const what = wants(part);
      if (what !== undefined) kept[key] = mapEach(object[key], (item) => inside(item, part, what));
    }
    return kept;
  };

  /** What is kept of one value: all of it, its summary, or a tree of what is asked for. */
  const inside = (item: unknown, part: Part, what: unknown): unknown => {
    if (what === WHOLE || !isContainer(item) || Array.isArray(item)) return item;
    const type = part.resource ? item['resourceType'] : part.below;
    if (typeof type !== 'string' || definitions.types[type] === undefined) return item;
    const kept = keep(item, partsOf(type), part.resource, what === SUMMARY ? summaryOf : selectionOf(what as Tree));
    // Nothing of it is in the summary: an empty object would not be FHIR.
    return Object.keys(kept).length === 0 ? item : kept;
  };

  return <R extends object>(resource: R, options: SubsetOptions): R => {
    const object = resource as JsonObject;
    const type = object['resourceType'];
    const wants = typeof type === 'string' ? wantsOf(options, type) : undefined;
    if (typeof type !== 'string' || definitions.types[type] === undefined || wants === undefined) return resource;
    return tagged(keep(object, partsOf(type), true, wants)) as R; // a part of what it was
  };
}

const WHOLE = Symbol('whole');
const SUMMARY = Symbol('summary');

const mapEach = (value: unknown, map: (item: unknown) => unknown): unknown =>
  Array.isArray(value) ? (value as readonly unknown[]).map(map) : map(value);

function wantsOf({ summary, elements }: SubsetOptions, type: string): ((part: Part) => unknown) | undefined {
  if (elements !== undefined && elements.length > 0) return selectionOf(treeOf(elements, type));
  switch (summary) {
    case 'true':
      return summaryOf;
    case 'text':
      return ({ element }) => (element.name === 'text' || element.min > 0 ? WHOLE : undefined);
    case 'data':
      return ({ element }) => (element.name === 'text' ? undefined : WHOLE);
    default:
      return undefined;
  }
}

const summaryOf = ({ element, below, resource }: Part): unknown => {
  if (!element.summary && !element.modifier && element.min === 0) return undefined;
  return below === undefined && !resource ? WHOLE : SUMMARY;
};

const selectionOf =
  (tree: Tree) =>
  ({ element, jsonName }: Part): unknown => {
    const below = Object.hasOwn(tree, element.name) ? tree[element.name] : tree[jsonName];
    if (below !== undefined) return Object.keys(below).length === 0 ? WHOLE : below;
    return element.min > 0 || element.modifier ? WHOLE : undefined;
  };

/** `['name.family', 'Patient.active']` → `{name: {family: {}}, active: {}}`; a shorter path takes all below it. */
function treeOf(elements: readonly string[], type: string): Tree {
  const root: Record<string, Tree> = Object.create(null) as Record<string, Tree>;
  for (const text of [...elements].sort((a, b) => a.length - b.length)) {
    const names = text
      .trim()
      .replace(/\[x\]$/, '')
      .split('.');
    if (names.length > 1 && /^[A-Z]/.test(names[0]!) && names.shift() !== type) continue;
    let level = root;
    for (const [i, name] of names.entries()) {
      const next = level[name] as Record<string, Tree> | undefined;
      if (next !== undefined && Object.keys(next).length === 0) break;
      level[name] = next ?? (Object.create(null) as Tree);
      if (i < names.length - 1) level = level[name] as Record<string, Tree>;
    }
  }
  return root;
}

function tagged(resource: JsonObject): JsonObject {
  const meta = isContainer(resource['meta']) ? resource['meta'] : {};
  const tags = Array.isArray(meta['tag']) ? (meta['tag'] as readonly unknown[]) : [];
  if (tags.some((tag) => isContainer(tag) && tag['code'] === SUBSETTED.code && tag['system'] === SUBSETTED.system))
    return resource;
  return { ...resource, meta: { ...meta, tag: [...tags, SUBSETTED] } };
}

function compileParts(type: TypeDefinition | undefined, definitions: Definitions): Parts {
  const parts = new Map<string, Part>();
  for (const element of type?.elements ?? [])
    for (const { code } of element.types) {
      const jsonName = element.choice ? choiceName(element.name, code) : element.name;
      const below = definitions.types[code];
      const part: Part = {
        element,
        jsonName,
        below: below !== undefined && below.kind !== 'resource' && hasSummary(below) ? code : undefined,
        resource: below?.kind === 'resource',
      };
      parts.set(jsonName, part);
      parts.set(`_${jsonName}`, part);
    }
  return parts;
}

/** A type none of whose own elements is marked (Extension, Narrative) has no summary: it is kept whole. */
const hasSummary = (type: TypeDefinition): boolean =>
  type.elements.some((element) => element.summary && element.name !== 'modifierExtension');
