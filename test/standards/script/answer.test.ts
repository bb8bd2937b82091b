import { expect } from 'chai';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { type AnswerContent, formatAnswer, MORTAR_SOFTWARE } from '../../../src/standards/script/answer.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { scriptFixture, scriptFixtureNames } from './samples.ts';

const HEADER = { messageId: 'ANSWER1', sentAt: Date.UTC(2026, 0, 15, 16, 30, 1, 999), software: MORTAR_SOFTWARE };
const CONTENTS: readonly AnswerContent[] = [
  { kind: 'Status', code: '010' },
  { kind: 'Error', code: '900', descriptionCodes: ['081'], description: 'Patient LastName is missing' },
  { kind: 'Verify' },
];
const answerTo = (fixture: string, content: AnswerContent) =>
  readScript(Buffer.from(formatAnswer(readScript(scriptFixture(fixture)), content, HEADER)));

describe('standards › script › answer', () => {
  for (const content of CONTENTS)
    it(`${content.kind} is structurally valid, swaps To and From and relates to the message`, () => {
      const { message, header } = answerTo('newrx-basic', content);
      expect(header).deep.equal({
        to: { address: '6301875277001', qualifier: 'D' },
        from: { address: '0300123', qualifier: 'P' },
        messageId: 'ANSWER1',
        relatesToMessageId: 'OWN0001A7F3C9D1',
        sentTime: '2026-01-15T16:30:01Z',
        prescriberOrderNumber: 'RX-2026-000101',
        test: false,
      });
      expect(message?.kind).equal(content.kind);
      expect(message && checkStructure(message)).deep.equal([]);
    });

  for (const fixture of scriptFixtureNames())
    it(`${fixture}: can be answered with an Error in its own version`, () => {
      const { message } = answerTo(fixture, { kind: 'Error', code: '900', description: 'x'.repeat(99) });
      expect(message?.kind).equal('Error');
      expect(message && checkStructure(message).filter(isError)).deep.equal([]);
    });

  it('relates to 0 where the message has no id', () => {
    expect(answerTo('bad-xxe', CONTENTS[1] as AnswerContent).header.relatesToMessageId).equal('0');
  });
});
