/** Photos without what says where and by whom they were taken. ITU-T T.81 annex B; W3C PNG section 11; SECURITY DP-07 */
import { crc32, deflateSync } from 'node:zlib';
import { expect } from 'chai';
import { stripJpeg } from '../../src/standards/image/jpeg.ts';
import { stripPng } from '../../src/standards/image/png.ts';
import { chunk, jpegOf, PNG_HEAD, pngOf, segment } from '../support/photos.ts';

const SECRET = Buffer.from('51.5007N 0.1246W Nell Ashworth');
const APP = (n: number, content: Buffer): Buffer => segment(0xe0 + n, content);
const JFIF = Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\x01\x01abc', 'latin1');
const ADOBE = Buffer.from('Adobe\0\x64\0\0\0\0\x01', 'latin1');

describe('standards › image › JPEG', () => {
  const LOST: readonly (readonly [string, Buffer])[] = [
    ['Exif', APP(1, Buffer.concat([Buffer.from('Exif\0\0'), SECRET]))],
    ['XMP', APP(1, Buffer.concat([Buffer.from('http://ns.adobe.com/xap/1.0/\0'), SECRET]))],
    ['a colour profile', APP(2, Buffer.concat([Buffer.from('ICC_PROFILE\0'), SECRET]))],
    ['IPTC', APP(13, Buffer.concat([Buffer.from('Photoshop 3.0\0'), SECRET]))],
    ['a comment', segment(0xfe, SECRET)],
    ['a JFXX thumbnail', APP(0, Buffer.concat([Buffer.from('JFXX\0'), SECRET]))],
    ['an application of its own', APP(9, SECRET)],
    ['something that calls itself Adobe', APP(14, Buffer.concat([Buffer.from('Adobx'), SECRET]))],
    ['fill bytes before a segment', Buffer.concat([Buffer.from([0xff, 0xff]), APP(5, SECRET)])],
  ];
  for (const [name, more] of LOST)
    it(`loses ${name}, and the image stays byte for byte`, () => {
      expect(stripJpeg(jpegOf([more]))).eql(jpegOf([]));
      expect(stripJpeg(jpegOf([more, APP(1, SECRET), more]))).eql(jpegOf([]));
    });

  it('loses what follows the image', () => {
    expect(stripJpeg(Buffer.concat([jpegOf([]), SECRET]))).eql(jpegOf([]));
  });

  it('keeps a bare JFIF header without its thumbnail, and Adobe without more', () => {
    const whole = stripJpeg(jpegOf([APP(0, Buffer.concat([JFIF, SECRET])), APP(14, Buffer.concat([ADOBE, SECRET]))]));
    const bare = Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\0\0', 'latin1');
    expect(whole).eql(jpegOf([APP(0, bare), APP(14, ADOBE)]));
  });

  /** Exif of these entries (tag, type, count, value as written), in either order of bytes. */
  function exif(order: 'II' | 'MM', entries: readonly (readonly [number, number, number, number])[]): Buffer {
    const tiff = Buffer.alloc(10 + entries.length * 12 + 4);
    const short = (value: number, at: number) =>
      order === 'II' ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
    const long = (value: number, at: number) =>
      order === 'II' ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
    tiff.write(order, 'latin1');
    short(42, 2);
    long(8, 4);
    short(entries.length, 8);
    for (const [i, [tag, type, count, value]] of entries.entries()) {
      const at = 10 + i * 12;
      short(tag, at);
      short(type, at + 2);
      long(count, at + 4);
      short(value, at + 8);
    }
    return APP(1, Buffer.concat([Buffer.from('Exif\0\0'), tiff, SECRET]));
  }
  const MAKER = [0x010f, 2, 4, 7] as const;
  const GPS = [0x8825, 4, 1, 99] as const;
  for (const order of ['II', 'MM'] as const)
    for (const value of [0, 1, 2, 3, 6, 8, 9, 4711])
      it(`of ${order} Exif that is turned by ${value} ${value >= 2 && value <= 8 ? 'only that stays' : 'nothing stays'}`, () => {
        const whole = stripJpeg(jpegOf([exif(order, [MAKER, [0x0112, 3, 1, value], GPS])]));
        const kept = value >= 2 && value <= 8 ? [exif('MM', [[0x0112, 3, 1, value]]).subarray(0, -SECRET.length)] : [];
        for (const segment of kept) segment.writeUInt16BE(segment.length - 2, 2);
        expect(whole).eql(jpegOf(kept));
        if (whole) expect(stripJpeg(whole), 'again').eql(whole);
      });
  const DOUBTFUL: readonly (readonly [string, Buffer])[] = [
    ['of another type', exif('MM', [[0x0112, 4, 1, 6]])],
    ['of two values', exif('MM', [[0x0112, 3, 2, 6]])],
    ['of more entries than there are', APP(1, Buffer.from('Exif\0\0MM\0\x2a\0\0\0\x08\xff\xff\x01', 'latin1'))],
    ['of a directory beyond the end', APP(1, Buffer.from('Exif\0\0MM\0\x2a\xff\xff\xff\xff', 'latin1'))],
    ['of no order', APP(1, Buffer.from('Exif\0\0XX\0\x2a\0\0\0\x08\0\0', 'latin1'))],
    ['of nothing', APP(1, Buffer.from('Exif\0\0'))],
  ];
  for (const [name, segment] of DOUBTFUL)
    it(`of Exif ${name} nothing stays`, () => expect(stripJpeg(jpegOf([segment]))).eql(jpegOf([])));
  it('stands behind the JFIF header', () => {
    const bare = APP(0, Buffer.from('JFIF\0\x01\x01\0\0\x01\0\x01\0\0', 'latin1'));
    const whole = stripJpeg(jpegOf([bare, exif('II', [[0x0112, 3, 1, 6]])]));
    expect(whole?.subarray(2, 2 + bare.length)).eql(bare);
    expect(whole?.subarray(2 + bare.length, 4 + bare.length)).eql(Buffer.from([0xff, 0xe1]));
  });

  it('knows restarts and stuffed bytes within a scan, and segments between scans', () => {
    const scan = Buffer.from([1, 0xff, 0, 2, 0xff, 0xd0, 3, 0xff, 0xd7, 4]);
    const more = Buffer.concat([segment(0xfe, SECRET), segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])), scan]);
    const kept = Buffer.concat([segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])), scan]);
    expect(stripJpeg(jpegOf([], Buffer.concat([scan, more])))).eql(jpegOf([], Buffer.concat([scan, kept])));
  });

  const whole = jpegOf([APP(1, SECRET)]);
  it('wherever it is cut off it is refused, and nothing throws', () => {
    for (let end = 0; end < whole.length; end += 1)
      expect(stripJpeg(whole.subarray(0, end)), `${end}`).equal(undefined);
  });
  const WRONG: readonly (readonly [string, Buffer])[] = [
    ['no image', Buffer.from([0xff, 0xd8, 0xff, 0xd9])],
    ['a segment of length 1', Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 1, 0xff, 0xd9])],
    ['a page', Buffer.from('<html>')],
    ['a page behind the first bytes', Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.from('<html></html>')])],
    ['nothing', Buffer.alloc(0)],
  ];
  for (const [name, bytes] of WRONG) it(`refuses ${name}`, () => expect(stripJpeg(bytes)).equal(undefined));
});

