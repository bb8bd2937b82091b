import { expect } from 'chai';
import { Decimal } from '../../../../src/standards/fhir/json.ts';
import { nearestName } from '../../../../src/standards/fhir/validation/nearest.ts';
import { PRIMITIVES } from '../../../../src/standards/fhir/validation/primitives.ts';
import { testDefinitions } from '../../../support/definitions.ts';

const D = (text: string) => new Decimal(text);
const DIV = (inside: string) => `<div xmlns="http://www.w3.org/1999/xhtml">${inside}</div>`;

/** Type, values allowed, values refused. https://hl7.org/fhir/R4/datatypes.html#primitive */
const CASES: readonly [string, readonly unknown[], readonly unknown[]][] = [
  ['boolean', [true, false], ['true', 1, 0, {}, D('1.0')]],
  [
    'integer',
    [0, 1, -1, 2147483647, -2147483648, D('-0')],
    [2147483648, -2147483649, 1.5, '1', D('1.0'), D('1E2'), D('2147483648.0'), Number.NaN, Number.POSITIVE_INFINITY],
  ],
  ['unsignedInt', [0, 1, 2147483647], [-1, 2147483648, 0.5, D('1.0')]],
  ['positiveInt', [1, 2147483647], [0, -1, 2147483648, D('-0'), D('1.0')]],
  ['decimal', [0, 1.5, -1, D('1.00'), D('1e400'), D('-0')], ['1', '1.0', Number.NaN, Number.POSITIVE_INFINITY, true]],
  [
    'string',
    ['a', ' a ', 'a\tb\r\nc', 'é', '😀', 'x'.repeat(1_048_576)],
    ['', ' ', '\t\n', '\u00a0', '\u2003', 'a\u0000', 'a\u0007b', 'x'.repeat(1_048_577), 5, true, D('1.0')],
  ],
  ['markdown', ['# a\n\n* b'], ['', ' \n ']],
  ['code', ['a', 'a b', 'a-b_c', 'é', '>='], ['', ' a', 'a ', 'a  b', 'a\n', '\u00a0a', 'a \u2003b']],
  ['uri', ['a', 'https://example.org/ü', 'urn:oid:1.2', '#x', '../a'], ['', 'a b', ' a', 'a\n', 'a\u00a0b']],
  ['url', ['https://example.org/?a=b'], ['a b', '']],
  ['canonical', ['https://example.org/x|1.0'], ['a b', '']],
  ['id', ['a', 'A-1.b', 'x'.repeat(64)], ['', 'a_b', 'x'.repeat(65), 'a b', 'a\n', 'é']],
  ['oid', ['urn:oid:1.2.3', 'urn:oid:2.999'], ['1.2.3', 'urn:oid:3.1', 'urn:oid:1.02', 'urn:oid:1.', 'urn:oid:1', '']],
  [
    'uuid',
    ['urn:uuid:c757873d-ec9a-4326-a141-556f43239520'],
    ['c757873d-ec9a-4326-a141-556f43239520', 'urn:uuid:C757873D-EC9A-4326-A141-556F43239520', 'urn:uuid:1', ''],
  ],
  [
    'base64Binary',
    ['aGk=', 'aGkh', 'YQ==', 'aGkh aGkh\r\naGkh', '+/+/'],
    ['', ' ', 'a', 'aGk', 'aGk=aGkh', 'a===', '====', 'aG-_', 'aGk!', 'aGk\u00e9'],
  ],
  [
    'date',
    ['2024', '2024-02', '2024-02-29', '2000-02-29', '0001-01-01', '9999-12-31', '2023-12-31'],
    [
      '',
      '24',
      '02024',
      '0000',
      '0000-01-01',
      '2024-00',
      '2024-13',
      '2024-2',
      '2024-02-30',
      '2023-02-29',
      '1900-02-29',
      '2024-04-31',
      '2024-01-00',
      '2024-01-32',
      '2024/01/01',
      '2024-01-01T00:00:00Z',
      ' 2024',
      '2024-',
      '２０２４',
      '-2024-01-01',
    ],
  ],
  [
    'dateTime',
    [
      '2024',
      '2024-02',
      '2024-02-29',
      '2024-02-29T00:00:00Z',
      '2024-02-29T23:59:59.123456789+14:00',
      '2016-12-31T23:59:60Z',
      '2024-02-29T10:00:00-13:59',
      '2024-02-29T10:00:00-00:00',
    ],
    [
      '2023-02-29T00:00:00Z',
      '2024-02-29T24:00:00Z',
      '2024-02-29T10:60:00Z',
      '2024-02-29T10:00:61Z',
      '2024-02-29T10:00Z',
      '2024-02-29T10:00:00',
      '2024-02-29T10:00:00z',
      '2024-02-29t10:00:00Z',
      '2024-02-29 10:00:00Z',
      '2024-02-29T10:00:00.Z',
      '2024-02-29T10:00:00+14:01',
      '2024-02-29T10:00:00+15:00',
      '2024-02-29T10:00:00+1:00',
      '2024-02-29T10:00:00+0100',
      '2024-02-29T10:00:00+01:60',
      '2024-02-29T10:00:00Zx',
      '2024-02-29T',
      '2024-02T10:00:00Z',
    ],
  ],
  [
    'instant',
    ['2024-02-29T10:00:00Z', '2024-02-29T10:00:00.5+01:00', '2016-12-31T23:59:60Z'],
    ['2024', '2024-02-29', '2024-02-29T10:00:00', '2023-02-29T10:00:00Z', ''],
  ],
  [
    'time',
    ['00:00:00', '23:59:60', '10:00:00.5'],
    ['24:00:00', '10:00', '10:00:00Z', '10:00:00.', '1:00:00', '10-00-00', ''],
  ],
  [
    'xhtml',
    [
      DIV('x'),
      DIV('<p class="a">x<br/>y &amp; z</p><!-- <script> -->'),
      ` ${DIV('<a href="https://example.org">x</a>')}\n`,
      DIV('<img src="data:image/png;base64,aGk="/>'),
      DIV('one = two, on time = late'),
    ],
    [
      '<p>x</p>',
      '<div/>',
      'text',
      '<divx>a</divx>',
      DIV('x').slice(0, -6),
      `${DIV('x')}x`,
      DIV('x') + DIV('y'),
      DIV('<p>x'),
      DIV('<p>x</b>'),
      DIV('<p>x</div>'),
      DIV('a < b'),
      DIV('<script>x</script>'),
      DIV('<SCRIPT/>'),
      DIV('<iframe src="x"/>'),
      DIV('<form></form>'),
      DIV('<p onclick="x">y</p>'),
      DIV('<p OnClick="x">y</p>'),
      DIV('<a href="javascript:x">y</a>'),
      DIV('<p a=b>y</p>'),
      DIV('<!DOCTYPE html>'),
      DIV('<?xml version="1.0"?>'),
      DIV('<![CDATA[x]]>'),
      DIV('<!-- x'),
      DIV('<p'),
    ],
  ],
];

