/** Cutting ndjson into pieces of whole lines. */
import { expect } from 'chai';
import { FhirError } from '../../../src/standards/fhir/outcome.ts';
import { cutLines, linesOf } from '../../../src/workflow/bulk/lines.ts';

describe('lines of ndjson', () => {
  const text = 'one\ntwo\r\n\nthree, which is longer\n4';
  const LINES = ['one', 'two\r', '', 'three, which is longer', '4'];
  async function cut(body: string, chunk: number, pieceBytes: number, lineBytesMax = 1000) {
    async function* chunks(): AsyncIterable<Buffer> {
      const bytes = Buffer.from(body);
      for (let at = 0; at < bytes.length; at += chunk) yield bytes.subarray(at, at + chunk);
    }
    return Array.fromAsync(cutLines(chunks(), { pieceBytes, lineBytesMax }));
  }

  for (const chunk of [1, 2, 3, 7, 1000])
    for (const pieceBytes of [1, 5, 10, 1000])
      it(`chunks of ${chunk}, pieces of ${pieceBytes}: every line, whole and in order`, async () => {
        for (const [body, lines] of [
          [text, LINES],
          [`${text}\n`, LINES],
        ] as const) {
          const pieces = await cut(body, chunk, pieceBytes);
          expect(Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()).equal(body);
          expect(pieces.flatMap(({ bytes }) => linesOf(bytes).map(String))).deep.equal(lines);
          expect(pieces.map(({ count }) => count)).deep.equal(pieces.map(({ bytes }) => linesOf(bytes).length));
        }
      });

  for (const [body, status] of [
    ['', 400],
    [`a\n${'b'.repeat(50)}`, 413],
    ['b'.repeat(50), 413],
  ] as const)
    it(`${body.length} bytes without an end of a line: ${status}`, async () => {
      const error = await cut(body, 3, 4, 20).catch((thrown: unknown) => thrown);
      expect(error).instanceOf(FhirError);
      expect((error as FhirError).status).equal(status);
    });
});
