import { expect } from 'chai';
import { convert } from '../../../src/mapping/convert.ts';
import type { ConvertRequest } from '../../../src/mapping/converted.ts';
import { findSource } from '../../../src/mapping/find-source.ts';
import { telecomFixture, telecomFixtures } from '../../standards/telecom/samples.ts';

const request = (content: Buffer, more: Partial<ConvertRequest> = {}): ConvertRequest => ({
  content,
  source: findSource(content) ?? 'fhir',
  at: Date.UTC(2026, 1, 1),
  headers: {},
  timeZone: 'UTC',
  epsToAsid: '',
  newId: () => '00000000-0000-4000-8000-000000000000',
  ...more,
});

describe('telecom › convert', () => {
  it('every fixture with separators is told by its bytes', () => {
    for (const { id, raw } of telecomFixtures)
      expect(findSource(raw), id).equal(id === 'bad-no-separators' ? undefined : 'd0');
  });

  it('D.0 to FHIR and back are the same bytes', () => {
    const raw = telecomFixture('b1-secondary-copay-occ8');
    const fhir = convert(request(raw)).value;
    expect(fhir?.mediaType).equal('application/fhir+json');
    const back = convert(request(Buffer.from(fhir?.text ?? ''), { to: 'd0' })).value;
    expect(back).deep.equal({ mediaType: 'application/vnd.ncpdp.telecom', text: raw.toString('latin1') });
  });

  it('a request that breaks a rule is refused, an answer whose total is wrong is read with a warning', () => {
    expect(convert(request(telecomFixture('bad-gross-amount'))).status).equal(422);
    const { value, issues } = convert(request(telecomFixture('bad-response-total')));
    expect(value?.text).include('6000.00');
    expect(issues.map(({ severity }) => severity)).include('warning');
  });

  it('check finds what the verdicts say, and a claim of a day to come is told by the time it is read', () => {
    const check = (id: string, at?: number) =>
      convert(request(telecomFixture(id), { mode: 'check', ...(at !== undefined && { at }) })).status;
    expect([check('b1-primary'), check('bad-npi')]).deep.equal([200, 422]);
    expect(check('b1-primary', Date.UTC(2026, 0, 14))).equal(422);
    expect(check('b1-primary', Date.UTC(2026, 0, 15, 10))).equal(200); // it is the 16th somewhere
  });
});
