/** A partner that wants more than visits is told of documents, tests, vaccinations, charges, staff and places. docs/hl7v2.md "Feeds" */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { answer, kindOf, startV2Peer, type V2Peer } from '../support/v2-peer.ts';

const CODES = 'http://terminology.hl7.org/CodeSystem/';
const NAMES = 'https://mortar-fhir.org/NamingSystem/';

describe('journey › HL7 v2 feeds of other types', function () {
  this.timeout(90_000);
  let server: TestServer;
  let peer: V2Peer;
  let client: FhirClient;

  before(async () => {
    peer = await startV2Peer();
    peer.act = (text) => [answer(text)];
    server = await startTestServer({ env: { HL7V2_FEED_TARGETS: `mllp://localhost:${peer.port}` } });
    client = createFhirClient(server);
    const types = ['MDM', 'OML', 'VXU', 'BAR', 'DFT', 'MFN'];
    await make('Endpoint', {
      status: 'active',
      connectionType: { system: `${CODES}endpoint-connection-type`, code: 'hl7v2-mllp' },
      identifier: [{ system: `${NAMES}hl7v2-receiver`, value: 'STORE|A83008' }],
      payloadType: types.map((code) => ({ coding: [{ system: `${CODES}v2-0076`, code }] })),
      address: `mllp://localhost:${peer.port}`,
      header: ['MSH-4: RXX'],
    });
    await sleep(1500); // until it is known
  });
  after(async () => {
    await server.stop();
    await peer.stop();
  });

  /** Resolves to `Type/id`. */
  async function make(type: string, content: Json): Promise<string> {
    const made = await client.post(type, { resourceType: type, ...content });
    expect(made.status, made.text).equal(201);
    return `${type}/${String(made.json()['id'])}`;
  }
  async function told(kind: string, count = 1): Promise<readonly Buffer[]> {
    for (let tries = 0; tries < 800; tries++) {
      const found = peer.received.filter((text) => kindOf(text).startsWith(kind));
      if (found.length >= count) return found.map((text) => Buffer.from(text));
      await sleep(25);
    }
    throw new Error(`${kind} was not told of; there is ${peer.received.map(kindOf).join(', ')}`);
  }

  it('each change is one message, whole with what it refers to', async () => {
    const place = (name: string, kind: string, partOf?: string): Promise<string> =>
      make('Location', {
        name,
        physicalType: { coding: [{ system: `${CODES}location-physical-type`, code: kind }] },
        ...(partOf !== undefined && { partOf: { reference: partOf } }),
      });
    const site = await place('RXX01', 'si');
    const ward = await place('W12', 'wa', site);
    const bay = await place('BAY2', 'ro', ward);
    const bed = await place('BED04', 'bd', bay);
    const [, , , ofBed] = await told('MFN^M05', 4);
    expect(fieldOf(ofBed as Buffer, 'LOC-1')).equal('W12^BAY2^BED04^RXX01');
    expect(fieldOf(ofBed as Buffer, 'MFE-1')).equal('MAD');

    const doctor = await make('Practitioner', {
      identifier: [{ system: 'https://fhir.hl7.org.uk/Id/gmc-number', value: 'C9999990' }],
      name: [{ family: 'OKAFOR', given: ['DANIEL'] }],
    });
    expect(fieldOf((await told('MFN^M02'))[0] as Buffer, 'STF-3')).contain('OKAFOR^DANIEL');

    const patient = await make('Patient', {
      identifier: [{ system: 'urn:v2:RXX:MRN', value: 'T-1' }],
      name: [{ family: 'TESTPATIENT', given: ['AMELIA'] }],
    });
    const visit = await make('Encounter', {
      identifier: [{ system: 'urn:v2:RXX:visit', value: 'V-1' }],
      status: 'in-progress',
      class: { system: `${CODES}v3-ActCode`, code: 'IMP' },
      subject: { reference: patient },
      location: [{ location: { reference: bed }, status: 'active' }],
    });
    const binary = await make('Binary', { contentType: 'application/pdf', data: 'JVBERi0xLjQKJUVPRgo=' });
    await make('DocumentReference', {
      identifier: [{ system: 'urn:v2:RXX:LETTERS', value: 'DOC-1' }],
      status: 'current',
      docStatus: 'final',
      subject: { reference: patient },
      author: [{ reference: doctor }],
      content: [{ attachment: { contentType: 'application/pdf', url: binary, title: 'letter.pdf' } }],
      context: { encounter: [{ reference: visit }] },
    });
    const [letter] = (await told('MDM^T02')) as [Buffer];
    expect(fieldOf(letter, 'TXA-12')).equal('DOC-1^LETTERS');
    expect(fieldOf(letter, 'OBX-5')).equal('^application^pdf^Base64^JVBERi0xLjQKJUVPRgo=');
    expect(fieldOf(letter, 'PV1-3')).equal('W12^BAY2^BED04^RXX01');
    expect(fieldOf(letter, 'PV1-19')).contain('V-1');

    const request = await make('ServiceRequest', {
      status: 'active',
      intent: 'order',
      priority: 'stat',
      code: { coding: [{ system: 'http://snomed.info/sct', code: '26604007', display: 'Full blood count' }] },
      subject: { reference: patient },
      requester: { reference: doctor },
    });
    const [order] = (await told('OML^O21')) as [Buffer];
    expect(fieldOf(order, 'ORC-2')).equal(`${request.split('/')[1]}^MORTAR`);
    expect(fieldOf(order, 'TQ1-9')).equal('S');

    await make('Immunization', {
      status: 'completed',
      vaccineCode: { coding: [{ system: 'http://snomed.info/sct', code: '39114911000001105' }] },
      patient: { reference: patient },
      occurrenceDateTime: '2026-03-02T10:00:00Z',
    });
    expect(fieldOf((await told('VXU^V04'))[0] as Buffer, 'RXA-5')).equal('39114911000001105^^SCT');

    const account = await make('Account', { status: 'active', subject: [{ reference: patient }] });
    expect(fieldOf((await told('BAR^P01'))[0] as Buffer, 'PID-18')).contain(account.split('/')[1] ?? '');
    await make('ChargeItem', {
      status: 'billable',
      code: { text: 'Chest X-ray' },
      subject: { reference: patient },
      account: [{ reference: account }],
    });
    const [charge] = (await told('DFT^P03')) as [Buffer];
    expect(fieldOf(charge, 'FT1-6')).equal('CG');
    expect(fieldOf(charge, 'PID-18')).contain(account.split('/')[1] ?? '');
  });
});
