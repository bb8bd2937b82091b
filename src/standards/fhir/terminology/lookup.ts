/** `$lookup` and `$subsumes`. https://hl7.org/fhir/R4/codesystem-operation-lookup.html */
import { FhirError, issue } from '../outcome.ts';
import { type Concept, type Concepts, displayIn } from './concepts.ts';
import type { ConceptProperty } from './resources.ts';

/** A part of a `Parameters` resource. */
export interface Parameter {
  readonly name: string;
  readonly part?: readonly Parameter[];
  readonly [value: `value${string}`]: unknown;
}

/** What is said of a concept where nothing in particular is asked for. */
const GENERAL = new Set(['definition', 'designation', 'parent', 'child']);

/**
 * The parameters that `$lookup` answers with. `properties`: what is asked for, everything when empty; `lang.X` is the
 * designations in a language. Throws 404 for a code that the system does not have.
 */
export function lookup(
  concepts: Concepts,
  code: string,
  properties: readonly string[],
  displayLanguage: string | undefined,
): Parameter[] {
  const concept = concepts.find(code);
  if (concept === undefined)
    throw new FhirError(404, [issue('not-found', `The code is not in the code system ${concepts.system}`)]);
  const wants = (name: string): boolean => properties.length === 0 || properties.includes(name);
  const display = displayIn(concept, displayLanguage) ?? concept.code;
  return [
    { name: 'name', valueString: concepts.name ?? (concepts.system || 'CodeSystem') },
    ...(concepts.version === undefined ? [] : [{ name: 'version', valueString: concepts.version }]),
    { name: 'display', valueString: display },
    ...designationsOf(concept, properties),
    ...(wants('definition') && concept.definition !== undefined
      ? [property('definition', { valueString: concept.definition })]
      : []),
    ...(wants('parent') ? concept.parents.map((parent) => related(concepts, 'parent', parent)) : []),
    ...(wants('child') ? concept.children.map((child) => related(concepts, 'child', child)) : []),
    ...(wants('inactive') ? [property('inactive', { valueBoolean: concept.isInactive })] : []),
    ...concept.properties
      .filter(({ code: name }) => name !== 'inactive' && !GENERAL.has(name) && wants(name))
      .map((one) => asParameter(concepts, one)),
  ];
}

function designationsOf({ designations }: Concept, properties: readonly string[]): Parameter[] {
  const isWanted = (language: string | undefined): boolean =>
    properties.length === 0 || properties.includes('designation') || properties.includes(`lang.${language ?? ''}`);
  return designations
    .filter(({ language }) => isWanted(language))
    .map(({ language, use, value }) => ({
      name: 'designation',
      part: [
        ...(language === undefined ? [] : [{ name: 'language', valueCode: language }]),
        ...(use === undefined ? [] : [{ name: 'use', valueCoding: use }]),
        { name: 'value', valueString: value },
      ],
    }));
}

const property = (code: string, value: object, description?: string): Parameter => ({
  name: 'property',
  part: [
    { name: 'code', valueCode: code },
    { name: 'value', ...value },
    ...(description === undefined ? [] : [{ name: 'description', valueString: description }]),
  ],
});

const related = (concepts: Concepts, name: string, code: string): Parameter =>
  property(name, { valueCode: code }, concepts.all.get(code)?.display);

function asParameter({ descriptions }: Concepts, { code, ...value }: ConceptProperty): Parameter {
  const values = Object.fromEntries(Object.entries(value).filter(([name]) => name.startsWith('value')));
  return property(code, values, descriptions.get(code));
}

export type Subsumption = 'equivalent' | 'subsumes' | 'subsumed-by' | 'not-subsumed';

/** How two codes of one system stand to each other. Throws 404 for one that it does not have. */
export function subsumption(concepts: Concepts, codeA: string, codeB: string): Subsumption {
  const [a, b] = [codeA, codeB].map((code, i) => {
    const concept = concepts.find(code);
    if (concept === undefined)
      throw new FhirError(404, [
        issue('not-found', `code${i === 0 ? 'A' : 'B'} is not in the code system ${concepts.system}`),
      ]);
    return concept.code;
  }) as [string, string];
  if (a === b) return 'equivalent';
  if (concepts.isA(b, a)) return 'subsumes';
  return concepts.isA(a, b) ? 'subsumed-by' : 'not-subsumed';
}
