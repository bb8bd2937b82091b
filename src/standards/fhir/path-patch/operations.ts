/** FHIRPath Patch as it is sent: a `Parameters` resource. https://hl7.org/fhir/R4/fhirpatch.html */
import { isNumber, numberOf } from '../json.ts';
import { FhirError, type Issue, issue } from '../outcome.ts';

export type PathPatchOperation = { readonly index: number; readonly path: string } & (
  | { readonly type: 'add'; readonly name: string; readonly value: Part }
  | { readonly type: 'insert'; readonly at: number; readonly value: Part }
  | { readonly type: 'delete' }
  | { readonly type: 'replace'; readonly value: Part }
  | { readonly type: 'move'; readonly source: number; readonly destination: number }
);

/** `Parameters.parameter` and what is in its `part`: a value, a resource, or parts of its own. */
export interface Part extends Readonly<Record<string, unknown>> {
  readonly name: string;
  readonly resource?: unknown;
  readonly part?: readonly Part[];
}

const OPERATIONS_MAX = 200;
const PATH_LENGTH_MAX = 1000;

/** Which parts an operation has besides `type` and `path`. */
const PARTS = new Map<string, readonly string[]>([
  ['add', ['name', 'value']],
  ['insert', ['value', 'index']],
  ['delete', []],
  ['replace', ['value']],
  ['move', ['source', 'destination']],
]);

/** Reads the operations of valid Parameters. Throws 400 with every fault. */
export function readPathPatch(parameters: Readonly<Record<string, unknown>>): readonly PathPatchOperation[] {
  const given = (parameters['parameter'] ?? []) as readonly Part[]; // validated
  if (given.length === 0)
    throw new FhirError(400, [issue('required', 'The patch has no parameter operation', 'Parameters.parameter')]);
  if (given.length > OPERATIONS_MAX)
    throw new FhirError(400, [
      issue(
        'too-costly',
        `A patch may have ${OPERATIONS_MAX} operations, found ${given.length}; send several, or an update`,
      ),
    ]);
  const issues: Issue[] = [];
  const read = given.map((one, index) => readOperation(one, index, issues));
  if (issues.length > 0) throw new FhirError(400, issues);
  return read as readonly PathPatchOperation[]; // without issues each was read
}

function readOperation(one: Part, index: number, issues: Issue[]): PathPatchOperation | undefined {
  const at = `Parameters.parameter[${index}]`;
  const before = issues.length;
  const wrong = (text: string): undefined => void issues.push(issue('structure', text, at));
  if (one.name !== 'operation') return wrong('Every parameter of a FHIRPath Patch is named operation');
  const parts = new Map<string, Part>();
  for (const part of one.part ?? []) {
    if (parts.has(part.name)) wrong(`The operation has two parts ${part.name.slice(0, 64)}`);
    parts.set(part.name, part);
  }
  const type = textOf(parts.get('type'));
  const names = PARTS.get(type ?? '');
  if (type === undefined || !names)
    return wrong(`The operation needs a type (valueCode): one of ${[...PARTS.keys()].join(', ')}`);
  for (const name of parts.keys())
    if (name !== 'type' && name !== 'path' && !names.includes(name))
      wrong(`An operation ${type} has no part '${name.slice(0, 64)}': it takes ${['path', ...names].join(', ')}`);
  const path = textOf(parts.get('path')) ?? '';
  if (path === '' || path.length > PATH_LENGTH_MAX)
    wrong(`The operation needs a path (valueString) of at most ${PATH_LENGTH_MAX} characters`);
  const number = (name: string): number => {
    const found = countOf(parts.get(name));
    if (found === undefined) wrong(`The operation needs ${name} (valueInteger): a whole number from 0`);
    return found ?? 0;
  };
  const value = (): Part => {
    const part = parts.get('value');
    if (part && hasContent(part)) return part;
    wrong('The operation needs a value: value[x], resource, or part for an element that is no data type');
    return { name: 'value' };
  };
  const made = { index, path, ...detailsOf(type, parts, number, value, wrong) } as PathPatchOperation; // by its type
  return issues.length > before ? undefined : made;
}

function detailsOf(
  type: string,
  parts: ReadonlyMap<string, Part>,
  number: (name: string) => number,
  value: () => Part,
  wrong: (text: string) => undefined,
): object {
  switch (type) {
    case 'add': {
      const name = textOf(parts.get('name'));
      if (name === undefined) wrong('An operation add needs a name (valueString): that of the element');
      return { type, name: name ?? '', value: value() };
    }
    case 'insert':
      return { type, at: number('index'), value: value() };
    case 'replace':
      return { type, value: value() };
    case 'move':
      return { type, source: number('source'), destination: number('destination') };
    default:
      return { type };
  }
}

const hasContent = (part: Part): boolean =>
  part.resource !== undefined ||
  (part.part ?? []).length > 0 ||
  Object.keys(part).some((key) => /^_?value[A-Z]/.test(key));

/** A code or a string, as clients take either. */
function textOf(part: Part | undefined): string | undefined {
  const text = part?.['valueCode'] ?? part?.['valueString'];
  return typeof text === 'string' ? text : undefined;
}

function countOf(part: Part | undefined): number | undefined {
  const value = part?.['valueInteger'] ?? part?.['valueUnsignedInt'] ?? part?.['valuePositiveInt'];
  if (!isNumber(value)) return undefined;
  const number = numberOf(value);
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined;
}
