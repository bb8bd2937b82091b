/** Where in a resource's JSON a search expression finds its values, by the official element definitions. */
import type { Definitions, ElementType } from '../definitions.ts';
import type { PathExpression, Step } from './expression.ts';
import type { Leaf, PathStep, SearchType } from './parameter.ts';
import { suggestNames } from './suggest.ts';

/**
 * Leaf types that a search type has values for; others on the same path are left out (an Age in a date search).
 * https://hl7.org/fhir/R4/search.html#table
 */
export const LEAF_TYPES: Readonly<Record<SearchType, ReadonlySet<string>>> = {
  number: new Set(['decimal', 'integer', 'positiveInt', 'unsignedInt', 'Range']),
  date: new Set(['date', 'dateTime', 'instant', 'Period', 'Timing']),
  string: new Set(['string', 'markdown', 'HumanName', 'Address']),
  token: new Set([
    ...['CodeableConcept', 'Coding', 'Identifier', 'ContactPoint'],
    ...['code', 'boolean', 'string', 'id', 'uri', 'dateTime'],
  ]),
  reference: new Set(['Reference', 'canonical', 'uri', 'Resource']),
  quantity: new Set(['Quantity', 'Age', 'Duration', 'Count', 'Distance', 'Money', 'Range', 'SampledData']),
  uri: new Set(['uri', 'url', 'canonical', 'oid', 'uuid']),
  composite: new Set(),
  special: new Set(),
};

/** Leaf types from which one element gives several values. */
const MANY_VALUES = new Set(['CodeableConcept', 'HumanName', 'Address']);

/** A leaf with what its definition says about references. */
export interface ResolvedLeaf extends Leaf {
  /** Reference and canonical: types the element may point to; empty = any. */
  readonly targets: readonly string[];
  /** Types that the expression restricts to by `resolve() is X`. */
  readonly onlyTargets: readonly string[];
  /** Binding of a `code` element. */
  readonly binding: { readonly strength: string; readonly valueSet: string } | undefined;
}

interface Position {
  readonly steps: readonly PathStep[];
  readonly type: string;
  readonly targets: readonly string[];
  readonly onlyTargets: readonly string[];
  readonly binding: ResolvedLeaf['binding'];
}

/** Choices below choices multiply: no official path comes near it. */
const POSITIONS_MAX = 500;

/** The leaves of one path below `type`. Throws an Error that says which element of which type there is not. */
export function resolveLeaves(definitions: Definitions, type: string, path: PathExpression): ResolvedLeaf[] {
  let positions: Position[] = [{ steps: [], type, targets: [], onlyTargets: [], binding: undefined }];
  for (const step of path.steps) {
    const before = positions;
    positions = before.flatMap((position) => follow(definitions, position, step));
    if (positions.length === 0) throw new Error(whyNowhere(definitions, before, step));
    if (positions.length > POSITIONS_MAX)
      throw new Error(
        `a path below ${type} leads to too many places (${POSITIONS_MAX} at most): narrow it by ofType()`,
      );
  }
  return positions.map((position) => ({
    ...position,
    path: formatJsonPath(position.steps),
    ...(path.fromResource && { fromResource: true }),
  }));
}

function follow(definitions: Definitions, at: Position, step: Step): Position[] {
  const last = at.steps.at(-1);
  const revised = (change: Partial<PathStep>): Position[] =>
    last === undefined ? [] : [{ ...at, steps: [...at.steps.slice(0, -1), { ...last, ...change }] }];
  switch (step.kind) {
    case 'child':
      return children(definitions, at, step.name);
    case 'of-type':
      // The definitions write `DateTime` once where they mean `dateTime`.
      return at.type.toLowerCase() === step.type.toLowerCase() ? [at] : [];
    case 'index':
      return revised({ index: step.index });
    case 'where-equals':
      return isText(definitions, at.type, step.name) ? revised({ where: { name: step.name, value: step.value } }) : [];
    case 'where-resolves':
      return REFERRING.has(at.type) ? [{ ...at, onlyTargets: [...at.onlyTargets, step.type] }] : [];
  }
}

const NAMED_MAX = 4;

