/** SCRIPT conversations over real sockets: order, fill, answers, mailbox, controlled substances. docs/ncpdp.md */
import { createHash, createSign, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import { hashPassword } from '../../src/gateways/script/credentials.ts';
import { mapToFhir } from '../../src/mapping/script/map-message.ts';
import { textAt } from '../../src/mapping/script/place.ts';
import { formatJson } from '../../src/standards/fhir/json.ts';
import { findText } from '../../src/standards/script/message.ts';
import { readScript } from '../../src/standards/script/read.ts';
import { canonicalText } from '../../src/standards/script/write.ts';
import { extensions } from '../../src/standards/x509/extensions.ts';
import { scriptFixture } from '../standards/script/samples.ts';
import { authority, listOf, type Made, signatory } from '../support/authority.ts';
import { createFhirClient, type FhirClient, type Json } from '../support/fhir-client.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const NOW = Date.UTC(2026, 3, 20, 12);
const DAY_MS = 86_400_000;
const SPAN = { notBefore: NOW - DAY_MS, notAfter: NOW + DAY_MS };
const AUTHORITY = authority('Practitioners', SPAN);
const PASSWORD = 'cactus-wren-17';

interface Said {
  readonly status: number;
  readonly kind: string | undefined;
  readonly code: string | undefined;
  readonly detail: string | undefined;
  readonly description: string | undefined;
  readonly xml: string;
}

describe('journey › SCRIPT', function () {
  this.timeout(120_000);
  let server: TestServer;
  let lists: Server;
  /** Of that name, certified by an authority unless it is told otherwise; `list`: where its revocation list is. */
  const practitioner = (name: string, issuer: Made | undefined = AUTHORITY, list = '/practitioners.crl'): Made =>
    signatory(name, {
      ...SPAN,
      ...(issuer && { issuer }),
      extensions: [
        extensions.crlDistributionPoints([`http://localhost:${(lists.address() as AddressInfo).port}${list}`]),
      ],
    });
  let good: Made;
  let revoked: Made;
  let fhir: FhirClient;

  before(async () => {
    lists = createServer((request, response) => {
      const list = listOf(AUTHORITY, [[revoked, { revokedAt: NOW - DAY_MS / 2, reason: 'keyCompromise' }]], {
        thisUpdate: NOW - DAY_MS,
        nextUpdate: NOW + DAY_MS,
      });
      response.writeHead(request.url === '/practitioners.crl' ? 200 : 404, { 'Content-Type': 'application/pkix-crl' });
      response.end(request.url === '/practitioners.crl' ? list : '');
    });
    await new Promise<void>((resolve) => lists.listen(0, 'localhost', resolve));
    good = practitioner('Dana Whitfield');
    revoked = practitioner('Somebody Before');
    const authorities = join(makeTempFolder(), 'practitioners.pem');
    writeFileSync(authorities, AUTHORITY.pem);
    const file = join(makeTempFolder(), 'partners.json');
    const saguaro = {
      user: 'saguaro',
      password: await hashPassword(PASSWORD),
      senders: ['P:0300123'],
      organizationId: 'saguaro',
      messages: ['RxFill', 'GetMessage', 'CancelRxResponse', 'Status', 'Error', 'Verify'],
    };
    writeFileSync(file, JSON.stringify([saguaro]), { mode: 0o600 });
    server = await startTestServer({
      env: {
        SCRIPT_ADDRESSES: 'P:0300123,D:6301875277001,M:MAILBOX',
        SCRIPT_PARTNERS_FILE: file,
        EPCS_SIGNED_PART: 'transaction',
        EPCS_SIGNER_CA_FILE: authorities,
        REVOCATION_HOSTS: `localhost:${(lists.address() as AddressInfo).port}`,
      },
      now: () => NOW,
    });
    fhir = createFhirClient(server);
    for (const value of ['D:6301875277001', 'P:0300123']) {
      const endpoint = {
        resourceType: 'Endpoint',
        identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/script-sender', value }],
        status: 'active',
        connectionType: {
          system: 'http://terminology.hl7.org/CodeSystem/endpoint-connection-type',
          code: 'direct-project',
        },
        payloadType: [{ text: 'SCRIPT' }],
        address: 'https://partner.example',
      };
      expect((await fhir.post('Endpoint', endpoint)).status).equal(201);
    }
  });
  after(async () => {
    await server?.stop();
    lists.close();
  });

  async function send(
    message: string | Buffer,
    headers: Readonly<Record<string, string>> = server.bearer,
  ): Promise<Said> {
    const reply = await fetch(`${server.url}/ncpdp/script`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/xml' },
      body: message.toString(),
    });
    const xml = await reply.text();
    const { message: read } = readScript(Buffer.from(xml));
    return {
      status: reply.status,
      kind: read?.kind,
      code: findText(read?.transaction, 'Code'),
      detail: findText(read?.transaction, 'DescriptionCode'),
      description: findText(read?.transaction, 'Description'),
      xml,
    };
  }
  const basic = (user: string, password: string) => ({
    authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
  });
  const fixture = (name: string, ...changes: readonly (readonly [string | RegExp, string])[]): string =>
    changes.reduce((text, [from, to]) => text.replaceAll(from, to), scriptFixture(name).toString());
  /** The message under ids of its own. */
  const own = (name: string, n: string, ...changes: readonly (readonly [string, string])[]): string =>
    fixture(
      name,
      [/<MessageID>[^<]*/g, `<MessageID>${name.slice(0, 20)}-${n}`],
      ['RX-2026-000101', `ORDER-${n}`],
      ['MRN-100234', `MRN-${n}`],
      ...changes,
    );
  const search = async (query: string): Promise<readonly Json[]> => {
    const { entry = [] } = (await fhir.get(query)).json() as { entry?: { resource: Json }[] };
    return entry.map(({ resource }) => resource);
  };
  const stateOf = async (controlId: string): Promise<string | undefined> => {
    const reply = await fetch(`${server.url}/gateway/messages?control-id=${controlId}`, { headers: server.bearer });
    const { messages } = (await reply.json()) as { messages: { state: string }[] };
    return messages[0]?.state;
  };

  it('a NewRx is stored and answered 010, and the RxFill of the pharmacy updates it', async () => {
    expect(await send(own('newrx-basic', '1'))).include({ status: 200, kind: 'Status', code: '010' });
    const [before] = await search('MedicationRequest?identifier=ORDER-1');
    expect(before).include({ status: 'active', intent: 'order' });

    expect(await send(own('rxfill-partial', '1', ['OWN0001A7F3C9D1', 'newrx-basic-1']))).include({
      kind: 'Status',
      code: '010',
    });
    const orders = await search('MedicationRequest?identifier=ORDER-1');
    expect(orders.map(({ id }) => id)).eql([before?.['id']]);
    const [order] = orders;
    expect(order).include({ status: 'active', intent: 'order' });
    expect(formatJson(order?.['dispenseRequest'])).equal(formatJson(before?.['dispenseRequest']));
    expect(formatJson(order?.['identifier'])).include('PH-77001');
    expect(formatJson(order?.['extension'])).include('PartiallyDispensed');
    const [dispense] = await search(`MedicationDispense?prescription=MedicationRequest/${String(order?.['id'])}`);
    expect(dispense).include({ status: 'completed' });
    expect(dispense?.['quantity']).include({ value: 10 });
    const [patient] = await search(`Patient?_has:MedicationDispense:patient:_id=${String(dispense?.['id'])}`);
    expect(`Patient/${String(patient?.['id'])}`).equal(textAt(order, 'subject.reference'));
    expect((await search('Task?code=RxFill')).length).equal(1);
  });

  it('the same message again is answered as before, and another under its id is refused with 220', async () => {
    const message = own('newrx-basic', '2');
    const first = await send(message);
    expect((await send(message)).xml).equal(first.xml);
    expect(await send(message.replace('<DaysSupply>30', '<DaysSupply>29'))).include({
      kind: 'Error',
      code: '900',
      detail: '220',
    });
    expect((await search('MedicationRequest?identifier=ORDER-2')).length).equal(1);
  });

  it('a message to somebody else is refused with 002', async () => {
    expect(await send(own('newrx-basic', '3', ['<To Qualifier="P">0300123', '<To Qualifier="P">0399999']))).include({
      code: '900',
      detail: '002',
    });
    expect(await search('MedicationRequest?identifier=ORDER-3')).eql([]);
  });

  it('a rule of intake refuses, and names no value', async () => {
    const said = await send(own('bad-npi-checkdigit', '4'));
    expect(said).include({ code: '900', detail: '055' });
    expect(said.description).match(/NPI is no NPI/);
    expect(said.xml).not.match(/Okafor|1234567890/);
  });

  it('what nobody can read is stored, with a Task for somebody to look at', async () => {
    expect(await send(own('bad-sig-nonsense', '5'))).include({ code: '010' });
    const [order] = await search('MedicationRequest?identifier=ORDER-5');
    const [task] = await search(`Task?focus=MedicationRequest/${String(order?.['id'])}&status=requested`);
    expect(formatJson(task?.['reasonCode'])).include('V-SIG-1').not.include('asdf');
  });

  it('an approved cancellation cancels the order; one that is denied does not', async () => {
    for (const n of ['6', '7']) expect(await send(own('newrx-basic', n))).include({ code: '010' });
    const relates = ['OWN0039A7F3C9D1', 'cancelrx-6'] as const;
    expect(await send(own('cancelrxresponse-approved', '6', relates))).include({ code: '010' });
    expect(await send(own('cancelrxresponse-denied-transferred', '7', relates))).include({ code: '010' });
    expect((await search('MedicationRequest?identifier=ORDER-6'))[0]).include({ status: 'cancelled' });
    expect((await search('MedicationRequest?identifier=ORDER-7'))[0]).include({ status: 'active' });
  });

  it('an answer to an order nobody knows is taken, and changes nothing', async () => {
    expect(await send(own('cancelrxresponse-approved', 'nobody'))).include({ code: '010' });
    expect(await search('MedicationRequest?identifier=ORDER-nobody')).eql([]);
  });

  it('an answer completes the Task of what it answers', async () => {
    expect(await send(own('cancelrx', '8'))).include({ code: '010' });
    const find = async () => (await search('Task?identifier=cancelrx-8'))[0];
    expect(await find()).include({ status: 'requested' });
    await send(own('cancelrxresponse-denied-transferred', '8', ['OWN0039A7F3C9D1', 'cancelrx-8']));
    expect(await find()).include({ status: 'rejected' });
  });

  it('a test message is tagged, and so can be left out of everything that dispenses', async () => {
    await send(own('newrx-testmessage', '9'));
    expect((await search('MedicationRequest?identifier=ORDER-9&_tag=HTEST')).length).equal(1);
    expect(await search('MedicationRequest?identifier=ORDER-9&_tag:not=HTEST')).eql([]);
  });

  describe('a partner with user and password', () => {
    const right = basic('saguaro', PASSWORD);

    it('sends under its own name', async () => {
      expect(await send(own('rxfill-dispensed', '20'), right)).include({ status: 200, code: '010' });
    });
    it('and not under another', async () => {
      expect(await send(own('newrx-basic', '21'), right)).include({ code: '900', detail: '001' });
      expect(await search('MedicationRequest?identifier=ORDER-21')).eql([]);
    });
    it('and only kinds that it may send', async () => {
      expect(await send(own('rxchangerequest-generic', '22'), right)).include({ code: '900', detail: '034' });
    });
    for (const [title, headers] of [
      ['a wrong password', basic('saguaro', 'wrong')],
      ['an unknown user', basic('nobody', PASSWORD)],
      ['no colon', { authorization: 'Basic c2FndWFybw==' }],
      ['nothing', {}],
    ] as const)
      it(`${title} is refused before anything is read`, async () => {
        const said = await send(own('rxfill-dispensed', '23'), headers);
        expect(said).include({ status: 401, kind: 'Error', code: '900' });
        expect(await search('MedicationRequest?identifier=ORDER-23')).eql([]);
      });
  });

  describe('the mailbox', () => {
    const right = basic('saguaro', PASSWORD);
    const get = (n: string, acknowledged?: string): string =>
      fixture(
        'getmessage',
        [/<MessageID>[^<]*/g, `<MessageID>GET-${n}`],
        [
          /<Mailbox>.*<\/Mailbox>/g,
          acknowledged === undefined ? '' : `<Mailbox><AcknowledgementID>${acknowledged}</AcknowledgementID></Mailbox>`,
        ],
      );
    const queue = async (n: string): Promise<string> => {
      const { message } = readScript(Buffer.from(own('newrx-basic', n)));
      const bundle = message && mapToFhir(message, { receivedAt: NOW }).value;
      const reply = await fetch(`${server.url}/gateway/script?from=D:6301875277001&to=P:0300123`, {
        method: 'POST',
        headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
        body: formatJson(bundle),
      });
      expect(reply.status, await reply.clone().text()).equal(202);
      const { messageId, kind } = (await reply.json()) as { messageId: string; kind: string };
      expect(kind).equal('NewRx');
      return messageId;
    };

    it('is empty at first: Status 003', async () => {
      expect(await send(get('0'), right)).include({ kind: 'Status', code: '003' });
    });
    it('gives the oldest again until it is acknowledged, then the next', async () => {
      const [first, second] = [await queue('30'), await queue('31')];
      const said = await send(get('1'), right);
      expect([said.kind, said.xml.includes(first)]).eql(['NewRx', true]);
      expect((await send(get('2'), right)).xml).equal(said.xml);
      const next = await send(get('3', first), right);
      expect(next.xml).include(second);
      expect(await stateOf(first)).equal('acknowledged');
      expect(await send(get('4', second), right)).include({ kind: 'Status', code: '003' });
    });
    it('an answer finds what it answers: 010 acknowledges, Error 900 rejects, an unknown code does neither', async () => {
      for (const [n, name, changes, expected] of [
        ['40', 'status-010', [], 'acknowledged'],
        ['41', 'status-000', [], 'sent'],
        ['42', 'error-900', [], 'rejected'],
        ['43', 'error-600', [], 'queued'],
        ['44', 'status-010', [['<Code>010', '<Code>777']], 'queued'],
      ] as const) {
        const id = await queue(n);
        await send(
          own(name, n, ['<RelatesToMessageID>OWN0001A7F3C9D1', `<RelatesToMessageID>${id}`], ...changes),
          right,
        );
        expect(await stateOf(id), name).equal(expected);
      }
    });
    for (const [title, parties, body, status, expected] of [
      [
        'an order that cannot be written',
        'from=D:6301875277001&to=P:0300123',
        '{"resourceType":"Bundle","type":"collection","entry":[]}',
        422,
        'MedicationRequest',
      ],
      ['a name that is not ours', 'from=D:1&to=P:0300123', '{}', 400, 'from is no address of ours'],
      ['somebody who is no partner', 'from=D:6301875277001&to=P:0399999', '{}', 400, 'to is no partner'],
    ] as const)
      it(`${title} is refused: ${expected}`, async () => {
        const reply = await fetch(`${server.url}/gateway/script?${parties}`, {
          method: 'POST',
          headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
          body,
        });
        expect([reply.status, await reply.text()].join(' ')).match(new RegExp(`^${status} .*${expected}`, 's'));
      });
    it('a controlled drug is not sent without its prescriber’s signature', async () => {
      const { message } = readScript(scriptFixture('newrx-cii-signed-indicator'));
      const bundle = message && mapToFhir(message, { receivedAt: NOW }).value;
      const reply = await fetch(`${server.url}/gateway/script?from=D:6301875277001&to=P:0300123`, {
        method: 'POST',
        headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
        body: formatJson(bundle),
      });
      expect([reply.status, await reply.text()].join(' ')).match(/^422 .*V-CS-4/s);
    });
    it('says who asked for what', async () => {
      const reply = await fetch(`${server.url}/gateway/script?from=nobody&to=P:0300123`, {
        method: 'POST',
        headers: { ...server.bearer, 'Content-Type': 'application/fhir+json' },
        body: '{}',
      });
      expect([reply.status, await reply.text()].join(' ')).match(/^400 .*from is a qualifier and an address/);
    });
  });

  describe('controlled substances', () => {
    const report = async (): Promise<{ counts: readonly Json[]; damaged: string[]; incidents: string[] }> => {
      const reply = await fetch(`${server.url}/gateway/epcs?day=2026-04-20`, { headers: server.bearer });
      expect(reply.status).equal(200);
      return (await reply.json()) as { counts: Json[]; damaged: string[]; incidents: string[] };
    };
    const signedNewRx = (n: string, tamper: (xml: string) => string = (xml) => xml, signer = good): string => {
      const plain = own('newrx-cii-signed-indicator', n);
      const { message } = readScript(Buffer.from(plain));
      const content = message ? canonicalText(message.transaction) : '';
      const value = createSign('sha256').update(content).sign(signer.key).toString('base64');
      const digest = createHash('sha256').update(content).digest('base64');
      const signature = `<DigitalSignature Version="1"><DigestMethod>SHA-256</DigestMethod><DigestValue>${digest}</DigestValue><SignatureValue>${value}</SignatureValue><X509Data>${new X509Certificate(signer.pem).raw.toString('base64')}</X509Data></DigitalSignature>`;
      return tamper(plain.replace(/<DigitalSignature.*<\/DigitalSignature>/, signature));
    };

    it('an order with the indicator is taken and archived', async () => {
      expect(await send(own('newrx-cii-signed-indicator', '50'))).include({ code: '010' });
      const { counts, damaged, incidents } = await report();
      expect(counts).deep.include({
        kind: 'NewRx',
        schedule: 'CII',
        presence: 'indicator',
        verdict: 'not-verified',
        count: 1,
      });
      expect([damaged, incidents]).eql([[], []]);
    });
    it('one without a signature is refused, archived, and an incident', async () => {
      expect(await send(own('bad-cs-no-signature', '51'))).include({ kind: 'Error', code: '900' });
      const { incidents } = await report();
      expect(incidents.length).equal(1);
      expect(await search('MedicationRequest?identifier=ORDER-51')).eql([]);
    });
    it('a signature that fits is verified', async () => {
      expect(await send(signedNewRx('52'))).include({ code: '010' });
      const { counts } = await report();
      expect(counts).deep.include({
        kind: 'NewRx',
        schedule: 'CII',
        presence: 'signature',
        verdict: 'verified',
        count: 1,
      });
    });
    it('one whose order was changed afterwards is refused', async () => {
      const said = await send(signedNewRx('53', (xml) => xml.replace(/<Quantity><Value>\d+/, '<Quantity><Value>99')));
      expect(said).include({ kind: 'Error', code: '900' });
      expect(said.description).match(/digest is not that of the prescription/);
      expect(await search('MedicationRequest?identifier=ORDER-53')).eql([]);
      expect((await report()).incidents.length).equal(2);
    });
    for (const [n, title, signer, words] of [
      ['54', 'is revoked', () => revoked, /the certificate is revoked/],
      [
        '55',
        'is of nobody we trust',
        () => practitioner('A Stranger', authority('Others', SPAN)),
        /no authority that is trusted/,
      ],
      ['56', 'cannot be asked about', () => practitioner('Unlisted', AUTHORITY, '/gone.crl'), /nobody can say whether/],
    ] as const)
      it(`one whose signer’s certificate ${title} is refused and archived`, async () => {
        const before = (await report()).incidents.length;
        const said = await send(signedNewRx(n, undefined, signer()));
        expect(said).include({ kind: 'Error', code: '900' });
        expect(said.description).match(words);
        expect(await search(`MedicationRequest?identifier=ORDER-${n}`)).eql([]);
        expect((await report()).incidents.length).equal(before + 1);
      });
    it('the archive cannot be changed', async () => {
      const client = new pg.Client(server.database.connection('owner'));
      await client.connect();
      try {
        for (const sql of [`update mortar.epcs_record set schedule = 'CV'`, 'delete from mortar.epcs_record']) {
          const refused = await client.query(sql).then(
            () => 'done',
            (error: Error) => error.message,
          );
          expect(refused).match(/never changed/);
        }
      } finally {
        await client.end();
      }
    });
    it('a day that is none is refused', async () => {
      const reply = await fetch(`${server.url}/gateway/epcs?day=yesterday`, { headers: server.bearer });
      expect(reply.status).equal(400);
    });
  });
});
