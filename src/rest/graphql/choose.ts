/** Which of several values a field is about: `name(use: official, _offset: 1, _count: 2)`. https://hl7.org/fhir/R4/graphql.html#list */
import { type CompiledPath, compilePath } from '../../standards/fhir/fhirpath/compile.ts';
import { PathSyntaxError } from '../../standards/fhir/fhirpath/lexer.ts';
import type { Model } from '../../standards/fhir/fhirpath/model.ts';
import { Scope } from '../../standards/fhir/fhirpath/scope.ts';
import { item, PathError } from '../../standards/fhir/fhirpath/values.ts';
import { badRequest } from '../../standards/fhir/outcome.ts';
import { type Field, unknownField } from './output.ts';

type Json = Readonly<Record<string, unknown>>;

const STEPS_MAX = 10_000;
const PATH_CHARS_MAX = 1000;

export interface Choices {
  /** Those that the arguments of a field mean. Throws 400 for arguments that the type does not have. */
  choose(field: Field, type: string, values: readonly Json[]): readonly Json[];
  /** What a FHIRPath finds in a value. Throws 400 where it cannot be followed. */
  evaluate(path: string, type: string, value: Json): readonly unknown[];
}

/** Of one query: each path of it is compiled once, however many values it is asked of. */
export function createChoices(types: Model): Choices {
  const paths = new Map<string, CompiledPath>();

  function compiled(path: string): CompiledPath {
    if (path.length > PATH_CHARS_MAX) throw badRequest(`A path has at most ${PATH_CHARS_MAX} characters`);
    const found = paths.get(path) ?? compilePath(path, types);
    paths.set(path, found);
    return found;
  }

  function evaluate(path: string, type: string, value: Json): readonly unknown[] {
    try {
      return compiled(path)
        .evaluate(item(type, value), new Scope(STEPS_MAX))
        .map((one) => one.value);
    } catch (error) {
      if (error instanceof PathError || error instanceof PathSyntaxError)
        throw badRequest(`The path cannot be followed: ${error.message}`);
      throw error;
    }
  }

  function isMeant(argument: string, wanted: readonly string[], type: string, value: Json): boolean {
    if (argument === 'fhirpath') return wanted.every((path) => evaluate(path, type, value).some((one) => one === true));
    const own = value[argument];
    return wanted.some((one) =>
      Array.isArray(own) ? own.map(String).includes(one) : own !== undefined && String(own) === one,
    );
  }

  return {
    evaluate,
    choose({ args }, type, values) {
      let chosen = values;
      for (const [argument, wanted] of args) {
        if (NOT_OF_VALUES.has(argument)) continue;
        const names = types.childrenOf(type).map(({ json }) => json);
        if (argument !== 'fhirpath' && !names.includes(argument)) throw unknownField(type, argument, names);
        chosen = chosen.filter((value) => isMeant(argument, wanted, type, value));
      }
      const offset = wholeNumber(args, '_offset', 0);
      return chosen.slice(offset, offset + wholeNumber(args, '_count', chosen.length));
    },
  };
}

const NOT_OF_VALUES = new Set(['_offset', '_count', 'id']);

function wholeNumber(args: Field['args'], argument: string, otherwise: number): number {
  const [text] = args.get(argument) ?? [];
  if (text !== undefined && !/^[0-9]{1,9}$/.test(text)) throw badRequest(`${argument} must be a whole number`);
  return text === undefined ? otherwise : Number(text);
}
