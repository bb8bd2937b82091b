import { expect } from 'chai';

describe('support › network', () => {
  it('lets tests reach this machine only', async () => {
    const failure = await fetch('http://192.0.2.1/').catch((error: { cause?: { code?: string } }) => error.cause?.code);
    expect(failure).equal('EOUTSIDE');
  });
});
