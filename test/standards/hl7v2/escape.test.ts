import { expect } from 'chai';
import fc from 'fast-check';
import { type Encoding, STANDARD_ENCODING } from '../../../src/standards/hl7v2/encoding.ts';
import { decodeEscapes, encodeEscapes } from '../../../src/standards/hl7v2/escape.ts';

const decode = (raw: string): { text: string; faults: string[] } => {
  const faults: string[] = [];
  return { text: decodeEscapes(raw, STANDARD_ENCODING, (fault) => faults.push(fault)), faults };
};

describe('hl7v2 › escapes', () => {
  for (const [raw, text, faults] of [
    ['A\\T\\B\\S\\C\\R\\D\\F\\E\\E\\G', 'A&B^C~D|E\\G', []],
    ['X\\X41\\Y', 'XAY', []],
    ['\\XC3A4\\', 'ä', []],
    ['a\\X0D0A\\b', 'a\nb', []],
    ['a\\.br\\\\.br\\b', 'a\n\nb', []],
    ['\\H\\bold\\N\\ plain', 'bold plain', []],
    ['a\\.sp+2\\b\\.sk3\\c\\.in+4\\d\\.ti-2\\e\\.ce\\f\\.fi\\\\.nf\\', 'a\n\nb   cde\nf', []],
    ['a\\.sp999999\\b', `a${'\n'.repeat(100)}b`, []],
    ['\\Zlocal\\ tail', '\\Zlocal\\ tail', []],
    ['\\C2842\\a\\M24A1\\b', 'ab', ['character-set', 'character-set']],
    ['\\unknown\\ x', '\\unknown\\ x', ['unknown']],
    ['a \\ b \\T\\ c', 'a \\ b & c', ['unknown']],
    ['open\\end', 'open\\end', ['unclosed']],
    ['\\X4\\\\XZZ\\', '\\X4\\\\XZZ\\', ['unknown']],
    ['\\P\\', '\\P\\', ['unknown']],
    ['\\', '\\', ['unclosed']],
  ] as const)
    it(`${raw.slice(0, 50)}`, () => {
      expect(decode(raw).text).equal(text);
      expect(new Set(decode(raw).faults)).eql(new Set(faults));
    });

  it('without an escape character nothing is decoded, and delimiters become spaces', () => {
    const encoding: Encoding = { ...STANDARD_ENCODING, escape: '', subcomponent: '' };
    expect(decodeEscapes('a\\T\\b', encoding)).equal('a\\T\\b');
    expect(encodeEscapes('a|b^c\rd', encoding)).equal('a b c d');
  });

  it('writes delimiters, newlines and control characters, and nothing else, in escapes', () => {
    expect(encodeEscapes('a|b^c~d&e\\f\ng\rh ü', STANDARD_ENCODING)).equal(
      'a\\F\\b\\S\\c\\R\\d\\T\\e\\E\\f\\.br\\g\\X0D\\h ü',
    );
    expect(encodeEscapes('""', STANDARD_ENCODING)).equal('\\X22\\"');
  });

  it('decode(encode(text)) is the text', () => {
    const encodings = [
      STANDARD_ENCODING,
      { ...STANDARD_ENCODING, truncation: '#' },
      { ...STANDARD_ENCODING, field: '#', component: '*', repetition: '!', escape: '?', subcomponent: '%' },
    ];
    const delimiters = fc.string({ unit: fc.constantFrom(...'|^~\\&#*!?%\r\n"aX0.'), maxLength: 30 });
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'grapheme' }), delimiters),
        fc.constantFrom(...encodings),
        (text, encoding) => {
          const raw = encodeEscapes(text, encoding);
          expect(decodeEscapes(raw, encoding)).equal(text);
          for (const separator of [
            encoding.field,
            encoding.component,
            encoding.repetition,
            encoding.subcomponent,
            '\r',
          ])
            expect(raw.includes(separator)).equal(false);
        },
      ),
    );
  });
});
