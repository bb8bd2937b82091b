/** Bytes of every message of ours changed at random, over the wire: each is answered or dropped as no frame, and nothing is half applied. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect } from 'chai';
import { startTestServer, type TestServer, testLog } from '../support/server.ts';
import { stopChecked } from '../support/store-state.ts';

const FIXTURES = new URL('../../fixtures/hl7v2/', import.meta.url);
const SEED = Number(process.env['FUZZ_SEED'] ?? 20260302);
const MUTANTS = Number(process.env['FUZZ_MUTANTS'] ?? 3);
/** What means something on the way or in a message, among any bytes. */
const MEANT = Buffer.from('|^~\\&"\r\n\u000b\u001c\u0000MSHPID0\u00ff', 'latin1');

/** mulberry32: the same numbers for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

function mutate(bytes: Buffer, random: () => number): Buffer {
  let mutant = Buffer.from(bytes);
  const below = (n: number): number => Math.floor(random() * n);
  for (let changes = 1 + below(6); changes > 0; changes--) {
    const at = below(mutant.length);
    const byte = random() < 0.7 ? (MEANT[below(MEANT.length)] as number) : below(256);
    const kind = below(4);
    if (kind === 0) mutant[at] = byte;
    else if (kind === 1) mutant = Buffer.concat([mutant.subarray(0, at), Buffer.of(byte), mutant.subarray(at)]);
    else if (kind === 2) mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(at + 1 + below(40))]);
    else mutant = Buffer.concat([mutant.subarray(0, at), mutant.subarray(below(at + 1), at), mutant.subarray(at)]);
  }
  return mutant;
}

describe('journey › HL7 v2 whose bytes were changed', function () {
  this.timeout(180_000);
  let server: TestServer;
  before(async () => {
    const quiet = { ...testLog(), warn: () => {}, error: () => {} };
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' }, log: quiet });
  });
  after(() => stopChecked(server));

  /** What is answered to the bytes, and then to a message that is sound. */
  function exchange(bytes: Buffer, last: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(server.mllpPort as number, '127.0.0.1');
      let text = '';
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.includes(`|${last}`) && text.endsWith('\u001c\r')) socket.destroy();
      });
      socket.write(Buffer.concat([Buffer.of(0x0b), bytes, Buffer.from('\u001c\r')]));
      socket.write(`\u000bMSH|^~\\&|LAST|X|||20260302||XYZ^Z99|${last}|P|2.5\r\u001c\r`);
    });
  }

  it(`each is answered, and the next message is taken (FUZZ_SEED=${SEED})`, async () => {
    const random = createRandom(SEED);
    const codes = new Map<string, number>();
    for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.hl7'))) {
      const bytes = readFileSync(new URL(name, FIXTURES));
      for (let n = 0; n < MUTANTS; n++) {
        const last = `L${n}-${name}`.slice(0, 20);
        const text = await exchange(mutate(bytes, random), last);
        expect(text, `${name} ${n}`).contain(`|${last}`);
        for (const [, code = ''] of text.matchAll(/\rMSA.(\w\w)/g)) {
          expect(code, `${name} ${n}`).match(/^A[AER]$/);
          codes.set(code, (codes.get(code) ?? 0) + 1);
        }
        expect(text, 'no fault of ours').not.contain('a fault of the server');
      }
    }
    console.log(`      ${[...codes].map(([code, count]) => `${count} ${code}`).join(', ')}`);
    for (const code of ['AA', 'AE', 'AR']) expect(codes.get(code), code).greaterThan(0);
    expect((await fetch(`${server.url}/livez`)).status).equal(200);
    const reply = await fetch(`${server.url}/gateway/messages?state=received`, { headers: server.bearer });
    expect(((await reply.json()) as { messages: unknown[] }).messages, 'none is open').eql([]);
  });
});
