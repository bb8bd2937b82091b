import { expect } from 'chai';
import fc from 'fast-check';
import { compilePattern } from '../../../../src/standards/fhir/fhirpath/pattern.ts';
import { PathError } from '../../../../src/standards/fhir/fhirpath/values.ts';

describe('fhirpath › regular expressions', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '.',
    '[ab]',
    '[^a]',
    '(a|b)',
    '\\d',
    '\\w',
    '(?:ab)',
    '[a-c]',
    '1',
    '\\s',
    '(?:a{1,2})',
  );
  const times = fc.constantFrom('', '*', '+', '?', '{2}', '{0,2}');
  const pattern = fc
    .array(fc.tuple(piece, times), { minLength: 1, maxLength: 5 })
    .map((parts) => parts.map(([a, b]) => a + b).join(''));
  const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '1', ' ', 'x'), maxLength: 10 });

  it('match what those of JavaScript match', () => {
    fc.assert(
      fc.property(pattern, fc.boolean(), fc.boolean(), text, (source, start, end, subject) => {
        const whole = `${start ? '^' : ''}${source}${end ? '$' : ''}`;
        expect(compilePattern(whole).test(subject), whole).to.equal(new RegExp(whole).test(subject));
        expect(compilePattern(source).testWhole(subject), source).to.equal(new RegExp(`^(?:${source})$`).test(subject));
      }),
      { numRuns: 3000, seed: 11 },
    );
  });

  it('[IN-30] patterns that take others exponential time end at once', () => {
    const long = `${'a'.repeat(20_000)}!`;
    for (const source of ['^(a+)+$', '^(a|a)*$', '^(a|aa)+$', '^(.*)*x$'])
      expect(compilePattern(source).test(long)).to.equal(false);
    expect(compilePattern('(a?){50}a{50}').testWhole('a'.repeat(50))).to.equal(true);
  });

  for (const source of [
    '(',
    'a)',
    '[a',
    'a{5,2}',
    '(?=a)',
    '(a)\\1',
    '*a',
    '\\p{L}',
    'a{2000}',
    '((a{900}){900}){900}',
  ])
    it(`refused: ${source}`, () => {
      expect(() => compilePattern(source)).to.throw(PathError);
    });
});
