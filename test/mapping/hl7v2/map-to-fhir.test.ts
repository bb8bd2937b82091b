import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { isSupportedEvent, mapToFhir } from '../../../src/mapping/hl7v2/map-to-fhir.ts';
import type { TransactionBundle } from '../../../src/mapping/transaction-bundle.ts';
import { formatJson, parseJson } from '../../../src/standards/fhir/json.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { createValidator, type Validator } from '../../../src/standards/fhir/validation/validator.ts';
import { kindOf, type Message } from '../../../src/standards/hl7v2/message.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import type { Mapped } from '../../../src/standards/mapped.ts';
import { NEEDS_SAMPLES, publishedFolder, publishedMessages } from '../../standards/hl7v2/samples.ts';
import { testDefinitions } from '../../support/definitions.ts';

const FIXTURES = new URL('../../../fixtures/hl7v2/', import.meta.url);
const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };
/** `UPDATE_GOLDEN=1` writes what is mapped now; the commit explains each change. */
const isUpdating = process.env['UPDATE_GOLDEN'] === '1';
const FUZZ_RUNS = { quick: 300, ci: 2000, long: 50_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 300;

const map = (message: Message): Mapped<TransactionBundle> => mapToFhir(message, CONTEXT);
const read = (bytes: Buffer): Message | undefined => parseMessage(bytes).value;

describe('hl7v2 › map to FHIR', () => {
  let validate: Validator;
  before(() => {
    validate = createValidator(testDefinitions());
  });
  /** As it comes out: through JSON, with numbers as they are written. */
  const faultsOf = (bundle: TransactionBundle): readonly unknown[] => validate(parseJson(formatJson(bundle)));

  describe('golden', () => {
    for (const name of readdirSync(FIXTURES).filter((file) => file.endsWith('.hl7')))
      it(name, () => {
        const message = read(readFileSync(new URL(name, FIXTURES)));
        expect(message).not.equal(undefined);
        const { value, issues } = map(message as Message);
        if (value !== undefined) expect(faultsOf(value)).eql([]);
        const text = `${formatJson({ issues, bundle: value ?? null }, true)}\n`;
        const golden = new URL(name.replace('.hl7', '.fhir.json'), FIXTURES);
        if (isUpdating) writeFileSync(golden, text);
        expect(text).equal(readFileSync(golden, 'utf8'));
      });
  });

  describe('published messages of supported events', () => {
    if (publishedFolder === undefined) it(NEEDS_SAMPLES);
    const mapped = new Map<string, { passed: number; of: number }>();
    after(() => {
      for (const [kind, { passed, of }] of [...mapped].toSorted())
        console.log(`      ${kind.padEnd(10)} ${String(passed).padStart(3)} of ${of}`);
    });
    for (const { name, bytes } of publishedMessages()) {
      const message = read(bytes);
      if (message === undefined) continue;
      const count = mapped.get(kindOf(message)) ?? { passed: 0, of: 0 };
      mapped.set(kindOf(message), { ...count, of: count.of + 1 });
      if (!isSupportedEvent(kindOf(message))) continue;
      it(name, () => {
        const { value, issues } = map(message);
        expect(value !== undefined || issues.some(isError)).equal(true);
        if (value === undefined) return;
        expect(faultsOf(value)).eql([]);
        // Results are as many as there are; nothing else is there more often than it is named.
        expect(value.entry.length).lessThan(60 + message.all('OBX').length);
        expectOneEach(value);
        expect(map(message), 'the same message gives the same').eql({ value, issues });
        expectNoValues(message, issues.map((i) => `${i.diagnostics} ${i.expression?.join(' ')}`).join('\n'));
        const { passed, of } = mapped.get(kindOf(message)) ?? { passed: 0, of: 0 };
        mapped.set(kindOf(message), { passed: passed + 1, of });
      });
    }
  });

  it('any bytes map or are refused, and nothing is thrown', function () {
    this.timeout(20 * 60_000);
    const seeds = readdirSync(FIXTURES)
      .filter((file) => file.endsWith('.hl7'))
      .map((file) => readFileSync(new URL(file, FIXTURES)));
    const byte = fc.oneof(fc.constantFrom(...Buffer.from('|^~\\&"\r\nMSH0PID')), fc.integer({ min: 0, max: 255 }));
    const change = fc.record({
      at: fc.nat(9999),
      cut: fc.nat(3),
      put: fc.array(byte, { maxLength: 6 }),
    });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { minLength: 1, maxLength: 8 }), (seed, changes) => {
        let bytes = seed;
        for (const { at, cut, put } of changes) {
          const place = Math.floor((at / 10_000) * bytes.length);
          bytes = Buffer.concat([bytes.subarray(0, place), Buffer.from(put), bytes.subarray(place + cut)]);
        }
        const message = read(bytes);
        if (message === undefined) return;
        const { value, issues } = map(message);
        if (value === undefined) expect(issues.some(isError)).equal(true);
        else expect(faultsOf(value)).eql([]);
      }),
      { numRuns: FUZZ_RUNS },
    );
  });
});

/** One entry for each identifier of a type: no thing is there twice. */
function expectOneEach({ entry }: TransactionBundle): void {
  const seen = new Set<string>();
  for (const { resource, fullUrl } of entry) {
    expect(seen.has(fullUrl)).equal(false);
    seen.add(fullUrl);
    const [first] = (resource['identifier'] ?? []) as readonly { system?: string; value?: string }[];
    const key = `${resource.resourceType} ${first?.system} ${first?.value}`;
    expect(seen.has(key), key).equal(false);
    seen.add(key);
  }
}

/** Names, numbers and addresses of the patient are in no issue. */
function expectNoValues(message: Message, text: string): void {
  const pid = message.find('PID');
  for (const n of [3, 5, 7, 11, 13])
    for (const part of pid?.field(n).repetitions ?? [])
      for (const component of part.parts) if (component.value.length > 4) expect(text).not.include(component.value);
}
