/** The whole server with `REDIS_URL`: jobs are carried by Redis, which is emptied while they run. SECURITY RL-22 */
import { expect } from 'chai';
import { createFhirClient } from '../support/fhir-client.ts';
import { fixture } from '../support/fixtures.ts';
import { hasRedis, startRedis, type TestRedis } from '../support/redis.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const COUNT = 20;

if (hasRedis())
  describe('gateway › with REDIS_URL [RL-22]', function () {
    this.timeout(180_000);
    let redis: TestRedis;
    let server: TestServer;
    before(async () => {
      redis = await startRedis();
      server = await startTestServer({ env: { REDIS_URL: redis.url } });
    });
    after(async () => {
      await server.stop();
      await redis.stop();
    });

    it('replays many, though Redis is emptied meanwhile', async () => {
      const fhir = createFhirClient(server);
      const basic = fixture('script/newrx-basic.xml').toString();
      for (let n = 0; n < COUNT; n++) {
        const body = basic
          .replace('OWN0001A7F3C9D1', `M${n}`)
          .replace('RX-2026-000101', `ORDER-${n}`)
          .replace('MRN-100234', `MRN-${n}`);
        const reply = await fetch(`${server.url}/ncpdp/script`, {
          method: 'POST',
          headers: { ...server.bearer, 'Content-Type': 'application/xml' },
          body,
        });
        expect(await reply.text()).contain('<DescriptionCode>001<');
      }
      await fhir.post('Endpoint', {
        resourceType: 'Endpoint',
        identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/script-sender', value: 'D:6301875277001' }],
        status: 'active',
        connectionType: { code: 'direct-project' },
        payloadType: [{ text: 'messages' }],
        address: 'urn:inbound',
      });
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const reply = await fetch(`${server.url}/gateway/messages/replay?state=rejected`, {
        method: 'POST',
        headers: server.bearer,
      });
      expect(await reply.json()).deep.equal({ queued: COUNT });
      const found = async (): Promise<number> =>
        (await fhir.get('MedicationRequest?_summary=count')).json()['total'] as number;
      for (let tries = 0; tries < 300 && (await found()) < COUNT; tries++) {
        if (tries % 3 === 0) await redis.command('FLUSHALL');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      expect(await found()).equal(COUNT);
      const jobs = (await (
        await fetch(`${server.url}/gateway/jobs?state=dead`, { headers: server.bearer })
      ).json()) as object;
      expect(jobs).deep.equal({ jobs: [] });
    });
  });
else console.log('gateway with REDIS_URL: needs redis-server on the PATH (Debian package redis-server); not run here');
