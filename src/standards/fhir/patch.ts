/** JSON Patch on FHIR resources. RFC 6902; https://hl7.org/fhir/R4/http.html#patch */
import { Decimal, isNumber, JSON_LIMITS } from './json.ts';
import { SAFE_NAME } from './json-fault.ts';
import { changeAt, findAt, insert, isContainer, type Pointer, parsePointer, remove, replace } from './json-pointer.ts';
import { FhirError, type Issue, issue } from './outcome.ts';

export interface PatchLimits {
  readonly operations: number;
  /** Values in the result, counting what was copied again and again. */
  readonly nodes: number;
  readonly depth: number;
}

const PATCH_LIMITS: PatchLimits = { operations: 200, nodes: JSON_LIMITS.nodes, depth: JSON_LIMITS.depth };

type Name = 'add' | 'remove' | 'replace' | 'move' | 'copy' | 'test';

interface Operation {
  readonly index: number;
  readonly op: Name;
  readonly path: Pointer;
  readonly from: Pointer;
  readonly value: unknown;
}

const NAMES: ReadonlySet<string> = new Set<Name>(['add', 'remove', 'replace', 'move', 'copy', 'test']);

/**
 * Returns the resource with the operations applied in order; the one given is not changed. The result has yet to be
 * validated. Throws a FhirError: 400 for operations that are malformed, 422 when a path is missing, a test fails, or
 * the operations would change the resource's type or id.
 */
export function applyJsonPatch(resource: unknown, operations: unknown, limits: PatchLimits = PATCH_LIMITS): unknown {
  const parsed = parseOperations(operations, limits);
  const budget = { nodes: limits.nodes };
  if (parsed.some(({ op }) => op === 'copy')) spend(resource, budget, limits, limits.depth);
  let result = resource;
  for (const operation of parsed) {
    if (operation.op === 'copy') spend(findAt(result, operation.from)?.found, budget, limits, limits.depth);
    result = apply(result, operation, resource);
  }
  checkDepth(result, limits.depth, limits);
  checkIdentity(resource, result);
  return result;
}

function apply(root: unknown, operation: Operation, resource: unknown): unknown {
  const { op, path, from, value } = operation;
  const missing = (pointer: Pointer) =>
    failed(operation, pointer, 'there is nothing at this path; read the resource again and look', resource);
  const put = (into: unknown, what: unknown): unknown => {
    const changed = path.length === 0 ? what : changeAt(into, path, insert(what));
    if (changed === undefined) throw missing(path);
    return changed;
  };
  switch (op) {
    case 'add':
      return put(root, value);
    case 'remove':
      return changeAt(root, path, remove) ?? fail(missing(path));
    case 'replace':
      return path.length === 0 ? value : (changeAt(root, path, replace(value)) ?? fail(missing(path)));
    case 'move': {
      const moved = findAt(root, from) ?? fail(missing(from));
      // A place moved to itself stays: RFC 6902 section 4.4.
      if (samePointer(from, path)) return root;
      return put(changeAt(root, from, remove), moved.found);
    }
    case 'copy':
      return put(root, (findAt(root, from) ?? fail(missing(from))).found);
    default: {
      const tested = findAt(root, path) ?? fail(missing(path));
      if (!isEqual(tested.found, value))
        throw failed(operation, path, 'the test failed: the resource has another value here', resource);
      return root;
    }
  }
}

const fail = (error: FhirError): never => {
  throw error;
};

const samePointer = (a: Pointer, b: Pointer): boolean => a.length === b.length && a.every((token, i) => token === b[i]);

/** RFC 6902 section 4: every operation is read before the first is applied, and every fault is told. */
function parseOperations(operations: unknown, limits: PatchLimits): readonly Operation[] {
  if (!Array.isArray(operations))
    throw malformed([
      issue(
        'structure',
        'A JSON Patch is an array of operations, such as [{"op":"add","path":"/active","value":true}]',
      ),
    ]);
  if (operations.length > limits.operations)
    throw new FhirError(400, [
      issue(
        'too-costly',
        `A patch may have ${limits.operations} operations, found ${operations.length}; send several, or an update`,
      ),
    ]);
  const issues: Issue[] = [];
  const parsed = (operations as readonly unknown[]).map((raw, index) => parseOperation(raw, index, issues));
  if (issues.length > 0) throw malformed(issues);
  return parsed;
}

const malformed = (issues: readonly Issue[]): FhirError => new FhirError(400, issues);

