/** XML as it is written: what is escaped, where lines break. */
import { expect } from 'chai';
import { element, textElement } from '../../../src/standards/hl7v3/element.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import type { XmlElement } from '../../../src/standards/xml/tree.ts';
import { writeXml } from '../../../src/standards/xml/write.ts';

const read = (xml: string): XmlElement => {
  const { value } = readXml(xml);
  if (value === undefined) throw new Error(xml);
  return value;
};
const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>';

describe('standards › xml › write', () => {
  it('pretty: a line an element, two spaces a level, no newline at the end', () => {
    const root = element('a', { z: '1', b: '2' }, textElement('c', 'text'), element('d', undefined, element('e')));
    expect(writeXml(root, 'pretty')).equal(
      [
        DECLARATION,
        '<a xmlns="urn:hl7-org:v3" b="2" z="1">',
        '  <c>text</c>',
        '  <d>',
        '    <e/>',
        '  </d>',
        '</a>',
      ].join('\n'),
    );
  });

  it('compact: nothing between elements', () => {
    expect(writeXml(read('<a><b/><c>d</c></a>'), 'compact')).equal(`${DECLARATION}<a><b/><c>d</c></a>`);
  });

  it('pretty leaves content that holds text as it is', () => {
    expect(writeXml(read('<a><b>x<c><d/></c> y</b></a>'), 'pretty')).equal(
      [DECLARATION, '<a>', '  <b>x<c><d/></c> y</b>', '</a>'].join('\n'),
    );
  });

  it('an element of empty text closes itself', () => {
    expect(writeXml({ ...element('a'), children: ['', ''] }, 'compact')).equal(
      `${DECLARATION}<a xmlns="urn:hl7-org:v3"/>`,
    );
  });

  it('namespaces are declared where they are first used', () => {
    const xml = '<p:a xmlns:p="urn:p" xmlns:q="urn:q"><q:b p:c="1"/><q:b/><d xmlns="urn:d"><e xmlns=""/></d></p:a>';
    expect(writeXml(read(xml), 'compact')).equal(
      `${DECLARATION}<p:a xmlns:p="urn:p"><q:b xmlns:q="urn:q" p:c="1"/><q:b xmlns:q="urn:q"/><d xmlns="urn:d"><e xmlns=""/></d></p:a>`,
    );
  });

  for (const [title, text, written] of [
    ['the five of XML', `& < > " '`, `&amp; &lt; &gt; " '`],
    ['once only', '&amp;', '&amp;amp;'],
    ['white space as it is', ' \t\n ', ' \t\n '],
    ['a carriage return as a reference', 'a\rb', 'a&#13;b'],
    ['the end of CDATA', ']]>', ']]&gt;'],
  ] as const)
    it(`text › ${title}`, () => {
      const root = { ...element('a'), children: [text] };
      expect(writeXml(root, 'compact')).equal(`${DECLARATION}<a xmlns="urn:hl7-org:v3">${written}</a>`);
      expect(read(writeXml(root, 'compact')).children).deep.equal([text]);
    });

  it('attributes › all that a reader would change is a reference', () => {
    const root = read('<a b="&amp;&lt;&gt;&quot;&apos;&#9;&#10;&#13;"/>');
    expect(writeXml(root, 'compact')).equal(`${DECLARATION}<a b="&amp;&lt;&gt;&quot;&#39;&#9;&#10;&#13;"/>`);
  });
});
