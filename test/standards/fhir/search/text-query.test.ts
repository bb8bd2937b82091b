/** `_text` and `_content`: which words there are, and what is asked of them. https://hl7.org/fhir/R4/search.html#content */
import { expect } from 'chai';
import type { TextQuery } from '../../../../src/standards/fhir/search/request.ts';
import { parseTextQuery } from '../../../../src/standards/fhir/search/text-query.ts';
import {
  eachWord,
  narrativeText,
  splitWords,
  WORDS_OF_RESOURCE_MAX,
} from '../../../../src/standards/fhir/search/words.ts';

const shown = (query: TextQuery): string => {
  if (query.kind === 'words') return query.words.join('+') + (query.isBeginning ? '*' : '');
  if (query.kind === 'not') return `!${shown(query.of)}`;
  return `(${query.of.map(shown).join(query.kind === 'and' ? ' & ' : ' | ')})`;
};

describe('search › text query', () => {
  const CASES: readonly (readonly [text: string, query: string])[] = [
    ['bone', 'bone'],
    ['Bone  LIVER', '(bone & liver)'],
    ['(bone OR liver) and metastases', '((bone | liver) & metastases)'],
    ['bone or liver metastases', '(bone | (liver & metastases))'],
    ['"liver metastases"', 'liver+metastases'],
    ['liver -bone', '(liver & !bone)'],
    ['liver NOT (bone or lung)', '(liver & !(bone | lung))'],
    ['co-amoxiclav 1.5', '(co+amoxiclav & 1+5)'],
    ['500mg/5ml', '500mg+5ml'],
    ["O'Brien O’Brien", '(o+brien & o+brien)'],
    ['Müller Straße', '(muller & strasse)'],
    ['metas*', 'metas*'],
    ['liver met*', '(liver & met*)'],
    ['"or"', 'or'],
    ['the and a', '(the & a)'],
    ['*** bone', 'bone'],
    ['--bone', '!!bone'],
  ];
  for (const [text, query] of CASES)
    it(text, () => {
      const read = parseTextQuery(text);
      expect('query' in read ? shown(read.query) : read.reason).equal(query);
    });

  const FAULTS: readonly (readonly [text: string, reason: RegExp])[] = [
    ['', /no word/],
    ['…', /no word/],
    ['"liver', /quotation mark/],
    ['(liver', /'\(' has no '\)'/],
    ['liver)', /'\)' has no '\('/],
    ['()', /brackets/],
    ['liver or', /'or' needs/],
    ['or liver', /no word/],
    ['liver and', /'and' needs/],
    ['liver -', /'not' and '-'/],
    ['-liver', /must be there/],
    ['bone or -liver', /must be there/],
    [Array.from({ length: 51 }, (_, i) => `w${i}`).join(' '), /more than 50/],
    [`${'('.repeat(12)}a${')'.repeat(12)}`, /more than 10/],
    [`${'-'.repeat(5000)}a`, /more than 10/],
  ];
  for (const [text, reason] of FAULTS)
    it(`${text.slice(0, 20)} is refused`, () => {
      const read = parseTextQuery(text);
      expect('reason' in read ? read.reason : shown(read.query)).match(reason);
    });
});

describe('search › words', () => {
  const words = (resource: object, all = true): string => {
    const found: string[] = [];
    eachWord(resource as Record<string, unknown>, all, (word, at, isNarrative) =>
      found.push(`${word}:${at}${isNarrative ? 'A' : ''}`),
    );
    return found.join(' ');
  };

  it('the narrative is what its reader sees', () => {
    const CASES: readonly (readonly [div: string, text: string])[] = [
      ['<div xmlns="http://www.w3.org/1999/xhtml">Liver</div>', 'liver'],
      ['<div><p>one</p><p>two</p>three</div>', 'one two three'],
      ['<div>H<sub>2</sub>O <b>x</b>y</div>', 'h2o xy'],
      ['<div>caf&#233; &#xe9;t&#xE9; a&amp;b a&nbsp;b</div>', 'cafe ete a b a b'],
      ['<div><!-- hidden <b>secret</b> -->seen</div>', 'seen'],
      ['<div title="hidden"><img alt="x"/>seen</div>', 'seen'],
      ['<div>cut <', 'cut'],
      [`<div>${'<'.repeat(100_000)}`, ''],
      ['<div>&#999999999;x&#0;</div>', 'x'],
    ];
    for (const [div, text] of CASES) expect(splitWords(narrativeText(div)).join(' '), div.slice(0, 60)).equal(text);
  });

  it('texts of elements stand apart, so that no phrase reaches from one to the next', () => {
    expect(words({ resourceType: 'Patient', name: [{ family: 'Van Dyke', given: ['Ann'] }] })).equal(
      'van:1 dyke:2 ann:4',
    );
  });

  it('ids, references, addresses, dates and bytes are no words', () => {
    const resource = {
      resourceType: 'DocumentReference',
      id: 'secretid',
      meta: { versionId: '1', lastUpdated: '2020-01-01T00:00:00Z', profile: ['http://a.example/profile'] },
      identifier: [{ system: 'urn:oid:1.2.3', value: 'AB-12' }],
      subject: { reference: 'Patient/hidden', display: 'Shown' },
      date: '2020-02-03T10:00:00+01:00',
      content: [{ attachment: { contentType: 'text/plain', data: 'aGlkZGVu', url: 'https://x.example/y' } }],
    };
    expect(words(resource)).equal('ab:1 12:2 shown:4 text:6 plain:7');
    expect(words(resource, false)).equal('');
  });

  it('the narrative comes under its own weight, and once', () => {
    const resource = {
      resourceType: 'Basic',
      text: { status: 'generated', div: '<div>one</div>' },
      code: { text: 'two' },
      contained: [{ resourceType: 'Basic', id: 'c', text: { div: '<div>three</div>' }, code: { text: 'four' } }],
    };
    expect(words(resource, false)).equal('one:1A');
    expect(words(resource)).equal('one:1A generated:3 two:5 four:7 three:9');
  });

  it('what comes after so many words is left out', () => {
    const text = `${'word '.repeat(WORDS_OF_RESOURCE_MAX)}beyond`;
    const found = words({ resourceType: 'Basic', code: { text }, note: 'later' });
    expect(found.split(' ')).to.have.length(WORDS_OF_RESOURCE_MAX);
    expect(found).not.contain('beyond').and.not.contain('later');
    expect(words({ resourceType: 'Basic', code: { text: `${'x'.repeat(65)} y` } })).equal('y:1');
  });
});
