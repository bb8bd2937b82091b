/** Dates, dosages, repeats and texts: the values of which messages are made. */
import { expect } from 'chai';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { date, dateOfDateTime, dateTime } from '../../../src/mapping/eps/dates.ts';
import { dosageText } from '../../../src/mapping/eps/dosage-text.ts';
import { normaliseSystems } from '../../../src/mapping/eps/normalise-systems.ts';
import { type Change, changed } from './change.ts';
import { fixtureContext, fixtureMessage } from './fixture.ts';
import { resourceAt } from './rows.ts';

describe('mapping › eps › dates', () => {
  for (const [text, v3] of [
    ['2016-03-10T22:39:32-04:00', '20160311023932'],
    ['2022-02-01T00:00:00Z', '20220201000000'],
    ['2022-02-01T00:30:00+01:00', '20220131233000'],
    ['2022-03-15T13:51:43.999Z', '20220315135143'],
    ['2022-07-01', '20220701000000'],
    ['2022-07', '20220701000000'],
    ['2022', '20220101000000'],
    ['2024-02-29', '20240229000000'],
    ['0001-01-01T00:00:00Z', '00010101000000'],
  ] as const)
    it(`dateTime › ${text}`, () => expect(dateTime(text, 'p')).equal(v3));

  for (const text of [
    undefined,
    '',
    '2022-02-30',
    '2023-02-29',
    '2022-13-01',
    '2022-1-1',
    '20220101',
    '2022-01-01T10:00Z',
    '2022-01-01T10:00:00',
    '2022-01-01T24:00:00Z',
    '2022-01-01T10:60:00Z',
    '2022-01-01T10:00:60Z',
    '2022-01-01T10:00:00+15:00',
    ' 2022-01-01',
    '2022-01-01\n',
    '0000-01-01',
    '0001-01-01T00:00:00+01:00',
    '9999-12-31T23:59:59-01:00',
  ])
    it(`dateTime refuses ${JSON.stringify(text)}`, () => expect(() => dateTime(text, 'p')).throw());

  it('a date keeps its day, a time may have another in UTC', () => {
    expect(date('1948-04-30', 'p')).equal('19480430');
    expect(date('1948', 'p')).equal('19480101');
    expect(dateOfDateTime('2022-01-01T00:30:00+01:00', 'p')).equal('20211231');
    expect(() => date('1948-04-30T00:00:00Z', 'p')).throw();
  });
});

describe('mapping › eps › dosage text', () => {
  const of = (...dosages: readonly (readonly [number | undefined, string])[]): string =>
    dosageText(
      dosages.map(([sequence, text]) => ({ ...(sequence !== undefined && { sequence }), text })),
      'p',
    );
  it('one', () => expect(of([undefined, 'a'])).equal('a'));
  it('one after another', () => expect(of([2, 'b'], [1, 'a'], [10, 'c'])).equal('a, then b, then c'));
  it('at the same time', () => expect(of([1, 'a'], [2, 'b'], [1, 'c'])).equal('a, and c, then b'));
});

describe('mapping › eps › systems', () => {
  it('https of HL7 becomes http, elsewhere it stays', () => {
    const value = {
      system: 'https://terminology.hl7.org/CodeSystem/x',
      url: 'https://terminology.hl7.org/CodeSystem/x',
      list: [{ system: 'https://hl7.org/fhir/CodeSystem/task-code' }, { system: 'https://fhir.nhs.uk/Id/nhs-number' }],
    };
    expect(normaliseSystems(value)).deep.equal({
      system: 'http://terminology.hl7.org/CodeSystem/x',
      url: 'https://terminology.hl7.org/CodeSystem/x',
      list: [{ system: 'http://hl7.org/fhir/CodeSystem/task-code' }, { system: 'https://fhir.nhs.uk/Id/nhs-number' }],
    });
  });

  it('leaves what it is given as it is', () => {
    const value = { system: 'https://terminology.hl7.org/x' };
    normaliseSystems(value);
    expect(value.system).equal('https://terminology.hl7.org/x');
    const same = { system: 'http://terminology.hl7.org/x', list: [{}] };
    expect(normaliseSystems(same)).equal(same);
  });

  it('keeps a member named __proto__ one', () => {
    const value: unknown = JSON.parse('{"__proto__":{"a":1},"system":"https://hl7.org/fhir/CodeSystem/x"}');
    expect(JSON.stringify(normaliseSystems(value))).equal(
      '{"__proto__":{"a":1},"system":"http://hl7.org/fhir/CodeSystem/x"}',
    );
  });
});

