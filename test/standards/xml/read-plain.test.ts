import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseStrictly, XML_LIMITS } from '../../../src/standards/xml/read.ts';
import { readPlain } from '../../../src/standards/xml/read-plain.ts';
import { mutate } from '../script/samples.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures');
const FILES = readdirSync(FIXTURES, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.xml'))
  .map((entry) => join(entry.parentPath, entry.name));
const MUTATED = { quick: 4_000, ci: 40_000, long: 1_000_000 }[process.env['TEST_SIZE'] ?? 'quick'] ?? 4_000;

/** The tree by the strict parser; undefined where it refuses. */
function strictly(text: string) {
  try {
    return parseStrictly(text, XML_LIMITS);
  } catch {
    return undefined;
  }
}

/** The quick way gives up, or gives what the strict one gives. */
function compare(text: string): boolean {
  const quick = readPlain(text, XML_LIMITS);
  if (quick === undefined) return false;
  expect(quick).deep.equal(strictly(text));
  return true;
}

describe('standards › xml › the quick way and the strict one', () => {
  it('agree on every fixture, and most go the quick way', () => {
    const quick = FILES.filter((file) => compare(readFileSync(file, 'utf8')));
    expect(quick.length).greaterThan(FILES.length / 3);
  });

  it(`agree on ${MUTATED} mutated ones`, function () {
    this.timeout(600_000);
    const raws = FILES.filter((file) => /script/.test(file)).map((file) => readFileSync(file));
    let quick = 0;
    for (let seed = 0; seed < MUTATED; seed += 1) {
      const text = mutate(raws[seed % raws.length] ?? Buffer.alloc(1), seed, 1 + (seed % 3)).toString('utf8');
      try {
        if (compare(text)) quick += 1;
      } catch (cause) {
        throw new Error(`seed ${seed}`, { cause });
      }
    }
    expect(quick).greaterThan(0);
  });

  for (const text of [
    '<a/>',
    '<a></a>',
    '<a b="1" c=\'2\'/>',
    '\n <a>\n  <b>x</b>\n</a>\n ',
    '<a>1 &lt; 2 &amp; "3" &gt; \'</a>',
    '<?xml version="1.0" encoding="UTF-8"?><a xmlns="urn:x"><b/></a>',
    '<a xmlns:x="urn:x" x:b="1"/>',
    '<a >x</a>',
    '<a>é</a>',
  ])
    it(`goes the quick way: ${JSON.stringify(text)}`, () => expect(compare(text)).equal(true));

  for (const text of [
    '',
    ' ',
    'a',
    '<a>',
    '<a></b>',
    '<a/><b/>',
    '<a/>x',
    'x<a/>',
    '<a b="1" b="2"/>',
    '<a b=1/>',
    '<a b="<"/>',
    '<a b="1"c="2"/>',
    '<a>&nbsp;</a>',
    '<a>&</a>',
    '<a>&amp</a>',
    '<a>&#65;</a>',
    '<a>]]></a>',
    '<a><!-- x --></a>',
    '<a><![CDATA[x]]></a>',
    '<a><?x?></a>',
    '<!DOCTYPE a><a/>',
    '<x:a xmlns:x="urn:x"/>',
    '<a x:b="1"/>',
    '<a><b xmlns="urn:x"/></a>',
    '<a xmlns:xml="urn:x"/>',
    '<a\u0000/>',
    '<a>\r\n</a>',
    '<1a/>',
    '<a></a >',
    '<é/>',
  ])
    it(`leaves it to the strict one: ${JSON.stringify(text)}`, () => expect(compare(text)).equal(false));

  it('keeps the limits', () => {
    const limits = { bytes: 1000, depth: 3, elements: 4, attributes: 2 };
    expect(readPlain('<a><b><c/></b></a>', limits)).not.equal(undefined);
    expect(readPlain('<a><b><c><d/></c></b></a>', limits)).equal(undefined);
    expect(readPlain('<a><b/><b/><b/><b/></a>', limits)).equal(undefined);
    expect(readPlain('<a b="" c="" d=""/>', limits)).equal(undefined);
  });
});
