/** What a stranger may add to the trail. */
import { expect } from 'chai';
import { type OAuthServer, startOAuthServer } from '../../support/oauth-server.ts';

describe('oauth › trail', () => {
  let server: OAuthServer;
  let address = '192.0.2.1';
  beforeEach(async () => {
    server = await startOAuthServer({ addressOf: () => address });
  });
  afterEach(() => server.stop());

  const knock = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1)
      await server.post('/oauth2/token', { grant_type: 'client_credentials', client_id: `made-up-${i}` });
  };

  it('[AU-04] a stranger who makes up clients fills it no faster than sixty lines a minute, whatever they claim', async () => {
    await knock(100);
    expect(server.audit.length).equal(60);
    address = '192.0.2.2';
    await knock(1);
    expect(server.audit.length, 'others are told still').equal(61);
    for (let i = 0; i < 100; i += 1) {
      address = `2001:db8:1:${i.toString(16)}::1`;
      await knock(1);
    }
    expect(server.audit.length, 'one customer’s network').equal(121);
    server.store.clock.pass(60_000);
    await knock(1);
    expect(server.audit.length).equal(122);
  });

  it('[AU-04] what a known client does is always told', async () => {
    const app = await server.addApp({ kind: 'symmetric' });
    await knock(100);
    const before = server.audit.length;
    await server.exchange(app);
    expect(server.audit.length).above(before);
  });
});