describe('validation › primitives', () => {
  for (const [type, allowed, refused] of CASES) {
    const check = PRIMITIVES.get(type)!;
    const show = (value: unknown): string => String(JSON.stringify(value) ?? value).slice(0, 60);
    describe(type, () => {
      for (const value of allowed) it(`allows ${show(value)}`, () => expect(check(value)).to.equal(undefined));
      for (const value of refused) it(`refuses ${show(value)}`, () => expect(check(value)?.text).to.be.a('string'));
    });
  }

  it('are checked for every primitive type there is, and each by more than its JSON type', () => {
    expect([...PRIMITIVES.keys()].sort()).to.eql(Object.keys(testDefinitions().primitives).sort());
    expect(CASES.map(([type]) => type).sort()).to.eql([...PRIMITIVES.keys()].sort());
  });

  it('refuse what the official patterns refuse', () => {
    for (const [type, allowed] of CASES) {
      const { pattern } = testDefinitions().primitives[type]!;
      // White space between base64 groups may fall anywhere in MIME lines; the pattern allows it at the groups only.
      if (pattern === undefined || type === 'base64Binary') continue;
      for (const value of allowed) expect(String(value), type).to.match(new RegExp(`^(${pattern})$`));
    }
  });

  it('take linear time for text made to be slow', () => {
    const hostile: [string, string][] = [
      ['code', `${'a '.repeat(500_000)} `],
      ['uri', `${'é'.repeat(1_000_000)} `],
      ['xhtml', `<div>${'<p '.repeat(300_000)}`],
      ['xhtml', `<div>${'<p>'.repeat(300_000)}`],
      ['xhtml', `<div ${'a="b" '.repeat(150_000)}`],
      ['xhtml', `<div${' '.repeat(500_000)}`],
      ['xhtml', `<div>${'<!--'.repeat(200_000)}`],
      ['base64Binary', `${'A'.repeat(1_000_000)}!`],
      ['oid', `urn:oid:1${'.1'.repeat(300_000)}x`],
    ];
    for (const [type, text] of hostile) {
      const before = process.hrtime.bigint();
      expect(PRIMITIVES.get(type)!(text)?.text).to.be.a('string');
      expect(Number(process.hrtime.bigint() - before) / 1e6, `${type} ${text.slice(0, 12)}`).to.be.below(30_000);
    }
  });
});

describe('validation › nearest name', () => {
  const names = ['family', 'given', 'birthDate', 'gender', 'active'];
  for (const [wrong, nearest] of [
    ['famly', 'family'],
    ['Family', 'family'],
    ['birthdate', 'birthDate'],
    ['dateOfBirth', undefined],
    ['gneder', 'gender'],
    ['x', undefined],
    ['', undefined],
    ['a'.repeat(100), undefined],
  ] as const)
    it(`${wrong || '(nothing)'} → ${nearest ?? 'none'}`, () => expect(nearestName(wrong, names)).to.equal(nearest));
});
