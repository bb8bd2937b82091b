import { expect } from 'chai';
import fc from 'fast-check';
import { Decimal, formatJson, isNumber, JSON_LIMITS, numberOf, parseJson } from '../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';

const errorOf = (run: () => unknown): FhirError => {
  try {
    run();
  } catch (error) {
    expect(error).to.be.instanceOf(FhirError);
    return error as FhirError;
  }
  throw new Error('nothing was thrown');
};
const refuse = (source: string | Buffer, limits = JSON_LIMITS) => errorOf(() => parseJson(source, limits));

describe('json › numbers', () => {
  for (const text of [
    '1.00',
    '0.1000000000000000055',
    '12345678901234567.10',
    '12345678901234567890',
    '1e400',
    '-1e400',
    '1e-400',
    '-0',
    '-0.0',
    '0.0',
    '1E2',
    '1e2',
    '1e21',
    '0.0000001',
    '0.00000012',
    '9007199254740993',
    '-12.50',
    '1.0e+0',
  ]) {
    it(`keeps every digit of ${text}`, () => {
      for (const source of [`[${text}]`, Buffer.from(`[${text}]`)]) {
        const [leaf] = parseJson(source) as unknown[];
        expect(leaf).to.be.instanceOf(Decimal);
        expect(formatJson([leaf])).to.equal(`[${text}]`);
        expect(JSON.stringify({ a: leaf })).to.equal(`{"a":${text}}`);
        expect(numberOf(leaf as Decimal)).to.equal(Number(text));
      }
      expect(formatJson(parseJson(text))).to.equal(text);
    });
  }

  for (const text of ['0', '5', '-5', '0.5', '123456789012345', '-0.25', '0.000001', '1.5', '1e+21', '1.5e-7', '98.6'])
    it(`leaves ${text} a plain number, for JavaScript prints it the same`, () => {
      expect(parseJson(text)).to.equal(Number(text));
      expect(formatJson(parseJson(text))).to.equal(text);
    });

  it('keeps digits at every depth, beside keys with escapes, and in long lists', () => {
    for (const text of [
      '{"component":[{"valueQuantity":{"value":1.00}},{"valueQuantity":{"value":2,"x":[[1.10,2],[3.0]]}}]}',
      '{"a\\"b":{"é":1.0},"c":2.50}',
    ])
      expect(JSON.parse(formatJson(parseJson(text)), undefined)).to.eql(JSON.parse(text));
    const many = `[${Array.from({ length: 600 }, (_, i) => `${i}.0`).join(',')}]`;
    expect(formatJson(parseJson(many))).to.equal(many);
  });

  it('has a Decimal that cannot be changed and takes JSON numbers only', () => {
    const decimal = new Decimal('1.00');
    expect(() => Object.assign(decimal, { text: '2' })).to.throw(TypeError);
    expect(String(decimal)).to.equal('1.00');
    expect([isNumber(decimal), isNumber(1), isNumber('1'), isNumber(null)]).to.eql([true, true, false, false]);
    for (const text of ['', '1.', '.5', '+1', '01', 'NaN', 'Infinity', ' 1', '1 ', '1,5'])
      expect(() => new Decimal(text), text).to.throw(FhirError);
  });

  it('writes with two spaces when asked for pretty text', () => {
    expect(formatJson(parseJson('{"a":[1.0]}'), true)).to.equal('{\n  "a": [\n    1.0\n  ]\n}');
  });
});

