/** SCRIPT brought to partners over real sockets: what an answer makes of a message, credentials, ways that are broken. docs/ncpdp.md */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createScriptExchange, type PushCredentials } from '../../../src/gateways/script/push/exchange.ts';
import { readPushAnswer } from '../../../src/gateways/script/push/read-answer.ts';
import { parseScriptTargets } from '../../../src/gateways/script/push/targets.ts';
import { verifiedTls } from '../../../src/pki/outbound-tls.ts';
import type { ScriptOutcome } from '../../../src/ports/script-push.ts';
import { createTestCa } from '../../support/ca.ts';
import { createMemoryLog } from '../../support/log.ts';
import { type PartnerAct, type ScriptPartner, scriptAnswer, startScriptPartner } from '../../support/script-partner.ts';

const ID = 'MSG-1';
const MESSAGE = { controlId: ID, raw: Buffer.from(`<Message><Header><MessageID>${ID}</MessageID></Header></Message>`) };

describe('script › push › what an answer says', () => {
  const outcomeOf = (content: string, relatesTo = ID): ScriptOutcome | undefined =>
    readPushAnswer(Buffer.from(scriptAnswer(relatesTo, content)), ID);
  for (const [content, kind, error] of [
    ['<Status><Code>010</Code></Status>', 'delivered'],
    ['<Verify><VerifyStatus><Code>010</Code></VerifyStatus></Verify>', 'delivered'],
    ['<Status><Code>000</Code></Status>', 'forwarded'],
    ['<Status><Code>001</Code></Status>', 'forwarded'],
    ['<Status><Code>005</Code></Status>', 'forwarded'],
    ['<Status><Code>002</Code></Status>', 'unclear', 'Status 002 is not known'],
    ['<Status><Code>777</Code></Status>', 'unclear', 'Status 777 is not known'],
    ['<Status/>', 'unclear', 'Status (no code) is not known'],
    ['<Status><Code>900</Code><Code>010</Code></Status>', 'unclear', 'Status (no code) is not known'],
    ['<Verify><VerifyStatus><Code>777</Code></VerifyStatus></Verify>', 'unclear', 'Status 777 is not known'],
    ['<Error><Code>600</Code></Error>', 'again', 'Error 600'],
    ['<Error><Code>602</Code></Error>', 'again', 'Error 602'],
    ['<Error><Code>601</Code></Error>', 'rejected', 'Error 601'],
    ['<Error><Code>900</Code><DescriptionCode>081</DescriptionCode></Error>', 'rejected', 'Error 900 081'],
    // An Error stays one, whatever its code; nothing of its words is told.
    ['<Error><Code>010</Code></Error>', 'rejected', 'Error 010'],
    ['<Error><Code>Jane Doe</Code></Error>', 'rejected', 'Error (no code)'],
    ['<CancelRxResponse><Response><Denied/></Response></CancelRxResponse>', 'answered'],
    ['<GetMessage/>', 'unclear', 'the answer is no response'],
    ['<NewRx><Patient/></NewRx>', 'unclear', 'the answer is no response'],
  ] as const)
    it(`${content} is ${kind}`, () => {
      const outcome = outcomeOf(content);
      expect(outcome?.kind).equal(kind);
      if (error !== undefined) expect(outcome).include({ error });
    });
  it('a Status of another message says nothing about this one', () =>
    void expect(outcomeOf('<Status><Code>010</Code></Status>', 'MSG-2')?.kind).equal('unknown'));
  it('an Error that could not name the message is about it', () =>
    void expect(outcomeOf('<Error><Code>900</Code></Error>', '0')?.kind).equal('rejected'));
  it('what is no SCRIPT message says nothing', () =>
    void expect(readPushAnswer(Buffer.from('<html><Code>010</Code></html>'), ID)).equal(undefined));
});

