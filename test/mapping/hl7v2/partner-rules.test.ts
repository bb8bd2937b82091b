import { expect } from 'chai';
import { mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import { type PartnerRules, parsePartnerRules } from '../../../src/mapping/hl7v2/partner-rules.ts';
import { header, messageOf } from '../../standards/hl7v2/samples.ts';

const rulesOf = (content: unknown): PartnerRules => {
  const { value, issues } = parsePartnerRules(content);
  if (value === undefined) throw new Error(JSON.stringify(issues));
  return value;
};
const MESSAGE = messageOf(
  header('ADT^A08'),
  'PID|1||7^^^RXX^MR||FAMILY^GIVEN||19700101|7|||1 ROAD||||||||123',
  'NK1|1|KIN^ANN|99',
  'NK1|2|KIN^BOB|99~98',
  'PV1|1|I|||||||||||||||||V1',
  'ZU1|1|20260401|WAIT^Waiting|free text|Y|12.50',
);
const map = (content: unknown) =>
  mapToFhir(MESSAGE, { receivedAt: 0, timeZone: 'Europe/London', rules: rulesOf(content) });
const find = (content: unknown, type: string, n = 0) =>
  JSON.parse(
    JSON.stringify(map(content).value?.entry.filter(({ resource }) => resource.resourceType === type)[n]?.resource),
  );

describe('hl7v2 › mapping file of a partner', () => {
  it('its codes become those of the standard, in every repetition', () => {
    const rules = { codes: { 'PID.8': { 7: 'O' }, 'NK1.3': { 99: 'SPO' } } };
    expect(find(rules, 'Patient').gender).equal('other');
    expect(find(rules, 'RelatedPerson', 1).relationship[0].coding[0].code).equal('SPS');
  });

  it('fields are moved, copied, set and cleared', () => {
    const rules = {
      fields: [
        { move: 'ZU1.2', to: 'PV1.44' },
        { copy: 'ZU1.4', to: 'PID.23' },
        { set: 'PV1.2', value: 'O', when: { 'PV1.2': 'I' } },
        { set: 'PID.8', value: 'M', when: { 'PID.8': 'X' } },
        { clear: 'PID.11' },
      ],
    };
    expect(find(rules, 'Encounter').period).eql({ start: '2026-04-01' });
    expect(find(rules, 'Encounter').class.code).equal('AMB');
    const patient = find(rules, 'Patient');
    expect([patient.gender, patient.address]).eql(['unknown', undefined]);
    expect(patient.extension[0].valueAddress.text).equal('free text');
  });

  it('fields become extensions', () => {
    const url = 'https://trust.example/ext';
    const rules = {
      extensions: [
        { from: 'ZU1.2', resource: 'Encounter', url: `${url}/date`, type: 'dateTime' },
        { from: 'ZU1.3', resource: 'Encounter', url: `${url}/list`, type: 'code' },
        { from: 'ZU1.4', resource: 'Patient', url: `${url}/text` },
        { from: 'ZU1.5', resource: 'Encounter', url: `${url}/flag`, type: 'boolean' },
        { from: 'ZU1.6', resource: 'Encounter', url: `${url}/cost`, type: 'decimal' },
        { from: 'ZU9.1', resource: 'Encounter', url: `${url}/none` },
      ],
    };
    expect(find(rules, 'Encounter').extension.map((e: object) => Object.values(e)[1])).deep.equal([
      '2026-04-01',
      { coding: [{ code: 'WAIT', display: 'Waiting' }], text: 'Waiting' },
      true,
      12.5,
    ]);
    expect(find(rules, 'Patient').extension).eql([{ url: `${url}/text`, valueString: 'free text' }]);
    const all = { extensions: [...rules.extensions, { from: 'ZU1.1', resource: 'Patient', url }] };
    expect(map(rules).issues.map((i) => i.expression?.[0])).include('ZU1');
    expect(map(all).issues.map((i) => i.expression?.[0])).not.include('ZU1');
  });

  for (const [content, fault] of [
    [[], 'the file must be an object'],
    [{ code: {} }, 'code is not known'],
    [{ codes: { PID: {} } }, 'codes.PID must be a path'],
    [{ codes: { 'PID.8': { 1: 2 } } }, 'codes.PID.8 must have texts'],
    [{ fields: {} }, 'fields must be a list'],
    [{ fields: [{ to: 'PID.8' }] }, 'fields[0] must have one of'],
    [{ fields: [{ move: 'MSH.2', to: 'PID.8' }] }, 'fields[0].move must be a path'],
    [{ fields: [{ set: 'PID.8' }] }, 'fields[0].value must be a text'],
    [{ extensions: [{ from: 'ZU1.1', resource: 'patient', url: 'x', type: '__proto__' }] }, 'extensions[0].resource'],
    [{ fields: Array.from({ length: 201 }, () => ({ clear: 'PID.1' })) }, '200 rules'],
  ] as const)
    it(`is refused: ${fault}`, () =>
      expect(
        parsePartnerRules(content)
          .issues.map((i) => i.diagnostics)
          .join('\n'),
      ).include(fault));
});
