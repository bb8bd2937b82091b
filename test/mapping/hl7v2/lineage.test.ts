import { expect } from 'chai';
import { lineageOf } from '../../../src/mapping/hl7v2/lineage.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture, header, messageOf } from '../../standards/hl7v2/samples.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };

describe('hl7v2 › lineage', () => {
  const message = parseMessage(fixture('own-uk-a01')).value;
  const lineage = (message && lineageOf(message, CONTEXT)) ?? [];
  const of = (field: string) => lineage.find((one) => one.field === field)?.elements;

  for (const [field, elements] of [
    ['PID-5.1', ['Patient.name[0].family']],
    ['PID-5.2', ['Patient.name[0].given[0]']],
    ['PID-7', ['Patient.birthDate']],
    ['PID-11.5', ['Patient.address[0].postalCode']],
    ['PV1-44', ['Encounter.period.start']],
    ['AL1-4', ['AllergyIntolerance.reaction[0].severity']],
  ] as const)
    it(`${field} is ${elements.join()}`, () => expect(of(field)).include.members([...elements]));

  it('a doctor is the resource and the name beside the reference', () =>
    expect(of('PV1-7.2')).include.members(['Encounter.participant[0].individual.display']));

  it('what no map reads became nothing, and every component of the message is told', () => {
    expect(of('EVN-5.1')).eql([]);
    expect(lineage.length).greaterThan(60);
  });

  it('without the only number there is no patient', () => {
    const one = messageOf(header('ADT^A31'), 'PID|1||999 000 0018^^^NHS^NH||A^B');
    expect(lineageOf(one, CONTEXT)?.find(({ field }) => field === 'PID-3.1')).deep.include({ isRequired: true });
  });

  it('a message that is not mapped has none', () =>
    expect(lineageOf(messageOf(header('XYZ^Z01')), CONTEXT)).equal(undefined));
});
