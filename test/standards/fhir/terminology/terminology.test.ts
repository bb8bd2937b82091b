/** The terminology operations over R4's own code systems and over small ones of ours. */
import { expect } from 'chai';
import fc from 'fast-check';
import { FhirError } from '../../../../src/standards/fhir/outcome.ts';
import { compileBoundedPattern } from '../../../../src/standards/fhir/terminology/bounded-pattern.ts';
import { compileConcepts } from '../../../../src/standards/fhir/terminology/concepts.ts';
import { EXPANSION_MAX, type ExpandOptions, expand } from '../../../../src/standards/fhir/terminology/expand.ts';
import { lookup, subsumption } from '../../../../src/standards/fhir/terminology/lookup.ts';
import type {
  CodeSystem,
  ConceptMap,
  Include,
  ValueSet,
} from '../../../../src/standards/fhir/terminology/resources.ts';
import { translate } from '../../../../src/standards/fhir/terminology/translate.ts';
import {
  findInValueSet,
  validateInCodeSystem,
  validateInValueSet,
} from '../../../../src/standards/fhir/terminology/validate-code.ts';
import { createVocabulary } from '../../../../src/standards/fhir/terminology/vocabulary.ts';
import { terminologySource } from '../../../support/terminology.ts';

const ANIMALS: CodeSystem = {
  resourceType: 'CodeSystem',
  url: 'urn:animals',
  version: '2',
  name: 'Animals',
  language: 'en',
  content: 'complete',
  property: [{ code: 'legs', description: 'How many legs' }],
  concept: [
    {
      code: 'animal',
      display: 'Animal',
      property: [{ code: 'notSelectable', valueBoolean: true }],
      concept: [
        {
          code: 'cat',
          display: 'Cat',
          definition: 'It purrs',
          designation: [
            { language: 'de', value: 'Katze' },
            { language: 'fr-CA', value: 'Chat' },
          ],
          property: [{ code: 'legs', valueInteger: 4 }],
          concept: [{ code: 'siamese', display: 'Siamese' }],
        },
        {
          code: 'dodo',
          display: 'Dodo',
          property: [
            { code: 'status', valueCode: 'retired' },
            { code: 'legs', valueInteger: 2 },
          ],
        },
      ],
    },
    // Of two kinds at once.
    { code: 'pet', display: 'Pet' },
    {
      code: 'house-cat',
      display: 'House cat',
      property: [
        { code: 'parent', valueCode: 'cat' },
        { code: 'subsumedBy', valueCode: 'pet' },
      ],
    },
  ],
};
const SUPPLEMENT: CodeSystem = {
  resourceType: 'CodeSystem',
  url: 'urn:animals-es',
  language: 'es',
  content: 'supplement',
  supplements: 'urn:animals',
  concept: [
    { code: 'cat', display: 'Gato', property: [{ code: 'legs', valueInteger: 4 }] },
    { code: 'nothing', display: 'x' },
  ],
};
const valueSet = (include: readonly Include[], more: object = {}, url = 'urn:vs'): ValueSet => ({
  resourceType: 'ValueSet',
  url,
  compose: { include, ...more },
});
const all = { system: 'urn:animals' };
const filtered = (property: string, op: string, value: string): Include => ({
  ...all,
  filter: [{ property, op, value }],
});

const vocabulary = (...more: readonly object[]) =>
  createVocabulary(terminologySource([ANIMALS, ...more] as CodeSystem[]));
const codesOf = async (
  vs: ValueSet,
  options: ExpandOptions = {},
  more: readonly object[] = [],
): Promise<readonly (string | undefined)[]> =>
  (await expand(vocabulary(...more), vs, options)).contains.map(({ code }) => code);

