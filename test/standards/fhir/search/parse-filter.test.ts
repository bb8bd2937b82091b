/** https://hl7.org/fhir/R4/search_filter.html; what is found by them is in test/rest/search/cases.ts. */
import { expect } from 'chai';
import { FILTER_LIMITS, type FilterTree, parseFilterText } from '../../../../src/standards/fhir/search/filter-text.ts';
import { messages, parse } from './parse-fixtures.ts';

const path = (parts: Extract<FilterTree, { kind: 'compare' }>['path']): string =>
  parts.map(({ name, where }) => (where ? `${name}[${show(where)}]` : name)).join('.');
const show = (tree: FilterTree): string => {
  switch (tree.kind) {
    case 'not':
      return `not(${show(tree.of)})`;
    case 'compare':
      return `${path(tree.path)} ${tree.operator} ${JSON.stringify(tree.value)}`;
    default:
      return `(${tree.of.map(show).join(` ${tree.kind} `)})`;
  }
};

describe('_filter › grammar', () => {
  const CASES: readonly (readonly [text: string, tree: string])[] = [
    ['name co "pet"', 'name co "pet"'],
    ['  name   co   pet  ', 'name co "pet"'],
    ['birthdate ge 2014-10-10', 'birthdate ge "2014-10-10"'],
    ['code eq http://loinc.org|1234-5', 'code eq "http://loinc.org|1234-5"'],
    ['a eq 1 and b eq 2 and c eq 3', '(a eq "1" and b eq "2" and c eq "3")'],
    ['a eq 1 or b eq 2 and c eq 3', '((a eq "1" or b eq "2") and c eq "3")'],
    ['a eq 1 or (b eq 2 and c eq 3)', '(a eq "1" or (b eq "2" and c eq "3"))'],
    ['not(a eq 1)', 'not(a eq "1")'],
    ['not (a eq 1) and b eq 2', '(not(a eq "1") and b eq "2")'],
    ['((a eq 1))', 'a eq "1"'],
    ['(a eq 1)and(b eq 2)', '(a eq "1" and b eq "2")'],
    ['subject.name co "pet"', 'subject.name co "pet"'],
    ['related[type eq "has-component"].target pr true', 'related[type eq "has-component"].target pr "true"'],
    [
      'related[type eq has-component].target re Observation/4',
      'related[type eq "has-component"].target re "Observation/4"',
    ],
    ['a[b eq 1 and c eq 2].d[e eq 3].f eq 4', 'a[(b eq "1" and c eq "2")].d[e eq "3"].f eq "4"'],
    ['a eq "x) and ] \\"y\\" \\u00e9"', 'a eq "x) and ] \\"y\\" é"'],
    ['_tag eq and', '_tag eq "and"'],
    ['not eq 1', 'not eq "1"'],
    ['subject:Patient.name eq x', 'subject:Patient.name eq "x"'],
    ['_has:Observation:patient:code eq x', '_has:Observation:patient:code eq "x"'],
  ];
  for (const [text, tree] of CASES) it(text, () => expect(show(parseFilterText(text))).equal(tree));

  const BROKEN: readonly (readonly [text: string, says: RegExp])[] = [
    ['', /expected the name/],
    ['a', /expected a space and an operator \(at character 2\)/],
    ['a eq', /space and a value/],
    ['a eq ', /expected a value/],
    ['a eq ""', /expected a value/],
    ['a eq "x', /expected a value/],
    ['a eq 1 b eq 2', /'and', 'or' or the end \(at character 8\)/],
    ['a eq 1 and', /the end/],
    ['(a eq 1', /expected '\)'/],
    ['a eq 1)', /the end/],
    ['a[b eq 1] eq 2', /expected '\.' after/],
    ['a[b eq 1.c eq 2', /expected '\]'/],
    ['a. eq 1', /expected the name/],
    ['1a eq 1', /expected the name/],
    ['not(a eq 1', /expected '\)'/],
    ['a eq "\\u0000"', /control characters/],
    ["a eq '1' --", /the end/],
  ];
  for (const [text, says] of BROKEN) it(`'${text}' is refused`, () => expect(() => parseFilterText(text)).throw(says));

  it('limits of depth and of comparisons', () => {
    const nested = (n: number) => `${'('.repeat(n)}a eq 1${')'.repeat(n)}`;
    expect(show(parseFilterText(nested(FILTER_LIMITS.depth)))).equal('a eq "1"');
    expect(() => parseFilterText(nested(FILTER_LIMITS.depth + 1))).throw(/more than 10 deep/);
    expect(() => parseFilterText(nested(2000))).throw(/more than 10 deep/);
    expect(() => parseFilterText(`${'not('.repeat(11)}a eq 1${')'.repeat(11)}`)).throw(/deep/);
    const many = (n: number) => Array(n).fill('a eq 1').join(' or ');
    expect(show(parseFilterText(many(FILTER_LIMITS.terms)))).match(/^\(a eq/);
    expect(() => parseFilterText(many(FILTER_LIMITS.terms + 1))).throw(/more than 50 comparisons/);
  });
});

describe('_filter › conditions', () => {
  const filter = (text: string): [string, string][] => [['_filter', text]];

  it('what must all hold is asked part by part, so that an index may serve one', () => {
    const { conditions } = parse('Patient', filter('gender eq male and family sw x and not(active eq true)'));
    expect(conditions.map(({ kind }) => kind)).deep.equal(['token', 'string', 'not']);
  });
  it('a value keeps its commas and backslashes', () => {
    const [condition] = parse('Patient', filter('name co "a,b\\\\c|d$e"')).conditions;
    expect(condition).deep.include({ kind: 'string', modifier: 'contains', values: ['a,b\\c|d$e'] });
  });

  const REFUSED: readonly (readonly [type: string, text: string, says: RegExp])[] = [
    ['Patient', 'nmae eq x', /'_filter' at character 1: Unknown parameter 'nmae' for Patient; did you mean name/],
    ['Patient', 'gender eq male and nmae eq x', /at character 20: Unknown parameter/],
    ['Patient', 'gender co x', /'co' does not go with token parameters such as 'gender': use eq, ne, in, ss, sb, pr/],
    ['Patient', 'gender zz x', /'zz' is no operator of token/],
    ['Patient', 'birthdate sw 2014', /'sw' does not go with date/],
    ['Patient', 'birthdate eq x', /is not a date/],
    ['Patient', 'birthdate gt lt2014', /takes no prefix/],
    ['Patient', 'birthdate po ge2014', /without a prefix/],
    ['Patient', 'gender pr maybe', /'pr' takes true or false/],
    ['Patient', 'gender.x eq 1', /is no reference/],
    ['Patient', 'organization.nothing eq 1', /Unknown parameter 'nothing'/],
    ['Patient', 'organization:Patient.name eq 1', /cannot refer to Patient/],
    ['Patient', 'organization:Organization eq 1', /before a dot only/],
    ['Patient', 'organization[nothing eq 1].name eq 1', /Unknown parameter 'nothing'/],
    ['Organization', 'partof.partof.partof.partof.partof.name eq x', /at most 4 links/],
    ['Patient', '_has:Observation:code eq 1', /write '_has:Type/],
    ['Patient', '_has:Observation:code:code eq 1', /does not refer to Patient/],
    ['Observation', 'related[type eq x].target pr true', /Unknown parameter 'related'/],
    ['Patient', 'gender in http://x', /not supported/],
    ['Patient', '_id co x', /use eq, ne, pr/],
  ];
  for (const [type, text, says] of REFUSED)
    it(`${type}: ${text}`, () => expect(messages(type, filter(text)).join(' ')).match(says));
});
