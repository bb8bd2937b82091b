/** Exclusive canonicalisation beside another implementation of it. */

import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalise } from '../../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { writeXml } from '../../../src/standards/xml/write.ts';
import { document } from './generate.ts';

const SIZES = new Map([
  ['ci', 3_000],
  ['long', 50_000],
]);
const RUNS = SIZES.get(process.env['TEST_SIZE'] ?? '') ?? 500;
const SAMPLES = process.env['PUBLISHED_SAMPLES_DIR'];
const FIXTURES = join(import.meta.dirname, '../../../fixtures/eps');

let worker: Worker;

function startOracle(): void {
  worker = new Worker(new URL('./oracle-worker.ts', import.meta.url));
}

/** What the other implementation makes of the documents. */
async function expected(documents: readonly string[]): Promise<readonly string[]> {
  const answer = once(worker, 'message');
  worker.postMessage(documents);
  return (await answer)[0] as readonly string[];
}

/** Fails at the first document that the two do not canonicalise alike. */
async function expectAlike(documents: readonly string[]): Promise<void> {
  const canonical = await expected(documents);
  documents.forEach((xml, i) => {
    expect(actual(xml), xml).equal(canonical[i]);
  });
}

function actual(xml: string): string {
  const { value, issues } = readXml(xml);
  if (value === undefined) throw new Error(`${issues[0]?.diagnostics}\n${xml}`);
  return canonicalise(value);
}

describe('standards › xml › canonicalise', () => {
  before(startOracle);
  after(() => worker.terminate());

  // https://www.w3.org/TR/xml-exc-c14n/ and https://www.w3.org/TR/xml-c14n/#Examples, as far as a tree holds them.
  const rows: readonly (readonly [title: string, xml: string, canonical: string])[] = [
    ['start and end tags', '<a/>', '<a></a>'],
    ['no declaration and no comments', '<?xml version="1.0"?><!--a--><a><!--d-->e</a>', '<a>e</a>'],
    ['CDATA as text', '<a><![CDATA[1 < 2 & 3]]></a>', '<a>1 &lt; 2 &amp; 3</a>'],
    ['what text escapes', '<a>&lt;&gt;&amp;"\'&#13;&#9;\n</a>', '<a>&lt;&gt;&amp;"\'&#xD;\t\n</a>'],
    [
      'what attributes escape',
      '<a b="&lt;>&amp;&quot;\'&#9;&#10;&#13;"/>',
      '<a b="&lt;>&amp;&quot;\'&#x9;&#xA;&#xD;"></a>',
    ],
    ['white space of tags goes, of content stays', '<a  b = "1"\n> <c /> </a >', '<a b="1"> <c></c> </a>'],
    [
      'attributes by namespace, then name',
      '<a xmlns:z="urn:a" xmlns:y="urn:b" y:a="1" z:b="2" b="3" a="4"/>',
      '<a xmlns:y="urn:b" xmlns:z="urn:a" a="4" b="3" z:b="2" y:a="1"></a>',
    ],
    [
      'declarations where they are used',
      '<a xmlns="urn:a" xmlns:b="urn:b"><c><b:d/><b:e><b:f/></b:e></c></a>',
      '<a xmlns="urn:a"><c><b:d xmlns:b="urn:b"></b:d><b:e xmlns:b="urn:b"><b:f></b:f></b:e></c></a>',
    ],
    ['unused declarations go', '<a xmlns:b="urn:b"><c xmlns:b="urn:c"/></a>', '<a><c></c></a>'],
    [
      'a default namespace undone',
      '<a xmlns="urn:a"><b xmlns=""><c/></b></a>',
      '<a xmlns="urn:a"><b xmlns=""><c></c></b></a>',
    ],
    [
      'a prefix bound anew',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"/></p:b></p:a>',
      '<p:a xmlns:p="urn:1"><p:b xmlns:p="urn:2"><p:c xmlns:p="urn:1"></p:c></p:b></p:a>',
    ],
    [
      'xml: is not declared',
      '<a xml:lang="en"><b xml:space="preserve"/></a>',
      '<a xml:lang="en"><b xml:space="preserve"></b></a>',
    ],
    ['characters beyond the first plane', '<a>&#x1D4B3;é</a>', '<a>𝒳é</a>'],
  ];
  for (const [title, xml, canonical] of rows)
    it(title, async () => {
      expect(actual(xml)).equal(canonical);
      expect(await expected([xml])).deep.equal([canonical]);
    });

  it('attributes by code point, not by UTF-16 unit', () => {
    expect(actual('<a \u{10000}="1" \uFB01="2"/>')).equal('<a \uFB01="2" \u{10000}="1"></a>');
  });

  it(`documents made at random (${RUNS})`, async function () {
    this.timeout(600_000);
    const documents = fc.sample(document, RUNS);
    await expectAlike(documents);
    for (const xml of documents) expect(actual(actual(xml))).equal(actual(xml));
  });

  it(`what is written reads as the same document (${RUNS})`, function () {
    this.timeout(600_000);
    fc.assert(
      fc.property(document, (xml) => {
        const { value } = readXml(xml);
        expect(value).not.equal(undefined);
        if (value !== undefined) expect(actual(writeXml(value, 'compact'))).equal(actual(xml));
      }),
      { numRuns: RUNS },
    );
  });

  it('the golden files of our own messages', () =>
    expectAlike(
      readdirSync(FIXTURES)
        .filter((name) => name.endsWith('.xml'))
        .map((name) => readFileSync(join(FIXTURES, name), 'utf8')),
    ));
});

describe('standards › xml › canonicalise › published documents', () => {
  before(startOracle);
  after(() => worker.terminate());

  if (SAMPLES === undefined) it('need PUBLISHED_SAMPLES_DIR: a folder with eps/examples in it');
  else
    it('are canonicalised alike', async () => {
      const folder = join(SAMPLES, 'eps/examples');
      const documents = readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((path) => path.endsWith('.xml'))
        .map((path) => readFileSync(join(folder, path), 'utf8'))
        // Two are answers of the Spine as they stand in a MIME message.
        .filter((text) => readXml(text).value !== undefined);
      expect(documents.length).at.least(30);
      await expectAlike(documents);
    });
});
