/** A server with the local payer beside it. */
import { join } from 'node:path';
import { type RunningPayer, startPayer } from '../../src/peers/payer/start.ts';
import { startTestServer, type TestServer } from './server.ts';

export interface ClaimServer {
  readonly server: TestServer;
  readonly payer: RunningPayer;
  stop(): Promise<void>;
}

export async function startClaimServer(env: Readonly<Record<string, string>> = {}): Promise<ClaimServer> {
  const payer = await startPayer({ port: 0 });
  const server = await startTestServer({
    env: {
      TELECOM_URL: `tcp://127.0.0.1:${payer.port}`,
      COPAY_PROGRAMMES_FILE: join(import.meta.dirname, '../../fixtures/telecom/programmes.json'),
      TELECOM_SOFTWARE_ID: 'MORTAR',
      ...env,
    },
  });
  return {
    server,
    payer,
    async stop() {
      await server.stop();
      await payer.stop();
    },
  };
}
