/** Constants of a view, and the functions that views have beside FHIRPath's own, written into its paths. */
import { isNumber } from '../json.ts';
import { badValue } from '../outcome.ts';
import { type Fault, objectsOf } from './objects.ts';

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,254}$/;
const DATED = new Map([
  ['valueDate', '@'],
  ['valueDateTime', '@'],
  ['valueInstant', '@'],
  ['valueTime', '@T'],
]);
/** Quoted texts are passed over; names of the environment, and the functions of views. */
const PLACES =
  /'(?:\\.|[^'\\])*'|%([A-Za-z][A-Za-z0-9_]*)|getResourceKey\(\s*\)|\.?getReferenceKey\(\s*([A-Za-z]*)\s*\)/g;
const OWN = new Set(['resource', 'rootResource', 'context', 'sct', 'loinc', 'ucum']);

/** Literals of FHIRPath by the names of the constants. */
export function readConstants(given: unknown, fault: Fault): ReadonlyMap<string, string> {
  const constants = new Map<string, string>();
  for (const [i, one] of objectsOf(given, 'constant', fault).entries()) {
    const place = `constant[${i}]`;
    const { name } = one;
    const [key, value] = Object.entries(one).find(([part]) => part.startsWith('value')) ?? [];
    if (typeof name !== 'string' || !NAME.test(name) || OWN.has(name)) fault('a constant has a name of its own', place);
    else if (key === undefined) fault('a constant has a value', place);
    else constants.set(name, literal(key, value));
  }
  return constants;
}

function literal(key: string, value: unknown): string {
  const prefix = DATED.get(key);
  if (prefix !== undefined && typeof value === 'string' && /^[0-9T:.+Z-]{1,40}$/.test(value)) {
    // A date-time without a time is written with a T.
    return key === 'valueDateTime' && !value.includes('T') ? `@${value}T` : `${prefix}${value}`;
  }
  if (typeof value === 'boolean' || isNumber(value)) return String(value);
  const escaped = String(value).replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r');
  return `'${escaped}'`;
}

/** The path with the values in the places of their names. Throws 400 for a name that stands for nothing. */
export const withConstants = (path: string, constants: ReadonlyMap<string, string>): string =>
  path.replaceAll(PLACES, (found: string, name: string | undefined, type: string | undefined) => {
    if (name !== undefined) {
      const value = constants.get(name);
      if (value === undefined && !OWN.has(name)) throw badValue(`%${name} is no constant of this view`, 'constant');
      return value ?? found;
    }
    if (found.startsWith("'")) return found;
    if (found.startsWith('getResourceKey')) return 'id';
    const of = type === undefined || type === '' ? '' : `.where($this.matches('(^|/)${type}/[A-Za-z0-9.-]+$'))`;
    return `${found.startsWith('.') ? '.' : ''}reference${of}.replaceMatches('^.*/', '')`;
  });
