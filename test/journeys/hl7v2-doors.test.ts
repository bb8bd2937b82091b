/** The ways in for HL7 v2 besides plain MLLP: enhanced mode, numbered messages, batches, HTTPS, files. docs/hl7v2.md */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { createFhirClient } from '../support/fhir-client.ts';
import { fieldOf, openMllpSender } from '../support/mllp.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

interface Header {
  readonly sender?: string;
  readonly sequence?: string;
  readonly accept?: string;
  readonly application?: string;
  readonly family?: string;
  /** A message whose content is at fault has none. */
  readonly pid?: boolean;
}

describe('journey › ways in for HL7 v2', function () {
  this.timeout(60_000);
  const folder = join(makeTempFolder(), 'files');
  let server: TestServer;
  before(async () => {
    server = await startTestServer({
      env: {
        UNKNOWN_PARTNERS: 'accept',
        HL7V2_SEQUENCE_SENDERS: 'SEQ|RXX',
        HL7V2_ENHANCED_SENDERS: 'PAS|RXX',
        HL7V2_FOLDER: folder,
      },
    });
  });
  after(() => server.stop());

  const message = (id: string, given: Header = {}): string => {
    const { sender = 'PAS|RXX', sequence = '', accept = '', application = '', family = 'Smith', pid = true } = given;
    const head = `MSH|^~\\&|${sender}|MORTAR|HERE|20260302101500||ADT^A28|${id}|P|2.5.1|${sequence}||${accept}|${application}`;
    const body = pid ? `PID|1||${id}^^^MRN^MR||${family}^Ann||19840517|F\r` : '';
    return `${head}\rEVN||20260302\r${body}`;
  };
  /** Every frame that comes within a short time. */
  async function talk(...messages: readonly string[]): Promise<Buffer[]> {
    const sender = await openMllpSender(server.mllpPort as number);
    const all: Buffer[] = [];
    const waiting = messages.map((one) => sender.send(one));
    waiting.push(sender.send('')); // an empty frame is answered too, and last
    for (const one of waiting) {
      const frame = await Promise.race([one.catch(() => undefined), sleep(2000).then(() => undefined)]);
      if (frame === undefined || fieldOf(frame, 'MSA-2') === '') break;
      all.push(frame);
    }
    sender.close();
    return all;
  }
  const said = (frames: readonly Buffer[]): string[] =>
    frames.map((frame) => `${fieldOf(frame, 'MSA-1')} ${fieldOf(frame, 'MSA-2')}`);
  async function countOf(family: string): Promise<number> {
    const found = await createFhirClient(server).get(`Patient?family=${family}&_summary=count`);
    return Number(found.json()['total']);
  }

  describe('enhanced mode', () => {
    for (const [accept, application, good, bad] of [
      ['AL', 'NE', ['CA'], ['CA']],
      ['AL', 'AL', ['CA', 'AA'], ['CA', 'AE']],
      ['NE', 'AL', ['AA'], ['AE']],
      ['AL', 'ER', ['CA'], ['CA', 'AE']],
      ['ER', 'SU', ['AA'], []],
      ['', 'AL', ['AA'], ['AE']],
    ] as const)
      it(`MSH-15 ${accept || 'empty'}, MSH-16 ${application}: ${good.join(' ')}; at fault: ${bad.join(' ') || 'nothing'}`, async () => {
        const id = `E${accept}${application}`;
        expect(said(await talk(message(id, { accept, application })))).eql(good.map((code) => `${code} ${id}`));
        const broken = message(`${id}-B`, { accept, application, pid: false });
        expect(said(await talk(broken))).eql(bad.map((code) => `${code} ${id}-B`));
      });

    it('a message that comes again gets the same outcome; a control id that stands for another is CE', async () => {
      const both = { accept: 'AL', application: 'AL' };
      const [, first] = await talk(message('E-2', both));
      const [taken, again] = await talk(message('E-2', both));
      expect(fieldOf(taken as Buffer, 'MSA-1')).equal('CA');
      expect(again?.equals(first as Buffer)).equal(true);
      const [other, ...more] = await talk(message('E-2', { ...both, family: 'Other' }));
      expect(fieldOf(other as Buffer, 'MSA-1')).equal('CE');
      expect(fieldOf(other as Buffer, 'ERR-3')).match(/^205\^/);
      expect(more).eql([]);
      expect(await countOf('Other')).equal(0);
    });
    it('a sender of which nobody has said that it means it gets one AA', async () => {
      const asked = { sender: 'OLD|RXX', accept: 'AL', application: 'NE' };
      expect(said(await talk(message('E-4', asked)))).eql(['AA E-4']);
    });
    it('what is not taken is CR: a kind we do not know', async () => {
      const [answer] = await talk(message('E-3', { accept: 'AL', application: 'AL' }).replace('ADT^A28', 'XYZ^Z99'));
      expect(fieldOf(answer as Buffer, 'MSA-1')).equal('CR');
    });
    it('an acknowledgement of nothing of ours is never answered by another', async () => {
      const ack = 'MSH|^~\\&|PAS|RXX|MORTAR|HERE|20260302||ACK|ACK-1|P|2.5.1\rMSA|AA|NOBODY\r';
      expect(await talk(ack)).eql([]);
    });
  });

  it('every fault has an ERR segment of its own', async () => {
    const text = message('ERR-1').replace('ERR-1^^^MRN^MR', '').replace('19840517', '19841350');
    const [answer] = await talk(text.replaceAll('\r', '\r\n').replace('EVN|', 'evn|'));
    const errors = String(answer)
      .split('\r')
      .filter((line) => line.startsWith('ERR|'));
    expect(fieldOf(answer as Buffer, 'MSA-1')).equal('AE');
    expect(errors.length).greaterThan(1);
    for (const line of errors) expect(line.split('|')[3]).match(/^\d+\^/);
  });

  describe('numbered messages [RL-13]', () => {
    const numbered = (id: string, sequence: string): string => message(id, { sender: 'SEQ|RXX', sequence });
    const codes = (frames: readonly Buffer[]): string[] =>
      frames.map((frame) => `${fieldOf(frame, 'MSA-1')} ${fieldOf(frame, 'MSA-4')}`.trim());
    it('a gap is refused with the number that is expected, and nothing of it is applied', async () => {
      expect(codes(await talk(numbered('S-7', '7'), numbered('S-8', '8')))).eql(['AA', 'AA']);
      expect(codes(await talk(numbered('S-10', '10')))).eql(['AE 9']);
      expect(codes(await talk(numbered('S-9', '9'), numbered('S-10', '10')))).eql(['AA', 'AA']);
    });
    it('one that comes again is answered as before; another with its number is refused', async () => {
      expect(codes(await talk(numbered('S-9', '9')))).eql(['AA']);
      expect(codes(await talk(numbered('S-9X', '9')))).eql(['AE 11']);
    });
    it('0 asks which is expected; without a number it is refused', async () => {
      expect(codes(await talk(numbered('S-0', '0')))).eql(['AA 11']);
      expect(codes(await talk(numbered('S-N', '')))).eql(['AE 11']);
    });
    it('what had no number before is not in the store', async () => {
      expect(await countOf('Smith')).greaterThan(0);
      const found = await createFhirClient(server).get('Patient?identifier=S-9X,S-0,S-N&_summary=count');
      expect(found.json()['total']).equal(0);
    });
  });

  describe('POST /hl7v2', () => {
    const post = (body: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> =>
      new Promise((resolve, reject) => {
        const req = request(
          `${server.url}/hl7v2`,
          {
            method: 'POST',
            headers: { ...server.bearer, 'content-type': 'application/hl7-v2; charset=utf-8', ...headers },
          },
          (res) => {
            const chunks: Buffer[] = [];
            res.on('data', (chunk: Buffer) => chunks.push(chunk));
            res.on('end', () => resolve({ status: res.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
          },
        );
        req.on('error', reject);
        req.end(body);
      });
    it('takes a message, and answers the same when it comes again', async () => {
      const first = await post(message('H-1', { family: 'Https' }));
      expect(first.status).equal(200);
      expect(fieldOf(Buffer.from(first.text), 'MSA-1')).equal('AA');
      expect((await post(message('H-1', { family: 'Https' }))).text).equal(first.text);
      expect(await countOf('Https')).equal(1);
    });
    it('takes a batch, and tells of a wrong count', async () => {
      const batch = `BHS|^~\\&|PAS|RXX|||||||B-1\r${message('H-2')}${message('H-3', { pid: false })}BTS|3\r`;
      const { text } = await post(batch);
      expect(text.split('\r').filter((line) => line.startsWith('MSA'))).satisfy((lines: string[]) =>
        lines.every((line, i) => line.startsWith(['MSA|AA|H-2', 'MSA|AE|H-3'][i] ?? '-')),
      );
      expect(text)
        .match(/^BHS\|[^\r]*\|B-1\r/)
        .and.match(/\rBTS\|2\|The batch count is not right\r$/);
    });
    for (const [what, body, headers, status] of [
      ['no token', '', { authorization: '' }, 401],
      ['another content type', 'x', { 'content-type': 'application/xml' }, 415],
      ['a coded body', 'x', { 'content-encoding': 'gzip' }, 415],
      ['no message', 'hello', {}, 200],
    ] as const)
      it(`${what}: ${status}`, async () => {
        const answer = await post(body, headers as Record<string, string>);
        expect(answer.status).equal(status);
        expect(fieldOf(Buffer.from(answer.text), 'MSA-1')).equal('AR');
      });
  });

  describe('files', () => {
    const put = (name: string, text: string): void => {
      writeFileSync(join(folder, 'in', `.${name}`), text);
      renameSync(join(folder, 'in', `.${name}`), join(folder, 'in', name));
    };
    const list = (part: string, name: string): string[] =>
      readdirSync(join(folder, part)).filter((one) => one.startsWith(name));
    async function ended(name: string, part: 'done' | 'failed'): Promise<string> {
      for (let tries = 0; tries < 400; tries++) {
        const [answers] = list(part, name).filter((one) => one.endsWith('.ack'));
        if (answers !== undefined && list(part, name).length === 2)
          return readFileSync(join(folder, part, answers), 'utf8');
        await sleep(50);
      }
      throw new Error(`${name} is not in ${part}`);
    }

    it('are worked once they are whole, and moved with their answers', async () => {
      const many = Array.from({ length: 20 }, (_, n) => message(`D-${n}`, { family: 'Daily' })).join('');
      put('daily.hl7', `FHS|^~\\&|PAS|RXX|||||||F-1\rBHS|^~\\&|PAS|RXX|||||||B-1\r${many}BTS|20\rFTS|1\r`);
      put('broken.hl7', `${message('D-A', { family: 'Daily' })}${message('D-B', { pid: false })}`);
      put('none.hl7', 'this is no message');
      // These are not whole yet, or no files.
      writeFileSync(join(folder, 'in', 'later.hl7.tmp'), message('D-C'));
      mkdirSync(join(folder, 'in', 'folder.hl7'));
      symlinkSync('/etc/hostname', join(folder, 'in', 'link.hl7'));
      const answers = await ended('daily.hl7', 'done');
      expect(answers.match(/\rMSA\|AA\|D-/g)?.length).equal(20);
      expect(await ended('broken.hl7', 'failed'))
        .include('MSA|AA|D-A')
        .and.include('MSA|AE|D-B');
      expect(await ended('none.hl7', 'failed')).include('MSA|AR');
      expect(await countOf('Daily')).equal(21);
      expect(readdirSync(join(folder, 'in')).toSorted()).eql(['folder.hl7', 'later.hl7.tmp', 'link.hl7']);
      expect(readdirSync(join(folder, 'work'))).eql([]);
    });

    it('a file that a crash left is worked again, and what was applied is not', async () => {
      const text = `${message('D-0', { family: 'Daily' })}${message('D-30', { family: 'Daily' })}`;
      writeFileSync(join(folder, 'work', 'crashed.hl7-00'), text);
      const answers = await ended('crashed.hl7', 'done');
      expect(answers.match(/\rMSA\|AA\|D-/g)?.length).equal(2);
      expect(await countOf('Daily')).equal(22);
      expect(existsSync(join(folder, 'work', 'crashed.hl7-00'))).equal(false);
    });
  });
});
