import { expect } from 'chai';
import { isLeafFormat } from '../../../src/standards/script/leaf-format.ts';
import { SCRIPT_10_6 } from '../../../src/standards/script/model-10-6.ts';
import { SCRIPT_2017071, TRANSACTIONS_2017071 } from '../../../src/standards/script/model-2017071.ts';
import {
  type Content,
  createModel,
  type GroupParticle,
  type Model,
  type ModelNotation,
} from '../../../src/standards/script/notation.ts';

/** Every type named below a content, with the place it is named. */
function typesOf(content: Content, model: Model, place: string): string[] {
  if (content.leaf !== undefined) return isLeafFormat(content.leaf) ? [] : [`${place}: format ${content.leaf}`];
  return content.children ? typesInGroup(content.children, model, place) : [];
}
function typesInGroup(group: GroupParticle, model: Model, place: string): string[] {
  return group.parts.flatMap((part) => {
    if (part.kind !== 'element') return typesInGroup(part, model, place);
    const inner = model.contentOf(part.type);
    const here = `${place}/${part.name}`;
    if (inner === undefined) return [`${here}: type ${String(part.type)}`];
    return typeof part.type === 'string' && inner.leaf === undefined ? [] : typesOf(inner, model, here);
  });
}

describe('standards › script › model', () => {
  const models: readonly (readonly [string, ModelNotation])[] = [
    ['2017071', SCRIPT_2017071],
    ['10.6', SCRIPT_10_6],
  ];
  for (const [version, notation] of models)
    it(`${version}: every type and every format that is named is there`, () => {
      const model = createModel(notation);
      const unknown = Object.keys(notation).flatMap((name) => {
        const content = model.contentOf(name);
        return content === undefined ? [name] : typesOf(content, model, name);
      });
      expect(unknown).deep.equal([]);
    });

  it('has every transaction of the federal list that the public model gives', () => {
    expect(TRANSACTIONS_2017071).include.members(['NewRx', 'RxHistoryResponse', 'PACancelResponse', 'REMSRequest']);
    for (const name of TRANSACTIONS_2017071) expect(Object.keys(SCRIPT_2017071), name).include(name);
  });

  it('the drug of NewRx stands in wire order', () => {
    const names = [...(createModel(SCRIPT_2017071).contentOf('NewRxMedication')?.children?.names ?? [])];
    expect(names.slice(0, 8)).deep.equal([
      'DrugDescription',
      'DrugCoded',
      'Quantity',
      'DaysSupply',
      'WrittenDate',
      'LastFillDate',
      'Substitutions',
      'NumberOfRefills',
    ]);
    expect(names.indexOf('Sig')).lessThan(names.indexOf('CompoundInformation'));
  });

  it('reads its notation: occurrences, groups, alternatives, types without a name, open ends', () => {
    const content = createModel({ T: 'A B?:an3 C*4 (D | E F){2,3} G:{H:n1} ...' }).contentOf('T');
    expect(content?.open).equal(true);
    expect(content?.children?.parts.map(({ kind, min, max }) => [kind, min, max])).deep.equal([
      ['element', 1, 1],
      ['element', 0, 1],
      ['element', 0, 4],
      ['choice', 2, 3],
      ['element', 1, 1],
    ]);
  });
});