async function refusal(work: Promise<unknown>): Promise<FhirError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof FhirError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('terminology › expand', () => {
  const EVERY = ['animal', 'cat', 'siamese', 'dodo', 'pet', 'house-cat'];
  const cases: readonly (readonly [title: string, vs: ValueSet, codes: readonly string[], options?: ExpandOptions])[] =
    [
      ['all of a system', valueSet([all]), EVERY],
      [
        'a list of codes',
        valueSet([{ ...all, concept: [{ code: 'dodo' }, { code: 'unknown' }] }]),
        ['dodo', 'unknown'],
      ],
      ['is-a', valueSet([filtered('concept', 'is-a', 'cat')]), ['cat', 'siamese', 'house-cat']],
      ['is-a by a second parent', valueSet([filtered('concept', 'is-a', 'pet')]), ['pet', 'house-cat']],
      ['descendent-of', valueSet([filtered('concept', 'descendent-of', 'cat')]), ['siamese', 'house-cat']],
      ['is-not-a', valueSet([filtered('concept', 'is-not-a', 'cat')]), ['animal', 'dodo', 'pet']],
      ['generalizes', valueSet([filtered('concept', 'generalizes', 'siamese')]), ['animal', 'cat', 'siamese']],
      ['= of a property', valueSet([filtered('legs', '=', '4')]), ['cat']],
      ['= parent', valueSet([filtered('parent', '=', 'animal')]), ['cat', 'dodo']],
      ['= child', valueSet([filtered('child', '=', 'siamese')]), ['cat']],
      ['in', valueSet([filtered('code', 'in', 'cat, pet')]), ['cat', 'pet']],
      ['not-in', valueSet([filtered('legs', 'not-in', '4')]), ['animal', 'siamese', 'dodo', 'pet', 'house-cat']],
      ['exists', valueSet([filtered('legs', 'exists', 'true')]), ['cat', 'dodo']],
      ['does not exist', valueSet([filtered('legs', 'exists', 'false')]), ['animal', 'siamese', 'pet', 'house-cat']],
      ['regex', valueSet([filtered('code', 'regex', '.*-?(cat|dodo)')]), ['cat', 'dodo', 'house-cat']],
      [
        'two filters',
        valueSet([
          {
            ...all,
            filter: [
              { property: 'concept', op: 'is-a', value: 'animal' },
              { property: 'legs', op: 'exists', value: 'true' },
            ],
          },
        ]),
        ['cat', 'dodo'],
      ],
      ['exclude', valueSet([all], { exclude: [filtered('concept', 'is-a', 'cat')] }), ['animal', 'dodo', 'pet']],
      [
        'inactive codes left out by the value set',
        valueSet([all], { inactive: false }),
        EVERY.filter((code) => code !== 'dodo'),
      ],
      ['activeOnly', valueSet([all]), EVERY.filter((code) => code !== 'dodo'), { activeOnly: true }],
      ['excludeNotForUI', valueSet([all]), EVERY.filter((code) => code !== 'animal'), { excludeNotForUi: true }],
      ['exclude-system', valueSet([all]), [], { excludeSystems: ['urn:animals'] }],
      ['a page', valueSet([all]), ['cat', 'siamese'], { offset: 1, count: 2 }],
      ['count 0', valueSet([all]), [], { count: 0 }],
      ['filter by the beginnings of words', valueSet([all]), ['cat', 'house-cat'], { filter: 'CAT' }],
      ['filter by two words', valueSet([all]), ['house-cat'], { filter: 'ca hou' }],
      ['filter by a designation', valueSet([all]), ['cat'], { filter: 'katz' }],
    ];
  for (const [title, vs, codes, options] of cases)
    it(title, async () => {
      expect(await codesOf(vs, options)).deep.equal(codes);
      // Membership is asked for without expanding, and must say the same.
      if (options !== undefined) return;
      for (const code of [...EVERY, 'unknown', 'nonsense']) {
        const found = await findInValueSet(vocabulary(), vs, { system: 'urn:animals', code });
        expect(found !== undefined, code).equal(codes.includes(code));
      }
    });

  it('value sets in one another: all of several, what is in each of one include', async () => {
    const cats = valueSet([filtered('concept', 'is-a', 'cat')], {}, 'urn:cats');
    const pets = valueSet([filtered('concept', 'is-a', 'pet')], {}, 'urn:pets');
    expect(
      await codesOf(valueSet([{ valueSet: ['urn:cats'] }, { valueSet: ['urn:pets'] }]), {}, [cats, pets]),
    ).deep.equal(['cat', 'siamese', 'house-cat', 'pet']);
    const both = valueSet([{ valueSet: ['urn:cats', 'urn:pets'] }]);
    expect(await codesOf(both, {}, [cats, pets])).deep.equal(['house-cat']);
    expect(await codesOf(valueSet([{ ...all, valueSet: ['urn:pets'] }]), {}, [cats, pets])).deep.equal([
      'pet',
      'house-cat',
    ]);
    expect(await findInValueSet(vocabulary(cats, pets), both, { code: 'house-cat' })).property('system', 'urn:animals');
    expect(await findInValueSet(vocabulary(cats, pets), both, { code: 'cat' })).equal(undefined);
  });

  it('a value set that holds itself, however far around, is refused', async () => {
    const a = valueSet([{ valueSet: ['urn:b'] }], {}, 'urn:a');
    const b = valueSet([all, { valueSet: ['urn:a'] }], {}, 'urn:b');
    for (const work of [expand(vocabulary(a, b), a), findInValueSet(vocabulary(a, b), a, { code: 'nonsense' })]) {
      const { status, message } = await refusal(work);
      expect(status).equal(422);
      expect(message).contains('includes itself');
    }
    const chain = Array.from({ length: 15 }, (_, i) => valueSet([{ valueSet: [`urn:${i + 1}`] }], {}, `urn:${i}`));
    expect((await refusal(expand(vocabulary(...chain), chain[0] as ValueSet))).issues[0]?.code).equal('too-costly');
  });

  it('an expansion that came without a definition is taken as it is', async () => {
    const stored: ValueSet = {
      resourceType: 'ValueSet',
      expansion: { contains: [{ system: 'urn:x', code: 'a', contains: [{ system: 'urn:x', code: 'b' }] }] },
    };
    expect(await codesOf(stored)).deep.equal(['a', 'b']);
    expect(await findInValueSet(vocabulary(), stored, { code: 'b' })).property('system', 'urn:x');
  });

  it('displays in a language, designations, supplements', async () => {
    const [cat] = (
      await expand(vocabulary(SUPPLEMENT), valueSet([{ ...all, concept: [{ code: 'cat' }] }]), {
        displayLanguage: 'es',
        includeDesignations: true,
      })
    ).contains;
    expect(cat).deep.include({ system: 'urn:animals', version: '2', code: 'cat', display: 'Gato' });
    expect(cat?.designation).length(3);
    const french = await expand(vocabulary(), valueSet([all]), { displayLanguage: 'fr' });
    expect(french.contains.slice(1, 3).map(({ display }) => display)).deep.equal(['Chat', 'Siamese']);
    expect(french.contains[0]).deep.include({ abstract: true });
    expect(french.used).deep.equal(['urn:animals|2']);
  });

  it('too costly: more than one answer holds, and more than a request may look at', async () => {
    const concept = Array.from({ length: EXPANSION_MAX + 1 }, (_, i) => ({ code: `c${i}` }));
    const large = { ...ANIMALS, url: 'urn:large', concept };
    const vs = valueSet([{ system: 'urn:large' }]);
    expect((await refusal(expand(vocabulary(large), vs))).issues[0]).deep.include({ code: 'too-costly' });
    const page = await expand(vocabulary(large), vs, { offset: EXPANSION_MAX, count: 10 });
    expect([page.total, page.contains.length]).deep.equal([EXPANSION_MAX + 1, 1]);
    const often = valueSet(Array.from({ length: 60 }, () => ({ system: 'urn:large' })));
    expect((await refusal(expand(vocabulary(large), often, { count: 1 }))).issues[0]).deep.include({
      code: 'too-costly',
    });
  });

  it('what is not here is said by name', async () => {
    for (const [include, said] of [
      [{ system: 'http://snomed.info/sct' }, 'http://snomed.info/sct'],
      [{ valueSet: ['urn:nowhere'] }, 'urn:nowhere'],
      [filtered('code', 'about', 'x'), "'about' is not supported"],
    ] as const)
      expect((await refusal(expand(vocabulary(), valueSet([include])))).message).contains(said);
  });

  it('value sets of R4: administrative-gender, a hierarchy of V3, a table of v2', async () => {
    const source = createVocabulary(terminologySource());
    const ofUrl = async (url: string) =>
      (await expand(source, await source.valueSet(url), {})).contains.map(({ code }) => code);
    expect(await ofUrl('http://hl7.org/fhir/ValueSet/administrative-gender')).deep.equal([
      'male',
      'female',
      'other',
      'unknown',
    ]);
    const encounters = await ofUrl('http://terminology.hl7.org/ValueSet/v3-ActEncounterCode');
    expect(encounters).include.members(['AMB', 'EMER', 'IMP', 'ACUTE']);
    expect(await ofUrl('http://terminology.hl7.org/ValueSet/v2-0001')).include('F');
  });
});

