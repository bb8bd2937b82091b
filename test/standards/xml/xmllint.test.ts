/** Canonical forms beside those of libxml2, when it is on this machine. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import fc from 'fast-check';
import { canonicalise } from '../../../src/standards/xml/canonicalise.ts';
import { readXml } from '../../../src/standards/xml/read.ts';
import { document } from './generate.ts';

const RUNS = process.env['TEST_SIZE'] === undefined ? 200 : 1000;
const AT_ONCE = 8;

async function xmllint(xml: string): Promise<string> {
  const child = spawn('xmllint', ['--exc-c14n', '-'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.on('error', () => {}); // it refuses the document before it has read it all
  child.stdin.end(xml);
  await once(child, 'close');
  return Buffer.concat(chunks).toString();
}

/** It keeps comments, which the form without them has not. */
const withoutComments = (xml: string): string => xml.replaceAll(/<!--[\s\S]*?-->/g, '');

async function expectAlike(documents: readonly string[]): Promise<void> {
  for (let at = 0; at < documents.length; at += AT_ONCE)
    await Promise.all(
      documents.slice(at, at + AT_ONCE).map(async (xml) => {
        const { value, issues } = readXml(xml);
        expect(value, issues[0]?.diagnostics).not.equal(undefined);
        expect(canonicalise(value!), xml).equal((await xmllint(xml)).trimEnd());
      }),
    );
}

describe('standards › xml › canonicalise and xmllint', function () {
  this.timeout(120_000);
  before(function () {
    if (spawnSync('xmllint', ['--version']).status === 0) return;
    console.log('    xmllint is not installed, so that it is not compared with: apt-get install libxml2-utils');
    this.skip();
  });

  it(`[XS-05] agree on ${RUNS} generated documents`, () => expectAlike(fc.sample(document, RUNS)));

  const folders = [
    join(import.meta.dirname, '../../../fixtures/eps'),
    ...(process.env['PUBLISHED_SAMPLES_DIR'] === undefined
      ? []
      : [join(process.env['PUBLISHED_SAMPLES_DIR'], 'eps/examples')]),
  ];
  for (const folder of folders)
    it(`[XS-05] agree on every example of ${folders.indexOf(folder) === 0 ? 'our own' : 'the published ones'}`, async () => {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.xml'));
      expect(files.length).greaterThan(5);
      const documents = files.map((name) =>
        withoutComments(readFileSync(join(folder, name), 'utf8').replace(/^\uFEFF/, '')),
      );
      await expectAlike(documents.filter((xml) => readXml(xml).value !== undefined && !/<\?(?!xml )/.test(xml)));
    });
});
