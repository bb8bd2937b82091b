/** What the way to the Spine knows after each thing that can happen on it. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import { expect } from 'chai';
import { createCircuitBreaker } from '../../../src/gateways/circuit-breaker.ts';
import { formatEnvelope, xmlPartsOf } from '../../../src/gateways/eps/envelope.ts';
import { createSpineExchange } from '../../../src/gateways/eps/exchange.ts';
import { readSpineReply } from '../../../src/gateways/eps/read-reply.ts';
import { readSentEnvelope, readSentMessage } from '../../../src/gateways/eps/sent-message.ts';
import { createHttpsCaller } from '../../../src/gateways/https-call.ts';
import type { SpineExchange } from '../../../src/ports/spine-exchange.ts';
import { createTestCa } from '../../support/ca.ts';
import { cancellation, newPrescription, notification, order, patientRelease } from '../../support/eps-messages.ts';
import { silentLog } from '../../support/log.ts';
import { PARTY } from '../../support/spine.ts';

const AT = Date.parse('2026-11-17T09:00:00Z');
const ACK = (type: string, code = ''): string =>
  `<MCCI_IN010000UK13 xmlns="urn:hl7-org:v3"><acknowledgement typeCode="${type}"/><ControlActEvent>${code}</ControlActEvent></MCCI_IN010000UK13>`;
const REASON = (code: string): string =>
  `<reason><justifyingDetectedIssueEvent><code code="${code}" codeSystem="1.2" displayName="why"/></justifyingDetectedIssueEvent></reason>`;

interface Step {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** `held`: answered when the test says so. */
  readonly ending?: 'hang' | 'drop' | 'cut' | 'held';
}