describe('terminology › codes', () => {
  const concepts = compileConcepts(ANIMALS);

  it('validate-code in a code system', async () => {
    const check = (code: string, display?: string, options = {}) =>
      validateInCodeSystem(
        vocabulary(SUPPLEMENT),
        'urn:animals',
        { code, ...(display !== undefined && { display }) },
        options,
      );
    expect(await check('cat')).deep.equal({ result: true, display: 'Cat' });
    expect(await check('cat', ' CAT ')).deep.include({ result: true });
    expect(await check('cat', 'Katze')).deep.include({ result: true });
    expect(await check('cat', 'Gato', { displayLanguage: 'de' })).deep.equal({ result: true, display: 'Katze' });
    expect(await check('cat', 'Dog')).deep.include({ result: false, display: 'Cat' });
    expect(await check('dog')).deep.include({ result: false });
    expect(await check('animal')).deep.include({ result: false });
    expect(await check('animal', undefined, { isAbstractAllowed: true })).deep.include({ result: true });
    expect(await check('dodo')).deep.include({ result: true, message: 'The code is inactive' });
    expect((await refusal(validateInCodeSystem(vocabulary(), 'urn:nowhere', { code: 'x' }))).status).equal(422);
  });

  it('validate-code in a value set: one coding of several is enough', async () => {
    const vs = valueSet([filtered('concept', 'is-a', 'cat')]);
    const check = (...codings: { system?: string; code: string; display?: string }[]) =>
      validateInValueSet(vocabulary(), vs, codings);
    expect(await check({ code: 'dodo' }, { system: 'urn:animals', code: 'siamese' })).deep.equal({
      result: true,
      display: 'Siamese',
    });
    expect(await check({ code: 'siamese' })).deep.include({ result: true });
    expect(await check({ system: 'urn:other', code: 'siamese' })).deep.include({ result: false });
    expect(await check({ code: 'cat', display: 'Dog' })).deep.include({ result: false });
    expect(await check()).deep.include({ result: false });
  });

  it('a list of codes of a system that is not here can be checked all the same', async () => {
    const vs = valueSet([{ system: 'http://snomed.info/sct', concept: [{ code: '1', display: 'One' }] }]);
    expect(await validateInValueSet(vocabulary(), vs, [{ system: 'http://snomed.info/sct', code: '1' }])).deep.equal({
      result: true,
      display: 'One',
    });
    expect(
      await validateInValueSet(vocabulary(), vs, [{ system: 'http://snomed.info/sct', code: '1', display: 'Two' }]),
    ).deep.include({ result: false });
  });

  it('case counts unless the code system says otherwise', () => {
    expect(concepts.find('CAT')).equal(undefined);
    expect(compileConcepts({ ...ANIMALS, caseSensitive: false }).find('CAT')?.code).equal('cat');
  });

  it('lookup: everything, or the properties that are asked for', () => {
    const names = (properties: readonly string[]) =>
      lookup(concepts, 'cat', properties, undefined).map(({ name, part }) =>
        part?.[0]?.name === 'code' ? String(part[0]['valueCode']) : name,
      );
    expect(names([])).deep.equal([
      'name',
      'version',
      'display',
      'designation',
      'designation',
      'definition',
      'parent',
      'child',
      'child',
      'inactive',
      'legs',
    ]);
    expect(names(['legs'])).deep.equal(['name', 'version', 'display', 'legs']);
    expect(names(['lang.de'])).deep.equal(['name', 'version', 'display', 'designation']);
    expect(lookup(concepts, 'cat', ['legs'], 'de')).deep.equal([
      { name: 'name', valueString: 'Animals' },
      { name: 'version', valueString: '2' },
      { name: 'display', valueString: 'Katze' },
      {
        name: 'property',
        part: [
          { name: 'code', valueCode: 'legs' },
          { name: 'value', valueInteger: 4 },
          { name: 'description', valueString: 'How many legs' },
        ],
      },
    ]);
    expect(() => lookup(concepts, 'dog', [], undefined))
      .throw(FhirError)
      .property('status', 404);
  });

  it('subsumes', () => {
    for (const [a, b, outcome] of [
      ['cat', 'cat', 'equivalent'],
      ['animal', 'siamese', 'subsumes'],
      ['pet', 'house-cat', 'subsumes'],
      ['house-cat', 'animal', 'subsumed-by'],
      ['pet', 'cat', 'not-subsumed'],
    ] as const)
      expect(subsumption(concepts, a, b), `${a} ${b}`).equal(outcome);
    expect(() => subsumption(concepts, 'cat', 'dog'))
      .throw(FhirError)
      .property('status', 404);
  });

  it('a hierarchy that runs in a circle ends', () => {
    const circle = compileConcepts({
      ...ANIMALS,
      concept: [
        { code: 'a', property: [{ code: 'parent', valueCode: 'b' }] },
        { code: 'b', property: [{ code: 'parent', valueCode: 'a' }] },
      ],
    });
    expect([...circle.descendants('a')]).deep.equal(['a', 'b']);
    expect(subsumption(circle, 'a', 'b')).equal('subsumes');
  });
});

