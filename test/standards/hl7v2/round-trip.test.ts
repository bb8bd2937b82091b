/** Messages are written again from their parts as they came, and what was cut from them is told. */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { convert } from '../../../src/mapping/convert.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { findDifference } from '../../../src/standards/hl7v2/round-trip.ts';
import { fixture, NEEDS_SAMPLES, publishedFolder, publishedMessages } from './samples.ts';

const FIXTURES = new URL('../../../fixtures/hl7v2/', import.meta.url);
const REQUEST = {
  source: 'hl7v2',
  mode: 'check',
  at: 0,
  headers: {},
  timeZone: 'UTC',
  epsToAsid: '',
  newId: () => '',
} as const;

describe('hl7v2 › written again', () => {
  for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.hl7')))
    it(name, () => {
      const bytes = fixture(name.slice(0, -4));
      const message = parseMessage(bytes).value;
      if (message !== undefined) expect(findDifference(message, bytes)).equal(undefined);
    });

  it('any text between delimiters', () => {
    const text = fc.string({ unit: fc.constantFrom('|', '^', '~', '&', '\\', 'A', '"', ' ', 'é'), maxLength: 60 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 5 }), (lines) => {
        const bytes = Buffer.from(
          `MSH|^~\\&|A|B|||20260302||ADT^A08|1|P|2.5\r${lines.map((line) => `ZZ1|${line}\r`).join('')}`,
        );
        const message = parseMessage(bytes).value;
        expect(message && findDifference(message, bytes)).equal(undefined);
      }),
    );
  });

  it('bytes that are not of the character set are told', () => {
    const bytes = fixture('own-uk-a01');
    const broken = Buffer.concat([bytes.subarray(0, bytes.length - 2), Buffer.from([0xff]), bytes.subarray(-2)]);
    const { value, issues } = convert({ ...REQUEST, content: broken });
    expect(value).equal(undefined);
    expect(issues.some(({ diagnostics }) => diagnostics?.includes(`byte ${bytes.length - 2} differs`))).equal(true);
  });

  it('convert --check says so', () => {
    const { value } = convert({ ...REQUEST, content: fixture('own-uk-a01') });
    expect(value?.text).contain('byte for byte');
  });

  if (publishedFolder === undefined) it(NEEDS_SAMPLES);
  else
    it('every published message, but those whose bytes are not what they say', () => {
      const faults: string[] = [];
      for (const { name, bytes } of publishedMessages()) {
        const message = parseMessage(bytes).value;
        if (message !== undefined && findDifference(message, bytes) !== undefined) faults.push(name);
      }
      expect(faults).eql(['awk-invalid-utf8', 'awk-iso2022jp']);
    });
});