describe('mapping › eps › values in place', () => {
  const [ITEM_1, PATIENT, AUTHOR, SURGERY] = [1, 5, 6, 10].map(resourceAt) as [string, string, string, string];
  const rows: readonly (readonly [title: string, changes: readonly Change[], xml: string])[] = [
    ['digits of a quantity', [], '<quantity unit="1" value="1.50">'],
    ['characters special to XML, in text', [[`${SURGERY}/name`, `<"A" & 'B'>`]], `<name>&lt;"A" &amp; 'B'&gt;</name>`],
    [
      '… and in attributes',
      [[`${ITEM_1}/dispenseRequest/quantity/unit`, `<"A" & 'B'\t\n>`]],
      'displayName="&lt;&quot;A&quot; &amp; &#39;B&#39;  &gt;"',
    ],
    ['a note is escaped twice', [[`${ITEM_1}/note/0/text`, 'a < b & c']], 'a &amp;lt; b &amp;amp; c</value>'],
    [
      'a note that is escaped already is not escaped anew',
      [[`${ITEM_1}/note/0/text`, 'a &amp; b']],
      'a &amp;amp; b</value>',
    ],
    [
      'the parts of a name in order',
      [[`${PATIENT}/name/0`, { suffix: ['Jr'], family: 'F', given: ['G', 'H'], prefix: ['P'] }]],
      '<prefix>P</prefix>\n                <given>G</given>\n                <given>H</given>\n                <family>F</family>\n                <suffix>Jr</suffix>',
    ],
    [
      'a name that is text alone',
      [[`${PATIENT}/name/0`, { use: 'maiden', text: 'A B' }]],
      '<name use="PREVIOUS-MAIDEN">A B</name>',
    ],
    [
      'empty lines and the country are left out',
      [[`${PATIENT}/address/0`, { line: ['', 'L'], state: 'S', district: 'D', city: 'C', country: 'X' }]],
      '<addr>\n              <streetAddressLine>L</streetAddressLine>\n              <streetAddressLine>C</streetAddressLine>\n              <streetAddressLine>D</streetAddressLine>\n              <streetAddressLine>S</streetAddressLine>\n            </addr>',
    ],
    [
      'a telephone number that is a URI',
      [[`${PATIENT}/telecom/0`, { use: 'mobile', value: 'tel: 07\t1' }]],
      '<telecom use="MC" value="tel:071"/>',
    ],
    [
      'a practice that is not known',
      [[`${PATIENT}/generalPractitioner`, []]],
      '<id extension="V81999" root="1.2.826.0.1285.0.1.10"/>',
    ],
    [
      'a GMC number in lower case',
      [[`${AUTHOR}/identifier/1/value`, 'c123']],
      '<id extension="123" root="1.2.826.0.1285.0.2.1.54"/>',
    ],
    ['a line end of Windows in a note', [[`${ITEM_1}/note/0/text`, 'a\r\nb']], 'a\nb</value>'],
  ];
  for (const [title, changes, xml] of rows)
    it(title, () => {
      const { value, issues } = convertToV3(
        changed(fixtureMessage('prescription-order-acute'), changes),
        fixtureContext(),
      );
      expect(issues).deep.equal([]);
      expect(value).include(xml);
    });

  it('acute and continuous together are acute', () => {
    const payload = changed(fixtureMessage('prescription-order-acute'), [
      [`${ITEM_1}/courseOfTherapyType/coding/0/code`, 'continuous'],
    ]);
    const { value } = convertToV3(payload, fixtureContext());
    expect(value)
      .include('<value code="0001" codeSystem="2.16.840.1.113883.2.1.3.2.4.16.36"/>')
      .and.not.include('repeatNumber');
  });

  it('repeats allowed of basedOn go before those of the dispense request', () => {
    const extension = [
      {
        url: 'https://fhir.nhs.uk/StructureDefinition/Extension-EPS-RepeatInformation',
        extension: [{ url: 'numberOfRepeatsAllowed', valueInteger: 11 }],
      },
    ];
    const payload = changed(fixtureMessage('prescription-order-repeat-dispensing-signed'), [
      [`${ITEM_1}/basedOn`, [{ reference: 'urn:uuid:x', extension }]],
    ]);
    expect(convertToV3(payload, fixtureContext()).value).include('<high value="12"/>');
  });

  it('what it is given stays as it is', () => {
    const payload = fixtureMessage('prescription-order-acute');
    const before = JSON.stringify(payload);
    convertToV3(payload, fixtureContext());
    expect(JSON.stringify(payload)).equal(before);
  });
});
