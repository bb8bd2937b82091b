/** Against hl7-standard, where it does what the standard says: the usual delimiters, no escapes, CR. */
import { createRequire } from 'node:module';
import { expect } from 'chai';
import type { Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { NEEDS_SAMPLES, publishedFolder, publishedMessages } from './samples.ts';

/** It has no types of its own. */
const HL7 = createRequire(import.meta.url)('hl7-standard') as new (
  text: string,
) => {
  transform(): void;
  get(path: string): unknown;
};

/** Paths at which the two can be compared: the first repetition of fields of the first segment of each name. */
function* pathsOf(message: Message): Generator<readonly [theirs: string, ours: string]> {
  for (const segment of message.segments) {
    if (segment.occurrence > 1 || segment.id === 'MSH') continue;
    for (let n = 1; n <= segment.fieldCount; n++) {
      const field = segment.field(n);
      if (field.repetitions.length > 1 || field.raw.includes('&')) continue;
      const { parts } = field.at(1);
      if (parts.length === 1) yield [`${segment.id}.${n}`, `${segment.id}.${n}`];
      else for (let c = 1; c <= parts.length; c++) yield [`${segment.id}.${n}.${c}`, `${segment.id}.${n}.${c}`];
    }
  }
}

describe('hl7v2 › the same as hl7-standard', () => {
  if (publishedFolder === undefined) it(NEEDS_SAMPLES);
  let compared = 0;
  for (const { name, bytes } of publishedMessages()) {
    const text = bytes.toString('utf8');
    const { value } = parseMessage(bytes);
    const usual =
      text.startsWith('MSH|^~\\&|') && !text.slice(9).includes('\\') && !/[^\r]\n|[^\x20-\x7e\r]/.test(text);
    if (value === undefined || !usual || /control|truncated|long-field|5000|lowercase/.test(name)) continue;
    it(name, () => {
      const theirs = new HL7(text);
      theirs.transform();
      for (const [path, own] of pathsOf(value)) {
        const found: unknown = theirs.get(path);
        if (typeof found !== 'string') continue;
        const ours = value.at(own);
        expect(ours?.raw.trim(), path).equal(found.trim());
        compared++;
      }
    });
  }
  after(() => {
    if (publishedFolder !== undefined) expect(compared).greaterThan(2000);
  });
});
