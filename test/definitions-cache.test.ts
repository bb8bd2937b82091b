import { readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadDefinitions } from '../src/definitions-cache.ts';
import { makeTempFolder } from './support/temp-folder.ts';

describe('definitions-cache', function () {
  this.timeout(180_000);
  const cache = makeTempFolder();
  const files = (): string[] => readdirSync(cache).filter((name) => name.startsWith('definitions-'));
  const path = (): string => join(cache, files()[0] ?? 'none');

  it('compiles the definitions once', async () => {
    writeFileSync(join(cache, 'definitions-0.0.1-0.json'), 'of an older release');
    const left = join(cache, 'definitions-0.0.1-0.json.0123456789abcdef.tmp');
    writeFileSync(left, 'half of what a killed process wrote');
    utimesSync(left, 0, 0);
    const compiled = await loadDefinitions(cache);
    expect(compiled.resourceTypes).length(146);
    expect(files()).length(1);
    utimesSync(path(), 1, 1);
    expect(await loadDefinitions(cache)).deep.equal(compiled);
    expect(files()).length(1);
  });

  for (const [title, damage] of [
    ['cut short', (file: string) => truncateSync(file, 100_000)],
    ['empty', (file: string) => truncateSync(file, 0)],
    ['altered', (file: string) => writeFileSync(file, readFileSync(file, 'utf8').replace('"Patient"', '"Patienx"'))],
  ] as const)
    it(`makes a cache file anew that is ${title}`, async () => {
      damage(path());
      expect((await loadDefinitions(cache)).resourceTypes).include('Patient');
      expect((await loadDefinitions(cache)).resourceTypes).length(146);
    });
});
