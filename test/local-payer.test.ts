/** The payer that starts with the server: from one command to a claim that it pays. MISSION M5, M15 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { readConfig } from '../src/config.ts';
import { createTelecomExchange, EXCHANGE_LIMITS } from '../src/gateways/telecom/exchange.ts';
import { openLocalPayer } from '../src/local-payer.ts';
import { readOutcomes } from '../src/standards/telecom/outcome.ts';
import { parseTelecom } from '../src/standards/telecom/parse.ts';
import { telecomFixture } from './standards/telecom/samples.ts';
import { createFhirClient } from './support/fhir-client.ts';
import { silentLog } from './support/log.ts';
import { startTestServer } from './support/server.ts';

describe('local payer', function () {
  this.timeout(180_000);
  const open = (env: Readonly<Record<string, string>>) => openLocalPayer(readConfig(env), silentLog);

  it('npm start and nothing else › claims can be adjudicated, and the payer decides', async () => {
    const server = await startTestServer({ env: { PAYER_PORT: '0' } });
    try {
      const { url = '', remark } = server.payer ?? {};
      expect(remark).equal(undefined);
      const ports = JSON.parse(readFileSync(join(server.dataDir, 'ports.json'), 'utf8')) as Record<string, unknown>;
      expect(ports['payer']).equal(Number(new URL(url).port));
      // The operation is there where there is a payer to ask.
      const asked = await createFhirClient(server).post('Claim/$adjudicate', { resourceType: 'Parameters' });
      expect(asked.text).include('Hand in a Claim');
      const exchange = createTelecomExchange({ ...EXCHANGE_LIMITS, url: new URL(url), log: silentLog });
      const answered = await exchange.send(telecomFixture('b1-primary'));
      if (answered.kind !== 'answered') throw new Error(answered.cause);
      const { message } = parseTelecom(answered.body);
      expect(message && readOutcomes(message)[0]?.kind).equal('paid');
      exchange.stop();
    } finally {
      await server.stop();
    }
  });

  it('not where there is another payer, none is wanted, or patients are', async () => {
    expect(await open({ PAYER_PORT: 'off' })).equal(undefined);
    expect(await open({ PAYER_PORT: '0', TELECOM_URL: 'tls://switch.example:5001' })).equal(undefined);
    expect(await open({ PAYER_PORT: '0', NODE_ENV: 'production' })).equal(undefined);
  });
  it('its port is in use › it takes another, and says so', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo; // it listens on a port
    const payer = await open({ PAYER_PORT: String(port) });
    expect(payer?.remark).match(new RegExp(`port ${port} is in use`));
    expect(payer?.url)
      .match(/^tcp:\/\/127\.0\.0\.1:\d+$/)
      .and.not.equal(`tcp://127.0.0.1:${port}`);
    await payer?.stop();
    other.close();
  });
});
