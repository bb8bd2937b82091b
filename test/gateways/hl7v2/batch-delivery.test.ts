/** Files of messages on their way: a folder, and HTTPS over real sockets. docs/hl7v2.md "Feeds" */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { parseFeedTargets } from '../../../src/config-parsers.ts';
import { createBatchDelivery } from '../../../src/gateways/hl7v2/feed/batch-delivery.ts';
import { normaliseTarget, readFeed } from '../../../src/gateways/hl7v2/feed/endpoints.ts';
import { verifiedTls } from '../../../src/pki/outbound-tls.ts';
import type { V2BatchOutcome } from '../../../src/ports/v2-feed.ts';
import { answersTo, type BatchPartner, startBatchPartner } from '../../support/batch-partner.ts';
import { createTestCa } from '../../support/ca.ts';
import { feedTo } from '../../support/v2-feed.ts';

const message = (id: string): Buffer =>
  Buffer.from(`MSH|^~\\&|MORTAR|RXX|GPSYS|A83008|20260302||ADT^A31|${id}|P|2.4\r`);
const BATCH = { id: 'BATCH1', at: Date.UTC(2026, 2, 2, 10, 15), messages: [message('M1'), message('M2')] };
const FILE = '20260302101500-BATCH1.hl7';

describe('hl7v2 › batch delivery › folder', () => {
  let folder: string;
  const delivery = createBatchDelivery({ tls: () => ({}), answerTimeoutMs: 1000, now: Date.now });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mortar-batch-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const deliver = (to = folder): Promise<V2BatchOutcome> =>
    delivery.deliver(feedTo(pathToFileURL(to).href, { batch: 'folder', dailyAt: 0 }), BATCH);

  it('the file is there whole, under a name of its time and number, and not for everybody to read', async () => {
    expect(await deliver()).eql({ kind: 'taken' });
    expect(readdirSync(folder)).eql([FILE]);
    const text = readFileSync(join(folder, FILE), 'utf8');
    expect(text).match(
      /^FHS\|\^~\\&\|MORTAR\|RXX\|GPSYS\|A83008\|20260302101500\+0000\|\|20260302101500-BATCH1\.hl7\|\|BATCH1\rBHS\|/,
    );
    expect(text).match(/\|M1\|P\|2\.4\rMSH.*\|M2\|P\|2\.4\rBTS\|2\rFTS\|1\r$/);
    expect(statSync(join(folder, FILE)).mode & 0o007).equal(0);
  });
  it('the same batch again is the same file', async () => {
    await deliver();
    const first = readFileSync(join(folder, FILE));
    await deliver();
    expect(readdirSync(folder)).eql([FILE]);
    expect(readFileSync(join(folder, FILE)).equals(first)).equal(true);
  });
  it('a folder that is not there is not made, and nothing has left', async () => {
    expect(await deliver(join(folder, 'gone'))).eql({
      kind: 'not-sent',
      cause: 'the folder cannot be written to: ENOENT',
    });
    expect(readdirSync(folder)).eql([]);
  });
});

