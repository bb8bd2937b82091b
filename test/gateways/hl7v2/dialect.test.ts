import { expect } from 'chai';
import fc from 'fast-check';
import type { Verdict } from '../../../src/gateways/dialect.ts';
import { hl7v2Dialect } from '../../../src/gateways/hl7v2/dialect.ts';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { parseMessage } from '../../../src/standards/hl7v2/parse.ts';
import { fixture, header } from '../../standards/hl7v2/samples.ts';

const CONTEXT = { receivedAt: Date.UTC(2026, 2, 2, 10, 20), timeZone: 'Europe/London' };
const newId = () => '0b7a1d5e-1111-4222-8333-123456789abc';

/** As the way in does it: read, accept, translate, answer. */
function answerTo(raw: Buffer): string[] {
  const read = hl7v2Dialect.read(raw);
  const answer = hl7v2Dialect.answer(read, verdictOn(read), CONTEXT.receivedAt, newId).toString();
  const { value } = parseMessage(Buffer.from(answer));
  const [first] = value?.all('ERR') ?? [];
  return [value?.value('MSA-1'), value?.value('MSA-2'), first?.field(2).raw, first?.value(3), first?.field(1).raw].map(
    (v) => v ?? '',
  );
}

function verdictOn(read: ReturnType<typeof hl7v2Dialect.read>): Verdict {
  if (read.message === undefined) return { kind: 'rejected', issues: read.issues };
  const refusal = hl7v2Dialect.accepts(read.message);
  if (refusal !== undefined) return refusal;
  const { value, issues } = hl7v2Dialect.translate(read.message, CONTEXT);
  const all = [...read.issues, ...issues];
  return value === undefined || all.some(isError)
    ? { kind: 'rejected', issues: all }
    : { kind: 'applied', issues: all };
}

/** The same in version 2.5.1, whose ERR says more. */
const newer = (name: string): Buffer =>
  Buffer.from(fixture(name).toString('latin1').replace('|P|2.4', '|P|2.5.1'), 'latin1');

