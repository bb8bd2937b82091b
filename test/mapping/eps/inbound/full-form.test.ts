/** What survives here and is lost by the national gateway, and what only the order as it was sent can give back. */
import { expect } from 'chai';
import { convertToV3 } from '../../../../src/mapping/eps/convert.ts';
import type { AnswerContext } from '../../../../src/mapping/eps/inbound/context.ts';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { translateSpineAnswer } from '../../../../src/mapping/eps/inbound/spine-answer.ts';
import { readMessageBundle, resourcesOf } from '../../../../src/mapping/eps/message-bundle.ts';
import type { Node } from '../../../../src/mapping/eps/node.ts';
import { parentPrescription } from '../../../../src/mapping/eps/parent-prescription.ts';
import { formatJson, parseJson } from '../../../../src/standards/fhir/json.ts';
import { isElement } from '../../../../src/standards/xml/tree.ts';
import { type Change, changed } from '../change.ts';
import { fixtureContext, fixtureMessage, readFixture } from '../fixture.ts';
import { answerContext, comparable, findElement, parsed, readAnswer } from './answer.ts';

const ACUTE = 'prescription-order-acute';

/** There and back. */
function back(order: unknown, changes: Partial<AnswerContext> = {}): readonly [xml: string, bundle: Node] {
  const xml = convertToV3(order, fixtureContext()).value ?? '';
  const { value, issues } = convertFromV3(xml, answerContext(changes));
  if (changes.form !== 'national') expect(issues).deep.equal([]);
  // As it is sent and read, with every digit.
  return [xml, parseJson(formatJson(value)) as Node];
}

const ofType = (bundle: Node, type: string): readonly Node[] => resourcesOf(readMessageBundle(bundle), type);
const memberOf = (bundle: Node, type: string, name: string): readonly unknown[] =>
  ofType(bundle, type).map((resource) => resource[name]);

const FORMS: readonly (readonly [title: string, type: string, name: string, full: RegExp, national: RegExp])[] = [
  ['the category', 'MedicationRequest', 'category', /"community"/, /"outpatient"/],
  [
    'a GMC number',
    'Practitioner',
    'identifier',
    /gmc-number","value":"C9990011"/,
    /professional-code","value":"9990011"/,
  ],
  ['the telephone of the patient', 'Patient', 'telecom', /"01632960333"/, /^\[null\]$/],
  ['an e-mail address as such', 'Patient', 'telecom', /"email".*"osbert@quillfeather.example"/, /^\[null\]$/],
  ['the time of the author', 'MedicationRequest', 'authoredOn', /"2026-11-16T09:41:30\+00:00"/, /^\[null,null\]$/],
  [
    'the time from which it may be dispensed',
    'MedicationRequest',
    'dispenseRequest',
    /"validityPeriod":\{"start":"2026-11-17T00:30:00\+00:00"\}/,
    /^(?!.*validityPeriod)/,
  ],
  ['a note with signs of XML', 'MedicationRequest', 'note', /weight < 50 kg & no/, /weight &lt; 50 kg &amp; no/],
];

describe('mapping › eps › inbound › full form', () => {
  const order = fixtureMessage(ACUTE);
  const [, full] = back(order);
  const [, national] = back(order, { form: 'national' });
  for (const [title, type, name, ours, theirs] of FORMS)
    it(`keeps ${title}`, () => {
      expect(JSON.stringify(memberOf(full, type, name))).match(ours);
      expect(JSON.stringify(memberOf(national, type, name))).match(theirs);
    });

  it('keeps the status of an item as the Spine has it', () => {
    const statusIn = (form: 'full' | 'national'): string =>
      JSON.stringify(translateSpineAnswer(readAnswer('release-nominated.xml'), answerContext({ form })).body);
    expect(statusIn('full')).contain('"code":"0008","display":"With Dispenser"');
    expect(statusIn('national')).not.contain('With Dispenser');
  });

  const KINDS: readonly (readonly [type: string, number: string, identifier: string])[] = [
    ['0101', '9990011', 'gmc-number C9990011'],
    ['1001', '9990011', 'gmc-number C9990011'],
    ['0108', '2099901', 'gphc-number 2099901'],
    ['1004', '99A9901E', 'nmc-number 99A9901E'],
    ['1005', '12A3456B', 'nmc-number 12A3456B'],
    ['1025', 'PA999901', 'hcpc-number PA999901'],
    ['1025', '9990011', 'professional-code 9990011'],
    ['0101', 'G6999901', 'professional-code G6999901'],
    ['0101', 'G1999901', 'gmp-number G1999901'],
    ['0101', 'C9990011', 'gmc-number C9990011'],
    ['0101', '399011', 'professional-code 399011'],
    ['0101', '699011', 'professional-code 699011'],
  ];
  for (const [type, number, expected] of KINDS)
    it(`knows ${number} of a prescriber of type ${type} as ${expected}`, () => {
      const xml = readFixture(`${ACUTE}.v3.xml`)
        .replaceAll('extension="9990011"', `extension="${number}"`)
        .replace('code="0101" codeSystem="2.16.840.1.113883.2.1.3.2.4.17.25"', `code="${type}" codeSystem="x"`);
      const { value = {} } = convertFromV3(xml, answerContext());
      const [[first] = []] = memberOf(value, 'Practitioner', 'identifier') as readonly (readonly Node[])[];
      expect(`${String(first?.['system']).replace(/^.*\//, '')} ${first?.['value']}`).equal(expected);
    });

  it('never lets a release pass without a checker of signatures', () => {
    const { checkSignature: _, ...context } = answerContext();
    const { body, returns } = translateSpineAnswer(readAnswer('release-nominated.xml'), context);
    const [passed, failed] = (body as unknown as { parameter: { resource: { total: number } }[] }).parameter;
    expect([passed?.resource.total, failed?.resource.total]).deep.equal([0, 4]);
    expect(JSON.stringify(body)).contain('Signature was not checked.');
    // It may well be good: it does not go back.
    expect(returns).deep.equal([]);
  });

  it('hands the checker the prescription as it came', () => {
    const checked: string[] = [];
    const checkSignature: AnswerContext['checkSignature'] = (element) => {
      checked.push(comparable(element));
      return [];
    };
    const xml = readAnswer('release-unreadable.xml');
    translateSpineAnswer(xml, answerContext({ checkSignature }));
    const components = findElement(parsed(xml), 'PrescriptionReleaseResponse')?.children.filter(isElement) ?? [];
    // The first cannot be read.
    const [, second] = components.filter(({ name }) => name === 'component');
    expect(checked).deep.equal([comparable(findElement(second, 'ParentPrescription'))]);
  });
});

