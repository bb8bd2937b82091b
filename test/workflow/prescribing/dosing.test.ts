/** Words of instructions, and what they ask for a day. */
import { expect } from 'chai';
import { readDosing, unitsPerDay } from '../../../src/workflow/prescribing/dosing.ts';

const CASES: readonly (readonly [text: string, perDay: number | undefined, strength?: string])[] = [
  ['Take two tablets up to four times a day when needed', 8],
  ['one capsule three times a day', 3],
  ['1 tablet twice daily', 2],
  ['one to two tablets four times a day', 8],
  ['1-2 tablets every 6 hours', 8],
  ['Two puffs BD', 4],
  ['one tablet TID', 3],
  ['500mg, TID', 3, '500mg'],
  ['1g four times a day', 8, '500mg'],
  ['250 micrograms once a day', 2, '125micrograms'],
  ['one tablet at night', 1],
  ['one tablet in the morning', 1],
  ['Half a tablet daily', 0.5],
  ['one tablet once a week', 1 / 7],
  ['one patch every 72 hours', 1 / 3],
  ['one tablet every other day', 0.5],
  ['two tablets as needed', undefined],
  ['as directed', undefined],
  ['once a day', undefined],
  ['5ml three times a day', undefined, '250mg/5ml'],
  ['', undefined],
];

describe('prescribing › dosing', () => {
  for (const [text, perDay, strength] of CASES)
    it(`'${text}' is ${perDay ?? 'not known'}${strength === undefined ? '' : ` of ${strength}`} a day`, () => {
      const found = unitsPerDay(readDosing(text, strength));
      if (perDay === undefined) expect(found).equal(undefined);
      else expect(found).closeTo(perDay, 1e-9);
    });
});
