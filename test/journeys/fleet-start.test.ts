/** Servers that begin at one time on one database, while there is something to tell that nobody has told of yet. */
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { startServer } from '../../src/server.ts';
import { createDatabase, type TestDatabase, withClient } from '../support/database.ts';
import { createFhirClient } from '../support/fhir-client.ts';
import { operatorToken, testConfig, testLog } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const SERVERS = 3;
const TURNS = 4;

describe('journeys › a fleet begins', () => {
  let database: TestDatabase;
  before(async () => {
    database = await createDatabase();
  });
  after(() => database.drop());

  it(`${SERVERS} at once, ${TURNS} times › each is there, whoever is first to tell of what has changed`, async () => {
    const keys = makeTempFolder();
    const configs = Array.from({ length: SERVERS }, () => testConfig(database));
    for (const { dataDir } of configs) symlinkSync(keys, join(dataDir, 'keys'));
    const entry = Array.from({ length: 100 }, (_, n) => ({
      resource: { resourceType: 'Basic', code: { text: String(n) } },
      request: { method: 'POST', url: 'Basic' },
    }));
    const transaction = JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry });
    for (let turn = 0; turn < TURNS; turn++) {
      const begun = await Promise.allSettled(configs.map((config) => startServer(config, testLog())));
      const servers = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      try {
        expect(begun.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).eql([]);
        for (const server of servers) {
          const bearer = { authorization: `Bearer ${await operatorToken(server)}` };
          const fhir = createFhirClient({ fhirBaseUrl: server.fhirBaseUrl, bearer });
          expect((await fhir.post('', transaction)).status).equal(200);
        }
      } finally {
        await Promise.all(servers.map((server) => server.stop()));
      }
      // As if none of them had lived to tell.
      await withClient(database.connection('superuser'), async (client) => {
        await client.query("update mortar.consumer set xid = '0', rid = 0, ver = 0, at = 0");
      });
    }
  });
});
