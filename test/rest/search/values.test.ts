import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, linkOf, matchIds } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { cases } from './cases.ts';
import { loadDataSet } from './data-set.ts';

const sorted = (ids: readonly string[]): string => [...ids].sort().join(' ');
const BASE = 'BASE';

describe('search-type › values', () => {
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer();
    client = createFhirClient(server);
    await loadDataSet(client);
  });
  after(() => server.stop());

  for (const [group, table] of Object.entries(cases(BASE)))
    describe(group, () => {
      for (const [query, ids] of table)
        it(`${query} › ${ids === '' ? 'nothing' : ids}`, async () => {
          const reply = await client.get(query.replace(BASE, client.base));
          expect(reply.status, reply.text).to.equal(200);
          const bundle = bundleOf(reply);
          expect(sorted(matchIds(bundle))).to.equal(sorted(ids.split(' ').filter((id) => id !== '')));
          expect(linkOf(bundle, 'next')).to.equal(undefined);
        });
    });
});
