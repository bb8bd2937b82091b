import { expect } from 'chai';
import fc from 'fast-check';
import { createMllpFramer, formatFrame, type MllpEvent } from '../../../src/standards/hl7v2/mllp-frame.ts';
import { NEEDS_SAMPLES, publishedFiles, publishedFolder } from './samples.ts';

const LIMITS = { frameBytes: 1000, noiseBytes: 8 };

function framesOf(bytes: Buffer, size: number, limits?: { frameBytes: number; noiseBytes: number }): MllpEvent[] {
  const framer = createMllpFramer(limits);
  const events: MllpEvent[] = [];
  for (let at = 0; at < bytes.length; at += size) events.push(...framer.push(bytes.subarray(at, at + size)));
  return [...events, ...framer.end()];
}

/** Frames as text, faults as `!name`. */
const inWords = (events: readonly MllpEvent[]): string[] =>
  events.map((event) => (event.kind === 'frame' ? event.bytes.toString('latin1') : `!${event.fault}`));

const frame = (text: string): string => `\x0b${text}\x1c\r`;

const CASES: readonly (readonly [name: string, stream: string, expected: readonly string[]])[] = [
  ['one frame', frame('MSH|a'), ['MSH|a']],
  ['three in one packet', frame('MSH|a') + frame('MSH|b') + frame('MSH|c'), ['MSH|a', 'MSH|b', 'MSH|c']],
  ['padding between frames', `\r\n\0 ${frame('MSH|a')}\n\n${frame('MSH|b')}\0`, ['MSH|a', 'MSH|b']],
  ['garbage between frames', `${frame('MSH|a')}GET / HTTP/1.1\r\n\r\n${frame('MSH|b')}`, ['MSH|a', '!noise', 'MSH|b']],
  ['little garbage', `xyz${frame('MSH|a')}`, ['MSH|a']],
  ['not HL7', frame('MSH|a') + frame('hello') + frame('MSH|c'), ['MSH|a', 'hello', 'MSH|c']],
  ['empty', frame('') + frame('MSH|a'), ['', 'MSH|a']],
  ['never ended, next begins', `\x0bMSH|a\r${frame('MSH|b')}`, ['!restarted', 'MSH|b']],
  ['two start blocks', `\x0b${frame('MSH|b')}`, ['MSH|b']],
  ['start block in data', frame('MSH|a\x0bb\x0bMS\x0bMSx'), ['MSH|a\x0bb\x0bMS\x0bMSx']],
  ['end block in data', frame('MSH|a\x1cb\x1cc'), ['!end-in-data', 'MSH|a\x1cb\x1cc']],
  ['end block twice', '\x0bMSH|a\x1c\x1c\r', ['!end-in-data', 'MSH|a\x1c']],
  ['no CR, then a frame', `\x0bMSH|a\x1c${frame('MSH|b')}`, ['!end-without-cr', 'MSH|a', 'MSH|b']],
  ['no CR at the end', '\x0bMSH|a\x1c', ['!end-without-cr', 'MSH|a']],
  ['cut off', `${frame('MSH|a')}\x0bMSH|b`, ['MSH|a', '!partial']],
  ['cut off before a header', '\x0bMSH|b\x0bMS', ['!partial']],
  ['a batch', frame('FHS|a\rBHS|b\rMSH|c'), ['FHS|a\rBHS|b\rMSH|c']],
  ['too long', `${frame('MSH|a')}\x0b${'x'.repeat(1001)}\x1c\r${frame('MSH|b')}`, ['MSH|a', '!oversize']],
];

