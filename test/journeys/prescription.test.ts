/** A prescription arrives as a message, is found by everyone who looks for it, and arrives again. */
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { createValidator } from '../../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from '../support/definitions.ts';
import {
  bundleOf,
  createFhirClient,
  type FhirClient,
  includedPaths,
  type Json,
  matchIds,
} from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const FIXTURE = readFileSync(new URL('../../fixtures/fhir/prescription-order-message.json', import.meta.url), 'utf8');
const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];
const NHS_NUMBER = 'https://fhir.nhs.uk/Id/nhs-number';
const ODS = 'https://fhir.nhs.uk/Id/ods-organization-code';

interface Entry {
  readonly fullUrl: string;
  readonly resource: Json & { readonly resourceType: string; readonly id?: string };
}

/** Numbers stay their own text: 1.0 is not 1. */
const exactly = (_key: string, value: unknown, context?: { readonly source?: string }): unknown =>
  typeof value === 'number' ? { number: context?.source } : value;
const entriesOf = (text: string): readonly Entry[] => (JSON.parse(text, exactly) as { entry: readonly Entry[] }).entry;
const idOfFixture = (type: string, nth = 0): string =>
  entriesOf(FIXTURE).filter((e) => e.resource.resourceType === type)[nth]?.resource.id ?? '';

describe('journey › prescription', () => {
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  it('the fixture is valid, of R4', () => {
    expect(createValidator(testDefinitions())(JSON.parse(FIXTURE))).eql([]);
  });

  it('a prescription-order message is stored and answered by a message', async () => {
    const reply = await fhir.post('$process-message', FIXTURE);
    expect(reply.status).equal(200);
    const answer = bundleOf(reply);
    expect(answer.type).equal('message');
    expect(answer.entry?.[0]?.resource).deep.include({
      resourceType: 'MessageHeader',
      response: { identifier: '3aafd14b-d7ea-4403-85c9-96e708a4b30a', code: 'ok' },
      focus: [{ reference: `MessageHeader/${idOfFixture('MessageHeader')}` }],
    });
  });

  describe('is found', () => {
    const items = [idOfFixture('MedicationRequest', 0), idOfFixture('MedicationRequest', 1)];
    for (const [who, search, ids] of [
      ['one item by its identifier', `MedicationRequest?identifier=${items[1]}`, [items[1]]],
      [
        'the patient’s orders by NHS number',
        `MedicationRequest?patient.identifier=${NHS_NUMBER}|9990000018&status=active`,
        items,
      ],
      ['the antibiotic by its code', 'MedicationRequest?code=http://snomed.info/sct|325072002', [items[1]]],
      ['orders of the day', 'MedicationRequest?authoredon=2026-11-16', items],
      [
        'orders from a surgery, two links away',
        `MedicationRequest?requester:PractitionerRole.organization.identifier=${ODS}|Z99901`,
        items,
      ],
      [
        'orders by the name of the prescriber',
        'MedicationRequest?requester:PractitionerRole.practitioner.family=penhallow',
        items,
      ],
      ['orders for a nominated pharmacy', `MedicationRequest?intended-dispenser:identifier=${ODS}|Z99902`, items],
      ['the patient', `Patient?identifier=${NHS_NUMBER}|9990000018`, [idOfFixture('Patient')]],
      ['patients with an open order', 'Patient?_has:MedicationRequest:subject:status=active', [idOfFixture('Patient')]],
      ['the role', 'PractitionerRole?identifier=999000000202', [idOfFixture('PractitionerRole')]],
      [
        'roles at the surgery',
        `PractitionerRole?organization.identifier=${ODS}|Z99901`,
        [idOfFixture('PractitionerRole')],
      ],
      ['the surgery', `Organization?identifier=${ODS}|Z99901`, [idOfFixture('Organization')]],
      ['organisations below another', `Organization?partof.identifier=${ODS}|Z999`, [idOfFixture('Organization')]],
      ['the message by its event', 'MessageHeader?event=prescription-order', [idOfFixture('MessageHeader')]],
    ] as const)
      it(who, async () => {
        expect(matchIds(bundleOf(await fhir.get(search)))).to.have.members(ids);
      });

    it('with patient, role, person and organisation in the same answer', async () => {
      const found = bundleOf(
        await fhir.get(
          'MedicationRequest?authoredon=2026-11-16&_include=MedicationRequest:patient&_include=MedicationRequest:requester' +
            '&_include:iterate=PractitionerRole:practitioner&_include:iterate=PractitionerRole:organization',
        ),
      );
      expect(includedPaths(found)).to.have.members(
        ['Patient', 'PractitionerRole', 'Practitioner', 'Organization'].map((type) => `${type}/${idOfFixture(type)}`),
      );
    });
  });

  describe('and then', () => {
    it('each resource is what was sent, with references that lead to the others', async () => {
      await expectStored(fhir, entriesOf(FIXTURE));
    });

    it('the same message again changes nothing', async () => {
      expect((await fhir.post('$process-message', FIXTURE)).status).equal(200);
      for (const { resource } of entriesOf(FIXTURE)) {
        const path = `${resource.resourceType}/${resource.id}`;
        expect((await fhir.get(path)).headers.get('etag'), path).equal('W/"1"');
      }
      expect(bundleOf(await fhir.get('MedicationRequest?_total=accurate')).total).equal(2);
    });

    it('a message with one fault stores nothing of itself', async () => {
      const other = FIXTURE.replaceAll(/"([0-9a-f]{7})[0-9a-f](-[0-9a-f-]{27})"/g, '"$1f$2"').replaceAll(
        /urn:uuid:([0-9a-f]{7})[0-9a-f]-/g,
        'urn:uuid:$1f-',
      );
      const refused = await fhir.post('$process-message', other.replace('"1971-06-23"', '"1971-06-31"'));
      expect(refused.status).equal(422);
      expect(bundleOf(await fhir.get('MedicationRequest?_total=accurate')).total).equal(2);
      expect((await fhir.post('$process-message', other)).status).equal(200);
      expect(bundleOf(await fhir.get('MedicationRequest?_total=accurate')).total).equal(4);
    });
  });
});