describe('terminology › translate', () => {
  const map: ConceptMap = {
    resourceType: 'ConceptMap',
    url: 'urn:map',
    group: [
      {
        source: 'urn:animals',
        target: 'urn:beasts',
        element: [
          {
            code: 'cat',
            target: [
              { code: 'felis', display: 'Felis', equivalence: 'equivalent' },
              { code: 'tiger', equivalence: 'wider' },
            ],
          },
          { code: 'dodo', target: [{ equivalence: 'unmatched' }] },
        ],
        unmapped: { mode: 'fixed', code: 'beast' },
      },
      { source: 'urn:animals', target: 'urn:same', element: [], unmapped: { mode: 'provided' } },
      {
        source: 'urn:animals',
        target: 'urn:elsewhere',
        element: [],
        unmapped: { mode: 'other-map', url: 'urn:other-map' },
      },
    ],
  };
  const other: ConceptMap = {
    resourceType: 'ConceptMap',
    url: 'urn:other-map',
    group: [{ target: 'urn:elsewhere', element: [{ code: 'cat', target: [{ code: 'x', equivalence: 'equal' }] }] }],
  };
  const run = async (code: string, options = {}) =>
    (
      await translate(
        terminologySource([other] as object[] as CodeSystem[]),
        map,
        [{ system: options && 'isReverse' in options ? 'urn:beasts' : 'urn:animals', code }],
        options,
      )
    ).map(({ equivalence, concept, source }) => `${equivalence} ${concept.system}|${concept.code} ${source}`);

  it('what is mapped, what is not, and where another map is asked', async () => {
    expect(await run('cat')).deep.equal([
      'equivalent urn:beasts|felis urn:map',
      'wider urn:beasts|tiger urn:map',
      'equal urn:same|cat urn:map',
      'equal urn:elsewhere|x urn:other-map',
    ]);
    expect(await run('pet', { targetSystem: 'urn:beasts' })).deep.equal(['inexact urn:beasts|beast urn:map']);
    expect(await run('dodo', { targetSystem: 'urn:beasts' })).deep.equal(['unmatched urn:beasts|undefined urn:map']);
    expect(await run('tiger', { isReverse: true })).deep.equal(['narrower urn:animals|cat urn:map']);
  });

  it('maps that lead to one another end', async () => {
    const loop: ConceptMap = {
      resourceType: 'ConceptMap',
      url: 'urn:loop',
      group: [{ element: [], unmapped: { mode: 'other-map', url: 'urn:loop' } }],
    };
    expect(
      (await refusal(translate(terminologySource([loop] as object[] as CodeSystem[]), loop, [{ code: 'x' }]))).issues[0]
        ?.code,
    ).equal('too-costly');
  });
});