describe('script › push › the way to a partner', () => {
  const ca = createTestCa();
  const log = createMemoryLog();
  let partner: ScriptPartner;
  let now = 0;
  const closing: (() => void)[] = [];
  beforeEach(async () => {
    partner = await startScriptPartner(ca);
    now = 1_000_000;
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await partner.stop();
  });
  const trusting: PushCredentials = { tls: () => trust };
  const trust = verifiedTls(ca.certificate);

  function open(credentials: PushCredentials = trusting, { host = 'localhost', timeoutMs = 5000 } = {}) {
    const exchange = createScriptExchange({
      credentialsOf: () => credentials,
      timeoutMs,
      breaker: { failuresMax: 3, pauseMs: 1000, pauseMaxMs: 4000 },
      now: () => now,
      log,
    });
    closing.push(exchange.close);
    const target = { receiver: 'P:0300123', url: new URL(`https://${host}:${partner.port}/script/in`) };
    return () => exchange.send(target, MESSAGE);
  }

  it('a message is brought as it is, to the path that is named, and its Status is read', async () => {
    const outcome = await open()();
    expect(outcome.kind).equal('delivered');
    expect(partner.received).deep.equal([
      { messageId: ID, body: MESSAGE.raw.toString(), path: '/script/in', authorization: undefined, client: undefined },
    ]);
  });
  it('with user and password', async () => {
    await open({ ...trusting, authorization: 'Basic dTpw' })();
    expect(partner.received[0]?.authorization).equal('Basic dTpw');
  });
  it('with a certificate of ours', async () => {
    const { certificate: cert, key } = ca.client('gateway.mortar.test');
    const tls = { ...trust, cert, key };
    await open({ tls: () => tls })();
    expect(partner.received[0]?.client).equal('gateway.mortar.test');
  });
  it('a server that no authority vouches for is sent nothing', async () => {
    const stranger = verifiedTls(createTestCa('Another').certificate);
    expect(await open({ tls: () => stranger })()).include({ kind: 'not-sent' });
    expect(partner.received).eql([]);
  });
  it('a server of another name is sent nothing', async () => {
    await partner.stop();
    partner = await startScriptPartner(ca, ca.server(['elsewhere.test']));
    expect(await open()()).deep.equal({ kind: 'not-sent', cause: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(partner.received).eql([]);
  });

  for (const [title, act, expected] of [
    [
      'a Status 010 beside HTTP 500 is no success',
      { status: 500, body: scriptAnswer(ID, '<Status><Code>010</Code></Status>') },
      'unknown',
    ],
    [
      'an Error 900 beside HTTP 400 is one',
      { status: 400, body: scriptAnswer(ID, '<Error><Code>900</Code></Error>') },
      'rejected',
    ],
    [
      'an Error 602 beside HTTP 500 asks for another time',
      { status: 500, body: scriptAnswer(ID, '<Error><Code>602</Code></Error>') },
      'again',
    ],
    ['an empty answer leaves it open', { body: '' }, 'unknown'],
    ['a page of HTML leaves it open', { body: '<html>010</html>' }, 'unknown'],
    ['HTTP 401 is a fault of the settings', { status: 401 }, 'not-sent'],
    ['HTTP 404 is a fault of the settings', { status: 404 }, 'not-sent'],
    ['HTTP 503 is for another time', { status: 503 }, 'not-sent'],
    ['HTTP 422 without a message is a refusal', { status: 422 }, 'rejected'],
    ['who hangs up may have it', 'close', 'unknown'],
  ] as const satisfies readonly (readonly [string, PartnerAct, ScriptOutcome['kind']])[])
    it(title, async () => {
      partner.act = () => act;
      expect((await open()()).kind).equal(expected);
    });
  it('no redirection is followed, wherever it leads', async () => {
    const inside = await startScriptPartner(ca);
    closing.push(() => void inside.stop());
    partner.act = () => ({ status: 307, headers: { Location: `https://localhost:${inside.port}/metadata` } });
    expect(await open()()).include({ kind: 'not-sent', cause: 'HTTP 307: no redirection is followed' });
    expect(inside.received).eql([]);
  });
  it('who does not answer in time may have it', async () => {
    partner.act = () => 'hang';
    expect(await open(trusting, { timeoutMs: 200 })()).include({ kind: 'unknown', cause: 'ETIMEDOUT' });
  });
  it('[RL-36] who fails three times is left alone for a while, then asked once', async () => {
    const send = open();
    partner.act = () => ({ status: 500 });
    for (let n = 0; n < 3; n += 1) await send();
    expect(await send()).deep.equal({
      kind: 'not-sent',
      cause: 'the partner is left alone for a while',
      until: now + 1000,
    });
    expect(partner.received.length).equal(3);
    now += 1000;
    partner.act = ({ messageId }) => ({ body: scriptAnswer(messageId, '<Status><Code>010</Code></Status>') });
    expect((await send()).kind).equal('delivered');
    expect((await send()).kind).equal('delivered');
  });
  it('what a partner says is in no log', async () => {
    partner.act = () => ({
      body: scriptAnswer(ID, '<Error><Code>900</Code><Description>Jane Doe</Description></Error>'),
    });
    await open()();
    await sleep(0);
    expect(JSON.stringify(log)).not.include('Jane');
  });
});

describe('script › push › SCRIPT_TARGETS_FILE', () => {
  const row = { receiver: 'P:0300123', url: 'https://pharmacy.example/script', user: 'u', password: 'secret-word' };
  it('names receivers, addresses and credentials; paths are from its folder', () => {
    const { user: _user, password: _password, ...plain } = row;
    const [target] = parseScriptTargets(
      JSON.stringify([{ ...plain, cert: 'a.crt', key: '/k/a.key', ca: 'ca.crt' }]),
      '/etc/m',
    );
    expect(target).deep.include({ receiver: 'P:0300123', cert: '/etc/m/a.crt', key: '/k/a.key', ca: '/etc/m/ca.crt' });
    expect(target?.url.href).equal('https://pharmacy.example/script');
  });
  for (const [title, rows, message] of [
    ['no list', row, 'it must be a list'],
    ['plain HTTP', [{ ...row, url: 'http://pharmacy.example/' }], 'url must be https'],
    ['a password in the address', [{ ...row, url: 'https://u:p@pharmacy.example/' }], 'url must be https'],
    ['no credentials', [{ receiver: row.receiver, url: row.url }], 'are missing'],
    ['a user alone', [{ ...row, password: undefined }], 'user and password are given together'],
    ['a certificate without its authority', [{ ...row, cert: 'a', key: 'b' }], 'ca is missing'],
    ['two rows for one', [row, row], 'another row is for P:0300123'],
    ['a name that is none', [{ ...row, receiver: '0300123' }], 'receiver must be'],
    ['a word that is not known', [{ ...row, insecure: 'yes' }], 'insecure is not known'],
  ] as const)
    it(`${title} is refused, and no password is told`, () =>
      void expect(() => parseScriptTargets(JSON.stringify(rows), '/'))
        .throw(Error, message)
        .with.property('message')
        .not.include('secret-word'));
});
