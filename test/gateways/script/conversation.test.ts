import { expect } from 'chai';
import { stateAfter } from '../../../src/gateways/script/conversation.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { scriptFixture } from '../../standards/script/samples.ts';

const stateOf = (name: string, from: string | RegExp = /$^/, to = ''): string | undefined => {
  const { message } = readScript(Buffer.from(scriptFixture(name).toString().replace(from, to)));
  return message && stateAfter(message)?.state;
};

describe('gateways › script › what an answer makes of what it answers', () => {
  for (const [name, expected] of [
    ['status-000', 'sent'],
    ['status-010', 'acknowledged'],
    ['verify-010', 'acknowledged'],
    ['error-600', 'queued'],
    ['error-601', 'rejected'],
    ['error-602', 'queued'],
    ['error-900', 'rejected'],
    ['v106-error', 'rejected'],
    ['rxrenewalresponse-denied', 'acknowledged'],
    ['newrxresponsedenied', 'acknowledged'],
    ['rxfill-dispensed', 'acknowledged'],
    ['rxchangerequest-generic', undefined],
    ['rxrenewalrequest', undefined],
    ['newrx-basic', undefined],
  ] as const)
    it(`${name}: ${expected ?? 'nothing'}`, () => expect(stateOf(name)).equal(expected));

  for (const code of ['777', '11', 'OK', '0100'])
    it(`Status ${code} is no success`, () =>
      expect(stateOf('status-010', '<Code>010', `<Code>${code}`)).equal(undefined));
  it('an Error with a code nobody knows is a failure', () =>
    expect(stateOf('error-900', '<Code>900', '<Code>010')).equal('rejected'));
});