function parseOperation(raw: unknown, index: number, issues: Issue[]): Operation {
  const wrong = (text: string): void => {
    issues.push(issue('structure', `Operation ${index} ${text}`));
  };
  const given = isContainer(raw) && !Array.isArray(raw) ? raw : {};
  const op = given['op'];
  if (given !== raw) wrong('must be an object with op and path');
  else if (typeof op !== 'string' || !NAMES.has(op)) wrong('needs op: one of add, remove, replace, move, copy, test');
  const pointer = (name: 'path' | 'from'): Pointer => {
    const text = given[name];
    const parsed = typeof text === 'string' ? parsePointer(text) : 'must be a JSON Pointer, such as /name/0/family';
    if (typeof parsed !== 'string') return parsed;
    if (given === raw) wrong(`has a ${name} that ${parsed}`);
    return [];
  };
  const path = pointer('path');
  const moves = op === 'move' || op === 'copy';
  const from = moves ? pointer('from') : [];
  if ((op === 'add' || op === 'replace' || op === 'test') && !Object.hasOwn(given, 'value'))
    wrong(`(${op}) needs a value`);
  if (op === 'remove' && given['path'] === '') wrong('(remove) would remove the whole resource; delete it instead');
  if (
    op === 'move' &&
    given['from'] !== given['path'] &&
    from.length < path.length &&
    samePointer(from, path.slice(0, from.length))
  )
    wrong('(move) would move a value into itself');
  return { index, op: op as Name, path, from, value: given['value'] }; // not used when an issue was found
}

/** Counts what a copy adds, so that doubling again and again ends soon. */
function spend(value: unknown, budget: { nodes: number }, limits: PatchLimits, left: number): void {
  if (--budget.nodes < 0) throw costly(`have more than ${limits.nodes} values`);
  const list = Array.isArray(value);
  if (!list && !isContainer(value)) return;
  if (left === 0) throw costly(`be nested deeper than ${limits.depth} levels`);
  if (list) for (const item of value as readonly unknown[]) spend(item, budget, limits, left - 1);
  else for (const key in value) spend(value[key], budget, limits, left - 1);
}

function checkDepth(value: unknown, left: number, limits: PatchLimits): void {
  const list = Array.isArray(value);
  if (!list && !isContainer(value)) return;
  if (left === 0) throw costly(`be nested deeper than ${limits.depth} levels`);
  if (list) for (const item of value as readonly unknown[]) checkDepth(item, left - 1, limits);
  else for (const key in value) checkDepth(value[key], left - 1, limits);
}

const costly = (would: string): FhirError =>
  new FhirError(400, [issue('too-costly', `The patched resource would ${would}`)]);

/** Throws 422 where a patch made the resource another one. */
export function checkIdentity(before: unknown, after: unknown): void {
  if (!isContainer(after) || Array.isArray(after))
    throw new FhirError(422, [issue('processing', 'The patched resource must be a JSON object')]);
  for (const name of ['resourceType', 'id'])
    if ((before as Record<string, unknown>)[name] !== after[name])
      throw new FhirError(422, [
        issue('processing', `A patch may not change ${name}; create another resource instead`, typeOf(before, name)),
      ]);
}

/** https://hl7.org/fhir/R4/http.html#patch: what cannot be carried out is answered with 422. */
function failed(operation: Operation, pointer: Pointer, why: string, resource: unknown): FhirError {
  const safe = pointer.every((token) => token === '-' || /^[0-9]{1,10}$/.test(token) || SAFE_NAME.test(token));
  const shown = safe ? ` /${pointer.join('/')}` : '';
  const expression = safe ? typeOf(resource, ...pointer) : undefined;
  return new FhirError(422, [
    issue('processing', `Operation ${operation.index} (${operation.op}${shown}): ${why}`, expression),
  ]);
}

/** FHIRPath of a pointer into a resource. */
function typeOf(resource: unknown, ...tokens: string[]): string {
  const type =
    isContainer(resource) && typeof resource['resourceType'] === 'string' ? resource['resourceType'] : 'Resource';
  return tokens.reduce(
    (path, token) => (/^[0-9]+$/.test(token) ? `${path}[${token}]` : token === '-' ? path : `${path}.${token}`),
    type,
  );
}

/** RFC 6902 section 4.6: numbers are equal when their values are, objects whatever the order of their members. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (isNumber(a) && isNumber(b)) return normalForm(a) === normalForm(b);
  if (Array.isArray(a) || Array.isArray(b))
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => isEqual(item, b[i]));
  if (!isContainer(a) || !isContainer(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key]));
}

/** One text for each number: its digits without zeros at the ends, and the power of ten of the last. */
function normalForm(value: number | Decimal): string {
  const text = value instanceof Decimal ? value.text : String(value);
  const [mantissa = '', exponent = '0'] = text.toLowerCase().split('e');
  const [whole = '', fraction = ''] = mantissa.replace('-', '').split('.');
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return '0';
  const significant = digits.replace(/0+$/, '');
  const power = BigInt(exponent) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return `${mantissa.startsWith('-') ? '-' : ''}${significant}e${power}`;
}
