/** A third party's program and the server, both ways over mutual TLS. SECURITY PK-09, PK-15, PK-16; docs/hl7v2.md */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import Client, { Message } from 'node-hl7-client';
import { kindOf } from '../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../src/standards/hl7v2/parse.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { authority, client as clientCertificate, DAY_MS, server as serverCertificate } from '../support/authority.ts';
import { createFhirClient } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';
import { startV2Peer, type V2Peer } from '../support/v2-peer.ts';

const FIXTURES = new URL('../../fixtures/hl7v2/', import.meta.url);
const FACILITIES = Array.from({ length: 60 }, (_, n) => `F${n}`);
const now = Date.now(); // TLS goes by the machine's clock
const times = { notBefore: now - DAY_MS, notAfter: now + 30 * DAY_MS };
const ours = authority('Ours', times);
const theirs = authority('Partner', times);
const names = extensions.subjectAltName(['localhost', '127.0.0.1']);
const ourHost = serverCertificate('localhost', { issuer: ours, extensions: [names], ...times });
const ourClient = clientCertificate('Mortar', { issuer: ours, ...times });
const theirHost = serverCertificate('localhost', { issuer: theirs, extensions: [names], ...times });
const theirClient = clientCertificate('PAS', {
  issuer: theirs,
  extensions: [extensions.subjectAltName(['urn:mortar:org:RXX'])],
  ...times,
});

