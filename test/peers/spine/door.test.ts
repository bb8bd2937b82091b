/** Who may come to the local Spine, how it answers, and how it fails when it is told to. */
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { CONTENT_TYPE, formatEnvelope } from '../../../src/gateways/eps/envelope.ts';
import { issueCertificate } from '../../../src/pki/certificate.ts';
import { createTestCa } from '../../support/ca.ts';
import { newPrescription, nominatedRelease, order, patientRelease } from '../../support/eps-messages.ts';
import { START } from '../../support/eps-steps.ts';
import { clientTls, PARTY, startTestSpine, type TestSpine } from '../../support/spine.ts';

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

describe('peers › spine › door', () => {
  let spine: TestSpine;
  before(async () => {
    spine = await startTestSpine({ now: START, timeoutMs: 1000 });
  });
  afterEach(() => spine.faults.set([]));
  after(() => spine.stop());

  function call(
    path: string,
    tls: Readonly<Record<string, string | undefined>>,
    { body, headers = {} }: { readonly body?: Buffer; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<Answer> {
    return new Promise((done, fail) => {
      const { port } = new URL(spine.url);
      const req = request(
        { host: 'localhost', port, path, method: body ? 'POST' : 'GET', headers, agent: false, ...tls },
        (res) => {
          let text = '';
          res.on('data', (chunk: Buffer) => {
            text += chunk.toString();
          });
          res.on('end', () => done({ status: res.statusCode ?? 0, headers: res.headers, text }));
        },
      );
      req.on('error', fail);
      req.end(body);
    });
  }
  const refused = async (tls: Readonly<Record<string, string | undefined>>): Promise<string> => {
    try {
      return String((await call('/healthcheck', tls)).status);
    } catch {
      return 'refused';
    }
  };

  describe('mutual TLS', () => {
    it('its own client certificate is let in', async () => {
      expect(await refused(clientTls(spine))).equal('200');
    });
    it('none, one of another authority, an expired one, one for servers and one for signing are refused', async () => {
      const { ca } = clientTls(spine);
      const folder = dirname(spine.certificates.client.caFile);
      const issuer = {
        certificate: ca,
        key: readFileSync(join(folder, 'ca.key'), 'utf8'),
        subject: { commonName: 'Mortar local Spine CA', organization: 'Mortar local Spine' },
      };
      const subject = { commonName: 'gateway' };
      const [year, now] = [366 * 86_400_000, Date.now()];
      const stranger = createTestCa().client('gateway');
      const expired = issueCertificate({ subject, use: 'client', notBefore: now - year, notAfter: now - 1000, issuer });
      const valid = { notBefore: now - 1000, notAfter: now + year, issuer };
      const server = issueCertificate({ subject, use: 'server', ...valid });
      const good = issueCertificate({ subject, use: 'client', ...valid });
      const { certFile, keyFile } = spine.certificates.signer;
      const signer = { certificate: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
      const results = [];
      for (const pair of [undefined, stranger, expired, server, signer, good])
        results.push(await refused({ ca, cert: pair?.certificate, key: pair?.key }));
      expect(results).eql(['refused', 'refused', 'refused', 'refused', 'refused', '200']);
    });
    it('private keys are for their owner alone', () => {
      const folder = dirname(spine.certificates.client.caFile);
      for (const name of ['ca', 'signing-ca', 'server', 'gateway', 'prescriber'])
        expect(statSync(join(folder, `${name}.key`)).mode & 0o777).equal(0o600);
    });
  });

  describe('envelope', () => {
    const post = (body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
      call('/Prescription', clientTls(spine), {
        body,
        headers: {
          'Content-Type': CONTENT_TYPE,
          SOAPAction: 'urn:nhs:names:services:mm/PORX_IN060102SM30',
          ...headers,
        },
      });
    const envelope = (): string => {
      const messageId = randomUUID().toUpperCase();
      const address = { ...PARTY, messageId, conversationId: messageId, at: START };
      return formatEnvelope(nominatedRelease(START).v3, 'PORX_IN060102SM30', address).toString();
    };
    const FAULTS: readonly (readonly [what: string, change: (text: string) => string, says: string])[] = [
      ['no MessageId', (text) => text.replace(/<eb:MessageId>.*?<\/eb:MessageId>/, ''), 'MessageData/MessageId'],
      ['another action', (text) => text.replace(/(<eb:Action>)[^<]*/, '$1X'), 'SOAPAction'],
      ['another service', (text) => text.replace('>urn:nhs:names:services:mm<', '>urn:x<'), 'service'],
      ['another part in the manifest', (text) => text.replace('"cid:', '"cid:x'), 'manifest'],
      ['no end', (text) => text.replace(/--=_MIME-Boundary--\r\n$/, ''), 'two parts'],
      ['a document type', (text) => text.replace('<SOAP:Envelope', '<!DOCTYPE a><SOAP:Envelope'), 'document type'],
    ];
    for (const [what, change, says] of FAULTS)
      it(`${what} › 400 with a SOAP fault that says so`, async () => {
        const text = envelope();
        expect(change(text)).not.equal(text);
        const answer = await post(Buffer.from(change(text)));
        expect(answer.status).equal(400);
        expect(answer.text)
          .match(/<soap:Fault>/)
          .include(says);
      });
    it('an unknown content type, a SOAPAction of another, too much › refused', async () => {
      expect((await post(Buffer.from(envelope()), { 'Content-Type': 'text/xml' })).status).equal(400);
      expect((await post(Buffer.from(envelope()), { SOAPAction: 'urn:x' })).status).equal(400);
      expect((await post(Buffer.alloc(6 * 1024 * 1024, 32))).status).equal(413);
    });
    it('bytes at random are answered, and do no harm', async () => {
      for (const part of [1, 7, 100, 900, 2500]) {
        const { status } = await post(Buffer.from(envelope().slice(0, part)));
        expect(status).equal(400);
      }
      expect(await refused(clientTls(spine))).equal('200');
    });
  });

  describe('the same message again', () => {
    it('is answered as before, byte for byte, and done once', async () => {
      const made = newPrescription();
      const sent = order(made, { at: START, signer: spine.signer });
      const id = randomUUID();
      const [first, second] = [await spine.send(sent, id), await spine.send(sent, id)];
      expect(first).eql(second);
      expect(first.kind === 'answered' && first.reply.acknowledgement).equal('AA');
      const request = patientRelease(made, START);
      const releaseId = randomUUID();
      const [one, two] = [await spine.send(request, releaseId), await spine.send(request, releaseId)];
      expect(one).eql(two);
      expect(one.kind === 'answered' && one.reply.interaction).equal('PORX_IN070103UK31');
    });
    it('under another envelope id, or with other content under its own: 202', async () => {
      const sent = order(newPrescription(), { at: START, signer: spine.signer });
      const id = randomUUID();
      expect(await spine.tell(sent, id)).equal('AA');
      expect(await spine.tell(sent)).equal('AR 202');
      expect(await spine.tell(sent.v3.replace('creationTime value="2026', 'creationTime value="2025'), id)).equal(
        'AR 202',
      );
      expect(await spine.tell(order(newPrescription(), { at: START, signer: spine.signer }), id)).equal('AR 202');
      expect(await spine.tell(sent, id)).equal('AA');
    });
    it('twice at the same time: done once, one answer', async () => {
      const sent = order(newPrescription(), { at: START, signer: spine.signer });
      const id = randomUUID();
      const answers = await Promise.all([1, 2, 3, 4].map(() => spine.send(sent, id)));
      for (const answer of answers) expect(answer).eql(answers[0]);
    });
  });

  it('asynchronous › 202 with a place, polled until the answer is there', async () => {
    await spine.spine.change({ asynchronousMs: 40 });
    const ticking = setInterval(() => {
      spine.clock.now += 10;
    }, 10);
    try {
      const sent = order(newPrescription(), { at: START, signer: spine.signer });
      const id = randomUUID().toUpperCase();
      const first = await call('/Prescription', clientTls(spine), {
        body: formatEnvelope(sent.v3, 'PORX_IN020101SM31', { ...PARTY, messageId: id, conversationId: id, at: START }),
        headers: { 'Content-Type': CONTENT_TYPE, SOAPAction: 'urn:nhs:names:services:mm/PORX_IN020101SM31' },
      });
      expect([first.status, first.headers['content-location']]).eql([202, `/_poll/${id}`]);
      expect(await spine.tell(sent, id)).equal('AA');
      expect((await call('/_poll/unknown', clientTls(spine))).status).equal(404);
    } finally {
      clearInterval(ticking);
      await spine.spine.change({ asynchronousMs: null });
    }
  });

  /** What the gateway knows after each fault, and whether the Spine has done what was asked. */
  const FAULTS = [
    ['slow', 'unknown', 'done'],
    ['busy', 'not-sent', 'not done'],
    ['error', 'unknown', 'not done'],
    ['error-after', 'unknown', 'done'],
    ['dropped', 'unknown', 'not done'],
    ['dropped-after', 'unknown', 'done'],
    ['duplicated', 'AA', 'done'],
    ['malformed', 'unknown', 'done'],
    ['empty', 'unknown', 'done'],
  ] as const;
  for (const [mode, knows, does] of FAULTS)
    it(`fault ${mode} › the gateway knows: ${knows}; ${does}`, async () => {
      const made = newPrescription();
      spine.faults.set([{ mode, count: 1, ms: 1200 }]);
      expect(await spine.tell(order(made, { at: START, signer: spine.signer }))).equal(knows);
      if (mode === 'slow') await new Promise((done) => setTimeout(done, 400));
      expect(spine.spine.find(made.id) === undefined ? 'not done' : 'done').equal(does);
      expect(spine.faults.list()).eql([]);
    });

  describe('state', () => {
    const get = async (path: string, init: RequestInit = {}): Promise<{ status: number; json: unknown }> => {
      const answer = await fetch(`${spine.stateUrl}${path}`, init);
      return { status: answer.status, json: await answer.json() };
    };
    it('shows prescriptions, messages and counts as JSON', async () => {
      const made = newPrescription();
      await spine.send(order(made, { at: START, signer: spine.signer }));
      expect((await get(`/prescriptions/${made.id}`)).json).nested.include({
        id: made.id,
        nominated: 'Z9991P',
        'issues[0].status': '0001 To Be Dispensed',
      });
      expect((await get('/prescriptions?pharmacy=Z9991P&status=To%20Be%20Dispensed')).json).to.deep.include({
        id: made.id,
        status: 'To Be Dispensed',
        issue: '1 of 1',
        nominated: 'Z9991P',
        nhsNumber: '9990000034',
      });
      const [last] = (await get('/messages')).json as unknown[];
      expect(last).include({ interaction: 'PORX_IN020101SM31', outcome: 'AA' });
      expect((await get('/')).json)
        .property('refusedHandshakes')
        .greaterThan(0);
      expect((await get('/prescriptions/000000-000000-000000')).status).equal(404);
    });
    it('takes faults and settings, and refuses what is none', async () => {
      const put = (path: string, method: string, body: unknown, type = 'application/json') =>
        get(path, { method, body: JSON.stringify(body), headers: { 'Content-Type': type } });
      expect((await put('/faults', 'PUT', { mode: 'slow', ms: 5 })).json).eql({
        faults: [{ mode: 'slow', count: 1, ms: 5 }],
      });
      for (const wrong of [{ mode: 'x' }, { mode: 'slow', count: 0 }, { mode: 'slow', ms: -1 }, null])
        expect((await put('/faults', 'PUT', wrong)).status).equal(400);
      expect((await put('/faults', 'PUT', { mode: 'slow' }, 'text/plain')).status).equal(400);
      expect((await put('/settings', 'PATCH', { cancellation: 'off' })).json).include({ cancellation: 'off' });
      expect((await put('/settings', 'PATCH', { cancellation: 'on' })).json).include({ cancellation: 'on' });
      for (const wrong of [{ release: 'maybe' }, { deceased: ['1'] }, { other: 1 }, { clockAheadMs: -1 }])
        expect((await put('/settings', 'PATCH', wrong)).status).equal(400);
    });
  });
});
