/** `$validate-code`, and whether a value set has a code. https://hl7.org/fhir/R4/valueset-operation-validate-code.html */
import { type Concept, displayIn } from './concepts.ts';
import type { Coding, Contains, Include, ValueSet } from './resources.ts';
import type { Vocabulary } from './vocabulary.ts';

export interface CodeVerdict {
  readonly result: boolean;
  /** Why not. */
  readonly message?: string;
  /** What the code is called. */
  readonly display?: string;
}

export interface ValidateOptions {
  /** Concepts that may not be chosen are right here. */
  readonly isAbstractAllowed?: boolean;
  readonly displayLanguage?: string;
}

/** A code that a value set has. */
export interface FoundCode {
  readonly system: string | undefined;
  readonly display: string | undefined;
  readonly concept: Concept | undefined;
}

/** Whether the code system has the code, and the display is one of its names. Throws 422 where the system is not here. */
export async function validateInCodeSystem(
  vocabulary: Vocabulary,
  system: string,
  { code = '', version, display }: Coding,
  options: ValidateOptions = {},
): Promise<CodeVerdict> {
  const concepts = await vocabulary.concepts(system, version);
  const concept = concepts.find(code);
  if (concept === undefined) return { result: false, message: `The code is not in the code system ${system}` };
  return verdictOn({ system, display: concept.display, concept }, display, options);
}

/** Whether the value set has one of the codings; the verdict on the last where it has none. Throws 422 where that cannot be told. */
export async function validateInValueSet(
  vocabulary: Vocabulary,
  valueSet: ValueSet,
  codings: readonly Coding[],
  options: ValidateOptions = {},
): Promise<CodeVerdict> {
  let verdict: CodeVerdict = { result: false, message: 'There is no code to check' };
  for (const coding of codings) {
    const found = await findInValueSet(vocabulary, valueSet, coding);
    if (found === undefined)
      verdict = {
        result: false,
        message:
          `The code${coding.system === undefined ? '' : ` of ${coding.system}`} is not in the value set ${valueSet.url ?? ''}`.trim(),
      };
    else verdict = verdictOn(found, coding.display, options);
    if (verdict.result) return verdict;
  }
  return verdict;
}

function verdictOn({ display, concept }: FoundCode, given: string | undefined, options: ValidateOptions): CodeVerdict {
  const names = [display, concept?.display, ...(concept?.designations ?? []).map(({ value }) => value)].filter(
    (name) => name !== undefined,
  );
  const shown = concept === undefined ? display : (displayIn(concept, options.displayLanguage) ?? display);
  const named = shown !== undefined && { display: shown };
  if (concept?.isAbstract === true && options.isAbstractAllowed !== true)
    return { result: false, message: 'The code is abstract: it may not be chosen', ...named };
  const isWrong = given !== undefined && names.length > 0 && !names.some((name) => sameText(name, given));
  if (isWrong) return { result: false, message: 'The display is not one of the code’s names', ...named };
  return concept?.isInactive === true
    ? { result: true, message: 'The code is inactive', ...named }
    : { result: true, ...named };
}

const sameText = (a: string, b: string): boolean => fold(a) === fold(b);
const fold = (text: string): string => text.trim().replaceAll(/\s+/g, ' ').toLowerCase();

/** Without a system each that the value set draws from is tried. Nothing is expanded. */
export function findInValueSet(
  vocabulary: Vocabulary,
  valueSet: ValueSet,
  coding: Coding,
  path: readonly string[] = [],
): Promise<FoundCode | undefined> {
  return vocabulary.within(valueSet.url, path, async (inner) => {
    const { compose, expansion } = valueSet;
    if (compose === undefined) return findContained(expansion?.contains ?? [], coding);
    let found: FoundCode | undefined;
    for (const include of compose.include) {
      found = await findIncluded(vocabulary, include, coding, inner);
      if (found !== undefined) break;
    }
    if (found === undefined || (compose.inactive === false && found.concept?.isInactive === true)) return undefined;
    const exact = found.system === undefined ? coding : { ...coding, system: found.system };
    for (const exclude of compose.exclude ?? [])
      if ((await findIncluded(vocabulary, exclude, exact, inner)) !== undefined) return undefined;
    return found;
  });
}

function findContained(contains: readonly Contains[], coding: Coding): FoundCode | undefined {
  for (const one of contains) {
    const isIt = one.code === coding.code && (coding.system === undefined || one.system === coding.system);
    const found = isIt
      ? { system: one.system, display: one.display, concept: undefined }
      : findContained(one.contains ?? [], coding);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function findIncluded(
  vocabulary: Vocabulary,
  include: Include,
  coding: Coding,
  path: readonly string[],
): Promise<FoundCode | undefined> {
  let found: FoundCode | undefined;
  if (include.system !== undefined) {
    if (coding.system !== undefined && coding.system !== include.system) return undefined;
    found = await findInSystem(vocabulary, include, include.system, coding.code ?? '');
    if (found === undefined) return undefined;
  }
  for (const url of include.valueSet ?? []) {
    const exact = found?.system === undefined ? coding : { ...coding, system: found.system };
    const inner = await findInValueSet(vocabulary, await vocabulary.valueSet(url), exact, path);
    if (inner === undefined) return undefined;
    found ??= inner;
  }
  return found;
}

async function findInSystem(
  vocabulary: Vocabulary,
  include: Include,
  system: string,
  code: string,
): Promise<FoundCode | undefined> {
  if (include.concept !== undefined) {
    vocabulary.spend(include.concept.length);
    const listed = include.concept.find((one) => one.code === code);
    if (listed === undefined) return undefined;
    const concept = (await vocabulary.findConcepts(system, include.version))?.find(code);
    return { system, display: listed.display ?? concept?.display, concept };
  }
  const concepts = await vocabulary.concepts(system, include.version);
  vocabulary.spend(1);
  const concept = concepts.find(code);
  if (concept === undefined || !vocabulary.filter(include, concepts)(concept)) return undefined;
  return { system, display: concept.display, concept };
}
