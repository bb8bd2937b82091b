import { expect } from 'chai';
import { unavailable } from '../../../src/standards/fhir/outcome.ts';
import { codeForm, type OAuthServer, startOAuthServer } from '../../support/oauth-server.ts';

describe('oauth › faults and upkeep', () => {
  let isDown = false;
  let broken: Error | undefined;
  let server: OAuthServer;
  before(async () => {
    server = await startOAuthServer({
      audit: {
        async record() {
          if (isDown) throw unavailable('the audit trail cannot be written');
        },
      },
      isPatientPermitted: async () => {
        if (broken) throw broken;
        return true;
      },
    });
  });
  after(() => server.stop());

  it('[AU-06] without its trail nothing is answered, neither a token nor a refusal', async () => {
    const app = await server.addApp();
    const { code, verifier } = await server.makeCode(app);
    isDown = true;
    const form = { ...codeForm(code, verifier), client_id: app.client.id };
    for (const answer of [
      await server.post('/oauth2/token', form),
      await server.post('/oauth2/token', { ...form, code: 'x' }),
    ]) {
      expect([answer.status, answer.body.error]).deep.equal([503, 'temporarily_unavailable']);
      expect(answer.headers.get('retry-after')).match(/^\d+$/);
      expect(answer.body).not.have.property('access_token');
    }
    isDown = false;
  });

  it('a fault of ours is a 500 that says nothing, and a line of the log that holds no token', async () => {
    const app = await server.addApp();
    const { body } = await server.exchange(app);
    broken = new Error('the inside');
    const answer = await server.refresh(app, body.refresh_token);
    broken = undefined;
    expect([answer.status, answer.body.error]).deep.equal([500, 'server_error']);
    expect(JSON.stringify(answer.body)).not.include('inside');
    const [line] = server.log.lines.filter(({ level }) => level === 'error');
    expect(line?.fields).have.property('correlationId');
    expect(JSON.stringify(server.log.lines)).not.include(body.refresh_token);
  });

  it('purge deletes what is over, and tends the keys', async () => {
    const app = await server.addApp();
    await server.exchange(app, { scope: 'patient/*.rs' });
    const count = async (): Promise<number> => {
      const [row] = await server.store.pools.writes.query({
        text: 'select count(*)::int from auth.access_token where client_id = $1',
        values: [app.client.id],
      });
      return row?.[0] as number;
    };
    await server.oauth.purge();
    expect(await count()).equal(1);
    server.store.clock.pass(91 * 24 * 3_600_000);
    await server.oauth.purge();
    expect(await count()).equal(0);
    expect((await server.store.keys.published()).length, 'the next keys are published').equal(4);
  });
});
