/** Input made to hurt, at the doors of a running server: each is answered, and the next message is taken. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { fixture } from '../support/fixtures.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer, testLog } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const MIB = 1024 * 1024;

describe('gateway › hostile input', function () {
  this.timeout(180_000);
  let server: TestServer;
  before(async () => {
    const quiet = { ...testLog(), warn: () => {}, error: () => {} };
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' }, log: quiet });
  });
  after(() => stopChecked(server));

  const admit = (n: string): string => fixture('hl7v2/own-uk-a01.hl7').toString().replace('OWN-A01-1', n);
  const sendV2 = async (message: string): Promise<Buffer> => {
    const sender = await openMllpSender(server.mllpPort as number);
    try {
      return await sender.send(message);
    } finally {
      sender.close();
    }
  };
  let count = 0;
  afterEach('the next message is taken', async () => {
    count += 1;
    expect(fieldOf(await sendV2(admit(`next-${count}`)), 'MSA-1')).equal('AA');
    expect((await fetch(`${server.url}/livez`)).status).equal(200);
  });

  const HOSTILE: readonly [string, () => string][] = [
    [
      'segments whose fields repeat a thousand times',
      () => `${admit('many')}${`NK1|1|A^B|MTH|||${'1^2^3~'.repeat(1000)}\r`.repeat(400)}`,
    ],
    ['an escape for each character', () => admit('escapes').replace('ORCHARD', '\\a'.repeat(500_000))],
    ['an escape that grows', () => admit('growing').replace('ORCHARD', '\\.sp999\\'.repeat(100_000))],
  ];
  for (const [title, make] of HOSTILE)
    it(`[IN-01] [IN-21] ${title}: refused as too much`, async () => {
      const answer = await sendV2(make());
      expect(fieldOf(answer, 'MSA-1')).equal('AE');
      expect(answer.toString()).contain('more than');
    });

  it('[IN-22] a connection that only begins frames is closed', async () => {
    const socket = connect(server.mllpPort as number, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write('\u000bMSHa'.repeat(50_000));
    await closed;
  });

  it('[IN-01] an OBX of 100 MB: refused by its control id once the limit is reached, closed, and not kept', async () => {
    const socket = connect(server.mllpPort as number, '127.0.0.1');
    let answered = '';
    let isOpen = true;
    socket.on('data', (data) => {
      answered += data.toString('latin1');
    });
    socket.on('error', () => undefined); // it is closed while we write
    socket.once('close', () => {
      isOpen = false;
    });
    const header = 'MSH|^~\\&|LAB|RXX|MORTAR|RXX|20260302101500||ORU^R01|HUGE-1|P|2.5.1';
    socket.write(`\u000b${header}\rPID|1||7^^^RXX^MR\rOBR|1||1\rOBX|1|ED|PDF||^^^Base64^`);
    const before = process.memoryUsage.rss();
    const piece = Buffer.alloc(MIB, 'A');
    let sent = 0;
    let most = before;
    while (isOpen && sent < 100) {
      sent += 1;
      if (!socket.write(piece))
        await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined);
      most = Math.max(most, process.memoryUsage.rss());
    }
    for (let tries = 0; isOpen && tries < 200; tries++) await sleep(50);
    expect(isOpen, 'it is closed').equal(false);
    expect(fieldOf(Buffer.from(answered.slice(1)), 'MSA-1')).equal('AR');
    expect(answered).contain('|HUGE-1');
    // The limit is 16 MiB; what is on its way between the two, which are one process here, comes to it.
    expect(sent).below(100);
    expect((most - before) / MIB).below(150);
  });

  it('a batch that is nothing but stray lines is answered once', async () => {
    const answer = await sendV2(`BHS|^~\\&\r${'X\r'.repeat(200_000)}`);
    expect(answer.length).lessThan(10_000);
  });

  it('a control id cannot end the frame of its answer', async () => {
    const socket = connect(server.mllpPort as number, '127.0.0.1');
    socket.write(`\u000b${admit('C123\u001c').replace('OWN', 'X')}\u001c\r`);
    const received = await new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (data) => {
        text += data.toString('latin1');
        if (text.endsWith('\u001c\r')) resolve(text);
      });
    });
    socket.destroy();
    expect(received.split('\u001c').length).equal(2);
  });

  const XML: readonly [string, string][] = [
    ['comments that do not end', `${'<!--'.repeat(16_000)}`],
    ['an element with a thousand attributes', `<a ${Array.from({ length: 1000 }, (_, i) => `a${i}=""`).join(' ')}/>`],
    ['a document type', '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'],
    ['elements nested a thousand deep', `${'<a>'.repeat(1000)}${'</a>'.repeat(1000)}`],
  ];
  for (const [title, body] of XML)
    it(`[IN-20] ${title}: refused`, async () => {
      for (const url of [`${server.url}/ncpdp/script`, `${server.fhirBaseUrl}/$convert`]) {
        const reply = await fetch(url, {
          method: 'POST',
          headers: { ...server.bearer, 'Content-Type': 'application/xml' },
          body,
        });
        expect(reply.status, url).within(400, 422);
      }
    });
});
