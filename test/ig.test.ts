import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { openProfiles } from '../src/profiles.ts';
import { PackageError, readPackage } from '../src/standards/fhir/package-archive.ts';
import { createValidation } from '../src/standards/fhir/validation/validator.ts';
import { testDefinitions } from './support/definitions.ts';
import { testLog } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const root = join(import.meta.dirname, '..');

/** One entry of a tar archive. */
function entry(
  name: string,
  content: string | Buffer,
  { type = '0', size = content.length }: { type?: string; size?: number } = {},
): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, 100, 'utf8');
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\0', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  Buffer.from(content).copy(body);
  return Buffer.concat([header, body]);
}
const archive = (...entries: Buffer[]): Buffer => Buffer.concat([...entries, Buffer.alloc(1024)]);

const URL_OF = 'https://example.org/fhir/StructureDefinition/from-package';
const manifest = JSON.stringify({ name: 'example.named', version: '1.2.0', fhirVersions: ['4.0.1'] });
const definition = JSON.stringify({
  resourceType: 'StructureDefinition',
  url: URL_OF,
  name: 'FromPackage',
  status: 'active',
  kind: 'resource',
  abstract: false,
  type: 'Patient',
  baseDefinition: 'http://hl7.org/fhir/StructureDefinition/Patient',
  derivation: 'constraint',
  differential: { element: [{ id: 'Patient.name', path: 'Patient.name', min: 1 }] },
});

describe('packages › the archive', () => {
  it('plain files by name', () => {
    const files = readPackage(
      archive(
        entry('package/package.json', manifest),
        entry('package', '', { type: '5' }),
        entry('package/a.json', '{}'),
      ),
    );
    expect(files.map(({ name, content }) => [name, content.toString()])).to.eql([
      ['package/package.json', manifest],
      ['package/a.json', '{}'],
    ]);
  });

  it('names of a pax header', () => {
    const long = `package/${'x'.repeat(120)}.json`;
    const text = `path=${long}\n`;
    const record = `${text.length + 4} ${text}`;
    expect(readPackage(archive(entry('pax', record, { type: 'x' }), entry('short', '{}')))[0]?.name).to.equal(long);
  });

  for (const [title, bytes] of [
    ['a path that leads out', archive(entry('package/../../etc/passwd', 'x'))],
    ['an absolute path', archive(entry('/etc/passwd', 'x'))],
    ['a drive', archive(entry('C:\\x.json', 'x'))],
    ['a backslash', archive(entry('package\\..\\x.json', 'x'))],
    ['a symbolic link', archive(entry('package/x.json', '', { type: '2' }))],
    ['a hard link', archive(entry('package/x.json', '', { type: '1' }))],
    ['a device', archive(entry('package/x', '', { type: '3' }))],
    ['a name of a device', archive(entry('package/CON.json', 'x'))],
    ['the same name in capitals', archive(entry('package/a.json', 'x'), entry('package/A.json', 'y'))],
    ['a name with a NUL after it is another', archive(entry('package/.json', 'x'))],
    ['a size beyond the limit', archive(entry('package/a.json', 'x', { size: 2 ** 31 }))],
    ['a file cut short', entry('package/a.json', 'x', { size: 5000 })],
    ['no archive', Buffer.from('x'.repeat(2000))],
    [
      'a path that leads out in a pax header',
      archive(entry('pax', '30 path=../../../../etc/x\n', { type: 'x' }), entry('short', '{}')),
    ],
  ] as const)
    it(`[IN-24] refused: ${title}`, () => {
      expect(() => readPackage(bytes)).to.throw(PackageError);
    });

  it('[IN-24] more entries and bytes than allowed', () => {
    const many = archive(...Array.from({ length: 5 }, (_, i) => entry(`package/${i}.json`, '{}')));
    expect(() => readPackage(many, { entries: 4, fileBytes: 1000, bytes: 100_000 })).to.throw(PackageError, 'entries');
    expect(() => readPackage(many, { entries: 9, fileBytes: 1000, bytes: 1000 })).to.throw(PackageError, 'bytes');
  });
});