const REQUEST = '/entry/1/resource';
const STRUCTURED = [
  {
    text: 'Take two tablets up to four times a day when needed',
    timing: { repeat: { frequencyMax: 4, period: 1, periodUnit: 'd' } },
    asNeededBoolean: true,
    doseAndRate: [{ doseQuantity: { value: 2, unit: 'tablet' } }],
  },
];
/** What V3 has no place for. */
const RICH: readonly Change[] = [
  [`${REQUEST}/dosageInstruction`, STRUCTURED],
  ['/entry/1/resource/category/0/coding/0/code', 'discharge'],
  ['/entry/1/resource/category/0/coding/0/display', 'Discharge'],
  ['/entry/2/resource/category/0/coding/0/code', 'discharge'],
  ['/entry/2/resource/category/0/coding/0/display', 'Discharge'],
];

describe('mapping › eps › inbound › restored from the order as it was sent', () => {
  const rich = changed(fixtureMessage(ACUTE), RICH);
  const restored = (order: unknown): readonly [string, Node] => back(rich, { sentOrder: () => order });

  it('categories, structured dosages, schedules and the numbers of the prescriber', () => {
    const asked: string[] = [];
    const [xml, bundle] = back(rich, {
      sentOrder: (id) => {
        asked.push(id);
        return rich;
      },
    });
    expect(asked).deep.equal(['7c051831-2824-5b65-a2e3-e371945b6b15']);
    expect(memberOf(bundle, 'MedicationRequest', 'dosageInstruction')[0]).deep.equal(STRUCTURED);
    expect(JSON.stringify(memberOf(bundle, 'MedicationRequest', 'category')))
      .contain('"discharge"')
      .not.contain('outpatient');
    const drug = JSON.stringify(memberOf(bundle, 'MedicationRequest', 'extension')[1]);
    expect(drug).match(/DM-ControlledDrug.*schedule.*quantityWords/);
    expect(JSON.stringify(memberOf(bundle, 'Practitioner', 'identifier'))).contain('sds-user-id');
    // And V3 says what it said.
    const again = parentPrescription(readMessageBundle(bundle), fixtureContext().now).message;
    expect(comparable(again)).equal(comparable(findElement(parsed(xml), 'ParentPrescription')));
  });

  const KEPT: readonly (readonly [title: string, changes: readonly Change[]])[] = [
    [
      'another prescription',
      [[`${REQUEST}/groupIdentifier/extension/0/valueIdentifier/value`, 'a0000000-0000-4000-8000-000000000001']],
    ],
    ['another dosage', [[`${REQUEST}/dosageInstruction/0/text`, 'Take three']]],
    ['another product', [[`${REQUEST}/medicationCodeableConcept/coding/0/code`, '1']]],
    ['another quantity', [[`${REQUEST}/dispenseRequest/quantity/value`, 99]]],
  ];
  for (const [title, changes] of KEPT)
    it(`nothing of an item that says ${title}`, () => {
      const [, bundle] = restored(changed(rich, changes));
      expect(memberOf(bundle, 'MedicationRequest', 'dosageInstruction')[0]).deep.equal([
        { text: 'Take two tablets up to four times a day when needed' },
      ]);
    });

  it('nothing in the national form, and nothing of what is no order', () => {
    const [, national] = back(rich, { form: 'national', sentOrder: () => rich });
    expect(JSON.stringify(national)).not.contain('discharge');
    for (const order of [undefined, null, 'order', [], { resourceType: 'Bundle' }, { entry: [{ resource: {} }] }])
      expect(JSON.stringify(restored(order)[1])).not.contain('discharge');
  });
});
