/** `npm run anonymise` on a real database. SECURITY DP-08 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openKeyFile } from '../src/pki/key-file.ts';
import type { Resource } from '../src/ports/resource-store.ts';
import { isNhsNumber, NHS_NUMBER_SYSTEM } from '../src/standards/nhs/identifiers.ts';
import { BASE_URL, openPolicyStore, type PolicyStore } from './support/policy-store.ts';
import { databaseUrl } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const PATIENTS = 6;

describe('anonymise', function () {
  this.timeout(120_000);
  let world: PolicyStore;
  let dataDir: string;
  let folder: string;
  const stored: Resource[] = [];

  before(async () => {
    dataDir = makeTempFolder();
    mkdirSync(join(dataDir, 'keys'));
    const cache = join(makeTempFolder(), 'cache');
    mkdirSync(cache);
    symlinkSync(cache, join(dataDir, 'cache'));
    world = await openPolicyStore({
      encrypted: 'Patient.name,Patient.birthDate',
      wrapping: openKeyFile(join(dataDir, 'keys', 'data.key')),
    });
    stored.push({ resourceType: 'Practitioner', id: 'gp', name: [{ family: 'Zqgp' }] });
    for (let n = 0; n < PATIENTS; n += 1) {
      const subject = { reference: `Patient/zq-p${n}`, display: `Zqdisplay${n}` };
      stored.push(
        {
          resourceType: 'Patient',
          id: `zq-p${n}`,
          identifier: [
            { system: NHS_NUMBER_SYSTEM, value: `943476590${n}` },
            { system: 'urn:zq', value: `Zqmrn${n}` },
          ],
          name: [{ family: `Zqfamily${n}`, given: ['Zqgiven'] }],
          telecom: [{ system: 'email', value: `zq${n}@hospital.test` }],
          address: [{ line: ['1 Zq Road'], postalCode: 'ZQ1 1ZQ' }],
          birthDate: '1980-01-01',
          generalPractitioner: [{ reference: 'Practitioner/gp' }],
        },
        { resourceType: 'Encounter', id: `zq-e${n}`, status: 'finished', class: { code: 'AMB' }, subject },
        {
          resourceType: 'Observation',
          id: `zq-o${n}`,
          status: 'final',
          code: { coding: [{ system: 'http://loinc.org', code: '1-8' }], text: 'Zqcode' },
          subject,
          encounter: { reference: `Encounter/zq-e${n}` },
          hasMember: [{ reference: 'Observation/zq-deleted' }],
          valueString: `Zqvalue${n}`,
          note: [{ text: 'Zqnote' }],
        },
      );
    }
    for (const resource of stored) await world.put(resource);
    await world.put({ resourceType: 'Observation', id: 'zq-deleted', status: 'final', code: { text: 'x' } });
    await world.store.delete((await import('./support/policy-store.ts')).ROOT, 'Observation', 'zq-deleted');
    folder = makeTempFolder();
    writeFileSync(join(folder, 'key'), 'ab'.repeat(32));
  });
  after(() => world.stop());

  const run = (args: readonly string[]): Promise<{ code: number; out: string; err: string }> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(import.meta.dirname, '../src/anonymise.ts'), ...args],
        {
          cwd: folder,
          env: {
            PATH: process.env['PATH'],
            DATA_DIR: dataDir,
            DATABASE_URL: databaseUrl(world.database),
            UNSAFE_DATABASE: 'allow',
          },
        },
        (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });
  const resourcesOf = (name: string): Resource[] =>
    readdirSync(join(folder, name)).flatMap((file) =>
      readFileSync(join(folder, name, file), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Resource),
    );

  it('[DP-08] copies all of it: the same counts, none of the values, every reference leads somewhere', async () => {
    const { code, out, err } = await run(['--out', 'one', '--key', 'key', '--base', BASE_URL]);
    expect(code, err).equal(0);
    expect(out).contain(`${stored.length} resources`);
    const made = resourcesOf('one');
    const count = (list: readonly Resource[]): Record<string, number> =>
      Object.fromEntries(
        [...Map.groupBy(list, (one) => one.resourceType)].map(([type, of]) => [type, of.length]).sort(),
      );
    expect(count(made)).deep.equal(count(stored));
    const text = JSON.stringify(made);
    expect(text.match(/.{40}(zq|943476590|hospital).{20}/i)?.[0]).equal(undefined);
    const ids = new Set(made.map((one) => `${one.resourceType}/${one['id']}`));
    const references = [...text.matchAll(/"reference":"([^"]*)"/g)].map(([, reference]) => reference ?? '');
    expect(references).have.lengthOf(PATIENTS * 4);
    for (const reference of references) expect(ids.has(reference), reference).equal(true);
    for (const resource of made) expect(world.services.validate(resource)).deep.equal([]);
    const numbers = made.flatMap((one) =>
      ((one['identifier'] ?? []) as { system: string; value: string }[]).filter(
        ({ system }) => system === NHS_NUMBER_SYSTEM,
      ),
    );
    expect(new Set(numbers.map(({ value }) => value)).size).equal(PATIENTS);
    for (const { value } of numbers) expect(value).match(/^999/).satisfy(isNhsNumber);
    expect(statSync(join(folder, 'one', 'Patient.ndjson')).mode & 0o077).equal(0);
  });

  it('[DP-08] the same for one key; without a key another each time', async () => {
    expect((await run(['--out', 'two', '--key', 'key', '--base', BASE_URL])).code).equal(0);
    expect(resourcesOf('two')).deep.equal(resourcesOf('one'));
    expect((await run(['--out', 'three'])).code).equal(0);
    const idsOf = (name: string): unknown[] => resourcesOf(name).map((one) => one['id']);
    expect(idsOf('three').filter((id) => idsOf('one').includes(id))).deep.equal([]);
  });

  it('[DP-08] as one Bundle', async () => {
    expect((await run(['--out', 'all.json', '--key', 'key', '--base', BASE_URL])).code).equal(0);
    const bundle = JSON.parse(readFileSync(join(folder, 'all.json'), 'utf8')) as { entry: { resource: Resource }[] };
    expect(world.services.validate(bundle, 'Bundle')).deep.equal([]);
    expect(bundle.entry.map(({ resource }) => resource)).have.deep.members(resourcesOf('one'));
  });

  it('[DP-08] writes over nothing, and says what is wrong', async () => {
    for (const [args, code, message] of [
      [['--out', 'one'], 1, 'there is such a file or folder already'],
      [[], 2, '--out says where'],
      [['--out', 'x', '--key', 'all.json'], 2, '32 bytes in hexadecimal'],
    ] as const) {
      const ended = await run(args);
      expect(ended.code, ended.err).equal(code);
      expect(ended.err).contain(message);
    }
  });
});