describe('hl7v2 › batch delivery › HTTPS', () => {
  const ca = createTestCa();
  let partner: BatchPartner;
  let now = 0;
  const closing: (() => void)[] = [];
  before(async () => {
    partner = await startBatchPartner(ca);
  });
  after(() => partner.stop());
  beforeEach(() => {
    partner.received.length = 0;
    partner.act = (file) => ({ body: answersTo(file) });
  });
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });
  function open({ port = partner.port, tls = verifiedTls(ca.certificate), answerTimeoutMs = 5000 } = {}) {
    const delivery = createBatchDelivery({ tls: () => tls, answerTimeoutMs, now: () => now });
    closing.push(delivery.close);
    return () => delivery.deliver(feedTo(`https://localhost:${port}/v2/in`, { batch: 'https', dailyAt: 0 }), BATCH);
  }

  it('what is said of each message is known by its control id', async () => {
    partner.act = (file) => ({ body: answersTo(file, (text) => (text.includes('|M2|') ? 'AE' : 'AA')) });
    const outcome = await open()();
    if (outcome.kind !== 'taken') throw new Error(outcome.kind);
    expect([...(outcome.answers ?? [])].map(([id, { kind }]) => [id, kind])).eql([
      ['M1', 'accepted'],
      ['M2', 'rejected'],
    ]);
    expect(partner.received.length).equal(1);
  });
  for (const [status, body, kind] of [
    [204, '', 'taken'],
    [200, '', 'taken'],
    [200, '<html>OK</html>', 'unknown'],
    [302, '', 'not-sent'],
    [401, '', 'not-sent'],
    [404, '', 'not-sent'],
    [429, '', 'not-sent'],
    [503, '', 'not-sent'],
    [413, '', 'rejected'],
    [422, '', 'rejected'],
    [408, '', 'unknown'],
    [500, '', 'unknown'],
  ] as const)
    it(`${status} with ${body === '' ? 'no body' : 'another body'}: ${kind}`, async () => {
      partner.act = () => ({ status, body });
      const outcome = await open()();
      expect(outcome.kind).equal(kind);
      if (outcome.kind === 'taken') expect(outcome.answers).equal(undefined);
    });
  it('silence: nobody can tell what became of it', async () => {
    partner.act = () => 'hang';
    expect((await open({ answerTimeoutMs: 200 })()).kind).equal('unknown');
  });
  it('[PK-16] a server that another authority has certified is told nothing; after three times it is left alone', async () => {
    const deliver = open({ tls: verifiedTls(createTestCa('Another').certificate) });
    for (let n = 0; n < 3; n++) expect((await deliver()).kind).equal('not-sent');
    const outcome = await deliver();
    expect(outcome.kind === 'not-sent' && outcome.until).equal(now + 10_000);
    expect(partner.received).eql([]);
    now += 10_001;
    expect(await deliver()).not.property('until');
  });
});

describe('hl7v2 › batch delivery › Endpoint', () => {
  const targets = new Set(['file:///srv/gp', 'https://gp.example.org/v2/in']);
  const endpoint = (address: string, header: readonly string[] = ['daily: 02:30']) => ({
    resourceType: 'Endpoint',
    identifier: [{ system: 'https://mortar-fhir.org/NamingSystem/hl7v2-receiver', value: 'GPSYS|A83008' }],
    payloadType: [{ coding: [{ system: 'http://terminology.hl7.org/CodeSystem/v2-0076', code: 'RDE' }] }],
    address,
    header,
  });
  const read = (address: string, header?: readonly string[]) => {
    const feeds = readFeed('one', endpoint(address, header), targets, 0);
    return typeof feeds === 'string' ? feeds : feeds[0]?.batch;
  };
  for (const [address, expected] of [
    ['file:///srv/gp', 'folder'],
    ['https://gp.example.org/v2/in', 'https'],
    ['HTTPS://GP.example.org:443/v2/in', 'https'],
    ['file:///srv/other', 'its address is not among HL7V2_FEED_TARGETS'],
    ['file:///srv/gp/../../etc', 'its address is not among HL7V2_FEED_TARGETS'],
    ['https://gp.example.org/v2/other', 'its address is not among HL7V2_FEED_TARGETS'],
    ['https://user:word@gp.example.org/v2/in', /^its address is none of/],
    ['https://gp.example.org/v2/in?to=x', /^its address is none of/],
    ['file://host/srv/gp', /^its address is none of/],
    ['http://gp.example.org/v2/in', /^its address is none of/],
  ] as const)
    it(`[FA-06] ${address}`, () => {
      if (expected instanceof RegExp) expect(read(address)).match(expected);
      else expect(read(address)).equal(expected);
    });
  it('files are sent once a day: without the time of day nothing is', () =>
    void expect(read('file:///srv/gp', [])).equal(
      "its header 'daily' is missing: files of messages are sent once a day",
    ));
});

describe('hl7v2 › feeds › targets', () => {
  for (const [written, inSetting = written] of [
    ['mllps://gp.example.org:2575'],
    ['mllps://GP.Example.org:2575'],
    ['mllp://127.0.0.1:2575/', 'mllp://127.0.0.1:2575'],
    ['mllps://[FD00::1]:2575'],
    ['https://GP.example.org/v2/in'],
    ['https://gp.example.org:443/v2/in'],
    ['file:///srv/Feeds/gp'],
    ['file:///srv/feeds/a%20b'],
  ] as const)
    it(`[FA-06] ${written} of an Endpoint is what HL7V2_FEED_TARGETS means by ${inSetting}`, () =>
      expect(parseFeedTargets(inSetting)).eql(new Set([normaliseTarget(written)])));
});
