import { expect } from 'chai';
import { parsePattern } from '../../../src/mapping/hl7v2/repeat-pattern.ts';

const daily = (frequency: number) => ({ frequency, period: 1, periodUnit: 'd' });

describe('hl7v2 › repeat pattern', () => {
  for (const [name, repeat, code] of [
    ['Q6H', { frequency: 1, period: 6, periodUnit: 'h' }, 'Q6H'],
    ['Q30M', { frequency: 1, period: 30, periodUnit: 'min' }, undefined],
    ['Q10S', { frequency: 1, period: 10, periodUnit: 's' }, undefined],
    ['Q2D', { frequency: 1, period: 2, periodUnit: 'd' }, undefined],
    ['Q1D', { frequency: 1, period: 1, periodUnit: 'd' }, 'QD'],
    ['Q2W', { frequency: 1, period: 2, periodUnit: 'wk' }, undefined],
    ['Q3L', { frequency: 1, period: 3, periodUnit: 'mo' }, undefined],
    ['Q1J2', { frequency: 1, period: 1, periodUnit: 'wk', dayOfWeek: ['tue'] }, undefined],
    ['QJ7', { frequency: 1, period: 1, periodUnit: 'wk', dayOfWeek: ['sun'] }, undefined],
    ['QD', daily(1), 'QD'],
    ['OD', daily(1), 'QD'],
    ['BID', daily(2), 'BID'],
    ['BD', daily(2), 'BID'],
    ['TDS', daily(3), 'TID'],
    ['QDS', daily(4), 'QID'],
    ['5ID', daily(5), undefined],
    ['QOD', { frequency: 1, period: 2, periodUnit: 'd' }, 'QOD'],
    ['QAM', { ...daily(1), when: ['MORN'] }, 'AM'],
    ['NOCTE', { ...daily(1), when: ['NIGHT'] }, undefined],
    ['QHS', { ...daily(1), when: ['HS'] }, 'BED'],
    ['ACM', { when: ['ACM'] }, undefined],
    ['IC', { when: ['C'] }, undefined],
    ['STAT', { count: 1 }, undefined],
    ['Once', { count: 1 }, undefined],
    ['prnq6h', { frequency: 1, period: 6, periodUnit: 'h' }, 'Q6H'],
  ] as const)
    it(name, () => {
      const found = parsePattern(name);
      expect(found.repeat).eql(repeat);
      expect(found.asNeeded).equal(name.startsWith('prn'));
      const coding = (found.code?.['coding'] ?? []) as { code: string }[];
      const codes = coding.map((c) => c.code);
      expect(codes).eql(code === undefined ? [name] : [code, name]);
    });

  it('PRN alone', () => expect(parsePattern('PRN')).deep.include({ asNeeded: true }));

  for (const name of ['U as directed', '3 times daily', 'Q0H', '0ID', 'Q1J8', 'QX'])
    it(`${name} is text`, () => expect(parsePattern(name)).eql({ asNeeded: false, code: { text: name } }));
});