describe('hl7v2 › dialect', () => {
  it('the envelope: kind, number, parties, correlation', () => {
    expect(hl7v2Dialect.read(fixture('own-uk-a01')).envelope).eql({
      kind: 'ADT^A01',
      controlId: 'OWN-A01-1',
      sender: 'PAS|RXX',
      receiver: 'GATEWAY|RXX01',
    });
    const ack = hl7v2Dialect.read(Buffer.from('MSH|^~\\&|A||||||ACK|9|P|2.5\rMSA|AA|OWN-A01-1\r')).envelope;
    expect(ack).eql({ kind: 'ACK', controlId: '9', sender: 'A|', correlation: 'OWN-A01-1' });
    expect(hl7v2Dialect.read(Buffer.from('MSH|^~\\&|\r')).envelope).eql({ kind: 'unknown' });
    expect(hl7v2Dialect.read(Buffer.from('hello')).envelope).eql({ kind: 'unknown' });
  });

  describe('the hash', () => {
    const hash = (text: string): string => hl7v2Dialect.read(Buffer.from(text)).hash.toString('hex');
    const text = `${header('ADT^A08')}|7\rPID|1||7\r`;
    it('is the same when only MSH-7 and MSH-13 are', () => {
      expect(hash(text.replace('20260302101500', '20270101').replace('|2.4|7', '|2.4|8'))).equal(hash(text));
    });
    for (const [what, changed] of [
      ['the body', text.replace('||7', '||8')],
      ['the control id', text.replace('MSG-1', 'MSG-2')],
      ['a line end', text.replace('7\r', '7\n')],
      ['a segment', `${text}ZZZ|1\r`],
    ] as const)
      it(`differs when ${what} does`, () => expect(hash(changed)).not.equal(hash(text)));
    it('is there for what is no message', () => expect(hash('hello')).not.equal(hash('hallo')));
  });

  describe('answers', () => {
    for (const [name, raw, expected] of [
      ['A01', fixture('own-uk-a01'), ['AA', 'OWN-A01-1', '', '', '']],
      ['null fields', fixture('own-uk-a31-null'), ['AA', 'OWN-A31-1', '', '', '']],
      ['a wrong NHS number', newer('own-uk-a28-badnhs'), ['AA', 'OWN-A28-2', 'PID^1^3^1^1', '0', '']],
      ['no PID', newer('awk-missing-pid'), ['AE', 'AWK-19', 'PID', '100', '']],
      [
        'no PID, in version 2.4',
        fixture('awk-missing-pid'),
        ['AE', 'AWK-19', '', '', 'PID^^^100&Segment sequence error&HL70357'],
      ],
      ['no identifier', newer('awk-pid-without-id'), ['AE', 'AWK-20', 'PID^1^3', '101', '']],
      ['no control id', newer('awk-no-control-id'), ['AE', '', 'MSH^1^10', '101', '']],
      ['an unknown event', newer('awk-unknown-event'), ['AR', 'AWK-22', 'MSH^1^9^1^2', '201', '']],
      ['an unknown type', newer('awk-unknown-type'), ['AR', 'AWK-23', 'MSH^1^9^1^1', '200', '']],
      [
        'an unknown processing id',
        Buffer.from(header('ADT^A08', '2.5').replace('|P|', '|X|')),
        ['AR', 'MSG-1', 'MSH^1^11', '202', ''],
      ],
      ['what is no message', Buffer.from('hello'), ['AR', '', 'MSH', '100', '']],
      [
        'bad encoding characters',
        Buffer.from('MSH|^^^^|A|B|||2026||ADT^A08|7|P|2.5\r'),
        ['AR', '7', 'MSH^1^2', '102', ''],
      ],
    ] as const)
      it(name, () => {
        const found = answerTo(raw);
        // Numbers of fixtures are their own business.
        expect([found[0], ...found.slice(2)]).eql([expected[0], ...expected.slice(2)]);
        expect(found[1]).equal(hl7v2Dialect.read(raw).envelope.controlId ?? expected[1]);
      });

    it('version 9.9 is refused with 203', () => {
      const raw = fixture('awk-version-9');
      expect(answerTo(raw).slice(0, 1)).eql(['AR']);
      expect(verdictOn(hl7v2Dialect.read(raw))).deep.include({ kind: 'refused', reason: 'version' });
    });

    for (const [verdict, code, error] of [
      [{ kind: 'conflict', issues: [{ severity: 'error', code: 'duplicate', diagnostics: 'x' }] }, 'AE', '205'],
      [{ kind: 'rejected', issues: [{ severity: 'error', code: 'multiple-matches', diagnostics: 'x' }] }, 'AE', '204'],
      [{ kind: 'unavailable', issues: [{ severity: 'error', code: 'conflict', diagnostics: 'x' }] }, 'AR', '206'],
      [{ kind: 'unavailable', issues: [{ severity: 'error', code: 'transient', diagnostics: 'x' }] }, 'AR', '207'],
      [
        { kind: 'refused', reason: 'partner', issues: [{ severity: 'error', code: 'forbidden', diagnostics: 'x' }] },
        'AR',
        '204',
      ],
      [
        { kind: 'refused', reason: 'size', issues: [{ severity: 'error', code: 'too-long', diagnostics: 'x' }] },
        'AR',
        '104',
      ],
    ] as const)
      it(`${verdict.kind} ${verdict.issues[0].code} is ${code} ${error}`, () => {
        const read = hl7v2Dialect.read(newer('own-uk-a01'));
        const { value } = parseMessage(hl7v2Dialect.answer(read, verdict as Verdict, 0, newId));
        expect([value?.value('MSA-1'), value?.value('ERR-3')]).eql([code, error]);
      });

    it('notes are not sent', () => {
      const read = hl7v2Dialect.read(newer('own-uk-a01'));
      const issues = [{ severity: 'information', code: 'informational', diagnostics: 'x' }] as const;
      expect(hl7v2Dialect.answer(read, { kind: 'applied', issues }, 0, newId).toString()).not.match(/ERR/);
    });
  });

  it('any bytes get an answer that can be read', function () {
    this.timeout(20 * 60_000);
    const seeds = ['own-uk-a01', 'awk-custom-delims', 'own-omp-o09-dmd', 'awk-version-9'].map(fixture);
    const byte = fc.oneof(fc.constantFrom(...Buffer.from('|^~\\&"\r\nMSH0')), fc.integer({ min: 0, max: 255 }));
    const change = fc.record({ at: fc.nat(300), cut: fc.nat(3), put: fc.array(byte, { maxLength: 6 }) });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), fc.array(change, { maxLength: 6 }), (seed, changes) => {
        let raw = seed;
        for (const { at, cut, put } of changes)
          raw = Buffer.concat([raw.subarray(0, at), Buffer.from(put), raw.subarray(at + cut)]);
        const read = hl7v2Dialect.read(raw);
        const answer = parseMessage(hl7v2Dialect.answer(read, verdictOn(read), 0, newId));
        expect(answer.value?.value('MSA-1')).match(/^A[AER]$/);
        if (read.message !== undefined) hl7v2Dialect.describe(read.message);
      }),
      { numRuns: { quick: 500, ci: 3000, long: 50_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 500 },
    );
  });

  it('describes a message by places; null is null', () => {
    const { message } = hl7v2Dialect.read(Buffer.from(`${header('ADT^A31')}\rPID|1||7^^^A&1.2&ISO~8||""|x\\T\\y\r`));
    expect(message && hl7v2Dialect.describe(message)).deep.include({
      segment: 'PID',
      values: {
        'PID-1': '1',
        'PID-3.1': '7',
        'PID-3.4.1': 'A',
        'PID-3.4.2': '1.2',
        'PID-3.4.3': 'ISO',
        'PID-3[2]': '8',
        'PID-5': null,
        'PID-6': 'x&y',
      },
    });
  });
});