describe('standards › image › whatever comes', () => {
  const exif = Buffer.from('Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1');
  for (const [name, strip, whole] of [
    ['JPEG', stripJpeg, jpegOf([APP(0, JFIF), APP(1, exif), segment(0xfe, SECRET)])],
    ['PNG', stripPng, pngOf([chunk('tEXt', SECRET)])],
  ] as const)
    it(`a ${name} with bytes changed at random is refused or stripped, and what is stripped stays as it is`, () => {
      let state = 20_261_122;
      const roll = (sides: number): number => {
        state = (state * 48_271) % 2_147_483_647; // Park and Miller
        return state % sides;
      };
      let taken = 0;
      for (let round = 0; round < 5000; round += 1) {
        const bytes = Buffer.from(whole);
        for (let n = roll(4) + 1; n > 0; n -= 1) bytes[roll(bytes.length)] = roll(256);
        const stripped = strip(bytes);
        if (!stripped) continue;
        taken += 1;
        expect(strip(stripped)).eql(stripped);
      }
      expect(taken, 'of both there are some').within(1, 4999);
    });
});

describe('standards › image › PNG', () => {
  for (const type of ['tEXt', 'zTXt', 'iTXt', 'eXIf', 'tIME', 'iCCP', 'prVt'])
    it(`loses ${type}, and the image stays byte for byte`, () => {
      expect(stripPng(pngOf([chunk(type, SECRET)]))).eql(pngOf([]));
    });
  it('loses what follows the end, and keeps what pixels need', () => {
    expect(stripPng(Buffer.concat([pngOf([]), SECRET]))).eql(pngOf([]));
    const needed = ['gAMA', 'cHRM', 'sRGB', 'pHYs'].map((type) => chunk(type, Buffer.alloc(4)));
    expect(stripPng(pngOf(needed))).eql(pngOf(needed));
  });
  const whole = pngOf([chunk('tEXt', SECRET)]);
  it('wherever it is cut off it is refused, and nothing throws', () => {
    for (let end = 0; end < whole.length; end += 1) expect(stripPng(whole.subarray(0, end)), `${end}`).equal(undefined);
  });
  const idat = chunk('IDAT', deflateSync(Buffer.from([0, 0])));
  const iend = chunk('IEND', Buffer.alloc(0));
  const ihdr = whole.subarray(8, 33);
  const WRONG: readonly (readonly [string, Buffer])[] = [
    ['no pixels', Buffer.concat([PNG_HEAD, ihdr, iend])],
    ['no head', Buffer.concat([PNG_HEAD, idat, iend])],
    ['two heads', Buffer.concat([PNG_HEAD, ihdr, ihdr, idat, iend])],
    ['a length beyond the end', Buffer.concat([PNG_HEAD, ihdr, Buffer.from([0xff, 0xff, 0xff, 0xff]), idat])],
    ['a JPEG', jpegOf([])],
  ];
  for (const [name, bytes] of WRONG) it(`refuses ${name}`, () => expect(stripPng(bytes)).equal(undefined));
  it('its own chunks are as they should be', () => {
    expect(whole.readUInt32BE(29)).equal(crc32(whole.subarray(12, 29)));
  });
});