describe('gateways › eps › exchange', () => {
  const ca = createTestCa();
  const own = ca.client('gateway');
  const tls: SecureContextOptions = { ca: ca.certificate, cert: own.certificate, key: own.key };
  let server: Server;
  let steps: Step[] = [];
  let held: (finish: () => void) => void = (finish) => finish();
  let seen: { readonly method: string; readonly path: string; readonly headers: Readonly<Record<string, unknown>> }[] =
    [];
  const opened: { close(): void }[] = [];

  before(async () => {
    const { certificate, key } = ca.server();
    server = createServer(
      { cert: certificate, key, ca: ca.certificate, requestCert: true, rejectUnauthorized: true },
      (req, res) => {
        req.resume().on('end', () => {
          seen.push({ method: req.method ?? '', path: req.url ?? '', headers: req.headers });
          const { status = 200, body = '', headers = {}, ending } = steps.shift() ?? {};
          if (ending === 'hang') return;
          if (ending === 'held') return held(() => res.end(body));
          if (ending === 'drop') return void res.destroy();
          res.writeHead(status, { ...headers, ...(ending === 'cut' && { 'Content-Length': '1000' }) });
          if (ending === 'cut') res.write(body, () => res.destroy());
          else res.end(body);
        });
      },
    );
    await new Promise<void>((done) => {
      server.listen(0, '127.0.0.1', done);
    });
  });
  beforeEach(() => {
    seen = [];
    steps = [];
  });
  afterEach(() => {
    for (const caller of opened.splice(0)) caller.close();
    server.closeAllConnections();
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  function open(
    changes: { readonly tls?: SecureContextOptions; readonly url?: string; readonly failuresMax?: number } = {},
  ) {
    const { port } = server.address() as AddressInfo;
    const https = createHttpsCaller({
      baseUrl: new URL(changes.url ?? `https://localhost:${port}`),
      tls: () => changes.tls ?? tls,
      timeoutMs: 300,
    });
    opened.push(https);
    const breaker = createCircuitBreaker({
      failuresMax: changes.failuresMax ?? 100,
      pauseMs: 60,
      pauseMaxMs: 60,
      now: Date.now,
    });
    const polling = { firstMs: 1, delayMs: 2, totalMs: 10 };
    return createSpineExchange({ https, breaker, polling, log: silentLog });
  }
  const bodyOf = (v3: string, interaction: string): { readonly body: Buffer } => {
    const messageId = randomUUID().toUpperCase();
    return { body: formatEnvelope(v3, interaction, { ...PARTY, messageId, conversationId: messageId, at: AT }) };
  };
  const message = (): { readonly body: Buffer } => bodyOf(order(newPrescription(), { at: AT }).v3, 'PORX_IN020101SM31');
  const send = async (exchange: SpineExchange = open()) => exchange.send(message());

  it('sends the envelope as the Spine wants it', async () => {
    steps = [{ body: ACK('AA') }];
    const sent = message();
    expect((await open().send(sent)).kind).equal('answered');
    const { messageId } = readSentEnvelope(sent.body);
    expect(seen[0]).deep.include({ method: 'POST', path: '/Prescription' });
    expect(seen[0]?.headers).include({
      'content-type': 'multipart/related; boundary="--=_MIME-Boundary"; type=text/xml; start=ebXMLHeader@spine.nhs.uk',
      soapaction: 'urn:nhs:names:services:mm/PORX_IN020101SM31',
      'nhsd-request-id': messageId,
    });
    const text = sent.body.toString();
    expect(text.split('\r\n').filter((line) => line.startsWith('----=_MIME'))).eql([
      '----=_MIME-Boundary',
      '----=_MIME-Boundary',
      '----=_MIME-Boundary--',
    ]);
    expect(text).match(new RegExp(`<eb:Reference [^>]*xlink:href="cid:${messageId}@spine.nhs.uk">`));
    expect(xmlPartsOf(text).length).equal(2);
  });

  const OUTCOMES: readonly (readonly [what: string, steps: readonly Step[], kind: string])[] = [
    ['200 with an answer', [{ body: ACK('AA') }], 'answered'],
    ['500 with an answer: the status says nothing', [{ status: 500, body: ACK('AE', REASON('0002')) }], 'answered'],
    [
      '202, then an answer',
      [{ status: 202, headers: { 'Content-Location': '/p/1' } }, { body: ACK('AA') }],
      'answered',
    ],
    ['200 and empty, then an answer', [{ headers: { 'Content-Location': 'p/1' } }, { body: ACK('AA') }], 'answered'],
    [
      '202 for ever',
      Array.from({ length: 20 }, () => ({ status: 202, headers: { 'Content-Location': '/p' } })),
      'waiting',
    ],
    ['202, then nobody there', [{ status: 202, headers: { 'Content-Location': '/p' } }, { status: 503 }], 'waiting'],
    ['202 without a place', [{ status: 202 }], 'unknown'],
    ['a place elsewhere', [{ status: 202, headers: { 'Content-Location': 'https://elsewhere.example/' } }], 'unknown'],
    ['a place on another host', [{ status: 202, headers: { 'Content-Location': '//elsewhere.example/' } }], 'unknown'],
    ['400', [{ status: 400, body: 'no' }], 'refused'],
    ['503', [{ status: 503 }], 'not-sent'],
    ['429', [{ status: 429 }], 'not-sent'],
    ['404 of a wrong address', [{ status: 404, body: 'no such page' }], 'not-sent'],
    ['403 before anything is read', [{ status: 403 }], 'not-sent'],
    ['500', [{ status: 500, body: 'oh' }], 'unknown'],
    ['200 with something else', [{ body: '<html/>' }], 'unknown'],
    ['200 with half an answer', [{ body: ACK('AA').slice(0, 60) }], 'unknown'],
    ['no answer in time', [{ ending: 'hang' }], 'unknown'],
    ['the connection ends', [{ ending: 'drop' }], 'unknown'],
    ['the answer breaks off', [{ body: ACK('AA'), ending: 'cut' }], 'unknown'],
  ];
  for (const [what, given, kind] of OUTCOMES)
    it(`${what} › ${kind}`, async () => {
      steps = [...given];
      const outcome = await send();
      expect(outcome.kind, JSON.stringify(outcome)).equal(kind);
    });

  it('polls where the Spine says, with the sender, and goes on where it said before', async () => {
    steps = [
      { status: 202, headers: { 'Content-Location': '/_poll/1' } },
      { status: 202, headers: { 'Content-Location': '_poll/2' } },
      { status: 202 },
      { body: ACK('AA') },
    ];
    const places: string[] = [];
    await open().send(message(), { onWaiting: async (place) => void places.push(place) });
    expect(seen.map(({ path }) => path)).eql(['/Prescription', '/_poll/1', '/_poll/2', '/_poll/2']);
    expect(seen[1]?.headers).include({ 'nhsd-asid': '200000001285' });
    expect(places).eql(['/_poll/1']);
  });

  const NOT_SENT: readonly (readonly [what: string, changes: Parameters<typeof open>[0]])[] = [
    ['nobody listens', { url: 'https://localhost:1' }],
    ['no client certificate', { tls: { ca: ca.certificate } }],
    ['the server is of another authority', { tls: { ...tls, ca: createTestCa().certificate } }],
    ['the server has another name', { url: 'https://127.0.0.2' }],
  ];
  for (const [what, changes] of NOT_SENT)
    it(`${what} › not-sent`, async () => {
      expect((await send(open(changes))).kind).equal('not-sent');
      expect(seen).eql([]);
    });

  it('an answer to another message is none: its prescriptions reach nobody here', async () => {
    const release = patientRelease(newPrescription(), AT);
    const cancelling = cancellation(newPrescription(), { at: AT });
    const released = (id: string): string =>
      `<PORX_IN070101UK31 xmlns="urn:hl7-org:v3"><acknowledgement typeCode="AA"/><ControlActEvent><subject>` +
      `<PrescriptionReleaseResponse><inFulfillmentOf><priorDownloadRequestRef><id root="${id}"/></priorDownloadRequestRef>` +
      `</inFulfillmentOf></PrescriptionReleaseResponse></subject></ControlActEvent></PORX_IN070101UK31>`;
    const cancelled = (id: string): string =>
      `<PORX_IN050101UK31 xmlns="urn:hl7-org:v3"><acknowledgement typeCode="AA"/><ControlActEvent><subject>` +
      `<CancellationResponse><pertinentInformation4><pertinentCancellationRequestRef><id root="${id}"/>` +
      `</pertinentCancellationRequestRef></pertinentInformation4></CancellationResponse></subject></ControlActEvent></PORX_IN050101UK31>`;
    for (const [sent, interaction, answer, kind] of [
      [release, 'PORX_IN132004SM30', released(readSentMessage(release.v3).payloadId.toLowerCase()), 'answered'],
      [release, 'PORX_IN132004SM30', released(randomUUID()), 'unknown'],
      [cancelling, 'PORX_IN030101SM32', cancelled(cancelling.id), 'answered'],
      [cancelling, 'PORX_IN030101SM32', cancelled(randomUUID()), 'unknown'],
    ] as const) {
      steps = [{ body: answer }];
      expect((await open().send(bodyOf(sent.v3, interaction))).kind).equal(kind);
    }
  });

  it('refusals that come with status 500 do not open the circuit breaker', async () => {
    const exchange = open({ failuresMax: 2 });
    steps = Array.from({ length: 4 }, () => ({ status: 500, body: ACK('AE', REASON('0002')) }));
    for (let n = 0; n < 4; n++) expect((await send(exchange)).kind).equal('answered');
  });

  it('a client certificate of a stranger is refused, and nothing is read', async () => {
    const stranger = createTestCa().client('gateway');
    const outcome = await send(open({ tls: { ca: ca.certificate, cert: stranger.certificate, key: stranger.key } }));
    // Under TLS 1.3 the client's own handshake is over by then, and a reset can overtake the reason.
    expect(outcome.kind).oneOf(['not-sent', 'unknown']);
    expect(seen).eql([]);
  });

  it('takes no other protocol than https', () => {
    expect(() => open({ url: 'http://localhost:1' })).throw('https');
  });

  it('a renewed certificate is used from the next call on', async () => {
    let material: SecureContextOptions = { ca: ca.certificate };
    const { port } = server.address() as AddressInfo;
    const https = createHttpsCaller({
      baseUrl: new URL(`https://localhost:${port}`),
      tls: () => material,
      timeoutMs: 300,
    });
    opened.push(https);
    expect((await https.call({ method: 'GET', path: '/', headers: {} })).kind).equal('failed');
    material = tls;
    expect((await https.call({ method: 'GET', path: '/', headers: {} })).kind).equal('response');
  });

  it('[PK-12] a certificate is renewed while an answer is waited for › the answer comes', async () => {
    const { port } = server.address() as AddressInfo;
    let current = tls;
    const https = createHttpsCaller({
      baseUrl: new URL(`https://localhost:${port}`),
      tls: () => current,
      timeoutMs: 10_000,
    });
    opened.push(https);
    let arrived: (() => void) | undefined;
    const isThere = new Promise<void>((done) => {
      arrived = done;
    });
    held = (finish) => {
      arrived?.();
      // Another call begins with the new certificate before this one is answered.
      current = { ...tls };
      void https.call({ method: 'GET', path: '/', headers: {} }).then(finish);
    };
    steps = [{ body: 'first', ending: 'held' }, { body: 'second' }];
    const first = https.call({ method: 'GET', path: '/', headers: {} });
    await isThere;
    const result = await first;
    expect(result.kind === 'response' && result.body.toString()).equal('first');
  });

  it('the circuit breaker opens after failures, and a probe closes it again', async () => {
    steps = [{ status: 500 }, { status: 500 }, { status: 500 }, { body: ACK('AA') }, { body: ACK('AA') }];
    const exchange = open({ failuresMax: 2 });
    const kinds: string[] = [];
    for (let i = 0; i < 3; i++) kinds.push((await send(exchange)).kind);
    expect(kinds).eql(['unknown', 'unknown', 'not-sent']);
    expect(seen.length).equal(2);
    await new Promise((done) => setTimeout(done, 70));
    expect((await send(exchange)).kind).equal('unknown');
    expect((await send(exchange)).kind).equal('not-sent');
    await new Promise((done) => setTimeout(done, 70));
    expect((await send(exchange)).kind).equal('answered');
    expect((await send(exchange)).kind).equal('answered');
  });

  describe('answers', () => {
    it('in a SOAP body, in a MIME part, bare, with any prefix', () => {
      const bare = ACK('AE', REASON('0002'));
      const prefixed = bare.replaceAll(/<(\/?)(?=\w)/g, '<$1hl7:').replace('xmlns=', 'xmlns:hl7=');
      const soap = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><x>${prefixed}</x></s:Body></s:Envelope>`;
      const mime = `----b\r\nContent-Id: <a>\r\n\r\n<x/>\r\n----b\r\nContent-Id: <b>\r\n\r\n${prefixed}\r\n----b--\r\n`;
      for (const text of [bare, prefixed, soap, mime])
        expect(readSpineReply(Buffer.from(text))).eql({
          interaction: 'MCCI_IN010000UK13',
          acknowledgement: 'AE',
          codes: [{ system: '1.2', code: '0002', display: 'why' }],
        });
    });
    it('nothing is known from parts without end', () => {
      expect(xmlPartsOf('--a\n\n<b/>\n'.repeat(200_000))).eql([]);
      expect(xmlPartsOf(`${'--a\n\n<b/>\n'.repeat(16)}--a--`)).lengthOf(16);
    });
    it('nothing is known from what is none', () => {
      for (const text of ['', '<x/>', ACK('XX'), ACK('AA').replace('urn:hl7-org:v3', 'urn:x'), '<!DOCTYPE a><a/>'])
        expect(readSpineReply(Buffer.from(text))).equal(undefined);
    });
  });

  describe('asking', () => {
    const made = newPrescription();
    const tracked = (
      status: string,
      more: Readonly<Record<string, unknown>> = {},
      items: readonly string[] = [],
    ): Step => ({
      body: JSON.stringify({
        version: '1',
        reason: '',
        statusCode: '0',
        [made.id]: {
          prescriptionStatus: status,
          pendingCancellations: 'False',
          repeatInstance: { currentIssue: '1', totalAuthorised: '1' },
          lineItems: Object.fromEntries(
            made.items.map((id, i) => [id.toUpperCase(), { description: 'x', itemStatus: items[i] ?? status }]),
          ),
          ...more,
        },
      }),
    });
    const NOT_FOUND = { body: '{"version":"1","reason":"Prescription not found","statusCode":"8","prescriptions":{}}' };
    const OURS = { dispensingPharmacy: { name: '', address: '', phone: '', ods: 'Z9991P' } };
    const ordered = (): string => order(made, { at: AT }).v3;
    const released = (): string => patientRelease(made, AT).v3;
    const told = (status: string, items: readonly string[], replaces?: string): string =>
      notification(made, randomUUID(), { at: AT, status, items, ...(replaces !== undefined && { replaces }) }).v3;
    const [ORDER, CANCEL, RELEASE, NOTIFY] = [
      'PORX_IN020101SM31',
      'PORX_IN030101SM32',
      'PORX_IN132004SM30',
      'PORX_IN080101SM31',
    ];
    const CASES: readonly (readonly [what: string, v3: () => string, interaction: string, step: Step, kind: string])[] =
      [
        ['an order that is there', ordered, ORDER, tracked('To Be Dispensed'), 'applied'],
        ['an order that is not there', ordered, ORDER, NOT_FOUND, 'not-applied'],
        ['an order whose id stands for another', ordered, ORDER, tracked('Claimed', { lineItems: {} }), 'undecided'],
        ['a tracker that fails', ordered, ORDER, { status: 500 }, 'undecided'],
        ['a tracker that says something else', ordered, ORDER, { body: '[]' }, 'undecided'],
        ['a release that is ours', released, RELEASE, tracked('With Dispenser', OURS), 'answer-again'],
        ['a release that was not made', released, RELEASE, tracked('To Be Dispensed'), 'not-applied'],
        [
          'an item that is cancelled',
          () => cancellation(made, { at: AT }).v3,
          CANCEL,
          tracked('Cancelled'),
          'answer-again',
        ],
        [
          'an item that is not',
          () => cancellation(made, { at: AT }).v3,
          CANCEL,
          tracked('To Be Dispensed'),
          'not-applied',
        ],
        ['the end, told', () => told('0006', ['0001', '0001']), NOTIFY, tracked('Dispensed', OURS), 'applied'],
        [
          'the end, not told',
          () => told('0006', ['0001', '0001']),
          NOTIFY,
          tracked('With Dispenser', OURS),
          'not-applied',
        ],
        [
          'a part, told or told before',
          () => told('0003', ['0001', '0004']),
          NOTIFY,
          tracked('With Dispenser - Active', OURS, ['Dispensed', 'Not Dispensed - Owing']),
          'undecided',
        ],
        [
          'an amendment that looks like what it amends',
          () => told('0006', ['0001', '0001'], randomUUID()),
          NOTIFY,
          tracked('Dispensed', OURS),
          'undecided',
        ],
      ];
    for (const [what, v3, interaction, step, kind] of CASES)
      it(`${what} › ${kind}`, async () => {
        steps = [step];
        const known = await open().ask(bodyOf(v3(), interaction));
        expect(known.kind, JSON.stringify(known)).equal(kind);
        expect(seen[0]?.path).equal(
          `/mm/nhs111itemdetails?prescriptionId=${made.id.replace('+', '%2B')}&issueNumber=1`,
        );
        expect(seen[0]?.headers).include({ 'spine-from-asid': '200000001285', 'spine-userid': '555254239107' });
      });
  });
});
