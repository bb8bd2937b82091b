/** What References and contained resources must obey. https://hl7.org/fhir/R4/references.html */
import { parseReference } from '../reference.ts';
import { nearestName } from './nearest.ts';
import type { JsonObject, Run } from './run.ts';

const TYPE_URL = 'http://hl7.org/fhir/StructureDefinition/';
const NOT_REFERENCE =
  'must be a reference: Type/id, Type/id/_history/version, an absolute URL, urn:uuid:…, urn:oid:…, or #id of a contained resource';

/** Checks one Reference whose properties have been checked. */
export function checkReference(
  reference: JsonObject,
  targets: ReadonlySet<string> | undefined,
  resourceTypes: ReadonlySet<string>,
  run: Run,
): void {
  const text = reference['reference'];
  const type = reference['type'];
  const target = typeof text === 'string' ? targetOf(text, targets, resourceTypes, run) : undefined;
  if (typeof type === 'string') checkType(type, target, targets, resourceTypes, run);
}

/** The type a reference points to; undefined when it does not tell, or when an issue was found. */
function targetOf(
  text: string,
  targets: ReadonlySet<string> | undefined,
  resourceTypes: ReadonlySet<string>,
  run: Run,
): string | undefined {
  const parsed = parseReference(text);
  if (parsed === undefined) {
    if (text !== '') run.addBelow('reference', 'value', NOT_REFERENCE); // an empty one has its issue already
    return undefined;
  }
  let type: string | undefined;
  switch (parsed.kind) {
    case 'urn':
    case 'canonical':
      return undefined;
    case 'fragment':
      return fragmentTarget(parsed.id, targets, run);
    case 'absolute':
      // Only a URL that ends in a type of R4 and an id is known to be one of a RESTful server.
      type = parsed.type !== undefined && resourceTypes.has(parsed.type) ? parsed.type : undefined;
      break;
    case 'conditional':
      if (run.bundles === 0) {
        run.addBelow(
          'reference',
          'value',
          'may be a search (Type?query) only in a transaction; name the resource itself',
        );
        return undefined;
      }
      type = parsed.type;
      break;
    default:
      type = parsed.type;
  }
  if (type === undefined) return undefined;
  if (!resourceTypes.has(type)) {
    run.addBelow('reference', 'value', `must begin with an R4 resource type${maybe(type, targets ?? resourceTypes)}`);
    return undefined;
  }
  return checkTarget(type, targets, 'reference', run);
}

function fragmentTarget(id: string, targets: ReadonlySet<string> | undefined, run: Run): string | undefined {
  noteReferred(id, run);
  const container = run.container?.['resourceType'];
  const type = id === '' ? (typeof container === 'string' ? container : '') : run.containedType(id);
  if (type === undefined) {
    run.addBelow(
      'reference',
      'value',
      'points to a contained resource that is not in contained; add it, or name another',
    );
    return undefined;
  }
  return type === '' ? undefined : checkTarget(type, targets, 'reference', run);
}

function checkTarget(type: string, targets: ReadonlySet<string> | undefined, at: string, run: Run): string | undefined {
  if (targets === undefined || targets.has(type)) return type;
  run.addBelow(at, 'value', `points to ${type}; allowed here: ${[...targets].join(', ')}`);
  return undefined;
}

/** https://hl7.org/fhir/R4/references-definitions.html#Reference.type: a type name, or the URL of a logical model. */
function checkType(
  type: string,
  target: string | undefined,
  targets: ReadonlySet<string> | undefined,
  resourceTypes: ReadonlySet<string>,
  run: Run,
): void {
  const name = type.startsWith(TYPE_URL) ? type.slice(TYPE_URL.length) : type;
  if (resourceTypes.has(name)) {
    if (target !== undefined && target !== name)
      run.addBelow('type', 'value', `says ${name}, but the reference points to ${target}`);
    else checkTarget(name, targets, 'type', run);
  } else if (type !== '' && !type.includes(':'))
    run.addBelow('type', 'value', `must be an R4 resource type${maybe(type, resourceTypes)}`);
}

/** A canonical that is a fragment must resolve too. https://hl7.org/fhir/R4/references.html#canonical */
export function checkCanonical(text: unknown, run: Run): void {
  if (typeof text === 'string' && text.charCodeAt(0) === 0x23 && run.containedType(text.slice(1)) === undefined)
    run.add('value', 'points to a contained resource that is not in contained; add it, or name another');
}

/** A uri that names a contained resource refers to it as well. */
export function noteFragment(text: unknown, run: Run): void {
  if (run.referred !== undefined && typeof text === 'string' && text.charCodeAt(0) === 0x23)
    noteReferred(text.slice(1), run);
}

/** `#` alone, within a contained resource, is the container: the contained one need not be referred to then. */
function noteReferred(id: string, run: Run): void {
  run.referred?.add(id === '' && run.inContained ? `#${run.containedIndex}` : id);
}

/** dom-3: a contained resource is referred to from within the resource, or refers to it. https://hl7.org/fhir/R4/references.html#contained */
export function checkReferredTo(container: JsonObject, referred: ReadonlySet<string>, run: Run): void {
  const contained = container['contained'];
  if (!Array.isArray(contained)) return;
  run.enter('contained');
  (contained as readonly unknown[]).forEach((resource, i) => {
    const id = (resource as JsonObject | null)?.['id'];
    if (typeof id !== 'string' || referred.has(id) || referred.has(`#${i}`)) return;
    run.at(i);
    run.add(
      'invariant',
      'is contained, but nothing in the resource refers to it; add a reference to #id, or leave it out (dom-3)',
    );
  });
  run.leave();
}

/** The rules dom-2, dom-4 and dom-5, and that a contained resource has an id of its own. */
export function checkContained(resource: JsonObject, ids: Set<string>, run: Run): void {
  const id = resource['id'];
  if (id === undefined) run.addBelow('id', 'required', 'is required in a contained resource; references use it as #id');
  else if (typeof id === 'string') {
    if (ids.has(id)) run.addBelow('id', 'value', 'is that of another contained resource; give each its own');
    ids.add(id);
  }
  if (resource['contained'] !== undefined)
    run.addBelow('contained', 'structure', 'is not allowed in a contained resource; put them side by side (dom-2)');
  const meta = resource['meta'];
  if (typeof meta !== 'object' || meta === null) return;
  for (const name of ['versionId', 'lastUpdated', 'security'])
    if ((meta as JsonObject)[name] !== undefined) {
      run.enter('meta');
      run.addBelow(
        name,
        'structure',
        `is not allowed in a contained resource (${name === 'security' ? 'dom-5' : 'dom-4'})`,
      );
      run.leave();
    }
}

const maybe = (wrong: string, names: Iterable<string>): string => {
  const nearest = nearestName(wrong, names);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
};
