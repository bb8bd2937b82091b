/** Every pair of state and event. MISSION M9 */
import { expect } from 'chai';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import {
  nextState,
  type RequestEvent,
  type RequestState,
  shownStatus,
  shownStatusV2,
  stateOf,
  TASK_STATUS,
  taskState,
} from '../../../src/workflow/prescribing/states.ts';

const STATES: readonly RequestState[] = [
  'requested',
  'triaged',
  'escalated',
  'approved',
  'rejected',
  'cancelling',
  'cancelled',
];
const EVENTS: readonly RequestEvent[] = [
  'triage',
  'escalate',
  'approve',
  'reject',
  'cancel',
  'confirm-cancellation',
  'refuse-cancellation',
  'refuse-prescription',
];

/** `.`: refused. */
const TABLE: Readonly<Record<RequestState, readonly string[]>> = {
  requested: ['triaged', 'escalated', 'approved', 'rejected', 'cancelled', '.', '.', '.'],
  triaged: ['.', 'escalated', 'approved', 'rejected', 'cancelled', '.', '.', '.'],
  escalated: ['.', '.', 'approved', 'rejected', 'cancelled', '.', '.', '.'],
  approved: ['.', '.', '.', '.', 'cancelling', '.', '.', 'rejected'],
  rejected: ['.', '.', '.', '.', '.', '.', '.', '.'],
  cancelling: ['.', '.', '.', '.', '.', 'cancelled', 'approved', 'rejected'],
  cancelled: ['.', '.', '.', '.', '.', '.', '.', '.'],
};

describe('prescribing › states', () => {
  for (const state of STATES)
    EVENTS.forEach((event, i) => {
      const expected = TABLE[state][i];
      it(`${state} × ${event}: ${expected === '.' ? 'refused' : expected}`, () => {
        if (expected !== '.') return expect(nextState(state, event)).equal(expected);
        try {
          nextState(state, event);
        } catch (error) {
          expect(error).instanceOf(FhirError);
          expect((error as FhirError).status).equal(409);
          expect((error as FhirError).issues[0]?.details?.coding[0]?.code).equal('RX-STATE');
          return undefined;
        }
        throw new Error('it was allowed');
      });
    });

  it('a Task says its state, and states have statuses of their own', () => {
    for (const state of STATES) expect(stateOf({ ...taskState(state) })).equal(state);
    expect(stateOf({ businessStatus: { coding: [{ system: 'http://else', code: 'approved' }] } })).equal(undefined);
    expect(stateOf({})).equal(undefined);
    expect(new Set(Object.values(TASK_STATUS)).size).equal(STATES.length);
  });

  const SHOWN: readonly (readonly [RequestState, readonly string[], string, string])[] = [
    ['requested', [], 'REQUESTED', 'active'],
    ['triaged', [], 'REQUESTED', 'active'],
    ['escalated', [], 'REQUESTED', 'active'],
    ['approved', ['active'], 'APPROVED', 'active'],
    ['approved', ['active', 'completed'], 'APPROVED', 'active'],
    ['approved', ['completed', 'completed'], 'DISPENSED', 'completed'],
    ['approved', ['completed', 'cancelled'], 'DISPENSED', 'completed'],
    ['approved', ['cancelled'], 'APPROVED', 'active'],
    ['cancelling', ['active'], 'APPROVED', 'active'],
    ['rejected', [], 'REJECTED', 'cancelled'],
    ['cancelled', ['cancelled'], 'CANCELLED', 'cancelled'],
  ];
  for (const [state, statuses, shown, v2] of SHOWN)
    it(`${state} with orders ${statuses.join(', ') || 'none'} is shown as ${shown}, and as ${v2}`, () => {
      const status = shownStatus(
        state,
        statuses.map((one) => ({ status: one })),
      );
      expect(status).equal(shown);
      expect(shownStatusV2(status)).equal(v2);
    });
});
