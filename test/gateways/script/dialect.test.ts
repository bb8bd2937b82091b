import { expect } from 'chai';
import type { Verdict } from '../../../src/gateways/dialect.ts';
import { createScriptDialect } from '../../../src/gateways/script/dialect.ts';
import { isError, issue } from '../../../src/standards/fhir/outcome.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { elementsNamed, findText } from '../../../src/standards/script/message.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import {
  MUTATIONS,
  mutate,
  publishedSamples,
  SAMPLES_NEEDED,
  scriptFixture,
  scriptFixtureNames,
} from '../../standards/script/samples.ts';

const AT = Date.UTC(2026, 0, 15, 16, 31);
const newId = (): string => '0198c5f2-7b1e-7c3a-9d7e-1a2b3c4d5e6f';
const dialect = createScriptDialect();
const APPLIED: Verdict = { kind: 'applied', issues: [] };

/** Kind, code, description codes and description of the answer, which must be sound itself. */
function answered(fixture: string | Buffer, verdict: Verdict) {
  const read = dialect.read(typeof fixture === 'string' ? scriptFixture(fixture) : fixture);
  const { message } = readScript(dialect.answer(read, verdict, AT, newId));
  if (!message) return undefined;
  expect(checkStructure(message).filter(isError)).deep.equal([]);
  return {
    kind: message.kind,
    code: findText(message.transaction, 'Code'),
    descriptions: elementsNamed(message.transaction, 'DescriptionCode').map((one) => one.children.join('')),
    description: findText(message.transaction, 'Description'),
    relatesTo: message.header.relatesToMessageId,
    to: message.header.to?.address,
  };
}

/** What the shared way in decides of a message without partners and store. */
function judged(raw: Buffer): Verdict {
  const { message, issues } = dialect.read(raw);
  if (!message) return { kind: 'rejected', issues };
  const refusal = dialect.accepts(message);
  if (refusal) return refusal;
  const translated = dialect.translate(message, { receivedAt: AT, timeZone: 'UTC' });
  const all = [...issues, ...translated.issues];
  return { kind: all.some(isError) ? 'rejected' : 'applied', issues: all };
}

const PASSWORDS = '<Request><OldPassword>a</OldPassword><NewPassword>b</NewPassword></Request>';

