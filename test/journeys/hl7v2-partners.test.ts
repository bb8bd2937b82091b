/** What is agreed with one partner: its mapping file, what it may be told, what it may ask. docs/hl7v2.md */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { privacyConsent } from '../support/consents.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startV2Peer, type V2Peer } from '../support/v2-peer.ts';

const NAMES = 'https://mortar-fhir.org/NamingSystem/';
const codes = (...list: string[]): Json[] => [
  { coding: list.map((code) => ({ system: 'http://terminology.hl7.org/CodeSystem/v2-0076', code })) },
];

describe('journey › what is agreed with an HL7 v2 partner', function () {
  this.timeout(60_000);
  let server: TestServer;
  let client: FhirClient;
  let peer: V2Peer;
  let folder: string;
  let surgeryId: string;
  const send = async (text: string): Promise<Buffer> => {
    const sender = await openMllpSender(server.mllpPort as number);
    const reply = await sender.send(text.replaceAll('\n', '\r'));
    sender.close();
    return reply;
  };
  async function make(resource: Json): Promise<string> {
    const made = await client.post(String(resource['resourceType']), resource);
    expect(made.status, made.text).equal(201);
    return String(made.json()['id']);
  }
  const until = async (count: number): Promise<void> => {
    for (let tries = 0; tries < 400 && peer.received.length < count; tries++) await sleep(25);
    expect(peer.received.length).least(count);
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mortar-partners-'));
    const pas = { partners: ['PAS|RXX'], codes: { 'PID.8': { 7: 'O' } }, fields: [{ move: 'ZPI.1', to: 'PID.5' }] };
    const surgery = { partners: ['GPSYS|A83008'], send: ['PID.3', 'PID.5', 'SCH.2', 'SCH.25', 'TQ1'] };
    writeFileSync(join(folder, 'pas.json'), JSON.stringify(pas));
    writeFileSync(join(folder, 'surgery.json'), JSON.stringify(surgery));
    peer = await startV2Peer();
    server = await startTestServer({
      env: { HL7V2_FEED_TARGETS: `mllp://localhost:${peer.port}`, HL7V2_PARTNERS_FOLDER: folder },
    });
    client = createFhirClient(server);
    surgeryId = await make({ resourceType: 'Organization', name: 'Surgery' });
    const type = { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: 'hl7v2-mllp' };
    const endpoint = (sender: string, more: Json): Json => ({
      resourceType: 'Endpoint',
      status: 'active',
      connectionType: type,
      identifier: [{ system: `${NAMES}hl7v2-sender`, value: sender }],
      address: `mllp://localhost:${peer.port}`,
      ...more,
    });
    await make(endpoint('PAS|RXX', { payloadType: codes('ADT') }));
    await make(
      endpoint('GPSYS|A83008', {
        identifier: [
          { system: `${NAMES}hl7v2-sender`, value: 'GPSYS|A83008' },
          { system: `${NAMES}hl7v2-receiver`, value: 'GPSYS|A83008' },
        ],
        managingOrganization: { reference: `Organization/${surgeryId}` },
        payloadType: codes('ADT', 'SIU', 'QBP'),
      }),
    );
    await sleep(1600); // until they are known
  });
  after(async () => {
    await server.stop();
    await peer.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    peer.received.length = 0;
  });

  const query = (sender: string, id: string, criteria: string, event = 'Q22'): string =>
    `MSH|^~\\&|${sender}|MORTAR|RXX|20260302101500||QBP^${event}|${id}|P|2.5\nQPD|${event}^Query^HL7|TAG|${criteria}\nRCP|I|5^RD\n`;
  const deny = (patientId: string, provision: Json): Json => {
    const { id: _, ...consent } = privacyConsent(patientId, { type: 'deny', ...provision });
    return consent as Json;
  };
  const secretFrom = (organizationId: string): Json => ({
    actor: [{ role: { coding: [{ code: 'IRCP' }] }, reference: { reference: `Organization/${organizationId}` } }],
  });

  it('a message is mapped by the file of its sender, and of nobody else', async () => {
    const message = (sender: string, id: string) =>
      `MSH|^~\\&|${sender}|MORTAR|RXX|20260302101500||ADT^A28|${id}|P|2.5\nEVN||20260302\nPID|1||${id}^^^MRN^MR||||19840517|7\nZPI|LOCALNAME^ANN\n`;
    expect(fieldOf(await send(message('PAS|RXX', 'R-1')), 'MSA-1')).equal('AA');
    expect(fieldOf(await send(message('GPSYS|A83008', 'R-2')), 'MSA-1')).equal('AA');
    const found = async (number: string): Promise<Json> =>
      (await client.get(`Patient?identifier=${number}`)).json<{ entry: { resource: Json }[] }>().entry[0]
        ?.resource as Json;
    expect(await found('R-1')).deep.include({ gender: 'other', name: [{ use: 'official', family: 'LOCALNAME' }] });
    const other = await found('R-2');
    expect(other['name']).equal(undefined);
    expect(other['gender']).not.equal('other');
    await until(1);
  });

  it('only what is on the list of its file is sent, appointments among it', async () => {
    const id = await make({
      resourceType: 'Patient',
      identifier: [{ system: 'urn:v2:RXX:MRN', value: 'L-1' }],
      name: [{ use: 'official', family: 'Listed' }],
      birthDate: '1984-05-17',
      telecom: [{ system: 'phone', value: '0207 000 0000' }],
    });
    await until(1);
    expect(fieldOf(Buffer.from(peer.received[0] ?? ''), 'PID-5')).equal('Listed^^^^^^L');
    expect(peer.received.join()).not.match(/1984|0207/);
    await make({
      resourceType: 'Appointment',
      status: 'booked',
      start: '2026-04-01T09:00:00Z',
      end: '2026-04-01T09:30:00Z',
      comment: 'not on the list',
      participant: [{ actor: { reference: `Patient/${id}` }, status: 'accepted' }],
    });
    await until(2);
    const booked = Buffer.from(peer.received[1] ?? '');
    expect(
      booked
        .toString()
        .split('\r')
        .map((line) => line.slice(0, 3))
        .filter(Boolean),
    ).eql(['MSH', 'SCH', 'TQ1', 'PID', 'RGS']);
    expect([fieldOf(booked, 'MSH-9'), fieldOf(booked, 'SCH-25')]).eql(['SIU^S12^SIU_S12', 'Booked']);
  });

  it('a partner is told nothing of a patient whose Consent keeps it back, and of the others it is', async () => {
    const patient = (family: string): Json => ({
      resourceType: 'Patient',
      identifier: [{ system: 'urn:v2:RXX:MRN', value: family }],
      name: [{ family }],
    });
    const [secret, open] = [await make(patient('Secret')), await make(patient('Open'))];
    await until(2);
    await make(deny(secret, secretFrom(surgeryId)));
    const elsewhere = await make({ resourceType: 'Organization', name: 'Elsewhere' });
    await make(deny(open, secretFrom(elsewhere)));
    peer.received.length = 0;
    for (const [id, family] of [
      [secret, 'Secret'],
      [open, 'Open'],
    ] as const)
      expect((await client.put(`Patient/${id}`, { ...patient(family), id, gender: 'female' })).status).equal(200);
    await until(1);
    await sleep(700);
    expect(peer.received.map((text) => fieldOf(Buffer.from(text), 'PID-5').split('^')[0])).eql(['Open']);
  });

  describe('queries', () => {
    let hiddenId: string;
    before(async () => {
      const person = (given: string, value: string, more: Json = {}): Json => ({
        resourceType: 'Patient',
        identifier: [{ system: 'urn:v2:A83008:PAS', value }],
        name: [{ use: 'official', family: 'Askedfor', given: [given] }],
        ...more,
      });
      await make(person('Ann', 'Q-1', { birthDate: '1984-05-17' }));
      await make(person('Bob', 'Q-2'));
      await make(person('Old', 'Q-3', { active: false }));
      hiddenId = await make(person('Cyd', 'Q-4'));
      await make(deny(hiddenId, secretFrom(surgeryId)));
    });

    it('are answered with those that the partner may know of', async () => {
      const reply = await send(query('GPSYS|A83008', 'A-1', '@PID.5.1.1^Askedfor'));
      const lines = reply.toString().replaceAll('\u000b', '').replaceAll('\u001c', '').split('\r').filter(Boolean);
      expect(
        lines.map((line) => line.slice(0, 3)),
        reply.toString(),
      ).eql(['MSH', 'MSA', 'QAK', 'QPD', 'PID', 'PID']);
      expect(fieldOf(reply, 'QAK-2')).equal('OK');
      expect(reply.toString()).not.match(/Cyd|Old/);
    });

    it('of one person: by the number, and which other numbers there are', async () => {
      const one = await send(query('GPSYS|A83008', 'A-2', 'Q-1^^^PAS', 'Q21'));
      expect([fieldOf(one, 'MSH-9'), fieldOf(one, 'PID-5')]).eql(['RSP^K21^RSP_K21', 'Askedfor^Ann^^^^^L']);
      const numbers = await send(query('GPSYS|A83008', 'A-3', 'Q-1^^^PAS', 'Q23'));
      expect([fieldOf(numbers, 'MSH-9'), fieldOf(numbers, 'PID-5')]).eql(['RSP^K23^RSP_K23', '']);
      expect(fieldOf(await send(query('GPSYS|A83008', 'A-4', 'Q-4^^^PAS', 'Q21')), 'QAK-2')).equal('NF');
    });

    it('of those who may not ask are refused', async () => {
      const reply = await send(query('PAS|RXX', 'A-5', '@PID.5.1.1^Askedfor'));
      expect([fieldOf(reply, 'MSH-9').split('^')[0], fieldOf(reply, 'MSA-1')]).eql(['ACK', 'AR']);
      const unknown = await send(query('NOBODY|X', 'A-6', '@PID.5.1.1^Askedfor'));
      expect(fieldOf(unknown, 'MSA-1')).equal('AR');
      // The place for text in MSA is short: what is to be done must fit.
      for (const answer of [reply, unknown]) expect(fieldOf(answer, 'MSA-3')).equal(fieldOf(answer, 'ERR-8'));
    });

    it('that are at fault say where, and one that comes again gets its answer again', async () => {
      const reply = await send(query('GPSYS|A83008', 'A-7', '@PID.99^x'));
      expect(fieldOf(reply, 'MSA-1')).equal('AE');
      const [first, second] = [
        await send(query('GPSYS|A83008', 'A-8', '@PID.5.2^Bob')),
        await send(query('GPSYS|A83008', 'A-8', '@PID.5.2^Bob')),
      ];
      expect(second.equals(first)).equal(true);
    });
  });

  it('a file at fault keeps the server from starting, and says where', async () => {
    const wrong = mkdtempSync(join(tmpdir(), 'mortar-partners-'));
    writeFileSync(join(wrong, 'a.json'), JSON.stringify({ partners: ['PAS'], codes: { PID: {} }, more: 1 }));
    writeFileSync(join(wrong, 'b.json'), '{');
    writeFileSync(join(wrong, 'c.json'), JSON.stringify({ send: ['PID.0'] }));
    let message = '';
    try {
      await (await startTestServer({ env: { HL7V2_PARTNERS_FOLDER: wrong } })).stop();
    } catch (error) {
      message = String(error);
    }
    rmSync(wrong, { recursive: true });
    expect(message).match(/a\.json: .*more is not known/);
    expect(message).match(/a\.json: .*partners\[0\]/);
    expect(message).match(/b\.json: it is no JSON/);
    expect(message).match(/c\.json: .*send\[0\]/);
  });
});
