/**
 * R4's own code systems, value sets and maps: kept as text, 2,300 resources in some ten megabytes, and parsed one at a
 * time. Made from the definitions package when first asked for, and kept in a file for later starts.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { findDefinitions } from './definitions-cache.ts';
import type { OfficialTerminology } from './ports/terminology.ts';
import type { OfficialEntry, OfficialText } from './standards/fhir/terminology/official.ts';
import type { Terminology } from './standards/fhir/terminology/resources.ts';

/** Changes with what is kept of a resource. */
const FORMAT = 1;
/** Parsed resources that are kept. */
const PARSED_MAX = 200;

interface Loaded {
  readonly entries: ReadonlyMap<string, OfficialEntry>;
  readonly text: Buffer;
}

/** Nothing is read before the first question. A damaged file is made anew. */
export function createOfficialTerminology(cacheDir: string, source = findDefinitions()): OfficialTerminology {
  const file = join(cacheDir, `terminology-${source.version}-${FORMAT}.txt`);
  const parsed = new Map<string, Terminology>();
  let loading: Promise<Loaded> | undefined;
  const load = async (): Promise<Loaded> => {
    const kept = await readCache(file);
    if (kept !== undefined) return kept;
    await writeCache(cacheDir, file, await compactInWorker(source.folder));
    const made = await readCache(file);
    if (made === undefined) throw new Error('the terminology of R4 could not be kept');
    return made;
  };
  const loaded = (): Promise<Loaded> => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined; // the next question tries again
      throw error;
    });
    return loading;
  };
  const terminology: OfficialTerminology = {
    async conceptMaps() {
      const { entries } = await loaded();
      const urls = [...entries.values()].filter(([type]) => type === 'ConceptMap').map(([, url]) => url);
      const maps = await Promise.all(urls.map((url) => terminology.find('ConceptMap', url)));
      return maps.filter((map) => map !== undefined);
    },
    async find(type, url, version) {
      const { entries, text } = await loaded();
      const key = `${type} ${url}`;
      const entry = entries.get(key);
      if (entry === undefined || (version !== undefined && entry[2] !== version)) return undefined;
      let resource = parsed.get(key);
      if (resource === undefined) {
        const [, , , start, length] = entry;
        resource = JSON.parse(text.toString('utf8', start, start + length)) as Terminology; // written by compactTerminology
        const [oldest] = parsed.keys();
        if (parsed.size >= PARSED_MAX && oldest !== undefined) parsed.delete(oldest);
        parsed.set(key, resource);
      }
      return resource as Extract<Terminology, { readonly resourceType: typeof type }>; // the key has the type
    },
  };
  return terminology;
}

/** SHA-256 of what follows, the entries, the text: each on a line of its own. */
async function readCache(file: string): Promise<Loaded | undefined> {
  const bytes = await readFile(file).catch(() => undefined); // unreadable is as good as absent
  if (bytes === undefined) return undefined;
  const first = bytes.indexOf('\n');
  const second = bytes.indexOf('\n', first + 1);
  if (first < 0 || second < 0 || bytes.toString('latin1', 0, first) !== sha256(bytes.subarray(first + 1)))
    return undefined;
  const entries = JSON.parse(bytes.toString('utf8', first + 1, second)) as readonly OfficialEntry[]; // the hash says that we wrote it
  return {
    entries: new Map(entries.map((entry) => [`${entry[0]} ${entry[1]}`, entry])),
    text: bytes.subarray(second + 1),
  };
}

async function writeCache(folder: string, file: string, { entries, text }: OfficialText): Promise<void> {
  await mkdir(folder, { recursive: true });
  const body = `${JSON.stringify(entries)}\n${text}`;
  const draft = `${file}.${process.pid}.tmp`;
  await writeFile(draft, `${sha256(body)}\n${body}`);
  await rename(draft, file);
  for (const name of await readdir(folder))
    if (/^terminology-.*\.txt$/.test(name) && join(folder, name) !== file)
      await rm(join(folder, name), { force: true });
}

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');

/** In a thread of its own, as the parsed bundles take some 150 MB. */
function compactInWorker(folder: string): Promise<OfficialText> {
  const { promise, resolve, reject } = Promise.withResolvers<OfficialText>();
  const worker = new Worker(new URL('./terminology-worker.ts', import.meta.url), { workerData: folder });
  worker.once('message', (made: OfficialText) => resolve(made));
  worker.once('error', (cause) => reject(new Error('reading the terminology of R4', { cause })));
  worker.once('exit', (code) => reject(new Error(`reading the terminology of R4 ended with ${code}`)));
  return promise;
}
