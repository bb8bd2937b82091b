/** Our own answers of the Spine and of the tracker, and what each must become. */
import { readdirSync } from 'node:fs';
import { expect } from 'chai';
import { convertFromV3 } from '../../../../src/mapping/eps/inbound/convert-from-v3.ts';
import { translateSpineAnswer } from '../../../../src/mapping/eps/inbound/spine-answer.ts';
import { translateTrackerAnswer } from '../../../../src/mapping/eps/inbound/tracker.ts';
import { parseJson } from '../../../../src/standards/fhir/json.ts';
import { textOf } from '../../../../src/standards/fhir/outcome.ts';
import { writeXml } from '../../../../src/standards/xml/write.ts';
import { fixtureNames, readFixture } from '../fixture.ts';
import { ANSWERS, answerContext, findElement, readAnswer, sent } from './answer.ts';

const names = (ending: string): readonly string[] =>
  readdirSync(ANSWERS)
    .filter((name) => name.endsWith(ending) && !name.endsWith('.fhir.json'))
    .map((name) => name.slice(0, -ending.length));

/** What is sent, and becomes FHIR again. */
const REQUESTS = fixtureNames.filter((name) => !/^(?:claim|dispense)-/.test(name));

/** What is signed passes. */
const checkSignature = (parentPrescription: Parameters<typeof findElement>[0]): readonly string[] =>
  findElement(parentPrescription, 'Signature') === undefined ? ['Invalid signature format'] : [];

describe('mapping › eps › inbound › golden answers', () => {
  for (const name of names('.xml'))
    it(name, () => {
      const answer = translateSpineAnswer(readAnswer(`${name}.xml`), answerContext({ checkSignature }));
      const { kind, status, body } = answer;
      const issues = answer.issues.map((one) => `${one.severity} ${textOf(one)}`);
      const returns = answer.returns.map(({ message }) => writeXml(message, 'compact'));
      expect(sent({ kind, status, issues, returns, body })).deep.equal(JSON.parse(readAnswer(`${name}.fhir.json`)));
    });

  for (const name of names('.json'))
    it(name, () => {
      const answer = translateTrackerAnswer(parseJson(readAnswer(`${name}.json`)), answerContext());
      expect(sent(answer)).deep.equal(JSON.parse(readAnswer(`${name}.fhir.json`)));
    });

  for (const name of REQUESTS)
    it(`${name}, back from V3`, () => {
      const { value, issues } = convertFromV3(readFixture(`${name}.v3.xml`), answerContext());
      expect(issues).deep.equal([]);
      expect(sent(value)).deep.equal(JSON.parse(readAnswer(`${name}.back.fhir.json`)));
    });

  it('say every kind of answer', () => {
    const kinds = names('.xml').map((name) => (JSON.parse(readAnswer(`${name}.fhir.json`)) as { kind: string }).kind);
    expect([...new Set(kinds)].sort()).deep.equal([
      'acknowledgement',
      'cancellationResponse',
      'nominatedReleaseResponse',
      'patientReleaseResponse',
      'releaseReject',
      'transport',
    ]);
  });
});
