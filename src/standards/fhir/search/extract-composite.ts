/**
 * Generated code for composites: every combination of the values of their components in one element.
 * https://hl7.org/fhir/R4/search.html#composite
 */
import { type Code, code, join, name } from '../generate.ts';
import { eachAtPath, eachValue, hasShape, type Variables } from './extract-path.ts';
import type { Atom, Leaf, SearchType } from './parameter.ts';

/** Code that reports the atom's combinations below `element`, and `present` when there is one. */
export function generateComposite(variables: Variables, atom: Atom, leaf: Leaf, element: Code, present: Code): Code {
  const combine = (components: readonly SearchType[], parts: readonly (readonly Leaf[])[], found: Code[][]): Code => {
    const [type, ...types] = components;
    const [leaves, ...rest] = parts;
    if (type === undefined || leaves === undefined) return code`${present}${call(atom, found)}`;
    return join(
      leaves.map((part) =>
        eachAtPath(variables, part.fromResource ? name('r') : element, part.steps, part.type, (value) =>
          eachPartValue(variables, type, part.type, value, (arguments_) =>
            combine(types, rest, [...found, arguments_]),
          ),
        ),
      ),
    );
  };
  return combine(atom.components, leaf.parts ?? [], []);
}

/** Code that runs `inner` with the arguments that the sink takes for one component's value. */
function eachPartValue(
  variables: Variables,
  search: SearchType,
  type: string,
  value: Code,
  inner: (arguments_: Code[]) => Code,
): Code {
  const absent = code`undefined`;
  const read = variables();
  if (search === 'token') {
    const coded = (each: Code): Code => {
      const system = variables();
      const found = code`const ${system} = text(${each}.system);const ${read} = ${each}.code;`;
      return code`${found}if (${hasShape(read, 'code')}) {${inner([system, read])}}`;
    };
    if (type === 'Coding') return coded(value);
    if (type === 'CodeableConcept')
      return eachValue(variables, value, { name: 'coding', array: true }, 'Coding', coded);
    if (type === 'code') return inner([absent, value]);
    if (type === 'boolean') return inner([absent, code`String(${value})`]);
  }
  if (search === 'string' && type === 'string') return inner([value]);
  if (search === 'reference' && type === 'Reference') {
    const found = code`const ${read} = ${value}.reference;`;
    return code`${found}if (${hasShape(read, 'string')} && ${read}.charCodeAt(0) !== 35) {${inner([read])}}`;
  }
  if (search === 'number' && type === 'integer') {
    const found = code`const ${read} = numeric(${value});`;
    return code`${found}if (!Number.isNaN(${read})) {${inner([read])}}`;
  }
  const reader = RANGE_READERS.get(`${search} ${type}`);
  if (reader === undefined) throw new Error(`no composite of ${search} by ${type}`);
  const isDate = search === 'date';
  const members = isDate ? ['low', 'high'] : ['low', 'high', 'system', 'code', 'unit'];
  const arguments_ = members.map((member) => code`${read}.${name(member)}`);
  return code`const ${read} = ${name(reader)}(${value});if (${read} !== undefined) {${inner(arguments_)}}`;
}

/** Functions of extract-values.ts and extract-quantities.ts that read one value as a range. */
const RANGE_READERS: ReadonlyMap<string, string> = new Map([
  ['date dateTime', 'parseDate'],
  ['date Period', 'readPeriod'],
  ['quantity Quantity', 'quantity'],
  ['quantity Range', 'range'],
]);

/** The sink's method for each combination of component types. */
function call(atom: Atom, found: readonly (readonly Code[])[]): Code {
  const [first = [], second = [], third = []] = found;
  const index = atom.index;
  switch (atom.components.join()) {
    case 'token,token':
      return code`s.tokenToken(${index}, ${list(first, second)});`;
    case 'token,quantity':
      return code`s.tokenQuantity(${index}, ${list(first, second)});`;
    case 'token,date':
      return code`s.tokenDate(${index}, ${list(first, second)});`;
    case 'token,string':
      return code`s.tokenString(${index}, ${list(first, second)});`;
    case 'token,number,number':
      return code`s.tokenNumberNumber(${index}, ${list(first, second, third)});`;
    case 'reference,token':
      return code`s.referenceToken(${index}, ${list(first, second)});`;
    default:
      throw new Error(`no sink for a composite of ${atom.components.join()}`);
  }
}

const list = (...groups: readonly (readonly Code[])[]): Code =>
  groups.flat().reduce((before, each) => code`${before}, ${each}`);