describe('terminology › bounded patterns', () => {
  const PATTERNS = [
    'abc',
    'a*b+c?',
    '(a|bc)*',
    '[a-c]{2,3}',
    '[^a]+',
    '\\d{3}-\\w+',
    'a.c',
    '^[A-Z]{2}$',
    '(?:x|y){2}z',
    '\\.\\*',
    '(a?){3}',
    '[-a]b',
    'a{2,}',
  ];
  it('say what JavaScript’s say of the whole text', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...PATTERNS),
        fc.string({ unit: fc.constantFrom(...'abcxyzAB12-.*_'), maxLength: 8 }),
        (pattern, text) => {
          expect(compileBoundedPattern(pattern)(text), `${pattern} ${text}`).equal(
            new RegExp(`^(?:${pattern})$`).test(text),
          );
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('[IN-30] what blows up elsewhere ends soon here', () => {
    const text = `${'a'.repeat(5000)}!`;
    for (const pattern of ['(a+)+', '(a*)*', '(a|a)*b', '(a|aa)+', '(.*a){20}'])
      expect(compileBoundedPattern(pattern)(text)).equal(false);
  });

  for (const pattern of [
    '(',
    ')',
    '[a',
    'a**',
    '*a',
    '(?=a)',
    '\\1',
    'a\\',
    '((a{999}){999}){999}',
    'a{3,1}',
    'x'.repeat(501),
  ])
    it(`refuses ${pattern.slice(0, 30)}`, () => {
      expect(() => compileBoundedPattern(pattern))
        .throw(FhirError)
        .property('status', 400);
    });
});
