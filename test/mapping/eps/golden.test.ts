/** Our own messages and what each must become. */
import { expect } from 'chai';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { fixtureContext, fixtureMessage, fixtureNames, orderNames, readFixture } from './fixture.ts';

describe('mapping › eps › golden files', () => {
  for (const name of fixtureNames) {
    it(`${name} › $convert`, () => {
      const { value, issues } = convertToV3(fixtureMessage(name), fixtureContext());
      expect(issues).deep.equal([]);
      expect(`${value}\n`).equal(readFixture(`${name}.v3.xml`));
    });
  }

  for (const name of orderNames) {
    it(`${name} › $prepare`, () => {
      const { value, issues } = prepare(fixtureMessage(name), fixtureContext());
      expect(issues).deep.equal([]);
      expect(value).deep.equal(JSON.parse(readFixture(`${name}.prepare.json`)));
    });
  }
});