/** Why a step leads nowhere, in the words of the definitions. */
function whyNowhere(definitions: Definitions, before: readonly Position[], step: Step): string {
  const types = [...new Set(before.map(({ type }) => type))];
  const named = `${types.slice(0, NAMED_MAX).join(', ')}${types.length > NAMED_MAX ? ' …' : ''}`;
  switch (step.kind) {
    case 'child':
      return whyNoElement(definitions, types, named, step.name);
    case 'of-type':
      return `no element there is of type ${step.type}: it is ${types.length > 1 ? `one of ${named}` : named}`;
    case 'index':
      return `[${step.index}] must follow the name of an element`;
    case 'where-equals':
      return before.some(({ type, steps }) => steps.length > 0 && isText(definitions, type, step.name))
        ? 'where(…) must follow the name of an element'
        : `${named} has no element '${step.name}' that is one text to compare with '${step.value}'`;
    case 'where-resolves':
      return `where(resolve() is ${step.type}) is of references, not of ${named}`;
  }
}

function whyNoElement(definitions: Definitions, types: readonly string[], named: string, name: string): string {
  if (types.every(isPrimitive))
    return `'${name}' is below a primitive (${named}): nothing there, not even an extension, can be searched by`;
  const elements = types.flatMap((type) => definitions.types[type]?.elements ?? []);
  const choice = elements.find((e) => e.choice && e.types.some(({ code }) => choiceName(e.name, code) === name));
  const type = choice?.types.find(({ code }) => choiceName(choice.name, code) === name)?.code;
  if (choice && type) return `FHIRPath names a choice without its type: ${choice.name}.ofType(${type}), not '${name}'`;
  const near = suggestNames(name, new Set([...elements.map((e) => e.name), ...types]));
  return `${named} has no element '${name}'${near.length > 0 ? `; near: ${near.join(', ')}` : ''}`;
}

const isPrimitive = (type: string): boolean => /^[a-z]/.test(type);

/** Types whose values name resources. */
const REFERRING: ReadonlySet<string> = new Set(['Reference', 'canonical', 'uri', 'Resource']);

/** Whether a type has one text of that name, to compare with. */
const isText = (definitions: Definitions, type: string, name: string): boolean =>
  definitions.types[type]?.elements.some(
    (e) => e.name === name && e.max === 1 && !e.choice && e.types.every(({ code }) => /^[a-z]/.test(code)),
  ) === true;

function children(definitions: Definitions, at: Position, name: string): Position[] {
  // In JSON, what a primitive has besides its value stands beside it.
  if (isPrimitive(at.type)) return [];
  const element = definitions.types[at.type]?.elements.find((e) => e.name === name);
  if (element === undefined) return [];
  return element.types.map((type: ElementType) => ({
    steps: [...at.steps, { name: element.choice ? choiceName(name, type.code) : name, array: element.max !== 1 }],
    type: type.code,
    targets: type.targets ?? [],
    onlyTargets: at.onlyTargets,
    binding: element.binding,
  }));
}

/** JSON name of a choice: `value`, `Quantity` → `valueQuantity`. https://hl7.org/fhir/R4/formats.html#choice */
const choiceName = (name: string, type: string): string => name + type.charAt(0).toUpperCase() + type.slice(1);

function formatJsonPath(steps: readonly PathStep[]): string {
  let path = '$';
  for (const { name, array, index, where } of steps) {
    path += `.${name}`;
    if (index !== undefined) path += `[${index}]`;
    else if (array) path += '[*]';
    if (where !== undefined) path += ` ? (@.${where.name} == ${JSON.stringify(where.value)})`;
  }
  return path;
}

/** Whether one resource can have more than one value at these leaves; choices of one element exclude one another. */
export function isMultiple(leaves: readonly Leaf[]): boolean {
  const many = (leaf: Leaf): boolean =>
    MANY_VALUES.has(leaf.type) || leaf.steps.some((s) => s.array && s.index === undefined);
  if (leaves.some((leaf) => many(leaf) || leaf.parts?.some(isMultiple))) return true;
  return new Set(leaves.map(elementPath)).size > 1;
}

/** The path with the type taken off a choice, so that `performedDateTime` and `performedPeriod` are one element. */
function elementPath(leaf: Leaf): string {
  const names = leaf.steps.map((s) => s.name).join('.');
  const suffix = leaf.type.charAt(0).toUpperCase() + leaf.type.slice(1);
  return names.endsWith(suffix) ? names.slice(0, -suffix.length) : names;
}