describe('hl7v2 › MLLP frames', () => {
  for (const [name, stream, expected] of CASES)
    it(`${name}: the same whatever the chunks`, () => {
      const bytes = Buffer.from(stream, 'latin1');
      for (const size of [bytes.length, 1, 2, 3, 7])
        expect(inWords(framesOf(bytes, size, LIMITS)), `${size}`).eql(expected);
      for (let split = 1; split < bytes.length; split++) {
        const framer = createMllpFramer(LIMITS);
        const events = [bytes.subarray(0, split), bytes.subarray(split)].flatMap((chunk) => framer.push(chunk));
        expect(inWords([...events, ...framer.end()]), `split ${split}`).eql(expected);
      }
    });

  it('says how much of a frame is open, and what it begins with', () => {
    const framer = createMllpFramer();
    expect(framer.openBytes).equal(undefined);
    framer.push(Buffer.from('\x0bMSH|abc'));
    expect(framer.openBytes).equal(7);
    framer.push(Buffer.from('\x1c'));
    expect(framer.openBytes).equal(8);
    framer.push(Buffer.from('x'));
    const [fault] = framer.end();
    expect(fault).deep.include({ kind: 'fault', fault: 'partial', byteCount: 9 });
    expect(fault?.kind === 'fault' && fault.head?.toString()).equal('MSH|abc\x1cx');
    expect(framer.openBytes).equal(undefined);
  });

  it('any text comes through, however cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'M', '\r', '\x0b', 'MSH|', '\u00ff', '|'), maxLength: 40 });
    fc.assert(
      fc.property(fc.array(text), fc.integer({ min: 1, max: 9 }), (texts, size) => {
        const whole = texts.filter((t) => !t.includes('\x0bMSH') && !t.endsWith('\x0b'));
        const bytes = Buffer.concat(whole.map((t) => formatFrame(Buffer.from(t, 'latin1'))));
        expect(inWords(framesOf(bytes, size))).eql(whole);
      }),
    );
  });

  it('ten times as many bytes take some ten times as long, in small chunks and full of end blocks', function () {
    this.timeout(180_000);
    const time = (bytes: Buffer, size: number): number => {
      const before = process.cpuUsage();
      const events = framesOf(bytes, size);
      expect(events.filter((event) => event.kind === 'frame').length).equal(1);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    };
    const frameOf = (length: number, fill: string): Buffer =>
      Buffer.concat([Buffer.from('\x0bMSH|'), Buffer.alloc(length, fill), Buffer.from('\x1c\r')]);
    for (const [fill, size] of [
      ['x', 64],
      ['\x1cx\x0by', 64 * 1024],
    ] as const) {
      // The least of three: the process also collects what the tests before have left.
      const least = (length: number): number => Math.min(...[1, 2, 3].map(() => time(frameOf(length, fill), size)));
      const [small, large] = [least(1e6), least(10e6)];
      // A hundred times were it looked at anew for each chunk.
      expect(large / Math.max(small, 10_000)).lessThan(50);
    }
  });
});

describe('hl7v2 › MLLP frames › published streams', () => {
  if (publishedFolder === undefined) it(NEEDS_SAMPLES);
  const expected = new Map([
    ['mllp-three-frames', { frames: 3, faults: 0 }],
    ['mllp-noise', { frames: 2, faults: 1 }],
    ['mllp-bad-in-middle', { frames: 3, faults: 0 }],
    ['mllp-fs-in-data', { frames: 1, faults: 1 }],
    ['mllp-fs-without-cr', { frames: 2, faults: 1 }],
  ]);
  for (const { name, bytes } of publishedFiles('.mllp'))
    it(name, () => {
      const whole = inWords(framesOf(bytes, bytes.length));
      const counts = {
        frames: whole.filter((w) => !w.startsWith('!')).length,
        faults: whole.filter((w) => w.startsWith('!')).length,
      };
      expect(counts).eql(expected.get(name));
      for (const size of [1, 7, 1000]) expect(inWords(framesOf(bytes, size))).eql(whole);
      for (let split = 1; split < 200; split++) {
        const framer = createMllpFramer();
        const events = [bytes.subarray(0, split), bytes.subarray(split)].flatMap((chunk) => framer.push(chunk));
        expect(inWords([...events, ...framer.end()])).eql(whole);
      }
    });
});
