/** Tables of rules: one change of a message of ours, and the issues it must give. */
import { expect } from 'chai';
import { convertToV3 } from '../../../src/mapping/eps/convert.ts';
import { prepare } from '../../../src/mapping/eps/prepare.ts';
import { type Change, changed } from './change.ts';
import { fixtureContext, fixtureMessage, orderNames } from './fixture.ts';
import { short } from './issues.ts';

export type Row = readonly [title: string, changes: readonly Change[], expected: readonly string[]];

/** A test a row; of orders, that `$prepare` says the same. `name`: of the message. */
export function testRows(name: string, rows: readonly Row[]): void {
  const message = fixtureMessage(name);
  for (const [title, changes, expected] of rows)
    it(title, () => {
      const payload = changed(message, changes);
      const { value, issues } = convertToV3(payload, fixtureContext());
      expect(issues.map(short)).deep.equal(expected);
      expect(value).equal(undefined);
      if (orderNames.includes(name)) expect(prepare(payload, fixtureContext()).issues).deep.equal(issues);
    });
}

/** Where the entries' resources are. */
export const resourceAt = (nth: number): string => `/entry/${nth}/resource`;
