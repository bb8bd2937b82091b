import { expect } from 'chai';
import { checkIntake, type IntakeContext, isSigned } from '../../../src/standards/script/intake.ts';
import { consequenceOf, INTAKE_RULES } from '../../../src/standards/script/intake-issue.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { ruleOf } from '../../../src/standards/script/rule-issue.ts';
import { readSig, supplyFits } from '../../../src/standards/script/sig-sanity.ts';
import { scriptFixture } from './samples.ts';

const NOW = Date.parse('2026-04-20T12:00:00Z');

function found(
  name: string,
  changes: readonly (readonly [string | RegExp, string])[] = [],
  context: Partial<IntakeContext> = {},
) {
  const before = scriptFixture(name).toString();
  const text = changes.reduce((all, [from, to]) => all.replace(from, to), before);
  if (changes.length > 0) expect(text).not.equal(before);
  const { message } = readScript(Buffer.from(text));
  const issues = message ? checkIntake(message, { now: NOW, ...context }) : [];
  expect(JSON.stringify(issues)).not.match(/Okafor|Imani|1987-03-14|Whitfield/);
  return issues.map((one) => `${ruleOf(one)} ${consequenceOf(one)}`);
}

describe('standards › script › intake', () => {
  for (const [title, name, changes, expected] of [
    ['an order', 'newrx-basic', [], []],
    ['written tomorrow', 'newrx-basic', [['<WrittenDate><Date>2026-01-15', '<WrittenDate><Date>2026-04-21']], []],
    [
      'written the day after',
      'newrx-basic',
      [['<WrittenDate><Date>2026-01-15', '<WrittenDate><Date>2026-04-22']],
      ['V-DEM-1 reject'],
    ],
    ['a patient of 131 years', 'newrx-basic', [['1987-03-14', '1895-03-14']], ['V-DEM-1 reject']],
    ['a child without a weight', 'newrx-basic', [['1987-03-14', '2016-03-14']], ['V-DEM-2 warn']],
    ['a short telephone', 'newrx-basic', [['<Number>6025550101', '<Number>5550101']], ['V-DEM-1 warn']],
    ['a supply of 200 days', 'newrx-basic', [['<DaysSupply>30', '<DaysSupply>200']], ['V-QTY-1 warn', 'V-SIG-1 warn']],
    ['of 400', 'newrx-basic', [['<DaysSupply>30', '<DaysSupply>400']], ['V-QTY-1 hold', 'V-SIG-1 warn']],
    ['a hyphenated NDC', 'newrx-basic', [['00093111301', '0093-1113-01']], []],
    ['an order for CIV', 'newrx-civ', [], []],
    [
      'seven months old',
      'newrx-civ',
      [['<WrittenDate><Date>2026-01-15', '<WrittenDate><Date>2025-09-15']],
      ['V-CS-3 reject'],
    ],
    ['a DEA number of a distributor', 'newrx-civ', [[/<DEANumber>B/, '<DEANumber>P']], ['V-DEA-3 reject']],
    ['one of an unusual kind', 'newrx-civ', [[/<DEANumber>B/, '<DEANumber>X']], ['V-DEA-3 hold']],
    [
      'the indicator says no',
      'newrx-cii-signed-indicator',
      [['<DigitalSignatureIndicator>true', '<DigitalSignatureIndicator>false']],
      ['V-CS-4 reject'],
    ],
    ['a renewal that is denied', 'rxrenewalresponse-denied', [], []],
    ['a fill', 'rxfill-dispensed', [], []],
  ] as const)
    it(`${title}: ${expected.join(', ') || 'nothing'}`, () => expect(found(name, changes)).eql(expected));

  it('an allergy to the drug holds the order', () => {
    const allergy =
      '<AllergyOrAdverseEvent><Allergies><SourceOfInformation>P</SourceOfInformation><AdverseEvent><Text>allergy</Text><Code>1</Code></AdverseEvent><DrugProductCoded><Text>Lisinopril</Text></DrugProductCoded></Allergies></AllergyOrAdverseEvent><Patient>';
    expect(found('newrx-basic', [['<Patient>', allergy]])).eql(['V-ALG-1 hold']);
  });
  it('a directory that knows the drug as controlled asks for everything', () => {
    const findProduct = () => ({ schedule: 'CII', isActive: true }) as const;
    expect(found('newrx-basic', [], { findProduct })).eql([
      'V-CS-1 reject',
      'V-CS-2 reject',
      'V-CS-4 reject',
      'V-DEA-1 reject',
    ]);
    expect(found('newrx-basic', [], { findProduct: () => undefined })).eql(['V-NDC-2 hold']);
  });
  it('10.6 says signed by a coverage status', () => {
    const { message } = readScript(scriptFixture('newrx-cii-signed-indicator'));
    const drug = message?.transaction.children.find(
      (node) => typeof node !== 'string' && node.name === 'MedicationPrescribed',
    );
    if (!message || !drug || typeof drug === 'string') throw new Error('the fixture has a drug');
    const unsigned = { ...message, root: { ...message.root, children: [] } };
    expect(isSigned(unsigned, drug)).equal(false);
    expect(isSigned({ ...unsigned, version: { readAs: '10.6', found: 'stated' } }, drug)).equal(true);
  });
  it('every rule has words', () => {
    for (const [id, what] of Object.entries(INTAKE_RULES)) expect([id, what].join()).match(/^V-[A-Z]+-\d,\S+ .+/);
  });

  for (const [text, isReadable, unitsPerDay] of [
    ['Take 1 tablet by mouth once daily', true, 1],
    ['Take two tablets twice a day', true, 4],
    ['take 1 capsule 3 times a day', true, 3],
    ['TAKE 1 TABLET EVERY 8 HOURS', true, 3],
    ['Take 1 tablet every other day', true, 0.5],
    ['Take half tablet at bedtime', true, 0.5],
    ['Inject 7 units weekly', true, 1],
    ['Take 1 tablet by mouth as needed', true, undefined],
    ['Take 1 to 2 tablets daily', true, undefined],
    ['Apply to the skin', true, undefined],
    ['asdf', false, undefined],
    ['xyz qwerty', false, undefined],
  ] as const)
    it(`Sig '${text}': ${isReadable ? (unitsPerDay ?? 'readable') : 'unreadable'}`, () =>
      expect(readSig(text)).eql({ isReadable, ...(unitsPerDay !== undefined && { unitsPerDay }) }));
  for (const [units, quantity, days, expected] of [
    [1, 30, 30, true],
    [1, 30, 32, true],
    [1, 30, 90, false],
    [2, 30, 30, false],
    [undefined, 30, 90, true],
    [1, Number.NaN, 30, true],
  ] as const)
    it(`${units} a day, ${quantity} for ${days} days: ${expected}`, () =>
      expect(
        supplyFits({ isReadable: true, ...(units !== undefined && { unitsPerDay: units }) }, quantity, days),
      ).equal(expected));
});
