/** https://hl7.org/fhir/R4/patient-operation-match.html: how alike two people are. */
import { expect } from 'chai';
import { type MatchGrade, scoreMatch, similarity } from '../../../src/standards/fhir/patient-match.ts';

const NHS = 'https://fhir.nhs.uk/Id/nhs-number';
const WREN = {
  resourceType: 'Patient',
  identifier: [{ system: NHS, value: '9990001014' }],
  name: [{ family: 'Tremaine', given: ['Wren'] }],
  birthDate: '1984-05-17',
  gender: 'female',
  address: [{ postalCode: 'LS1 4AP' }],
  telecom: [{ system: 'phone', value: '+44 7700 900123' }],
};
const { identifier: _identifier, ...UNNUMBERED } = WREN;
const named = (family: string, given: string) => ({ name: [{ family, given: [given] }] });

const CASES: readonly (readonly [title: string, asked: object, stored: object, grade: MatchGrade])[] = [
  ['the same in all', WREN, WREN, 'certain'],
  [
    'written otherwise',
    { ...WREN, ...named('TREMAINÉ', 'wren'), address: [{ postalCode: 'ls14ap' }] },
    WREN,
    'certain',
  ],
  ['without a number, all else the same', UNNUMBERED, WREN, 'certain'],
  ['a number alone', { identifier: WREN.identifier }, WREN, 'possible'],
  ['number and birth date', { identifier: WREN.identifier, birthDate: WREN.birthDate }, WREN, 'certain'],
  ['name and birth date', { ...named('Tremaine', 'Wren'), birthDate: WREN.birthDate }, WREN, 'probable'],
  [
    'a letter wrong, day and month changed',
    { ...UNNUMBERED, ...named('Tremane', 'Wren'), birthDate: '1984-05-18' },
    WREN,
    'probable',
  ],
  ['a name alone', named('Tremaine', 'Wren'), WREN, 'possible'],
  ['a family name alone', { name: [{ family: 'Tremaine' }] }, WREN, 'certainly-not'],
  ['a twin', { ...UNNUMBERED, ...named('Tremaine', 'Otto'), gender: 'male' }, WREN, 'probable'],
  [
    'a twin with another number',
    { ...WREN, identifier: [{ system: NHS, value: '9990001015' }], ...named('Tremaine', 'Otto'), gender: 'male' },
    WREN,
    'possible',
  ],
  [
    'somebody else of the name',
    { ...named('Tremaine', 'Wren'), birthDate: '1931-11-02', gender: 'male' },
    WREN,
    'certainly-not',
  ],
  ['nothing in common', { ...named('Oduya', 'Kofi'), birthDate: '2001-01-30' }, WREN, 'certainly-not'],
  ['nothing said', { resourceType: 'Patient' }, WREN, 'certainly-not'],
];

describe('patient match', () => {
  for (const [title, asked, stored, grade] of CASES)
    it(`${title}: ${grade}`, () => {
      const { score, grade: found } = scoreMatch(asked, stored);
      expect(found, String(score)).equal(grade);
      expect(score).within(0, 1);
    });

  it('what agrees more scores higher', () => {
    const scores = [WREN, UNNUMBERED, { ...UNNUMBERED, birthDate: '1984-05-18' }, named('Tremaine', 'Wren'), {}].map(
      (asked) => scoreMatch(asked, WREN).score,
    );
    expect(scores).eql(scores.toSorted((a, b) => b - a));
  });

  for (const [a, b, expected] of [
    ['martha', 'marhta', 0.961],
    ['dixon', 'dicksonx', 0.813],
    ['abc', 'abc', 1],
    ['abc', 'xyz', 0],
    ['', 'a', 0],
  ] as const)
    it(`Jaro and Winkler: ${a}, ${b}`, () => {
      expect(similarity(a, b)).closeTo(expected, 0.001);
    });
});
