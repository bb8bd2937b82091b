/** One search parameter with its modifier and values as a condition. https://hl7.org/fhir/R4/search.html#modifiers */
import { isId } from '../reference.ts';
import { splitEscaped, unescapeValue } from './escape.ts';
import type { SearchParameter, SearchType } from './parameter.ts';
import { type ParseContext, type Problem, problem, shown } from './parse-context.ts';
import {
  type Read,
  readComposite,
  readDate,
  readNumber,
  readOfType,
  readQuantity,
  readReference,
  readToken,
} from './parse-values.ts';
import type { Condition } from './request.ts';

export type Parsed = { readonly condition: Condition } | { readonly problems: readonly Problem[] };

/** Modifiers of the specification that are not supported, rather than unknown. */
const KNOWN_MODIFIERS = new Set([
  'above',
  'below',
  'in',
  'not-in',
  'text',
  'not',
  'exact',
  'contains',
  'of-type',
  'identifier',
]);

const SUPPORTED: Readonly<Record<SearchType, readonly string[]>> = {
  token: ['not', 'text', 'of-type', 'missing'],
  string: ['exact', 'contains', 'missing'],
  reference: ['identifier', '[type]', 'missing'],
  uri: ['above', 'below', 'missing'],
  date: ['missing'],
  number: ['missing'],
  quantity: ['missing'],
  composite: ['missing'],
  special: [],
};

/** Of tokens, where terminology is asked. https://hl7.org/fhir/R4/search.html#token */
const BY_TERMINOLOGY = ['in', 'not-in', 'above', 'below'];

/** The condition of `parameter[:modifier]=value`. */
export function parseCondition(
  context: ParseContext,
  parameter: SearchParameter,
  modifier: string | undefined,
  value: string,
): Parsed {
  const name = modifier === undefined ? parameter.code : `${parameter.code}:${shown(modifier)}`;
  const refuse = (why: string): Parsed => ({ problems: [problem('value', `Parameter '${name}': ${why}`)] });
  if (modifier === 'missing') {
    const missing = value === 'true' ? true : value === 'false' ? false : undefined;
    return missing === undefined
      ? refuse("the value must be 'true' or 'false'")
      : { condition: { kind: 'missing', parameter, missing } };
  }
  const wrongModifier = checkModifier(context, parameter, modifier);
  if (wrongModifier !== undefined) return { problems: [wrongModifier] };

  const pieces = splitEscaped(value, ',');
  if (pieces.length > context.limits.values)
    return { problems: [problem('too-costly', `Parameter '${name}': more than ${context.limits.values} values`)] };
  if (pieces.includes('')) return refuse('a value is empty');
  /** All values read, or what is wrong with the first that cannot be. */
  const all = <T>(read: (piece: string) => Read<T>, make: (values: readonly T[]) => Condition): Parsed => {
    const values: T[] = [];
    for (const [i, piece] of pieces.entries()) {
      const found = read(piece);
      if ('reason' in found) return refuse(`${pieces.length > 1 ? `value ${i + 1}` : 'the value'} ${found.reason}`);
      values.push(found.value);
    }
    return { condition: make(values) };
  };
  if (parameter.code === '_id') return all(readId, (ids) => ({ kind: 'id', ids }));
  if (parameter.code === '_lastUpdated')
    return all(unescaped(readDate), (values) => ({ kind: 'last-updated', values }));
  switch (parameter.type) {
    case 'token':
      if (modifier === 'text') return all(readText, (values) => ({ kind: 'token-text', parameter, values }));
      if (modifier === 'in' || modifier === 'not-in' || modifier === 'above' || modifier === 'below')
        return all(readText, (values) => ({ kind: 'token-set', parameter, modifier, values }));
      if (modifier === 'of-type') return all(readOfType, (values) => ({ kind: 'of-type', parameter, values }));
      if (modifier === 'not')
        return all(readToken, (values) => ({ kind: 'token', parameter, modifier: 'not', values }));
      return all(readToken, (values) => ({ kind: 'token', parameter, values }));
    case 'string':
      if (modifier === 'exact' || modifier === 'contains')
        return all(readText, (values) => ({ kind: 'string', parameter, modifier, values }));
      return all(readText, (values) => ({ kind: 'string', parameter, values }));
    case 'uri':
      if (modifier === 'above' || modifier === 'below')
        return all(readText, (values) => ({ kind: 'uri', parameter, modifier, values }));
      return all(readText, (values) => ({ kind: 'uri', parameter, values }));
    case 'reference':
      if (modifier === 'identifier')
        return all(readToken, (values) => ({ kind: 'reference-identifier', parameter, values }));
      return all(
        (piece) => readReference(parameter, piece, context, modifier),
        (values) => ({ kind: 'reference', parameter, values }),
      );
    case 'date':
      return all(unescaped(readDate), (values) => ({ kind: 'date', parameter, values }));
    case 'number':
      return all(unescaped(readNumber), (values) => ({ kind: 'number', parameter, values }));
    case 'quantity':
      return all(readQuantity, (values) => ({ kind: 'quantity', parameter, values }));
    case 'composite':
      return all(
        (piece) => readComposite(parameter, piece, context),
        (values) => ({ kind: 'composite', parameter, values }),
      );
    case 'special':
      return { problems: [problem('not-supported', `Parameter '${name}' is not supported`)] };
  }
}

/** "Servers SHALL reject any search request that contains a modifier the server does not support". */
function checkModifier(
  context: ParseContext,
  parameter: SearchParameter,
  modifier: string | undefined,
): Problem | undefined {
  if (modifier === undefined) return undefined;
  const isRow = parameter.atoms.length === 0; // `_id` and `_lastUpdated`
  const byTerminology = parameter.type === 'token' && context.hasTerminology ? BY_TERMINOLOGY : [];
  const supported = isRow ? ['missing'] : [...SUPPORTED[parameter.type], ...byTerminology];
  const name = `Parameter '${parameter.code}'`;
  if (parameter.type === 'reference' && context.isType(modifier))
    return parameter.targets.includes(modifier)
      ? undefined
      : problem('invalid', `${name} cannot refer to ${modifier}: its targets are ${list(parameter.targets)}`);
  if (modifier === 'of-type' && !parameter.atoms.some((a) => a.leaves.some((l) => l.type === 'Identifier')))
    return problem('not-supported', `${name}: ':of-type' is for identifiers`);
  if (supported.includes(modifier)) return undefined;
  const what = KNOWN_MODIFIERS.has(modifier) ? 'is not supported' : 'is not known';
  const offer = `${parameter.type} parameters take ${supported.map((m) => `:${m}`).join(', ')}`;
  return problem('not-supported', `${name}: modifier ':${shown(modifier)}' ${what}; ${offer}`);
}

const SHOWN_TYPES = 10;
const list = (types: readonly string[]): string =>
  types.length > SHOWN_TYPES ? `${types.slice(0, SHOWN_TYPES).join(', ')} …` : types.join(', ');

const readText = (piece: string): Read<string> => ({ value: unescapeValue(piece) });
const unescaped =
  <T>(read: (text: string) => Read<T>) =>
  (piece: string): Read<T> =>
    read(unescapeValue(piece));
const readId = (piece: string): Read<string> =>
  isId(piece) ? { value: piece } : { reason: 'is not an id: 1 to 64 of A-Z, a-z, 0-9, - and .' };
