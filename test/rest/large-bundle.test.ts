/** Large Bundles are read entry by entry, to what the reader of whole texts reads and refuses. SECURITY RL-43, IN-01 */
import { expect } from 'chai';
import fc from 'fast-check';
import { openLargeBundle, readLargeBundle } from '../../src/rest/large-bundle.ts';
import { formatJson, parseJson } from '../../src/standards/fhir/json.ts';
import { FhirError } from '../../src/standards/fhir/outcome.ts';

/** What comes of it: the value with every digit, or the words of the refusal. */
const whole = (text: Buffer): unknown => {
  try {
    return formatJson(parseJson(text));
  } catch (error) {
    return error instanceof FhirError ? error.issues : error;
  }
};
const inParts = (text: Buffer): Promise<unknown> =>
  readLargeBundle(text).then(formatJson, (error: unknown) => (error instanceof FhirError ? error.issues : error));

/** The same of a Bundle whose resources stay text, put together again. */
async function late(text: Buffer): Promise<unknown> {
  const opened = await openLargeBundle(text);
  if (!opened) return whole(text);
  try {
    const { entry, ...frame } = opened.value as { readonly entry: readonly object[] };
    const entries = entry.map((one, i) => ({
      ...one,
      ...(opened.hasResource(i) && { resource: opened.resourceAt(i) }),
    }));
    return formatJson({ ...frame, entry: entries });
  } catch (error) {
    return error instanceof FhirError ? error.issues : error;
  }
}
/** Members are compared without their order, as resources are put back at the end. */
const sorted = (value: unknown): unknown => JSON.stringify(typeof value === 'string' ? order(parseJson(value)) : value);
function order(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(order);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([k, v]) => [k, order(v)]),
  );
}

const CASES: readonly string[] = [
  '{"resourceType":"Bundle","entry":[{"fullUrl":"u","resource":{"a":[1.00,{"c":"}]"}]},"request":{"url":"x"}},{"request":{}}]}',
  '{"entry":[{"resource":{},"x":{"resource":{"b":1}}},{"x":{"resource":{"c":1}}},{"x":"resource","y":"resource"}]}',
  '{"entry":[{"resource" \n: [{"a":1}]},{"resource":"x"},{"resource":null},{"resource":1.50}]}',
  '{"entry":[{"\\u0072esource":{"a":1}}]}',
  '{"entry":[{"resource":{"a":1},"resource":{"b":1}}]}',
  '{"entry":[{"resource":{"a":1},"\\u0072esource":{"b":1}}]}',
  '{"entry":[{"resource":{"a":1,"a":2}}]}',
  '{"entry":[{"resource":{"a":01}},{"resource":{"b":}}]}',
  '{"entry":[{"resource":{"a":1]},{"resource":{"b":2}}]}',
  '{"entry":[{"resource":{"a":1}}},{"resource":{"b":2}}]}',
  '{"entry":[{"resource":{"__proto__":{}}}]}',
  '{"entry":[{"resource":{"a":"\\ud83d"}}]}',
  `{"entry":[{"resource":${'{"a":'.repeat(61)}1${'}'.repeat(61)}}]}`,
  `{"entry":[{"resource":${'{"a":'.repeat(62)}1${'}'.repeat(62)}}]}`,
  '{"resourceType":"Bundle","type":"batch","entry":[{"a":1},{"b":[1.00,{"c":"}]"}]}],"total":2.50}',
  ' { "entry" : [ ] , "x" : 1 } ',
  '{"entry":[\n{"a":"\\"],{\\\\"} ,\t{"entry":[{"inner":1}]}\r]}',
  '{"x":{"entry":[{"not":"this"}]},"entry":[{"this":1}]}',
  '{"x":"entry","entry":[{"a":1}]}',
  '{"x":["entry",{"entry":[1]}],"y":1}',
  '\ufeff{"entry":[{"a":1}]}',
  '{"\\u0065ntry":[{"a":1}]}',
  '{"entry":[{"é":"薬 \\ud83d\\ude00"},{"b":12345678901234567.10}]}',
  // What is refused, and where it is.
  '{"entry":[{"a":1},]}',
  '{"entry":[,{"a":1}]}',
  '{"entry":[{"a":1}{"b":1}]}',
  '{"entry":[{"a":1},,{"b":1}]}',
  '{"entry":[{"a":1}] "x":1}',
  '{"entry":[{"a":1}]',
  '{"entry":[{"a":1}',
  '{"entry":[{"a":1]]}',
  '{"entry":[{"a":1,"a":2}]}',
  '{"entry":[{"a":1}],"entry":[{"b":1}]}',
  '{"entry":[{"a":1}],"\\u0065ntry":[{"b":1}]}',
  '{"entry":[{"__proto__":{}}]}',
  '{"entry":[{"a":"\\ud83d"}]}',
  '{"entry":[{"a":01}]}',
  '{"entry":[1,{"a":1}]}',
  '{"entry":["x",{"a":1}]}',
  '{"entry":[[{"a":1}]]}',
  '{"entry":[null]}',
  '{"entry":{"a":1}}',
  '{"entry":"x"}',
  '{"entry"}',
  '{"entry":[{"a":1}]}}',
  '{"entry":[{"a":1}]} x',
  '[{"entry":[{"a":1}]}]',
  '"entry"',
  '',
  `{"entry":[${'{"a":'.repeat(62)}1${'}'.repeat(62)}]}`,
  `{"entry":[${'{"a":'.repeat(63)}1${'}'.repeat(63)}]}`,
];