describe('gateways › script › dialect', () => {
  it('the envelope names kind, ids and parties, and no patient', () => {
    expect(dialect.read(scriptFixture('newrx-basic')).envelope).deep.equal({
      kind: 'NewRx',
      controlId: 'OWN0001A7F3C9D1',
      sender: 'D:6301875277001',
      receiver: 'P:0300123',
    });
    expect(dialect.read(scriptFixture('cancelrx')).envelope.correlation).equal('OWN0001A7F3C9D1');
    expect(dialect.read(Buffer.from('hello')).envelope).deep.equal({ kind: 'unknown' });
  });

  it('the hash is that of the message: not of white space, prefixes or the time of sending', () => {
    const text = scriptFixture('newrx-basic').toString();
    const hashOf = (content: string): string => dialect.read(Buffer.from(content)).hash.toString('hex');
    const same = hashOf(text);
    expect(hashOf(text.replaceAll('><', '>\n<'))).equal(same);
    expect(hashOf(text.replace('16:30:00Z', '16:35:00Z'))).equal(same);
    expect(hashOf(text.replace('<Value>30', '<Value>31'))).not.equal(same);
    expect(dialect.read(scriptFixture('edge-messageid-reused')).hash.toString('hex')).not.equal(same);
    expect(hashOf('hello')).not.equal(hashOf('hallo'));
  });

  for (const [title, fixture, verdict, expected] of [
    ['applied', 'newrx-basic', APPLIED, ['Status', '010', []]],
    ['unavailable', 'newrx-basic', { kind: 'unavailable', issues: [] }, ['Error', '602', []]],
    ['conflict', 'newrx-basic', { kind: 'conflict', issues: [] }, ['Error', '900', ['220']]],
    [
      'unknown partner',
      'newrx-basic',
      { kind: 'refused', reason: 'partner', issues: [issue('forbidden', 'no')] },
      ['Error', '900', ['001']],
    ],
    ['too large', 'newrx-basic', { kind: 'refused', reason: 'size', issues: [] }, ['Error', '601', []]],
  ] as const satisfies readonly (readonly [string, string, Verdict, unknown])[])
    it(`${title}: ${expected.join(' ')}`, () => {
      const answer = answered(fixture, verdict);
      expect([answer?.kind, answer?.code, answer?.descriptions]).deep.equal(expected);
      expect([answer?.relatesTo, answer?.to]).deep.equal(['OWN0001A7F3C9D1', '6301875277001']);
    });

  for (const [fixture, code, descriptions, description] of [
    ['newrx-basic', '010', [], undefined],
    ['newrx-ns-prefix', '010', [], undefined],
    ['v106-newrx', '010', [], undefined],
    ['v2023-newrx', '010', [], undefined],
    ['bad-missing-lastname', '900', ['081'], 'Name LastName is missing'],
    ['bad-element-order', '900', ['135', '126'], 'MedicationPrescribed Quantity is out of its place'],
    ['bad-two-transactions', '900', ['034'], 'Message Body must hold exactly one transaction, and holds 2'],
    ['edge-unsupported-version', '900', ['021'], 'The SCRIPT version is not supported: send 2017071'],
    ['cancelrx', '010', [], undefined],
    ['rxfill-partial', '010', [], undefined],
    ['bad-unknown-transaction', '900', ['034'], 'FooRx is not supported'],
  ] as const)
    it(`${fixture} is answered with ${code} ${descriptions.join(' ')}`, () => {
      const raw = scriptFixture(fixture);
      const answer = answered(raw, judged(raw));
      expect([answer?.code, answer?.descriptions, answer?.description]).deep.equal([code, descriptions, description]);
    });

  for (const name of [
    'PANotification',
    'Census',
    'PasswordChange',
    'MTMServiceRequest',
    'MTMServiceDocumentation',
    'ClinicalInfoRequest',
    'CFRxOrderRequest',
  ])
    it(`${name} is known by name, and answered with 900 034: there is no public model to read it by`, () => {
      const text = scriptFixture('newrx-basic').toString();
      const content = name === 'PasswordChange' ? PASSWORDS : '<Anything>1</Anything>';
      const raw = Buffer.from(text.replace(/<NewRx>.*<\/NewRx>/s, `<${name}>${content}</${name}>`));
      const { message, issues, envelope } = dialect.read(raw);
      expect([message?.kind, envelope.kind, issues]).deep.equal([name, name, []]);
      const answer = answered(raw, judged(raw));
      expect([answer?.kind, answer?.code, answer?.descriptions]).deep.equal(['Error', '900', ['034']]);
      expect(answer?.description).equal(`${name} is not supported`);
    });

  it('a lenient partner’s elements out of order are warnings', () => {
    const { issues } = createScriptDialect({ strictness: 'lenient' }).read(scriptFixture('bad-element-order'));
    expect(issues.map(({ severity }) => severity)).deep.equal(['warning', 'warning']);
  });

  for (const fixture of ['status-010', 'error-900', 'verify-010'])
    it(`${fixture} is never answered`, () => {
      expect(dialect.answer(dialect.read(scriptFixture(fixture)), APPLIED, AT, newId).length).equal(0);
    });

  it('a document that breaks after its header is answered to its sender', () => {
    const raw = scriptFixture('bad-truncated');
    expect(answered(raw, judged(raw))).include({ kind: 'Error', code: '900', to: '6301875277001' });
  });

  it('a document type is answered without a word of it', () => {
    const raw = scriptFixture('bad-xxe');
    expect(answered(raw, judged(raw))).include({ kind: 'Error', code: '900', relatesTo: '0', to: 'UNKNOWN' });
  });

  it('no Error holds a value of the patient', () => {
    for (const name of scriptFixtureNames()) {
      const raw = scriptFixture(name);
      const answer = dialect.answer(dialect.read(raw), judged(raw), AT, newId).toString();
      expect(answer, name).not.match(/Okafor|Imani|1987-03-14|Juniper|MRN-100234|thirty/);
    }
  });

  it('is described as JSON, without credentials and SocialSecurity', () => {
    const text = scriptFixture('newrx-basic')
      .toString()
      .replace('<SenderSoftware>', '<Security><UsernameToken/></Security><SenderSoftware>');
    const { message } = dialect.read(Buffer.from(text));
    const described = message && (dialect.describe(message) as Record<string, Record<string, unknown>>);
    expect(Object.keys(described?.['Header'] ?? {})).deep.equal([
      'To',
      'From',
      'MessageID',
      'SentTime',
      'SenderSoftware',
      'PrescriberOrderNumber',
    ]);
    expect(JSON.stringify(described)).include('"DrugDescription":"Lisinopril 10 mg tablet"');
  });

  it(`${MUTATIONS} mutations are answered or have no answer, and never throw`, function () {
    this.timeout(120_000);
    const names = scriptFixtureNames();
    for (let seed = 0; seed < MUTATIONS; seed += 1) {
      const raw = mutate(scriptFixture(names[seed % names.length] ?? ''), seed + 1_000_000, 2);
      const read = dialect.read(raw);
      dialect.answer(read, judged(raw), AT, newId);
      if (read.message) dialect.describe(read.message);
    }
  });

  const samples = publishedSamples();
  if (samples === undefined) it(SAMPLES_NEEDED);
  else
    it('published samples: every one is answered soundly, or is an answer itself', () => {
      for (const { id, raw } of samples) {
        const answer = answered(raw, judged(raw));
        const kind = dialect.read(raw).envelope.kind;
        expect(answer === undefined, id).equal(['Status', 'Error', 'Verify'].includes(kind));
      }
    });
});