describe('json › [IN-10] keys', () => {
  for (const key of ['__proto__', 'constructor', 'prototype', '\\u005f_proto__', 'con\\u0073tructor'])
    it(`refuses the key ${key} at any depth`, () => {
      for (const text of [`{"${key}":1}`, `{"a":[{"b":{"x":1,"${key}":{"polluted":true}}}]}`]) {
        const error = refuse(text);
        expect([error.status, error.issues[0]?.code]).to.eql([400, 'invalid']);
      }
      expect(({} as Record<string, unknown>)['polluted']).to.equal(undefined);
    });

  it('refuses prototype keys among many keys', () => {
    const many = Array.from({ length: 50 }, (_, i) => `"k${i}":1`).join(',');
    expect(refuse(`{${many},"__proto__":1}`).issues[0]?.code).to.equal('invalid');
  });

  for (const [name, text] of [
    ['plain', '{"resourceType":"Patient","birthDate":"1","active":true,"birthDate":"2"}'],
    ['one escaped', '{"birthDate":"1","birth\\u0044ate":"2"}'],
    ['the first escaped', '{"birth\\u0044ate":"1","x":1,"birthDate":"2"}'],
    ['nested', '{"name":[{"birthDate":1,"birthDate":2}]}'],
    ['among many', `{"birthDate":1,${Array.from({ length: 60 }, (_, i) => `"k${i}":1`).join(',')},"birthDate":2}`],
  ] as const)
    it(`refuses duplicate keys: ${name}`, () => {
      const error = refuse(text);
      expect([error.status, error.issues[0]?.code]).to.eql([400, 'structure']);
      expect(error.message).to.contain("the key 'birthDate' twice");
    });

  it('lets the same key stand in different objects, and empty and like-looking keys', () => {
    const text =
      '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"":1,"aXb":1,"aYb":1,"abcd":1,"abzd":2,"valueString":1,"valueSxring":2}';
    expect(parseJson(text)).to.eql(JSON.parse(text));
  });
});

describe('json › [IN-12] characters', () => {
  const bad: [string, string | Buffer][] = [
    ['NUL', '{"a":"x\u0000"}'],
    ['NUL escaped', '{"a":"x\\u0000"}'],
    ['a control character', '{"a":"\u0007"}'],
    ['a control character escaped', '{"a":"\\u0007"}'],
    ['backspace and form feed escaped', '{"a":"\\b\\f"}'],
    ['a raw line end in a string', '{"a":"x\ny"}'],
    ['a lone high surrogate', '{"a":"\ud800"}'],
    ['a lone low surrogate', '{"a":"\udc00x"}'],
    ['a lone high surrogate escaped', '{"a":"\\ud800"}'],
    ['a lone low surrogate escaped', '{"a":"\\udc00"}'],
    ['two high surrogates escaped', '{"a":"\\ud800\\ud800"}'],
    ['a high surrogate escaped before a character', '{"a":"\\ud800\\u0041"}'],
    ['a lone surrogate in a key', '{"\\ud800":1}'],
    ['an invalid byte', Buffer.from([0x22, 0xff, 0x22])],
    ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22])],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
    ['a character cut off', Buffer.from([0x22, 0xe2, 0x82])],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
  ];
  for (const [name, source] of bad)
    it(`refuses ${name}`, () => {
      expect(refuse(source).status).to.equal(400);
      if (name !== 'UTF-16') expect(refuse(source).issues[0]?.code).to.equal('invalid');
    });

  it('strips a byte order mark, once', () => {
    expect(parseJson('\ufeff{"a":1}')).to.eql({ a: 1 });
    expect(parseJson(Buffer.from('\ufeff{"a":1}'))).to.eql({ a: 1 });
    expect(refuse('\ufeff\ufeff1').issues[0]?.code).to.equal('structure');
  });

  it('lets every other character pass, escaped or not', () => {
    const text = '{"a":"\\t\\n\\r\\/\\\\\\"\\u00e9\\ud83d\\ude00é😀\ufffd\u007f"}';
    expect(parseJson(text)).to.eql(JSON.parse(text));
    expect(parseJson(Buffer.from(text))).to.eql(JSON.parse(text));
  });
});

