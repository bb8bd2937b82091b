import { expect } from 'chai';
import { isError } from '../../../src/standards/fhir/outcome.ts';
import { checkStructure } from '../../../src/standards/script/check.ts';
import { TRANSACTIONS_2017071 } from '../../../src/standards/script/model-2017071.ts';
import { readScript } from '../../../src/standards/script/read.ts';
import { canonicalText, formatScript, scriptElement } from '../../../src/standards/script/write.ts';
import { generateElement } from './generate-message.ts';
import { publishedSamples, SAMPLES_NEEDED, scriptFixture } from './samples.ts';

function rewrite(raw: Buffer): { readonly before: string; readonly after: string } {
  const before = readScript(raw).message;
  if (before === undefined) throw new Error('the message can be read');
  const after = readScript(Buffer.from(formatScript(before.root).value ?? '')).message;
  return { before: canonicalText(before.root), after: after ? canonicalText(after.root) : '' };
}

describe('standards › script › write', () => {
  for (const fixture of ['newrx-basic', 'newrx-xml-escapes', 'newrx-structured-sig', 'newrx-ns-prefix', 'cancelrx'])
    it(`${fixture}: written and read it is the same`, () => {
      const { before, after } = rewrite(scriptFixture(fixture));
      expect(after).equal(before);
    });

  it('puts elements into the order of the model', () => {
    const { message } = readScript(scriptFixture('bad-element-order'));
    const written = formatScript(message?.root ?? scriptElement('Message')).value ?? '';
    const again = readScript(Buffer.from(written)).message;
    expect(again && checkStructure(again).filter(isError)).deep.equal([]);
  });

  it('keeps document order where a name stands in two places', () => {
    const dosage = scriptElement(
      'Dosage',
      ['DoseQuantity', 'DoseUnitOfMeasure', 'DoseRangeModifier', 'DoseQuantity', 'DoseUnitOfMeasure'].map((name) =>
        scriptElement(name, ['1']),
      ),
    );
    const sig = scriptElement('Sig', [scriptElement('Instruction', [scriptElement('DoseAdministration', [dosage])])]);
    const drug = scriptElement('MedicationPrescribed', [sig]);
    const message = scriptElement('Message', [scriptElement('Body', [scriptElement('NewRx', [drug])])]);
    expect(formatScript(message).value).include(
      '<DoseQuantity>1</DoseQuantity><DoseUnitOfMeasure>1</DoseUnitOfMeasure><DoseRangeModifier>1</DoseRangeModifier><DoseQuantity>',
    );
  });

  it('escapes what must be, and adds no white space', () => {
    const written = formatScript(scriptElement('Message', [scriptElement('Note', ['a<b & "c" > \r'])], { x: '"<\n' }));
    expect(written.value).equal(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Message x="&quot;&lt;&#10;"><Note>a&lt;b &amp; &quot;c&quot; &gt;</Note></Message>',
    );
  });

  for (const character of ['\u0001', '\u000b', '\ufffe', '\ud800'])
    it(`refuses U+${character.charCodeAt(0).toString(16).padStart(4, '0')}`, () => {
      const { value, issues } = formatScript(scriptElement('Message', [scriptElement('Note', [`a${character}b`])]));
      expect([value, issues.map(({ expression }) => expression)]).deep.equal([undefined, [['Message/Note']]]);
    });

  const samples = publishedSamples();
  if (samples === undefined) it(SAMPLES_NEEDED);
  else
    for (const { id, raw } of samples.filter(
      ({ structural, source, version }) => structural === 'valid' && source === 'own' && version === '2017071',
    ))
      it(`published ${id}: written and read it is the same`, () => {
        const { before, after } = rewrite(raw);
        expect(after).equal(before);
      });
});

describe('standards › script › model, checker and writer', () => {
  const made = TRANSACTIONS_2017071.filter((name) => name !== 'PasswordChange');
  const template = readScript(scriptFixture('newrx-basic')).message?.root;
  for (const name of made)
    it(`${name}: what the model makes the checker takes, and the writer writes`, () => {
      for (let seed = 0; seed < 20; seed += 1) {
        const transaction = generateElement(name, seed, new Set());
        const children = (template?.children ?? []).filter(
          (node) => typeof node !== 'string' && node.name === 'Header',
        );
        const message = {
          ...scriptElement('Message', [...children, scriptElement('Body', [transaction])]),
          attributes: template?.attributes ?? [],
        };
        const written = formatScript(message).value ?? '';
        const again = readScript(Buffer.from(written)).message;
        expect(again && checkStructure(again).filter(isError), `seed ${seed}`).deep.equal([]);
        expect(again && canonicalText(again.transaction)).equal(canonicalText(transaction));
      }
    });
});