describe('packages › npm run ig', () => {
  const folder = makeTempFolder();
  const ig = async (...words: string[]): Promise<{ out: string; err: string; code: number }> => {
    try {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(root, 'src/ig.ts'), ...words], {
        env: { ...process.env, DATA_DIR: folder },
      });
      return { out: stdout, err: stderr, code: 0 };
    } catch (error) {
      const { stdout, stderr, code } = error as { stdout: string; stderr: string; code: number };
      return { out: stdout, err: stderr, code };
    }
  };
  const file = (name: string, bytes: Buffer): string => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };

  it('adds, lists and removes; the server checks by it', async () => {
    const broken = JSON.stringify({ resourceType: 'ValueSet', url: 'urn:x' });
    const good = file(
      'good.tgz',
      gzipSync(
        archive(
          entry('package/package.json', manifest),
          entry('package/StructureDefinition-a.json', definition),
          entry('package/ValueSet-b.json', broken),
          entry('package/example/Patient-x.json', '{"resourceType":"Patient"}'),
        ),
      ),
    );
    const added = await ig('add', good);
    expect(added.code, added.err).to.equal(0);
    expect(added.out).to.contain('example.named#1.2.0: 1 resources');
    expect(added.err).to.contain('left out package/ValueSet-b.json');
    expect((await ig('list')).out).to.contain('example.named#1.2.0   1 resources');
    const inside = join(folder, 'packages', 'example.named#1.2.0');
    expect(readdirSync(inside)).to.eql(['StructureDefinition-1.json']);
    expect(readFileSync(join(inside, 'StructureDefinition-1.json'), 'utf8')).to.equal(definition);

    const { profiles, validate } = createValidation(testDefinitions());
    const stop = await openProfiles({
      profiles,
      store: {
        search: async () => ({ matches: [], included: [], issues: [] }),
        history: async () => ({ versions: [] }),
      },
      searchOf: (type) => ({ type }) as never,
      packagesDir: join(folder, 'packages'),
      required: new Map(),
      profileBase: 'https://mortar.example/fhir',
      now: () => 0,
      log: testLog(),
    });
    await stop();
    expect(validate({ resourceType: 'Patient', meta: { profile: [URL_OF] } })[0]?.expression).to.eql(['Patient.name']);

    expect((await ig('remove', 'example.named#1.2.0')).code).to.equal(0);
    expect((await ig('list')).out).to.equal('');
    expect((await ig('remove', '../..')).code).to.equal(1);
  });

  it('[IN-24] what is wrong is told, and nothing is left', async () => {
    for (const [bytes, text] of [
      [gzipSync(archive(entry('package/package.json', manifest), entry('../x.json', '{}'))), 'leads elsewhere'],
      [
        gzipSync(
          archive(
            entry('package/package.json', JSON.stringify({ name: '../x', version: '1' })),
            entry('package/a.json', definition),
          ),
        ),
        'no name',
      ],
      [
        gzipSync(
          archive(entry('package/package.json', JSON.stringify({ name: 'x', version: '1', fhirVersions: ['5.0.0'] }))),
        ),
        'not for FHIR R4',
      ],
      [gzipSync(archive(entry('package/a.json', definition))), 'no package/package.json'],
      [Buffer.from('no gzip'), 'no gzip file'],
      [gzipSync(Buffer.alloc(300 * 1024 * 1024)), 'holds more than'],
    ] as const) {
      const { code, err } = await ig('add', file('bad.tgz', bytes));
      expect(code).to.equal(1);
      expect(err).to.contain(text);
    }
    expect((await ig('add', join(folder, 'nothing.tgz'))).err).to.contain('there is no file');
    expect((await ig('list')).out).to.equal('');
  });
});
