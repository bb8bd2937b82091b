/** The dosages of whole messages in words: ours, and all that are published. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dosageTexts } from '../../../src/mapping/eps/dose-to-text.ts';
import { parseJson } from '../../../src/standards/fhir/json.ts';
import { textOf } from '../../../src/standards/fhir/outcome.ts';
import { changed } from './change.ts';
import { fixtureMessage } from './fixture.ts';

const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];
const ORDER = fixtureMessage('prescription-order-acute');

describe('mapping › eps › dose to text', () => {
  it('tells each item of a bundle, with its identifier', () => {
    const { value } = dosageTexts(ORDER);
    expect(value?.map(({ dosageInstructionText }) => dosageInstructionText)).deep.equal([
      'Take two tablets up to four times a day when needed',
      'one capsule three times a day for five days, and with water, then one capsule twice a day for two days',
    ]);
    expect(JSON.stringify(value?.[0]?.identifier)).contain('94e5fee5-47a0-59da-a009-fda55b98eaca');
  });

  it('tells one request', () => {
    const dosageInstruction = [{ timing: { repeat: { frequency: 2, period: 1, periodUnit: 'd' } } }];
    expect(dosageTexts({ resourceType: 'MedicationDispense', dosageInstruction }).value).deep.equal([
      { dosageInstructionText: 'twice a day' },
    ]);
  });

  it('tells nothing of an item without dosages', () => {
    expect(dosageTexts({ resourceType: 'MedicationRequest' }).value).deep.equal([{ dosageInstructionText: '' }]);
  });

  it('names what cannot be told', () => {
    const dosage = [{ sequence: 1, doseAndRate: [{ doseQuantity: { value: 1 } }] }];
    const { value, issues } = dosageTexts(changed(ORDER, [['/entry/1/resource/dosageInstruction', dosage]]));
    expect(value).equal(undefined);
    expect(issues.map(({ expression }) => expression)).deep.equal([
      ['Bundle.entry[1].resource.dosageInstruction[0].doseAndRate[0].doseQuantity.unit'],
    ]);
  });

  for (const [title, payload] of [
    ['no object', 'x'],
    [
      'a bundle without items',
      { resourceType: 'Bundle', entry: [{ resource: { resourceType: 'Patient' } }, null, {}] },
    ],
    ['another resource', { resourceType: 'Task' }],
  ] as const)
    it(`refuses ${title}`, () => {
      expect(dosageTexts(payload).issues.map(({ code }) => code)).deep.equal(['value']);
    });

  if (SAMPLES === undefined) it('published dosages need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else publishedDosages(join(SAMPLES, 'eps/examples'));
});

function publishedDosages(folder: string): void {
  it('are all told', () => {
    const texts = new Map<string, number>();
    const refused = new Map<string, number>();
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.json'));
    for (const path of files) {
      const { value, issues } = dosageTexts(parseJson(readFileSync(join(folder, path))));
      for (const { dosageInstructionText: text } of value ?? []) texts.set(text, (texts.get(text) ?? 0) + 1);
      for (const one of issues) {
        if (one.code === 'value') continue;
        const reason = `${textOf(one)} ${one.expression?.[0]?.replaceAll(/\[\d+\]/g, '')}`;
        refused.set(reason, (refused.get(reason) ?? 0) + 1);
      }
    }
    console.log(
      `\n      Published EPS dosages: ${texts.size} different texts; refused: ${JSON.stringify([...refused])}`,
    );
    expect(texts.size).at.least(10);
    expect([...refused.keys()]).deep.equal([]);
  });
}
