/** Sending to partners over real sockets: answers of every kind, ways that are broken, TLS. docs/hl7v2.md "Feeds" */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionOptions } from 'node:tls';
import { expect } from 'chai';
import { createV2Exchange } from '../../../src/gateways/hl7v2/feed/exchange.ts';
import type { FeedProfile, V2Outcome } from '../../../src/ports/v2-feed.ts';
import { createTestCa } from '../../support/ca.ts';
import { createMemoryLog } from '../../support/log.ts';
import { feedTo, GP_PROFILE } from '../../support/v2-feed.ts';
import { answer, controlIdOf, startV2Peer, type V2Peer } from '../../support/v2-peer.ts';

const profile: FeedProfile = { ...GP_PROFILE, characterSet: 'UNICODE UTF-8' };
const message = (id: string, [accept, application] = ['', '']): Buffer =>
  Buffer.from(
    `MSH|^~\\&|MORTAR|RXX|GPSYS|A83008|20260302||ADT^A31|${id}|P|2.5.1|||${accept}|${application}\rPID|1||7\r`,
  );

describe('hl7v2 › feeds › the way to a partner', () => {
  const log = createMemoryLog();
  let peer: V2Peer;
  let now = 0;
  const closing: (() => void)[] = [];
  beforeEach(async () => {
    peer = await startV2Peer();
    now = 1_000_000;
  });
  afterEach(async () => {
    for (const close of closing.splice(0)) close();
    await peer.stop();
  });

  type Options = { readonly tls?: ConnectionOptions; readonly answerTimeoutMs?: number; readonly scheme?: string };
  function open({ tls = {}, answerTimeoutMs = 2000, scheme = 'mllp' }: Options = {}) {
    const exchange = createV2Exchange({
      tls: () => tls,
      answerTimeoutMs,
      connectTimeoutMs: 1000,
      breaker: { failuresMax: 3, pauseMs: 1000, pauseMaxMs: 4000 },
      now: () => now,
      log,
    });
    closing.push(exchange.close);
    return (raw: Buffer, lane = 0): Promise<V2Outcome> => {
      const address = `${scheme}://localhost:${peer.port}`;
      return exchange.send(feedTo(address, { profile }), lane, raw);
    };
  }

  for (const [code, kind] of [
    ['AA', 'accepted'],
    ['CA', 'accepted'],
    ['AE', 'rejected'],
    ['CE', 'rejected'],
    ['AR', 'refused'],
    ['CR', 'refused'],
  ] as const)
    it(`${code} is ${kind}`, async () => {
      peer.act = (text) => [answer(text, code, 'ERR||PID^1^3|101^Required field missing^HL70357|E||||Mr Smith\r')];
      const outcome = await open()(message('M-1'));
      expect(outcome.kind).equal(kind);
      if (outcome.kind === 'rejected') expect(outcome.error).equal(`${code} 101 PID-3`);
    });

  it('keeps one connection, and opens another for a partner that closes after each answer', async () => {
    const send = open();
    for (const id of ['A', 'B', 'C']) expect((await send(message(id))).kind).equal('accepted');
    expect(peer.connections()).equal(1);
    await peer.stop();
    peer = await startV2Peer({ port: peer.port });
    for (const id of ['D', 'E']) expect((await send(message(id))).kind).equal('accepted');
    expect(peer.received.map(controlIdOf)).eql(['D', 'E']);
  });

  it('sends one message at a time, in the order they were handed over', async () => {
    let underWay = 0;
    let most = 0;
    peer.act = async (text) => {
      underWay += 1;
      most = Math.max(most, underWay);
      await sleep(10);
      underWay -= 1;
      return [answer(text)];
    };
    const send = open();
    await Promise.all(['1', '2', '3', '4'].map((id) => send(message(id))));
    expect(peer.received.map(controlIdOf)).eql(['1', '2', '3', '4']);
    expect(most).equal(1);
  });

  it('passes over answers to other messages, and never takes a late one for that of the next', async () => {
    const send = open({ answerTimeoutMs: 100 });
    let late: string | undefined;
    peer.act = (text, n) => {
      if (n === 1) {
        late = answer(text);
        return 'hang';
      }
      return [late ?? '', answer(text, 'AA').replace('MSA|AA|B', 'MSA|AA|ELSE'), answer(text)];
    };
    expect(await send(message('A'))).include({ kind: 'unknown', cause: 'no answer came in time' });
    expect(await send(message('B'))).include({ kind: 'accepted' });
    expect(peer.connections()).equal(2);
  });

  it('what leaves and is not answered is unknown; what does not leave is not sent', async () => {
    const send = open();
    peer.act = () => 'close';
    expect((await send(message('A'))).kind).equal('unknown');
    await peer.stop();
    expect(await send(message('A'))).include({ kind: 'not-sent' });
    peer = await startV2Peer({ port: peer.port });
    expect((await send(message('A'))).kind).equal('accepted');
  });

  it('leaves a partner alone after failures in a row, and then asks with one message [RL-36]', async () => {
    const send = open({ answerTimeoutMs: 30 });
    peer.act = () => 'hang';
    for (const id of ['A', 'B', 'C']) expect((await send(message(id))).kind).equal('unknown');
    expect(await send(message('D'))).include({ kind: 'not-sent', until: now + 1000 });
    expect(peer.received.length).equal(3);
    now += 1000;
    expect((await send(message('D'))).kind).equal('unknown');
    expect(await send(message('E'))).include({ kind: 'not-sent' });
    now += 4000;
    peer.act = (text) => [answer(text)];
    expect((await send(message('D'))).kind).equal('accepted');
    expect((await send(message('E'))).kind).equal('accepted');
  });

  it('enhanced mode: waits for what became of it where that is asked for, and for no more', async () => {
    const send = open({ answerTimeoutMs: 100 });
    peer.act = (text) => [answer(text, 'CA')];
    expect(await send(message('A', ['AL', 'NE']))).include({ kind: 'accepted', code: 'CA' });
    expect((await send(message('B', ['AL', 'AL']))).kind).equal('pending');
    peer.act = (text) => [answer(text, 'CA'), answer(text, 'AA')];
    expect(await send(message('C', ['AL', 'AL']))).include({ kind: 'accepted', code: 'AA' });
    peer.act = (text) => [answer(text, 'CR')];
    expect(await send(message('D', ['AL', 'AL']))).include({ kind: 'refused', code: 'CR' });
  });

  it('lives through answers that are noise, endless, or no acknowledgement', async () => {
    const send = open({ answerTimeoutMs: 100 });
    for (const text of ['', 'no message', 'MSH|^~\\&|\rMSA|ZZ|A\r', `MSH|${'x'.repeat(2_000_000)}`]) {
      peer.act = () => [text];
      expect((await send(message('A'))).kind, text.slice(0, 20)).equal('unknown');
      now += 10_000;
    }
    peer.act = (text) => [answer(text)];
    expect((await send(message('A'))).kind).equal('accepted');
  });

  describe('over TLS [PK-16]', () => {
    const ca = createTestCa();
    const host = ca.server();
    const own = ca.client('Mortar');
    const listen = async (more: object = {}): Promise<void> => {
      await peer.stop();
      peer = await startV2Peer({ tls: { cert: host.certificate, key: host.key, ...more } });
    };

    it('to a partner whose certificate is believed', async () => {
      await listen();
      const send = open({ scheme: 'mllps', tls: { ca: ca.certificate } });
      expect((await send(message('A'))).kind).equal('accepted');
    });
    it('with a certificate of ours where the partner wants one', async () => {
      await listen({ ca: ca.certificate, requestCert: true, rejectUnauthorized: true });
      const without = open({ scheme: 'mllps', tls: { ca: ca.certificate } });
      expect((await without(message('A'))).kind).not.equal('accepted');
      await sleep(5);
      const tls = { ca: ca.certificate, cert: own.certificate, key: own.key };
      expect((await open({ scheme: 'mllps', tls })(message('A'))).kind).equal('accepted');
    });
    it('never to one whose certificate is not', async () => {
      await listen();
      const send = open({ scheme: 'mllps', tls: { ca: createTestCa('another').certificate } });
      expect((await send(message('A'))).kind).equal('not-sent');
      expect(peer.received).eql([]);
    });
  });
});
