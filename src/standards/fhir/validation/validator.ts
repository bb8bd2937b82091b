/** Base validation against the R4 definitions. https://hl7.org/fhir/R4/validation.html */
import { choiceName, type Definitions, type TypeDefinition } from '../definitions.ts';
import { createModel } from '../fhirpath/model.ts';
import { type Issue, issue } from '../outcome.ts';
import { createCodeSets, isMember } from './bindings.ts';
import { checkResource } from './check.ts';
import { checkByProfile, checkByRequired } from './claims.ts';
import { type CompiledTypes, compileTypes, type Rule, type Rules } from './compile.ts';
import { compileInvariants } from './invariants.ts';
import { conforms } from './profile-check.ts';
import { createProfileRegistry, type ProfileRegistry } from './profile-registry.ts';
import { ENOUGH, type JsonObject, type Profiling, Run } from './run.ts';

/** Returns every error of a resource (100 at most); none when the resource obeys the base definitions of R4. */
export type Validator = (resource: unknown, expectedType?: string) => Issue[];

/** `profiles`: canonicals that the resource is checked by beside those it claims. */
export type Examiner = (resource: unknown, expectedType?: string, profiles?: readonly string[]) => Issue[];

export interface ValidationOptions {
  /** ms UTC, for rules that ask what time it is. */
  readonly now?: () => number;
  /** `structure`: counts, types, primitives and references alone; invariants and bindings as well unless it is said. */
  readonly checks?: 'structure' | 'all';
  /** Canonicals of profiles that every resource of a type keeps to, whether it claims them or not, by the type's name. */
  readonly required?: ReadonlyMap<string, readonly string[]>;
}

export interface Validation {
  readonly validate: Validator;
  /** The same, with warnings and what is worth knowing. */
  readonly examine: Examiner;
  /** Structure alone: for a part of a resource, such as a bundle whose resources are checked where they are written. */
  readonly validateStructure: Validator;
  /** What profiles, value sets and extensions are known; what is put in counts from the next check. */
  readonly profiles: ProfileRegistry;
}

export const createValidator = (definitions: Definitions, options?: ValidationOptions): Validator =>
  createValidation(definitions, options).validate;

/**
 * Returns the validator of the definitions; each type is compiled when first met. Checks structure, counts, choices,
 * primitive values, references, contained resources, bindings and invariants.
 */
export function createValidation(
  definitions: Definitions,
  { checks = 'all', now, required = new Map() }: ValidationOptions = {},
): Validation {
  const model = createModel(definitions);
  const official = (url: string) =>
    Object.hasOwn(definitions.valueSets, url) ? definitions.valueSets[url] : undefined;
  const codeSet = createCodeSets(official);
  const isType = (name: string): boolean => Object.hasOwn(definitions.types, name);
  const profiles = createProfileRegistry({ model, isType, official, officialSet: codeSet });
  const profiling: Profiling = {
    model,
    source: profiles,
    questionsOf: (run) => ({
      ...(now && { now }),
      memberOf: (item, url) => isMember(profiles.codeSet(url), item),
      conformsTo(item, url) {
        const profile = profiles.find(url);
        return profile && conforms(profile, item, { model, source: profiles, run, depth: 0 });
      },
    }),
  };
  const full: Rules = {
    of: rulesOf,
    invariantsOf: (path, constraints) => compileInvariants(path, constraints, model),
    codeSet,
  };
  const structure = compileTypes(definitions, STRUCTURE);
  const types = checks === 'structure' ? structure : compileTypes(definitions, full);
  const beside = checks === 'structure' ? undefined : profiling;
  return {
    validate: (resource, expectedType) => check(types, new Run(false, beside), resource, { expectedType, required }),
    examine: (resource, expectedType, urls) =>
      check(types, new Run(true, profiling), resource, { expectedType, required, urls }),
    validateStructure: (resource, expectedType) => check(structure, new Run(), resource, { expectedType }),
    profiles,
  };
}

interface Asked {
  readonly expectedType?: string | undefined;
  readonly required?: ReadonlyMap<string, readonly string[]>;
  readonly urls?: readonly string[] | undefined;
}

function check(
  types: CompiledTypes,
  run: Run,
  resource: unknown,
  { expectedType, required, urls = [] }: Asked,
): Issue[] {
  try {
    const object = resource as JsonObject | null | undefined; // checkResource says what it is otherwise
    const name = object?.['resourceType'];
    const known = typeof name === 'string' && types.resourceTypes.has(name);
    if (known && expectedType !== undefined && name !== expectedType)
      return [issue('invalid', `The resource is of type ${name} where ${expectedType} is expected`, name)];
    if (known) run.enter(name);
    checkResource(resource, types, run);
    const profiles = (known && required?.get(name)) || [];
    if (known && object && run.errors === 0 && profiles.length + urls.length > 0) {
      for (const url of profiles) {
        run.begin(name, object);
        checkByRequired(url, name, object, run);
      }
      for (const url of urls.filter((one) => !profiles.includes(one))) {
        run.begin(name, object);
        checkByProfile(url, name, object, run);
      }
    }
  } catch (error) {
    if (error !== ENOUGH) throw error;
  }
  return run.issues;
}

const rulesOf = (type: TypeDefinition): readonly Rule[] => (type.name === 'Extension' ? [extensionRule(type)] : []);

const STRUCTURE: Rules = { of: rulesOf, invariantsOf: () => [], codeSet: () => undefined };

/** ext-1: an extension has a value or extensions, and not both. https://hl7.org/fhir/R4/extensibility.html#Extension */
function extensionRule(type: TypeDefinition): Rule {
  const value = type.elements.find((element) => element.name === 'value');
  const names = (value?.types ?? []).map((t) => choiceName('value', t.code));
  return (extension, _seen, run) => {
    const nested = extension['extension'] !== undefined;
    let valued = false;
    for (const key in extension)
      if (key.charCodeAt(0) === 0x76 || (key.charCodeAt(0) === 0x5f && key.startsWith('_value'))) valued = true;
    if (nested && valued) run.add('structure', 'must have a value or extensions, not both (ext-1)');
    else if (!nested && !valued)
      run.add('required', `must have a value, such as ${names.at(13)}, or extensions of its own (ext-1)`);
  };
}
