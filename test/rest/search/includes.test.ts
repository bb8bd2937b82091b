import { expect } from 'chai';
import { bundleOf, createFhirClient, type FhirClient, includedPaths, matchIds } from '../../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';
import { loadDataSet } from './data-set.ts';

const sorted = (paths: readonly string[]): string => [...paths].sort().join(' ');
const CHAIN = 'Organization/org-low Organization/org-mid Organization/org-top';

/** [query, matches, included] */
const TABLE: readonly (readonly [string, string, string])[] = [
  ['Observation?_id=o-5&_include=Observation:patient', 'o-5', 'Patient/p1'],
  ['Observation?_id=o-5&_include=Observation:subject', 'o-5', 'Patient/p1'],
  ['Observation?_id=o-5&_include=Observation:subject:Group', 'o-5', ''],
  ['Observation?_id=o-less,o-5&_include=Observation:subject:Group', 'o-5 o-less', 'Group/group'],
  ['Observation?_id=o-less,o-5&_include=Observation:patient', 'o-5 o-less', 'Patient/p1'],
  ['Observation?_id=o-5&_include=*', 'o-5', 'Encounter/e-day Patient/p1'],
  ['Observation?_id=o-5&_include=Observation:*', 'o-5', 'Encounter/e-day Patient/p1'],
  ['Observation?_id=o-5.4&_include=Observation:patient', 'o-5.4', 'Patient/p2'],
  ['Observation?_id=o-100&_include=Observation:subject', 'o-100', ''],
  ['Observation?patient=p1&_include=Observation:patient', 'o-5 o-bp o-text', 'Patient/p1'],
  ['Observation?_id=o-bp2,o-bp&_include=Observation:has-member', 'o-bp o-bp2', ''],
  ['Observation?_id=o-bp2&_include=Observation:has-member', 'o-bp2', 'Observation/o-bp'],
  ['Observation?_id=o-5&_include=Observation:patient&_include=Patient:organization', 'o-5', 'Patient/p1'],
  [
    'Observation?_id=o-5&_include=Observation:patient&_include:iterate=Patient:organization',
    'o-5',
    'Organization/org-low Patient/p1',
  ],
  ['Patient?_id=p1&_include=Patient:organization&_include:iterate=Organization:partof', 'p1', CHAIN],
  ['Patient?_id=p2&_revinclude=Observation:patient', 'p2', 'Observation/o-5.4'],
  [
    'Patient?_id=p1&_revinclude=Observation:subject:Patient',
    'p1',
    'Observation/o-5 Observation/o-bp Observation/o-text',
  ],
  [
    'Patient?_id=p2&_revinclude=Observation:patient&_revinclude=Encounter:patient',
    'p2',
    'Encounter/e-day Encounter/e-open Observation/o-5.4',
  ],
  ['Encounter?_id=e-day&_revinclude=Observation:encounter', 'e-day', 'Observation/o-5'],
  [
    'Organization?_id=org-top&_revinclude:iterate=Organization:partof',
    'org-top',
    'Organization/org-low Organization/org-mid',
  ],
  ['Organization?_id=org-top&_revinclude=Organization:partof', 'org-top', 'Organization/org-mid'],
  ['Organization?_revinclude=Organization:partof', 'org-low org-mid org-top', ''],
  ['Encounter?_id=e-day&_revinclude=Observation:*', 'e-day', 'Observation/o-5'],
  ['Encounter?_id=e-day&_revinclude=*', 'e-day', 'Observation/o-5'],
  ['Organization?_id=org-top&_revinclude=*', 'org-top', 'Organization/org-mid Patient/p2'],
  [
    'Organization?_id=org-low&_revinclude=*&_revinclude:iterate=Observation:patient&_include=*',
    'org-low',
    'Observation/o-5 Observation/o-bp Observation/o-text Organization/org-mid Patient/p1',
  ],
  ['MedicationRequest?_id=m3&_include=MedicationRequest:medication', 'm3', ''],
];

describe('search-type › includes', () => {
  let server: TestServer;
  let client: FhirClient;
  before(async () => {
    server = await startTestServer();
    client = createFhirClient(server);
    await loadDataSet(client);
  });
  after(() => server.stop());

  for (const [query, matches, included] of TABLE)
    it(query, async () => {
      const reply = await client.get(query);
      expect(reply.status, reply.text).to.equal(200);
      const bundle = bundleOf(reply);
      expect(sorted(matchIds(bundle))).to.equal(matches);
      expect(sorted(includedPaths(bundle))).to.equal(included);
      const urls = bundle.entry?.map((e) => e.fullUrl) ?? [];
      expect(new Set(urls).size, 'no duplicates').to.equal(urls.length);
      if (bundle.total !== undefined) expect(bundle.total).to.equal(matchIds(bundle).length);
    });

  it('a deleted resource is not included', async () => {
    await client.put('Observation/to-gone', {
      resourceType: 'Observation',
      id: 'to-gone',
      status: 'final',
      code: { text: 'x' },
      subject: { reference: 'Patient/gone' },
    });
    const bundle = bundleOf(await client.get('Observation?_id=to-gone&_include=Observation:subject'));
    expect([matchIds(bundle), includedPaths(bundle)]).to.deep.equal([['to-gone'], []]);
  });
});
