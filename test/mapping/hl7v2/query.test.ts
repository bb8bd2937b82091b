import { expect } from 'chai';
import { readQuery, writeFound } from '../../../src/mapping/hl7v2/query.ts';
import { formatMessage } from '../../../src/standards/hl7v2/format.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { header, messageOf } from '../../standards/hl7v2/samples.ts';

const query = (criteria: string, rcp = 'RCP|I|5^RD', event = 'Q22') =>
  messageOf(header(`QBP^${event}`, '2.5'), `QPD|Q22^Find Candidates^HL7|QRY-1|${criteria}`, rcp);
const read = (criteria: string, rcp?: string) => readQuery(query(criteria, rcp), 'Europe/London');

describe('hl7v2 › query for candidates', () => {
  for (const [criteria, search] of [
    ['@PID.5.1.1^TESTPATIENT~@PID.7^19840517~@PID.8^F', 'family=TESTPATIENT&birthdate=1984-05-17&gender=female'],
    ['@PID.5.1^O\\T\\NEIL,X', 'family=O%26NEIL%5C%2CX'],
    ['@PID.3.1^999 000 0018~@PID.3.4.1^NHS', 'identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990000018'],
    ['@PID.3^7~@PID.3.4^PAS', 'identifier=urn%3Av2%3ARXX%3APAS%7C7'],
    ['@PID.3.1^7', 'identifier=7'],
    ['@PID.11.3^LEEDS~@PID.11.5^LS1~@PID.5.2^AMELIA', 'address-city=LEEDS&address-postalcode=LS1&given=AMELIA'],
    ['@PID.7^1984', 'birthdate=1984'],
  ] as const)
    it(criteria, () => expect(read(criteria).value?.search).equal(`${search}&active:not=false`));

  for (const criteria of [
    '@PID.21.1^9',
    '@PID.5.1',
    'PV1.2^I',
    '@PID.7^yesterday',
    '@PID.8^Q',
    '@PID.3.4^PAS',
    '',
    '@PID.5.1^A~@ZZZ^1',
  ])
    it(`is refused: ${criteria || 'nothing'}`, () => expect(read(criteria).value).equal(undefined));

  for (const [rcp, count] of [
    ['RCP|I|5^RD', 5],
    ['RCP|I', 10],
    ['RCP|I|99999^RD', 100],
    ['RCP|I|-1^RD', 10],
  ] as const)
    it(`${rcp} wants ${count}`, () => expect(read('@PID.5.1^A', rcp).value?.count).equal(count));

  it('another query is refused', () =>
    expect(readQuery(query('@PID.5.1^A', 'RCP|I', 'Q24'), 'UTC').issues[0]?.code).equal('not-supported'));

  for (const event of ['Q21', 'Q23'])
    it(`${event} asks about the number of one person`, () => {
      const asked = (person: string) => readQuery(query(person, 'RCP|I', event), 'Europe/London').value?.search;
      expect(asked('9990000018^^^NHS^NH')).equal(
        'identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C9990000018&active:not=false',
      );
      expect(asked('7')).equal('identifier=7&active:not=false');
      expect(asked('7~8')).equal(undefined);
      expect(asked('^^^NHS')).equal(undefined);
    });

  const answer = (patients: readonly unknown[], total: number) => {
    const written = writeFound(query('@PID.5.1.1^A\\T\\B'), { resources: patients, total, at: 0, controlId: 'R-1' });
    return parseMessage(formatMessage(written)).value;
  };

  it('those found are a PID each, and how many more there are is said', () => {
    const patient = {
      resourceType: 'Patient',
      identifier: [{ system: 'urn:v2:RXX:PAS', value: '7' }],
      gender: 'female',
    };
    const message = answer([patient, { ...patient, gender: 'male' }], 7);
    expect(message?.all('PID').map((pid) => [pid.value(1), pid.value(3), pid.value(8)])).eql([
      ['1', '7', 'F'],
      ['2', '7', 'M'],
    ]);
    expect(message?.find('QAK')?.text).equal('QAK|QRY-1|OK|Q22^Find Candidates^HL7|7|2|5');
    expect([message?.value('MSH-9.2'), message?.value('MSH-5'), message?.value('MSA-2')]).eql(['K22', 'PAS', 'MSG-1']);
    expect(message?.find('QPD')?.text).equal('QPD|Q22^Find Candidates^HL7|QRY-1|@PID.5.1.1^A\\T\\B');
  });

  it('of whom the numbers are asked nothing else is told', () => {
    const patient = {
      resourceType: 'Patient',
      identifier: [{ value: '7' }],
      name: [{ family: 'SECRET' }],
      gender: 'male',
    };
    const asked = query('7', 'RCP|I', 'Q23');
    const written = writeFound(asked, { resources: [patient], total: 1, at: 0, controlId: 'R-1' });
    expect(written.find('PID')?.text).equal('PID|1||7');
    expect(written.value('MSH-9.2')).equal('K23');
  });

  it('nobody found is NF', () => expect(answer([], 0)?.value('QAK-2')).equal('NF'));
});
