/** What is read, and what is refused before any harm is done. */
import { expect } from 'chai';
import fc from 'fast-check';
import { readXml, XML_LIMITS } from '../../../src/standards/xml/read.ts';
import { attributeOf, childOf, elementsOf, ownText } from '../../../src/standards/xml/tree.ts';

const bytes = (...parts: readonly (string | readonly number[])[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from(part))));

describe('standards › xml › read', () => {
  it('a document as a tree', () => {
    const { value, issues } = readXml('<?xml version="1.0"?><a xmlns="urn:a" b="1">x<c>y</c><![CDATA[z]]>&amp;</a>');
    expect(issues).deep.equal([]);
    expect(value).deep.include({ name: 'a', prefix: '', namespace: 'urn:a' });
    expect(value && [attributeOf(value, 'b'), ownText(value), elementsOf(value).length]).deep.equal(['1', 'xz&', 1]);
    expect(value && childOf(value, 'c')?.children).deep.equal(['y']);
  });

  it('says where an element starts', () => {
    const { value } = readXml('<a>\n  <b/>\n</a>');
    expect(value && childOf(value, 'b')).deep.include({ line: 2 });
  });

  const encoded: readonly (readonly [string, Buffer | string])[] = [
    ['UTF-8', bytes('<a>é</a>')],
    ['UTF-8 with a byte order mark', bytes([0xef, 0xbb, 0xbf], '<a>é</a>')],
    ['a text with a byte order mark', '\uFEFF<a>é</a>'],
    ['UTF-16 LE', bytes([0xff, 0xfe], [...Buffer.from('<a>é</a>', 'utf16le')])],
    ['UTF-16 BE', bytes([0xfe, 0xff], [...Buffer.from('<a>é</a>', 'utf16le').swap16()])],
  ];
  for (const [title, content] of encoded)
    it(`decodes ${title}`, () => expect(readXml(content).value?.children).deep.equal(['é']));

  const deep = '<a>'.repeat(65) + '</a>'.repeat(65);
  const wide = `<a>${'<b/>'.repeat(20_000)}</a>`;
  const bomb = '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">';
  const refused: readonly (readonly [title: string, content: Buffer | string, code: string, text: RegExp])[] = [
    ['a document type', '<!DOCTYPE a><a/>', 'security', /DOCTYPE/],
    [
      'a document type after the declaration',
      '<?xml version="1.0"?>\n<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
      'security',
      /DOCTYPE/,
    ],
    ['a document type in lower case', '<!doctype a><a/>', 'security', /DOCTYPE/],
    ['a document type behind comments', '<!-- <a> --><!-- > --><!DOCTYPE a><a/>', 'security', /DOCTYPE/],
    ['entities', `<!DOCTYPE a [${bomb}]><a>&b;</a>`, 'security', /DOCTYPE/],
    [
      'a document type in UTF-16',
      bytes([0xff, 0xfe], [...Buffer.from('<!DOCTYPE a><a/>', 'utf16le')]),
      'security',
      /DOCTYPE/,
    ],
    ['an entity that nobody declared', '<a>&secret;</a>', 'structure', /Line 1/],
    ['nesting beyond the limit', deep, 'structure', /nested deeper than 64/],
    ['elements beyond the limit', wide, 'structure', /more than 20000 elements/],
    ['bytes that are not UTF-8', bytes('<a>', [0xc3, 0x28], '</a>'), 'structure', /UTF-8/],
    ['half a character at the end', bytes('<a>é'.slice(0, 3), [0xc3]), 'structure', /UTF-8/],
    ['nothing', '', 'structure', /empty/],
    ['white space alone', ' \n\t', 'structure', /empty/],
    ['no element', 'text', 'structure', /Line 1/],
    ['two roots', '<a/><b/>', 'structure', /Line 1/],
    ['an element left open', '<a><b></a>', 'structure', /Line 1/],
    ['a document cut off', '<a><b>', 'structure', /Line 1/],
    ['an attribute twice', '<a b="1" b="2"/>', 'structure', /Line 1/],
    ['an attribute twice by namespace', '<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>', 'structure', /Line 1/],
    ['a prefix nobody bound', '<p:a/>', 'structure', /Line 1/],
    ['a control character', '<a>\u0001</a>', 'structure', /Line 1/],
    ['a reference to a control character', '<a>&#1;</a>', 'structure', /Line 1/],
    ['XML 1.1', '<?xml version="1.1"?><a/>', 'structure', /only XML 1\.0/],
    ['a control character of XML 1.1', '<?xml version="1.1"?><a>&#1;</a>', 'structure', /only XML 1\.0/],
    ['UTF-7', '<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b/+AD4-</a>', 'structure', /another encoding/],
    ['Latin 1', '<?xml version="1.0" encoding="ISO-8859-1"?><a/>', 'structure', /another encoding/],
    ['a bare ampersand', '<a>A & B</a>', 'structure', /Line 1/],
  ];
  for (const [title, content, code, text] of refused)
    it(`refuses ${title}`, () => {
      const { value, issues } = readXml(content);
      expect(value).equal(undefined);
      expect(issues).length(1);
      expect(issues[0]).deep.include({ severity: 'error', code });
      expect(issues[0]?.diagnostics).match(text).and.not.include('\n');
    });

  it('refuses what is too long', () => {
    const { issues } = readXml(`<a>${'x'.repeat(20)}</a>`, { ...XML_LIMITS, bytes: 10 });
    expect(issues[0]).deep.include({ code: 'too-long' });
  });

  it('keeps to the limits it is given', () => {
    expect(readXml('<a><b/></a>', { ...XML_LIMITS, depth: 1 }).value).equal(undefined);
    expect(readXml('<a><b/></a>', { ...XML_LIMITS, elements: 1 }).value).equal(undefined);
    expect(readXml('<a><b/></a>', { bytes: 11, depth: 2, elements: 2 }).value).not.equal(undefined);
  });

  it('never tells the content', () => {
    const names = ['<patient>9990000018', '<a b="9990000018" b="1"/>', '<a>9990000018 & x</a>', '<a>9990000018</b>'];
    for (const xml of names) expect(JSON.stringify(readXml(xml).issues)).not.include('9990000018');
  });

  it('any bytes at all', () => {
    const piece = fc.constantFrom(
      '<',
      '>',
      '/',
      'a',
      ' ',
      '"',
      '=',
      '&',
      ';',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '<?',
      '?>',
      'xmlns',
      ':',
      '\n',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array().map((b) => Buffer.from(b)),
          fc.array(piece).map((p) => p.join('')),
        ),
        (content) => {
          const { value, issues } = readXml(content);
          expect(value === undefined).equal(issues.length > 0);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('a document cut off anywhere', () => {
    const whole = Buffer.from('<?xml version="1.0"?>\n<a xmlns="urn:a" b="é"><c>é&amp;</c><![CDATA[x]]><!-- y --></a>');
    for (let length = 0; length < whole.length; length++)
      expect(readXml(whole.subarray(0, length)).value, String(length)).equal(undefined);
    expect(readXml(whole).value).not.equal(undefined);
  });
});
