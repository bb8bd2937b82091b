/** `npm run -s ig`: unpacks FHIR packages for validation, lists and removes them. docs/validation.md */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { parsed, runCommand, serverDataDir, typedPath, UsageError } from './command.ts';
import { loadDefinitions } from './definitions-cache.ts';
import { JSON_LIMITS, parseJson } from './standards/fhir/json.ts';
import { FhirError } from './standards/fhir/outcome.ts';
import { PACKAGE_LIMITS, PackageError, type PackageFile, readPackage } from './standards/fhir/package-archive.ts';
import { CONFORMANCE_TYPES } from './standards/fhir/validation/profile-registry.ts';
import { createValidation } from './standards/fhir/validation/validator.ts';

const HELP = `npm run -s ig -- add FILE.tgz     unpacks a FHIR package; servers know it from their next start
npm run -s ig -- list             prints one package a line
npm run -s ig -- remove NAME      NAME as list prints it

  DATA_DIR   the folder of the server (.data)
`;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const PACKAGE_NAME = /^[a-z0-9][a-z0-9.-]{0,100}$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.+-]{0,60}$/;
const FOLDER = /^[a-z0-9][a-z0-9.-]{0,100}#[A-Za-z0-9][A-Za-z0-9.+-]{0,60}$/;

await runCommand('ig', HELP, run, (error) => error instanceof PackageError || error instanceof FhirError);

async function run(): Promise<void> {
  const { positionals, values } = parsed(() =>
    parseArgs({ allowPositionals: true, options: { help: { type: 'boolean', short: 'h', default: false } } }),
  );
  const [command, argument, ...more] = positionals;
  if (values.help) return void process.stdout.write(HELP);
  const dataDir = serverDataDir();
  const folder = join(dataDir, 'packages');
  if (more.length > 0 || (command === 'list' && argument !== undefined))
    throw new UsageError('there is a word too many');
  if (command === 'list') return list(folder);
  if (command !== 'add' && command !== 'remove') throw new UsageError('say add, list or remove');
  if (argument === undefined) throw new UsageError(command === 'add' ? 'name the FILE' : 'name the package');
  return command === 'add' ? add(dataDir, folder, argument) : remove(folder, argument);
}

async function add(dataDir: string, folder: string, file: string): Promise<void> {
  const files = readPackage(await inflate(typedPath(file)));
  const { name, version } = readManifest(files);
  const kept = await readResources(dataDir, files);
  if (kept.length === 0) throw new PackageError('the package has no StructureDefinition, ValueSet or CodeSystem of R4');
  await mkdir(folder, { recursive: true });
  // Into a folder of its own, which takes its name when it is whole.
  const draft = await mkdtemp(join(folder, '.new-'));
  try {
    for (const [i, { type, text }] of kept.entries()) await writeFile(join(draft, `${type}-${i + 1}.json`), text);
    const target = join(folder, `${name}#${version}`);
    await rm(target, { recursive: true, force: true });
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
  process.stdout.write(`${name}#${version}: ${kept.length} resources; servers know them from their next start\n`);
}

async function inflate(file: string): Promise<Buffer> {
  if (!existsSync(file)) throw new PackageError(`there is no file ${file}`);
  if ((await stat(file)).size > FILE_BYTES_MAX)
    throw new PackageError(`the file has more than ${FILE_BYTES_MAX} bytes`);
  try {
    return gunzipSync(await readFile(file), { maxOutputLength: PACKAGE_LIMITS.bytes });
  } catch (cause) {
    throw new PackageError(`it is no gzip file, or holds more than ${PACKAGE_LIMITS.bytes} bytes`, { cause });
  }
}

function readManifest(files: readonly PackageFile[]): { readonly name: string; readonly version: string } {
  const file = files.find(({ name }) => name === 'package/package.json');
  if (!file) throw new PackageError('it has no package/package.json');
  const { name, version, fhirVersions = ['4.0.1'] } = parseJson(file.content) as Readonly<Record<string, unknown>>; // each is looked at
  if (typeof name !== 'string' || !PACKAGE_NAME.test(name))
    throw new PackageError('package.json has no name that a package can have');
  if (typeof version !== 'string' || !VERSION.test(version))
    throw new PackageError('package.json has no version that a package can have');
  if (!Array.isArray(fhirVersions) || !fhirVersions.some((one) => typeof one === 'string' && one.startsWith('4.0')))
    throw new PackageError('the package is not for FHIR R4 (4.0)');
  return { name, version };
}

/** The resources that validation uses, each valid by R4; examples and everything else stay behind. */
async function readResources(
  dataDir: string,
  files: readonly PackageFile[],
): Promise<{ type: string; text: string }[]> {
  const { validateStructure } = createValidation(await loadDefinitions(join(dataDir, 'cache')));
  return files
    .filter(({ name }) => /^package\/[^/]+\.json$/.test(name) && !/\/(?:package|\.index)\.json$/.test(name))
    .flatMap(({ name, content }) => {
      const resource = parseJson(content, { ...JSON_LIMITS, nodes: 5_000_000 }) as Readonly<Record<string, unknown>>; // validated next
      const type = resource?.['resourceType'];
      if (typeof type !== 'string' || !CONFORMANCE_TYPES.has(type)) return [];
      const [fault] = validateStructure(resource);
      if (fault) {
        process.stderr.write(`ig: left out ${name}: ${fault.diagnostics}\n`);
        return [];
      }
      return [{ type, text: content.toString('utf8') }];
    });
}

async function list(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const name of (await readdir(folder)).filter((one) => FOLDER.test(one)).sort())
    process.stdout.write(`${name}   ${(await readdir(join(folder, name))).length} resources\n`);
}

async function remove(folder: string, name: string): Promise<void> {
  if (!FOLDER.test(name) || !existsSync(join(folder, name)))
    throw new PackageError('there is no such package: npm run -s ig -- list names them');
  await rm(join(folder, name), { recursive: true });
  process.stdout.write(`${name} is removed; servers forget it at their next start\n`);
}
