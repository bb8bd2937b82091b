/** Filters of `ValueSet.compose.include`. https://hl7.org/fhir/R4/valueset-filter-operator.html */
import { notSupported } from '../outcome.ts';
import { compileBoundedPattern } from './bounded-pattern.ts';
import type { Concept, Concepts } from './concepts.ts';
import type { ConceptProperty, Filter } from './resources.ts';

export type ConceptTest = (concept: Concept) => boolean;

/** Whether a concept passes. Throws 400 for an operator there is not. */
export function compileFilter({ property, op, value }: Filter, concepts: Concepts): ConceptTest {
  const below = (): ReadonlySet<string> => concepts.descendants(value);
  switch (op) {
    case '=':
      // The hierarchy has properties of its own. https://hl7.org/fhir/R4/codesystem.html#4.8.12
      if (property === 'parent') return ({ parents }) => parents.includes(value);
      if (property === 'child') return ({ children }) => children.includes(value);
      return (concept) => valuesOf(concept, property).includes(value);
    case 'is-a': {
      const wanted = below();
      return ({ code }) => wanted.has(code);
    }
    case 'descendent-of': {
      const wanted = below();
      return ({ code }) => code !== value && wanted.has(code);
    }
    case 'is-not-a': {
      const unwanted = below();
      return ({ code }) => !unwanted.has(code);
    }
    case 'generalizes': {
      const wanted = concepts.ancestors(value);
      return ({ code }) => wanted.has(code);
    }
    case 'regex': {
      const matches = compileBoundedPattern(value);
      return (concept) => valuesOf(concept, property).some(matches);
    }
    case 'in':
    case 'not-in': {
      const listed = new Set(value.split(',').map((code) => code.trim()));
      const isIn: ConceptTest = (concept) => valuesOf(concept, property).some((one) => listed.has(one));
      return op === 'in' ? isIn : (concept) => !isIn(concept);
    }
    case 'exists': {
      const isWanted = value === 'true';
      return (concept) => valuesOf(concept, property).length > 0 === isWanted;
    }
    default:
      throw notSupported(`The filter operator '${op.slice(0, 64)}' is not supported`);
  }
}

function valuesOf(concept: Concept, property: string): string[] {
  switch (property) {
    case 'code':
    case 'concept':
      return [concept.code];
    case 'display':
      return concept.display === undefined ? [] : [concept.display];
    case 'definition':
      return concept.definition === undefined ? [] : [concept.definition];
    case 'parent':
      return [...concept.parents];
    case 'child':
      return [...concept.children];
    default:
      return concept.properties.filter(({ code }) => code === property).map(textOf);
  }
}

/** A property's value as text. */
export const textOf = (property: ConceptProperty): string =>
  String(
    property.valueCode ??
      property.valueCoding?.code ??
      property.valueString ??
      property.valueBoolean ??
      property.valueInteger ??
      property.valueDateTime ??
      property.valueDecimal ??
      '',
  );
