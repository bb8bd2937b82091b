/** Every pair of state and event of dispensing, and what a Task's status means to it. MISSION M10 */
import { expect } from 'chai';
import {
  type DispensingEvent,
  type DispensingState,
  STATUS_OF,
  stateOf,
  TRANSITIONS,
} from '../../../src/workflow/dispensing/states.ts';

const EVENTS: readonly DispensingEvent[] = ['prepare', 'dispense', 'hold', 'release', 'expire', 'cancel'];
/** `.`: refused. */
const TABLE: Readonly<Record<DispensingState, readonly string[]>> = {
  ready: ['ready', 'dispensed', 'held', '.', 'expired', 'cancelled'],
  held: ['.', '.', '.', 'ready', 'expired', 'cancelled'],
  dispensed: ['.', '.', '.', '.', '.', '.'],
  expired: ['.', '.', '.', '.', '.', '.'],
  cancelled: ['.', '.', '.', '.', '.', '.'],
};
const STATUSES: readonly (readonly [string, DispensingState])[] = [
  ['ready', 'ready'],
  ['accepted', 'ready'],
  ['in-progress', 'ready'],
  ['on-hold', 'held'],
  ['completed', 'dispensed'],
  ['failed', 'expired'],
  ['cancelled', 'cancelled'],
  ['rejected', 'cancelled'],
  ['entered-in-error', 'cancelled'],
  ['draft', 'cancelled'],
];

describe('dispensing › states', () => {
  for (const [state, row] of Object.entries(TABLE) as [DispensingState, readonly string[]][])
    EVENTS.forEach((event, i) => {
      it(`${state} × ${event}: ${row[i] === '.' ? 'refused' : row[i]}`, () => {
        expect(TRANSITIONS[state][event] ?? '.').equal(row[i]);
      });
    });

  for (const [status, state] of STATUSES)
    it(`a Task that is ${status} is ${state}`, () => {
      expect(stateOf({ status })).equal(state);
    });

  it('each state has a status that says it', () => {
    for (const state of Object.keys(TABLE) as DispensingState[])
      expect(stateOf({ status: STATUS_OF[state].task })).equal(state);
  });
});