describe('json › broken text', () => {
  for (const [text, where, expected] of [
    ['', 'line 1, column 1', 'expected a value but found the end'],
    ['{"a":1,}', 'line 1, column 8', "expected a key in double quotes but found '}'"],
    ['[1,]', 'line 1, column 4', "expected a value but found ']'"],
    ['[1 2]', 'line 1, column 4', "expected ',' or ']'"],
    ['{"a" 1}', 'line 1, column 6', "expected ':'"],
    ['{"a":1 "b":2}', 'line 1, column 8', "expected ',' or '}'"],
    ["{'a':1}", 'line 1, column 2', 'found a single quote'],
    ['{a:1}', 'line 1, column 2', 'found a letter'],
    ['{"a":01}', 'line 1, column 6', 'begins with a zero'],
    ['{"a":1.}', 'line 1, column 6', 'after the point'],
    ['{"a":.5}', 'line 1, column 6', 'plus sign or a point'],
    ['{"a":1e}', 'line 1, column 6', 'in the exponent'],
    ['{"a":-}', 'line 1, column 6', 'after the minus'],
    ['{"a":NaN}', 'line 1, column 6', 'found a letter'],
    ['{"a":tru}', 'line 1, column 6', 'found a letter'],
    ['{"a":"x', 'line 1, column 6', 'ends inside the string'],
    ['{"a":"\\x"}', 'line 1, column 7', 'escape that JSON does not have'],
    ['{"a":"\\u12g4"}', 'line 1, column 7', 'hexadecimal'],
    ['{"a":"\\u12', 'line 1, column 7', 'hexadecimal'],
    ['{"a":1} x', 'line 1, column 9', 'expected the end of the text'],
    ['{"a":[1}', 'line 1, column 8', "expected ',' or ']'"],
    ['{"a":1', 'line 1, column 7', 'found the end of the text'],
    ['{\n  "é": 1,\n  "bé": /* x */ 2\n}', 'line 3, column 9', 'comments'],
  ] as const)
    it(`${JSON.stringify(text)}: ${expected}`, () => {
      const error = refuse(text);
      expect([error.status, error.issues[0]?.code]).to.eql([400, 'structure']);
      expect(error.message).to.contain(where).and.to.contain(expected);
    });

  it('names the element, and never a value', () => {
    const error = refuse('{"resourceType":"Patient","name":[{"family":"Secretsmith"},{"given":["Hidden" "Person"]}]}');
    expect(error.issues[0]?.expression).to.eql(['Patient.name[1].given[0]']);
    expect(error.message).not.to.match(/Secretsmith|Hidden|Person/);
    const asKey = refuse('{"resourceType":"Patient","Jane Secret 1970":{"x":1,,}}');
    expect(asKey.message).not.to.match(/Secret/);
    expect(refuse('{"Jane Secret":1,"Jane Secret":2}').message).not.to.match(/Secret/);
  });
});