describe('journey › HL7 v2 over mutual TLS, both ways', function () {
  this.timeout(60_000);
  const folder = makeTempFolder();
  let server: TestServer;
  let peer: V2Peer;
  const at = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };

  function ownCertificate(): object {
    at('gp.crt', ourClient.pem);
    at('gp.key', ourClient.keyPem);
    at('gp-ca.crt', theirs.pem);
    return { receiver: 'GPSYS|A83008', cert: 'gp.crt', key: 'gp.key', ca: 'gp-ca.crt' };
  }

  before(async () => {
    const tls = {
      cert: theirHost.pem,
      key: theirHost.keyPem,
      ca: ours.pem,
      requestCert: true,
      rejectUnauthorized: true,
    };
    peer = await startV2Peer({ tls });
    const partners = [
      {
        certificate: { uri: 'urn:mortar:org:RXX' },
        organization: 'rxx',
        senders: ['PAS|RXX', ...FACILITIES.map((name) => `PAS|${name}`)],
      },
    ];
    server = await startTestServer({
      env: {
        HTTPS_PORT: '0',
        MLLPS_PORT: '0',
        MLLP_PORT: 'off',
        TLS_CERT_FILE: at('tls.crt', ourHost.pem),
        TLS_KEY_FILE: at('tls.key', ourHost.keyPem),
        TLS_CLIENT_CA_FILE: at('partners.crt', theirs.pem),
        PARTNER_CERTIFICATES_FILE: at('partners.json', JSON.stringify(partners)),
        REVOCATION: 'off',
        UNKNOWN_PARTNERS: 'accept',
        HL7V2_FEED_TARGETS: `mllps://localhost:${peer.port}`,
        // That of all partners would be refused: this one has its own.
        HL7V2_FEED_CERT_FILE: at('feed.crt', theirClient.pem),
        HL7V2_FEED_KEY_FILE: at('feed.key', theirClient.keyPem),
        HL7V2_FEED_CA_FILE: at('feed-ca.crt', ours.pem),
        HL7V2_FEED_CERTIFICATES_FILE: at('certificates.json', JSON.stringify([ownCertificate()])),
      },
    });
    const fhirBaseUrl = `http://127.0.0.1:${server.port}/fhir/R4`;
    const made = await createFhirClient({ fhirBaseUrl, bearer: server.bearer }).post('Endpoint', {
      resourceType: 'Endpoint',
      status: 'active',
      connectionType: { system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type', code: 'hl7v2-mllp' },
      identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/hl7v2-receiver', value: 'GPSYS|A83008' }],
      payloadType: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0003', code: 'A28' }] }],
      address: `mllps://localhost:${peer.port}`,
    });
    expect(made.status, made.text).equal(201);
    await sleep(1600);
  });
  after(async () => {
    await server?.stop();
    await peer?.stop();
  });

  it('what node-hl7-client sends is applied, and another partner hears of it', async () => {
    const client = new Client({
      host: 'localhost',
      version: '2.4',
      tls: { ca: ours.pem, cert: theirClient.pem, key: theirClient.keyPem },
    });
    const answers: string[] = [];
    const connection = client.createConnection({ port: server.mllpsPort as number, version: '2.4' }, async (answer) => {
      answers.push(`${answer.getMessage().get('MSA.1')} ${answer.getMessage().get('MSA.2')}`);
    });
    const ids = ['T-1', 'T-2', 'T-3'];
    for (const id of ids) {
      const text = `MSH|^~\\&|PAS|RXX|MORTAR|HERE|20260302101500||ADT^A28|${id}|P|2.4\rEVN|A28|20260302\rPID|1||${id}^^^MRN^MR||Smith^Ann||19840517|F`;
      await connection.sendMessage(new Message({ text }));
      for (let n = 0; n < 200 && answers.at(-1) !== `AA ${id}`; n++) await sleep(20);
    }
    await connection.close();
    client.closeAll();
    expect(answers).eql(ids.map((id) => `AA ${id}`));
    for (let n = 0; n < 200 && peer.received.length < ids.length; n++) await sleep(25);
    const numbers = peer.received.map((text) => String(new Message({ text }).get('PID.3.1')));
    expect(numbers.toSorted()).eql(ids);
    expect(peer.connections()).equal(1);
  });

  it('node-hl7-client and the listener exchange a message of every kind that is mapped', async () => {
    // One fixture a kind, from a facility of this partner of its own, so that none is about what another left.
    const kinds = new Map<string, string>();
    for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.hl7'))) {
      const bytes = readFileSync(new URL(name, FIXTURES));
      const message = parseMessage(bytes).value;
      if (message === undefined || !/^own-/.test(name) || kinds.has(kindOf(message))) continue;
      const [header = '', ...lines] = message.segments.map(({ text }) => text);
      const fields = header.split('|');
      fields.splice(2, 2, 'PAS', FACILITIES[kinds.size] as string);
      const text = [fields.join('|'), ...lines].join('\r').replaceAll(/\d{10}\^\^\^NHS\^NH[^~|]*~/g, '');
      kinds.set(kindOf(message), text);
    }
    const events = new Set([...kinds.keys()].map((kind) => kind.split('^')[0]));
    for (const type of [
      'ADT',
      'SIU',
      'OMP',
      'RDE',
      'RDS',
      'RGV',
      'RAS',
      'ORM',
      'OML',
      'ORU',
      'MDM',
      'MFN',
      'BAR',
      'DFT',
      'VXU',
    ])
      expect(events.has(type), type).equal(true);
    const answers = new Map<string, string>();
    const got: string[] = [];
    // A connection of this client has one version.
    const versions = new Set([...kinds.values()].map((text) => text.split('\r')[0]?.split('|')[11]));
    for (const version of versions as Set<'2.4'>) {
      const mine = [...kinds].filter(([, text]) => text.split('\r')[0]?.split('|')[11] === version);
      const tls = { ca: ours.pem, cert: theirClient.pem, key: theirClient.keyPem };
      const client = new Client({ host: 'localhost', version, tls });
      const connection = client.createConnection({ port: server.mllpsPort as number, version }, async (answer) => {
        const message = answer.getMessage();
        answers.set(String(message.get('MSA.2')), String(message.get('MSA.1')));
      });
      for (const [kind, text] of mine) {
        const controlId = text.split('\r')[0]?.split('|')[9] ?? '';
        await connection.sendMessage(new Message({ text }));
        for (let n = 0; n < 400 && !answers.has(controlId); n++) await sleep(20);
        got.push(`${kind} ${answers.get(controlId)}`);
      }
      await connection.close();
      client.closeAll();
    }
    expect(got.toSorted()).eql([...kinds.keys()].map((kind) => `${kind} AA`).toSorted());
  });
});