describe('large bundles', () => {
  for (const text of CASES)
    it(`${JSON.stringify(text.slice(0, 70))} as a whole`, async () => {
      const bytes = Buffer.from(text);
      expect(await inParts(bytes)).deep.equal(whole(bytes));
      expect(sorted(await late(bytes))).equal(sorted(whole(bytes)));
    });

  it('bytes that are no UTF-8 are refused as in a whole', async () => {
    const bytes = Buffer.concat([Buffer.from('{"entry":[{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}]}')]);
    expect(await inParts(bytes)).deep.equal(whole(bytes));
  });

  it('any values, cut or changed anywhere', async () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.array(fc.string())), fc.constant(null));
    const resource = fc.oneof(fc.record({ a: value, resource: value }, { requiredKeys: [] }), value);
    const entry = fc.record({ a: value, entry: value, '"': value, resource }, { requiredKeys: [] });
    await fc.assert(
      fc.asyncProperty(fc.array(entry), value, fc.nat(), fc.nat(), async (entries, rest, at, how) => {
        const text = Buffer.from(JSON.stringify({ a: rest, entry: entries, b: rest }));
        if (how % 3 === 1) text[at % text.length] = '{}[],:"\\ 1'.charCodeAt(how % 10);
        const bytes = how % 3 === 2 ? text.subarray(0, at % text.length) : text;
        expect(await inParts(bytes)).deep.equal(whole(bytes));
        expect(sorted(await late(bytes))).equal(sorted(whole(bytes)));
      }),
      { numRuns: 500 },
    );
  });

  it('[RL-43] others have their turn while it is read', async () => {
    const entries = Array.from({ length: 4000 }, (_, i) => `{"resource":{"id":"${i}","text":"${'x'.repeat(1000)}"}}`);
    const bytes = Buffer.from(`{"resourceType":"Bundle","entry":[${entries.join(',')}]}`);
    let turns = 0;
    let isReading = true;
    const count = (): void => {
      turns += 1;
      if (isReading) setImmediate(count);
    };
    setImmediate(count);
    const value = (await readLargeBundle(bytes)) as { entry: unknown[] };
    isReading = false;
    expect(value.entry.length).equal(entries.length);
    expect(turns).above(bytes.length / 128 / 1024);
  });
});
