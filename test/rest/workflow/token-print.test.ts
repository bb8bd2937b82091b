/** Tokens on paper and on a screen: what is printed is read again. MISSION M10; SECURITY RX-01 */
import { inflateSync } from 'node:zlib';
import { expect } from 'chai';
import { qrModules } from '../../../src/rest/workflow/token-print-routes.ts';
import { code128 } from '../../../src/standards/prescription-token/code128.ts';
import { formatPdf, textAt, widthOf, wrap } from '../../../src/standards/prescription-token/pdf.ts';
import { makePharmacyWorld, type PharmacyWorld, type Prescribed } from '../../support/pharmacy.ts';
import { startTestServer, type TestServer } from '../../support/server.ts';

describe('tokens to print', function () {
  this.timeout(240_000);
  let server: TestServer;
  let world: PharmacyWorld;
  let nell: Record<string, string>;
  let made: Prescribed;
  before(async () => {
    server = await startTestServer();
    world = await makePharmacyWorld(server);
    nell = await world.patient('patient-nell');
    made = await world.prescribe();
  });
  after(() => server.stop());

  const bytesOf = async (path: string, headers = nell): Promise<Buffer> => {
    const answer = await fetch(server.url + path, { headers });
    expect(answer.status, path).equal(200);
    return Buffer.from(await answer.arrayBuffer());
  };

  /** The pixels of a PNG of ours, true for dark. */
  function pixelsOf(png: Buffer): boolean[][] {
    const width = png.readUInt32BE(16);
    const height = png.readUInt32BE(20);
    const at = png.indexOf('IDAT');
    const raw = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
    const stride = 1 + Math.ceil(width / 8);
    return Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => ((raw[y * stride + 1 + (x >> 3)] ?? 0) & (0x80 >> (x & 7))) === 0),
    );
  }

  it('[RX-01] the QR code is that of the token, at most version 25, with its quiet zone', async () => {
    const pixels = pixelsOf(await bytesOf(`/api/prescriptions/${made.token.tokenId}/token.png`));
    const modules = pixels.filter((_, y) => y % 6 === 0).map((row) => row.filter((_, x) => x % 6 === 0));
    expect(modules).eql(qrModules(made.token.token, 4));
    expect(modules.length - 8).lessThanOrEqual(17 + 4 * 25);
    expect(modules[3]?.some(Boolean), 'the quiet zone').equal(false);
  });

  it('the HMAC form has a QR code of payload and signature', async () => {
    const pixels = pixelsOf(await bytesOf(`/api/prescriptions/${made.orderId}/token.png?code=qr-hmac`));
    const { payload, signature } = made.token;
    expect(pixels.length).equal(qrModules(JSON.stringify({ payload, signature }), 4).length * 6);
  });

  /** Reads CODE 128 set B by its own arithmetic: eleven modules a symbol. */
  function readBars(modules: readonly boolean[]): { text: string; isChecked: boolean } {
    const table = new Map<string, number>();
    for (let value = 0; value <= 94; value += 1) {
      // The symbol of a character stands after the quiet zone and the start.
      const bars = code128(String.fromCharCode(value + 32)).slice(10 + 11, 10 + 22);
      table.set(bars.map(Number).join(''), value);
    }
    const inner = modules.slice(10, -10);
    const count = (inner.length - 13) / 11;
    const symbols = Array.from({ length: count }, (_, i) =>
      inner
        .slice(i * 11, i * 11 + 11)
        .map(Number)
        .join(''),
    );
    const values = symbols.slice(1, -1).map((one) => table.get(one) ?? -1);
    const sum = values.reduce((total, value, i) => total + value * (i + 1), 104) % 103;
    return {
      text: String.fromCharCode(...values.map((value) => value + 32)),
      isChecked: sum > 94 || table.get(symbols.at(-1) ?? '') === sum,
    };
  }

  it('the bar code is the id in CODE 128', async () => {
    const [row = []] = pixelsOf(await bytesOf(`/api/prescriptions/${made.token.tokenId}/token.png?code=code128`));
    const modules = row.filter((_, x) => x % 2 === 0);
    expect(readBars(modules)).eql({ text: made.token.tokenId, isChecked: true });
  });

  it('ISO/IEC 15417: symbols have eleven modules, three bars, and are all different', () => {
    const symbols = Array.from({ length: 95 }, (_, i) => code128(String.fromCharCode(i + 32)).slice(21, 32));
    expect(new Set(symbols.map((one) => one.map(Number).join(''))).size).equal(95);
    for (const one of symbols) {
      expect(one).length(11);
      expect(one.filter((isDark, i) => isDark && !one[i - 1])).length(3);
      expect(one.filter(Boolean).length % 2, 'an even number of dark modules').equal(0);
    }
    // Start B, the check symbol and the stop of a published example: "A" has 33, so the check is (104 + 33) mod 103 = 34, "B".
    expect(code128('A').slice(10, 21).map(Number).join('')).equal('11010010000');
    expect(code128('A').slice(32, 43)).eql(code128('B').slice(21, 32));
    expect(code128('A').slice(43, 56).map(Number).join('')).equal('1100011101011');
    expect(() => code128('é')).throw(RangeError);
  });

  it('the sheet says who, what, from whom, where, until when, and the notices', async () => {
    const pdf = (await bytesOf(`/api/prescriptions/${made.token.tokenId}/token.pdf`)).toString('latin1');
    for (const text of [
      made.token.tokenId,
      'Nell Ashworth',
      'Health number 123 456 7890',
      'Amoxicillin 500mg capsules',
      'Take one capsule three times a day',
      'Dr Imogen Fairweather',
      'Pharmacy a',
      '2 Mill Lane, Millbrook, ZZ99 1AB',
      'Telephone 01632 960000',
      `valid until ${made.token.payload.expiry.slice(0, 10)}`,
      'It is not issued again',
      'show who you are',
    ])
      expect(pdf, text).include(text);
  });

  it('a sheet of what is dispensed or over says that it is not valid', async () => {
    const over = await world.prescribe({ issuedAt: Date.now() - 60_000, expiresAt: Date.now() - 1000 });
    const pdf = (await bytesOf(`/api/prescriptions/${over.token.tokenId}/token.pdf`)).toString('latin1');
    expect(pdf).include('EXPIRED - NOT VALID');
  });

  it('the label is small', async () => {
    const pdf = (await bytesOf(`/api/prescriptions/${made.orderId}/token.pdf?form=label`)).toString('latin1');
    expect(pdf).include('/MediaBox [0 0 283.46 175.75]').and.include('(Nell Ashworth)');
  });

  it('PDF: the cross-reference table points to each object; brackets and what has no letter are safe', () => {
    const page = { width: 100, height: 100, content: [textAt(1, 2, 10, 'a (b) \\ é € 漢')] };
    const pdf = formatPdf([page, page], 'x').toString('latin1');
    expect(pdf).include('(a \\(b\\) \\\\ \xe9 \x80 ?) Tj');
    const table = pdf.slice(Number(/startxref\n(\d+)/.exec(pdf)?.[1])).split('\n');
    const count = Number(table[1]?.split(' ')[1]);
    for (let number = 1; number < count; number += 1)
      expect(pdf.slice(Number(table[2 + number]?.slice(0, 10)))).match(new RegExp(`^${number} 0 obj\n`));
    expect(pdf).match(/\/Count 2/);
  });

  it('lines of words fit the width, whatever the words', () => {
    const lines = wrap(`some words and ${'x'.repeat(200)} more`, 100, 10, 50);
    for (const line of lines) expect(widthOf(line, 10)).lessThanOrEqual(100);
    expect(lines.join('').replaceAll(' ', '')).equal(`somewordsand${'x'.repeat(200)}more`);
    expect(wrap('a b c d e f g h', 10, 10, 2)).length(2);
  });

  it("[CP-01] somebody else's is as one that never was", async () => {
    const tobe = await world.patient('patient-tobe');
    for (const end of ['token.pdf', 'token.png'])
      for (const id of [made.token.tokenId, made.orderId, 'never'])
        expect((await world.call('GET', `/api/prescriptions/${id}/${end}`, tobe)).status, end).equal(404);
    expect((await world.call('GET', `/api/prescriptions/${made.orderId}/token.pdf`, {})).status).equal(401);
  });
});
