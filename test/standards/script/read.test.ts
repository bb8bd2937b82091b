import { expect } from 'chai';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { MUTATIONS, mutate, publishedSamples, SAMPLES_NEEDED, scriptFixture, scriptFixtureNames } from './samples.ts';

describe('standards › script › read', () => {
  for (const [fixture, readAs, found, kind] of [
    ['newrx-basic', '2017071', 'stated', 'NewRx'],
    ['newrx-ns-prefix', '2017071', 'stated', 'NewRx'],
    ['v106-newrx', '10.6', 'stated', 'NewRx'],
    ['v2023-newrx', '2023011', 'stated', 'NewRx'],
    ['edge-unsupported-version', '2017071', 'unknown', 'NewRx'],
    ['edge-wrapped-string', '2017071', 'stated', 'Error'],
  ] as const)
    it(`${fixture}: ${kind} of ${readAs}, ${found}`, () => {
      const { message } = readScript(scriptFixture(fixture));
      expect([message?.version, message?.kind]).deep.equal([{ readAs, found }, kind]);
    });

  it('reads the header', () => {
    expect(readScript(scriptFixture('newrx-basic')).header).deep.equal({
      to: { address: '0300123', qualifier: 'P' },
      from: { address: '6301875277001', qualifier: 'D' },
      messageId: 'OWN0001A7F3C9D1',
      sentTime: '2026-01-15T16:30:00Z',
      prescriberOrderNumber: 'RX-2026-000101',
      test: false,
    });
    expect(readScript(scriptFixture('newrx-testmessage')).header.test).equal(true);
  });

  it('keeps the header of a document that breaks after it', () => {
    const { message, header, issues } = readScript(scriptFixture('bad-truncated'));
    expect(message).equal(undefined);
    expect(issues.some(isError)).equal(true);
    expect(header.from).deep.equal({ address: '6301875277001', qualifier: 'D' });
    expect(header.messageId).match(/^OWN/);
  });

  for (const fixture of ['bad-xxe', 'bad-billion-laughs'])
    it(`${fixture} is refused unread`, () => {
      const { message, header, issues } = readScript(scriptFixture(fixture));
      expect([message, header.messageId, issues.map(({ code }) => code)]).deep.equal([
        undefined,
        undefined,
        ['security'],
      ]);
    });

  for (const [name, text] of [
    ['nothing', ''],
    ['no XML', 'hello'],
    ['another root', '<Envelope><a/></Envelope>'],
    ['no body', '<Message><Header/></Message>'],
    ['an empty body', '<Message><Header/><Body/></Message>'],
    ['nested too deep', `<Message>${'<a>'.repeat(70)}`],
  ] as const)
    it(`${name} is an issue`, () => {
      const { message, issues } = readScript(Buffer.from(text));
      expect([message, issues.some(isError)]).deep.equal([undefined, true]);
    });

  it('an oversized document is refused', () => {
    const { issues } = readScript(Buffer.from(`<Message>${' '.repeat(1024 * 1024)}</Message>`));
    expect(issues.map(({ code }) => code)).deep.equal(['too-long']);
  });

  it(`${MUTATIONS} mutations never throw`, function () {
    this.timeout(120_000);
    const names = scriptFixtureNames();
    for (let seed = 0; seed < MUTATIONS; seed += 1) {
      const { message } = readScript(mutate(scriptFixture(names[seed % names.length] ?? ''), seed));
      if (message) checkStructure(message);
    }
  });

  const samples = publishedSamples();
  if (samples === undefined) it(SAMPLES_NEEDED);
  else
    it('published samples: every one that is well-formed gives its kind', () => {
      const wrong = samples.filter(({ raw, kind }) => {
        const { message } = readScript(raw);
        const renamed = kind === 'RefillResponse' ? 'RxRenewalResponse' : kind;
        return message !== undefined && kind !== 'unknown' && message.kind !== renamed;
      });
      expect(wrong.map(({ id }) => id)).deep.equal([]);
    });
});
