import { expect } from 'chai';
import fc from 'fast-check';
import { splitEscaped, unescapeValue } from '../../../../src/standards/fhir/search/escape.ts';
import { parseNumber } from '../../../../src/standards/fhir/search/number.ts';
import { formatQueryString, parseQueryString } from '../../../../src/standards/fhir/search/query-string.ts';
import { suggestNames } from '../../../../src/standards/fhir/search/suggest.ts';
import { normaliseText } from '../../../../src/standards/fhir/search/text.ts';

describe('search › number', () => {
  for (const [text, value, low, high] of [
    ['100', 100, 99.5, 100.5],
    ['100.00', 100, 99.995, 100.005],
    ['1e2', 100, 95, 105],
    ['5.40', 5.4, 5.395, 5.405],
    ['-3', -3, -3.5, -2.5],
    ['0', 0, -0.5, 0.5],
    ['0.8', 0.8, 0.75, 0.85],
    ['5.40e-3', 0.0054, 0.005395, 0.005405],
    ['1.00E2', 100, 99.5, 100.5],
  ] as const)
    it(`${text} is ${low} to ${high}`, () => expect(parseNumber(text)).to.deep.equal({ value, low, high }));

  for (const text of [
    '',
    '.5',
    '5.',
    'e2',
    '1e',
    '0x10',
    'NaN',
    'Infinity',
    '1e999',
    '1,5',
    ' 1',
    '1_000',
    '٣',
    '1'.repeat(41),
  ])
    it(`${JSON.stringify(text)} is none`, () => expect(parseNumber(text)).to.equal(undefined));
});

describe('search › text', () => {
  for (const [text, plain] of [
    ['Eve', 'eve'],
    ['Évelyne', 'evelyne'],
    ['ÅSTRÖM', 'astrom'],
    ['  Anna \t  Maria\n', 'anna maria'],
    ['Straße', 'strasse'],
    ['Łódź', 'lodz'],
    ['Ørsted Æbelø', 'orsted aebelo'],
    ['İstanbul', 'istanbul'],
    ['O’Brien', "o'brien"],
    ['ﬁ', 'fi'],
    ['ℌ', 'h'],
    ['田中', '田中'],
    ['', ''],
  ] as const)
    it(`${JSON.stringify(text)} is compared as ${JSON.stringify(plain)}`, () =>
      expect(normaliseText(text)).to.equal(plain));

  it('is the same when done twice', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => normaliseText(normaliseText(text)) === normaliseText(text)),
    );
  });
});

describe('search › escape', () => {
  it('\\, \\| \\$ \\\\ stand for themselves', () => {
    expect(splitEscaped('a\\,b,c\\\\,d', ',').map(unescapeValue)).to.deep.equal(['a,b', 'c\\', 'd']);
    expect(splitEscaped('x\\|y|z', '|').map(unescapeValue)).to.deep.equal(['x|y', 'z']);
    expect(splitEscaped('1\\$2$3', '$').map(unescapeValue)).to.deep.equal(['1$2', '3']);
  });
  it('a backslash before anything else is kept', () => {
    expect(unescapeValue('a\\b\\')).to.equal('a\\b\\');
  });
  it('any text survives being escaped', () => {
    const escaped = (text: string): string => text.replace(/[,|$\\]/g, (c) => `\\${c}`);
    fc.assert(
      fc.property(fc.array(fc.string(), { minLength: 1 }), (texts) => {
        expect(splitEscaped(texts.map(escaped).join(','), ',').map(unescapeValue)).to.deep.equal(texts);
      }),
    );
  });
});

describe('search › query string', () => {
  it('is flat: brackets are part of a name, repeated names stay', () => {
    expect(parseQueryString('a[b]=1&name[]=x&a=1&a=2&&c&d==').pairs).to.deep.equal([
      ['a[b]', '1'],
      ['name[]', 'x'],
      ['a', '1'],
      ['a', '2'],
      ['c', ''],
      ['d', '='],
    ]);
  });
  for (const query of ['a=%', 'a=%zz', 'a=%ff', '%c3=1', 'a=%00', 'a=%1b', 'a=%ed%a0%80'])
    it(`counts ${query} as broken`, () => expect(parseQueryString(query)).to.deep.equal({ pairs: [], broken: 1 }));
  it('is written so that it is read the same', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ unit: 'grapheme' }))),
        (pairs) => {
          const read = parseQueryString(formatQueryString(pairs));
          expect(read).to.deep.equal({ pairs, broken: 0 });
        },
      ),
    );
  });
  it('keeps : , / $ readable and encodes the rest', () => {
    expect(formatQueryString([['subject:Patient.name', 'a,b$c|d e+é&=']])).to.equal(
      'subject:Patient.name=a,b$c%7Cd%20e%2B%C3%A9%26%3D',
    );
  });
});

describe('search › suggestions', () => {
  const known = ['birthdate', 'death-date', 'name', 'given', 'family', 'general-practitioner', 'identifier'];
  for (const [given, names] of [
    ['brithdate', ['birthdate']],
    ['birthDate', ['birthdate']],
    ['birth', ['birthdate']],
    ['nmae', ['name']],
    ['identifer', ['identifier']],
    ['practitioner', []],
    ['', []],
    ['x'.repeat(10_000), []],
  ] as const)
    it(`${given.slice(0, 20) || '(empty)'}: ${names.join() || 'none'}`, () =>
      expect(suggestNames(given, known)).to.deep.equal(names));
});