describe('json › [IN-01] limits', () => {
  const at = (limits: Partial<typeof JSON_LIMITS>) => ({ ...JSON_LIMITS, ...limits });
  const codeAbove = (text: string, limits: typeof JSON_LIMITS) => {
    const error = refuse(text, limits);
    return [error.status, error.issues[0]?.code];
  };
  it('depth', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    expect(parseJson(nested(63))).to.be.an('array');
    expect(parseJson(nested(64))).to.be.an('array');
    expect(codeAbove(nested(65), JSON_LIMITS)).to.eql([400, 'too-costly']);
    expect(parseJson(nested(100), at({ depth: 100 }))).to.be.an('array');
    expect(codeAbove(nested(100_000), JSON_LIMITS)).to.eql([400, 'too-costly']);
  });
  it('nodes', () => {
    expect(parseJson('[1,2,3]', at({ nodes: 4 }))).to.eql([1, 2, 3]);
    expect(codeAbove('[1,2,3,4]', at({ nodes: 4 }))).to.eql([400, 'too-costly']);
  });
  it('digits', () => {
    expect(formatJson(parseJson('1'.repeat(64)))).to.equal('1'.repeat(64));
    expect(codeAbove('1'.repeat(65), JSON_LIMITS)).to.eql([400, 'too-costly']);
    expect(codeAbove(`0.${'1'.repeat(64)}`, JSON_LIMITS)).to.eql([400, 'too-costly']);
    expect(codeAbove(`1e${'0'.repeat(64)}`, JSON_LIMITS)).to.eql([400, 'too-costly']);
  });
  it('keys', () => {
    const object = (keys: number) => `{${Array.from({ length: keys }, (_, i) => `"k${i}":1`).join(',')}}`;
    expect(Object.keys(parseJson(object(10_000)) as object)).to.have.length(10_000);
    expect(codeAbove(object(10_001), JSON_LIMITS)).to.eql([400, 'too-costly']);
    expect(codeAbove(object(4), at({ keys: 3 }))).to.eql([400, 'too-costly']);
  });
  it('string length, more for base64', () => {
    const limits = at({ stringBytes: 100, base64Bytes: 1000 });
    expect(parseJson(`"${'é'.repeat(50)}"`, limits)).to.have.length(50);
    expect(codeAbove(`"${'é'.repeat(51)}"`, limits)).to.eql([413, 'too-long']);
    expect(parseJson(`"${'A'.repeat(1000)}"`, limits)).to.have.length(1000);
    expect(codeAbove(`"${'A'.repeat(1001)}"`, limits)).to.eql([413, 'too-long']);
    expect(codeAbove(`"${'A'.repeat(70_000)}!"`, at({ stringBytes: 100 }))).to.eql([413, 'too-long']);
  });
  it('takes no more than linear time for keys that look alike', () => {
    const text = `{${Array.from({ length: 9_999 }, (_, i) => `"a${String(i).padStart(255, 'x')}b":1`).join(',')}}`;
    const before = process.hrtime.bigint();
    parseJson(text);
    expect(Number(process.hrtime.bigint() - before) / 1e6).to.be.below(30_000);
  });
});

describe('json › fuzz', () => {
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_key, v: unknown) => (v instanceof Decimal ? v.value : v)));

  it('any JSON text parses to what JSON.parse says, or is refused as FhirError', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        let parsed: unknown;
        try {
          parsed = parseJson(text);
        } catch (error) {
          return error instanceof FhirError;
        }
        expect(formatJson(parsed) === text || plain(parsed)).to.satisfy(
          (ok: unknown) => ok === true || JSON.stringify(ok) === JSON.stringify(plain(JSON.parse(text))),
        );
        return true;
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  const seeds = [
    '{"resourceType":"Patient","id":"p1","name":[{"family":"Ä\\u00e9😀","given":["a","b"]}],"active":true,"x":null}',
    '[1.00,-0,1e400,0.1000000000000000055,{"a":[[],{}]},"\\ud83d\\ude00\\n",false]',
  ];
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '0',
    '-',
    'e',
    '.',
    'u',
    '\\ud800',
    '\u0000',
    '😀',
    ' ',
    '\n',
    'null',
    '\ufeff',
  ];
  it('any mutation of valid text parses as JSON.parse does or gives FhirError, whole or as bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...seeds),
        fc.array(fc.tuple(fc.nat(200), fc.nat(3), fc.constantFrom(...pieces)), { minLength: 1, maxLength: 4 }),
        (seed, edits) => {
          let text = seed;
          for (const [at, drop, piece] of edits) {
            const i = at % (text.length + 1);
            text = text.slice(0, i) + piece + text.slice(i + drop);
          }
          for (const source of [text, Buffer.from(text)]) {
            let parsed: unknown;
            try {
              parsed = parseJson(source);
            } catch (error) {
              if (!(error instanceof FhirError)) throw error;
              continue;
            }
            const want: unknown = JSON.parse(source.toString().replace(/^\ufeff/, ''));
            expect(JSON.stringify(plain(parsed))).to.equal(JSON.stringify(plain(want)));
          }
        },
      ),
      { numRuns: 3000, seed: 7 },
    );
  });

  it('random bytes give a value or FhirError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          parseJson(Buffer.from(bytes));
        } catch (error) {
          if (!(error instanceof FhirError)) throw error;
        }
      }),
      { numRuns: 2000, seed: 7 },
    );
  });
});
