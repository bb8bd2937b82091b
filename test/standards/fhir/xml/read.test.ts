/** What FHIR XML is refused, and where the fault is said to be. */
import { expect } from 'chai';
import fc from 'fast-check';
import { formatJson, JSON_LIMITS, parseJson } from '../../../../src/standards/fhir/json.ts';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { createValidator } from '../../../../src/standards/fhir/validation/validator.ts';
import { createXmlReader } from '../../../../src/standards/fhir/xml/read.ts';
import { createXmlWriter } from '../../../../src/standards/fhir/xml/write.ts';
import { testDefinitions } from '../../../support/definitions.ts';
import { fixture } from '../../../support/fixtures.ts';
import { generateResource } from '../../../support/generate-resource.ts';

const definitions = testDefinitions();
const read = createXmlReader(definitions);
const write = createXmlWriter(definitions);

const patient = (inner: string, more = ''): string => `<Patient xmlns="http://hl7.org/fhir"${more}>${inner}</Patient>`;
const DIV = '<div xmlns="http://www.w3.org/1999/xhtml">';

function refusal(xml: string | Buffer): FhirError {
  try {
    read(xml);
  } catch (error) {
    if (error instanceof FhirError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('fhir › xml › read', () => {
  it('fixture: a Patient with all that is peculiar to XML', () => {
    const resource = read(fixture('fhir/xml/patient.xml'));
    expect(createValidator(definitions)(resource)).deep.equal([]);
    expect(resource).deep.equal(parseJson(fixture('fhir/xml/patient.json')));
  });

  it('prefixes, comments, processing instructions, white space and the place of a schema are nothing', () => {
    const plain = { resourceType: 'Patient', active: true, name: [{ family: 'A' }] };
    for (const xml of [
      '<f:Patient xmlns:f="http://hl7.org/fhir"><f:active value="true"/><f:name><f:family value="A"/></f:name></f:Patient>',
      `<?xml version="1.0" encoding="utf-8"?>\n<!-- c -->${patient('\n  <active value="true"/><!-- c --><?p i?>\t<name><family value="A"/></name>\n')}`,
      patient(
        '<active value="true"/><name><family value="A"/></name>',
        ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir ../patient.xsd"',
      ),
    ])
      expect(read(xml)).deep.equal(plain);
  });

  const cases: readonly (readonly [
    title: string,
    xml: string,
    path: string | undefined,
    text: RegExp,
    line?: number,
  ])[] = [
    [
      'an unknown element',
      patient('\n<birthdate value="2000"/>'),
      'Patient',
      /no element birthdate; did you mean birthDate/,
      2,
    ],
    ['an element below', patient('<name>\n<famly value="x"/></name>'), 'Patient.name[0]', /no element famly/, 2],
    ['the second of a list', patient('<name/><name><x/></name>'), 'Patient.name[1]', /no element x/],
    [
      'the wrong order',
      patient('<gender value="male"/><active value="true"/>'),
      'Patient',
      /active must stand before gender/,
    ],
    [
      'a list in two parts',
      patient('<name/><gender value="male"/><name/>'),
      'Patient',
      /name must stand before gender/,
    ],
    ['one twice', patient('<gender value="male"/><gender value="male"/>'), 'Patient', /gender may be given once/],
    [
      'an unknown attribute',
      patient('<gender value="male" code="x"/>'),
      'Patient.gender',
      /gender has no attribute code/,
    ],
    [
      'an attribute of another namespace',
      patient('<gender xmlns:x="urn:x" value="male" x:y="1"/>'),
      'Patient.gender',
      /no attribute x:y/,
    ],
    ['text', patient('<gender>male</gender>'), 'Patient.gender', /attribute value/],
    ['nothing', patient('<gender/>'), 'Patient.gender', /neither a value nor an extension/],
    ['a value on a complex element', patient('<name value="x"/>'), 'Patient.name[0]', /no attribute value/],
    [
      'an element in a primitive',
      patient('<gender value="male"><coding/></gender>'),
      'Patient.gender',
      /nothing but extensions/,
    ],
    ['an attribute as element', patient('<name><id value="x"/></name>'), 'Patient.name[0]', /is an attribute/],
    ['a boolean', patient('<active value="TRUE"/>'), 'Patient.active', /true or false/],
    ['a number', patient('<multipleBirthInteger value="one"/>'), 'Patient.multipleBirth', /must be a number/],
    [
      'a number with a plus',
      patient('<multipleBirthInteger value="+1"/>'),
      'Patient.multipleBirth',
      /must be a number/,
    ],
    ['an empty number', patient('<multipleBirthInteger value=""/>'), 'Patient.multipleBirth', /must be a number/],
    ['no namespace', '<Patient><active value="true"/></Patient>', undefined, /not in the namespace of FHIR/],
    ['a foreign element', patient('<active xmlns="urn:x" value="true"/>'), 'Patient', /wrong namespace/],
    ['an unknown root', '<Pateint xmlns="http://hl7.org/fhir"/>', undefined, /did you mean Patient/],
    ['an abstract root', '<Resource xmlns="http://hl7.org/fhir"/>', undefined, /no R4 resource type/],
    ['nothing contained', patient('<contained/>'), 'Patient.contained[0]', /holds one resource/],
    [
      'two contained in one',
      patient('<contained><Patient/><Patient/></contained>'),
      'Patient.contained[0]',
      /more than one/,
    ],
    [
      'an unknown resource',
      patient('<contained><Nothing/></contained>'),
      'Patient.contained[0]',
      /no R4 resource type/,
    ],
    [
      'a fault in a contained resource',
      patient('<contained><Patient><x/></Patient></contained>'),
      'Patient.contained[0]',
      /no element x/,
    ],
    [
      'a narrative in the wrong namespace',
      patient('<text><status value="empty"/><div>x</div></text>'),
      'Patient.text',
      /namespace/,
    ],
    [
      'a narrative with a prefix',
      patient('<text><h:div xmlns:h="http://www.w3.org/1999/xhtml">x</h:div></text>'),
      'Patient.text',
      /without prefixes/,
    ],
    [
      'a foreign element in a narrative',
      patient(`<text>${DIV}<x xmlns="urn:x"/></div></text>`),
      'Patient.text',
      /holds XHTML/,
    ],
    ['broken XML', patient('<active value="true">\n\n</gender>'), 'Patient', /Line 3/, 3],
    ['another encoding', `<?xml version="1.0" encoding="iso-8859-1"?>${patient('')}`, undefined, /another encoding/],
    ['[IN-20] a document type', `<!DOCTYPE Patient>${patient('')}`, undefined, /DOCTYPE/],
    ['[IN-20] an entity', patient('<name><family value="&x;"/></name>'), 'Patient.name[0]', /Line 1/],
  ];
  for (const [title, xml, path, text, line] of cases)
    it(`refuses ${title}`, () => {
      const { status, issues } = refusal(xml);
      expect(status).equal(400);
      expect(issues[0]?.diagnostics).match(text);
      expect(issues[0]?.expression).deep.equal(path === undefined ? undefined : [path]);
      if (path !== undefined) expect(issues[0]?.diagnostics).match(new RegExp(`^Line ${line ?? 1}, column \\d+: `));
    });

  it('tells every fault, 100 at most, and never a value', () => {
    const { issues } = refusal(patient('<a/><active value="9990000018"/><b/>'));
    expect(issues.map(({ expression }) => expression?.[0])).deep.equal(['Patient', 'Patient.active', 'Patient']);
    expect(JSON.stringify(issues)).not.include('9990000018');
    expect(refusal(patient('<a/>'.repeat(500))).issues.length).within(100, 101);
  });

  it('a narrative is kept byte for byte, and the namespace is added that stood further out', () => {
    const div = `${DIV}<p class='a' >x &amp; &#233; <br/>\r\n<!-- c --><b>\u00A0</b></p></div>`;
    expect(read(patient(`<text><status value="generated"/>${div}</text>`))).deep.include({
      text: { status: 'generated', div },
    });
    const outer =
      '<f:Patient xmlns:f="http://hl7.org/fhir" xmlns="http://www.w3.org/1999/xhtml"><f:text><div>x<b/></div></f:text></f:Patient>';
    expect(read(outer)).deep.equal({ resourceType: 'Patient', text: { div: `${DIV}x<b/></div>` } });
  });

  it('what acts in a narrative is for the validator, as in JSON', () => {
    const resource = read(patient(`<text><status value="generated"/>${DIV}<script>x</script></div></text>`));
    expect(createValidator(definitions)(resource)[0]).deep.include({ expression: ['Patient.text.div'] });
  });

  it('[IN-01] depth is that of JSON: what one takes the other takes', () => {
    const nested = (levels: number): string =>
      '<extension url="a">'.repeat(levels) +
      '<extension url="b"><valueBoolean value="true"/></extension>' +
      '</extension>'.repeat(levels);
    let taken = 0;
    for (let levels = 20; levels < 45; levels++) {
      const json = `{"resourceType":"Patient",${'"extension":[{"url":"a",'.repeat(levels)}"extension":[{"url":"b","valueBoolean":true}]${'}]'.repeat(levels)}}`;
      const isTaken = [() => parseJson(json), () => read(patient(nested(levels)))].map((take) => {
        try {
          take();
          return true;
        } catch (error) {
          expect(error).instanceOf(FhirError);
          return false;
        }
      });
      expect(isTaken[0], String(levels)).equal(isTaken[1]);
      taken += isTaken[0] ? 1 : 0;
    }
    expect(taken).within(5, 20);
    expect(refusal(patient(nested(40))).issues[0]?.code).equal('too-costly');
  });

  it('[IN-01] lengths: a string, a number, attributes', () => {
    const long = refusal(patient(`<name><family value="${'x'.repeat(JSON_LIMITS.stringBytes + 1)}"/></name>`));
    expect([long.status, long.issues[0]?.code]).deep.equal([413, 'too-long']);
    expect(refusal(patient(`<multipleBirthInteger value="${'1'.repeat(65)}"/>`)).issues[0]?.code).equal('value');
    const many = Array.from({ length: 70 }, (_, i) => `a${i}="x"`).join(' ');
    expect(refusal(patient(`<name ${many}/>`)).issues[0]?.diagnostics).match(/more than 64 attributes/);
  });

  it('[IN-20] any bytes: an answer or a FhirError, and soon', () => {
    const seeds = ['Patient', 'Bundle', 'Questionnaire'].map((type) =>
      write(generateResource(definitions, type, { fill: 'minimal', seed: 1 })),
    );
    const pieces = [
      '<',
      '>',
      '"',
      '&',
      '</',
      '/>',
      ' value="',
      '<name>',
      '<div',
      ']]>',
      '<!--',
      '\u0000',
      'xmlns="',
      '<extension url="x">',
    ];
    const mutate = fc.tuple(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(12), fc.constantFrom(...pieces)), {
        maxLength: 6,
      }),
    );
    fc.assert(
      fc.property(mutate, ([xml, edits]) => {
        let text = xml;
        for (const [where, cut, piece] of edits) {
          const at = Math.floor(where * text.length);
          text = text.slice(0, at) + piece + text.slice(at + cut);
        }
        try {
          expect(parseJson(formatJson(read(text)))).a('object');
        } catch (error) {
          if (!(error instanceof FhirError)) throw error;
          expect(error.issues.length).greaterThan(0);
        }
      }),
      { numRuns: 1500 },
    );
  });
});

describe('fhir › xml › write', () => {
  it('pretty: a line an element, and narratives as they are', () => {
    const div = `${DIV}<p>a</p></div>`;
    expect(
      write(
        {
          resourceType: 'Patient',
          text: { status: 'generated', div },
          contained: [{ resourceType: 'Patient', id: 'a' }],
        },
        'pretty',
      ),
    ).equal(
      [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Patient xmlns="http://hl7.org/fhir">',
        '  <text>',
        '    <status value="generated"/>',
        `    ${div}`,
        '  </text>',
        '  <contained>',
        '    <Patient>',
        '      <id value="a"/>',
        '    </Patient>',
        '  </contained>',
        '</Patient>',
      ].join('\n'),
    );
  });

  const narrative = (div: string): unknown =>
    (read(write({ resourceType: 'Patient', text: { status: 'generated', div } })) as { text: { div: string } }).text
      .div;

  it('narratives that JSON lets pass are mended: no namespace, entities of HTML, a bare ampersand', () => {
    expect(narrative('<div>x</div>')).equal(`${DIV}x</div>`);
    expect(narrative(`${DIV}a&nbsp;b &euro; & c &lt; &#233;</div>`)).equal(
      `${DIV}a\u00A0b € &amp; c &lt; &#233;</div>`,
    );
  });

  for (const [title, div] of [
    ['a prefix that nobody declared', `${DIV}<x:b/></div>`],
    ['an attribute twice', `${DIV}<p class="a" class="b"/></div>`],
    ['another namespace', '<div xmlns="urn:x">x</div>'],
    ['a comment with two hyphens', `${DIV}<!-- a -- b --></div>`],
  ] as const)
    it(`406 for a narrative that cannot be part of a document: ${title}`, () => {
      expect(() => narrative(div))
        .throw(FhirError)
        .deep.include({ status: 406 })
        .nested.property('issues[0].expression')
        .deep.equal(['Patient.text.div']);
    });

  it('406 for a character that XML does not have, and says where', () => {
    for (const character of ['\u0001', '\uFFFE', '\uFFFF'])
      expect(() => write({ resourceType: 'Patient', name: [{ family: `a${character}` }] }))
        .throw(FhirError)
        .deep.include({ status: 406 })
        .nested.property('issues[0].expression')
        .deep.equal(['Patient.name[0].family']);
  });

  it('an element that R4 does not have is a fault of ours', () => {
    expect(() => write({ resourceType: 'Patient', nonsense: true })).throw(Error, 'Patient has no element nonsense');
  });
});