/** Where $process-message puts an entry: under its own id, or that of its fullUrl. */
const pathOf = ({ fullUrl, resource }: Entry): string =>
  `${resource.resourceType}/${resource.id ?? fullUrl.replace('urn:uuid:', '')}`;

/** Each resource of a message comes back as it was sent, but for id, meta and resolved references. */
async function expectStored(fhir: FhirClient, entries: readonly Entry[]): Promise<void> {
  const paths = new Map(entries.map((entry) => [entry.fullUrl, pathOf(entry)]));
  for (const entry of entries) {
    const path = pathOf(entry);
    const reply = await fhir.get(path);
    expect(reply.status, path).equal(200);
    const { id: _id, meta, ...stored } = JSON.parse(reply.text, exactly) as Json;
    const { id: _sentId, meta: sentMeta, ...sent } = withReferences(entry.resource, paths) as Json;
    expect(stored, path).eql(sent);
    const { versionId: _v, lastUpdated: _l, ...kept } = meta as Json;
    const { versionId: _sv, lastUpdated: _sl, ...sentKept } = (sentMeta ?? {}) as Json;
    expect(kept, path).eql(sentKept);
  }
}

/** The value with each `reference` to an entry of the message turned into the path where that is stored. */
function withReferences(value: unknown, paths: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((item) => withReferences(item, paths));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      name === 'reference' && typeof member === 'string'
        ? (paths.get(member) ?? member)
        : withReferences(member, paths),
    ]),
  );
}

/** Whether this is a message bundle whose event is an order. */
function isOrder(text: string): boolean {
  const bundle = JSON.parse(text) as { type?: string; entry?: readonly Entry[] } | null;
  if (bundle?.type !== 'message') return false;
  const header = bundle.entry?.find((e) => e.resource.resourceType === 'MessageHeader')?.resource;
  return (header?.['eventCoding'] as { code?: string } | undefined)?.code === 'prescription-order';
}

/** All of them are valid R4: none is refused. */
describe('journey › prescription › published examples', () => {
  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedExamples(join(SAMPLES, 'eps/examples'));
});

function publishedExamples(folder: string): void {
  const messages = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.json'))
    .map((path) => ({ path, text: readFileSync(join(folder, path), 'utf8') }))
    .filter(({ text }) => isOrder(text));
  let server: TestServer;
  let fhir: FhirClient;
  before(async () => {
    server = await startTestServer();
    fhir = createFhirClient(server);
  });
  after(() => server.stop());

  it('are there', () => {
    expect(messages).to.have.length.of.at.least(50);
  });

  for (const { path, text } of messages)
    it(path, async () => {
      // Several examples bear one message id; sent as they are, all but the first would be refused.
      const { value } = (JSON.parse(text) as { identifier: { value: string } }).identifier;
      const message = text.replaceAll(value, randomUUID());
      const reply = await fhir.post('$process-message', message);
      expect(reply.status, reply.text).equal(200);
      await expectStored(fhir, entriesOf(message));
    });
}
