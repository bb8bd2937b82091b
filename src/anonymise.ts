/** `npm run anonymise`: a copy of the data for tests, in which nobody can be found. SECURITY DP-08 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, ConfigError, readConfig } from './config.ts';
import { loadDefinitions } from './definitions-cache.ts';
import { openKeyFile } from './pki/key-file.ts';
import { KeyFileError } from './pki/secret-file.ts';
import { type CurrentResources, readCurrent } from './postgres/current-resources.ts';
import { createPools, type Pools } from './postgres/pools.ts';
import { connectionOfRunning } from './postgres/running-cluster.ts';
import { StartError } from './postgres/start-error.ts';
import { type Anonymiser, createAnonymiser } from './standards/fhir/anonymise/anonymise.ts';
import { formatJson, parseJson } from './standards/fhir/json.ts';
import { NHS_NUMBER_SYSTEM } from './standards/nhs/identifiers.ts';

const HELP = `npm run -s anonymise -- --out PATH [--key FILE] [--base URL]

  --out PATH   a new folder: one NDJSON file for each type. A name that ends in .json: one Bundle
  --key FILE   32 bytes in hexadecimal: the same key makes the same copy of the same data. Without it a key is made and
               forgotten, as it should be for a copy that leaves the house: who has the key can tell whose record is whose
  --base URL   of absolute references to this server; PUBLIC_URL with /fhir/R4 unless given

Current versions of all resources are copied: ids, names, addresses, numbers are others, dates are moved by up to 180 days
for each patient, what people wrote and all files are left out. Users, messages and the audit trail are not copied.
`;

const silent = { error() {}, warn() {}, info() {}, debug() {} };

class UsageError extends Error {}

await main();

async function main(): Promise<void> {
  try {
    const { values } = parse();
    if (values.help) return void process.stdout.write(HELP);
    if (values.out === undefined) throw new UsageError('--out says where the copy goes');
    if (existsSync('.env')) process.loadEnvFile('.env');
    const key = values.key === undefined ? randomBytes(32) : readKey(values.key);
    process.stdout.write(await copy(readConfig(process.env), resolve(values.out), key, values.base));
  } catch (error) {
    const known = [UsageError, ConfigError, KeyFileError, StartError].some((kind) => error instanceof kind);
    const code = (error as NodeJS.ErrnoException).code;
    const isThere = code === 'EEXIST' ? 'there is such a file or folder already' : undefined;
    const reason = known
      ? (error as Error).message
      : (isThere ?? `the copy could not be made (${code ?? String(error)})`);
    process.stderr.write(`anonymise: ${reason}\n${error instanceof UsageError ? `\n${HELP}` : ''}`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}

function parse() {
  try {
    return parseArgs({
      options: {
        out: { type: 'string' },
        key: { type: 'string' },
        base: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readKey(file: string): Buffer {
  const [, hex = ''] = /^\s*([0-9a-f]{64})\s*$/i.exec(readFileSync(file, 'utf8')) ?? [];
  if (hex === '') throw new UsageError('the file of --key holds 32 bytes in hexadecimal');
  return Buffer.from(hex, 'hex');
}

async function copy(config: Config, out: string, key: Buffer, base: string | undefined): Promise<string> {
  const dataDir = resolve(config.dataDir);
  const pools = openPools(config, dataDir);
  try {
    const anonymiser = createAnonymiser({
      definitions: await loadDefinitions(join(dataDir, 'cache')),
      key,
      baseUrl: base ?? `${config.publicUrl ?? `http://127.0.0.1:${config.port}`}/fhir/R4`,
      nhsNumberSystem: NHS_NUMBER_SYSTEM,
    });
    const keyFile = config.dataKeyFile ?? join(dataDir, 'keys', 'data.key');
    const openWrapping = () => {
      // It would be made if it were not there, and open nothing.
      if (!existsSync(keyFile)) throw new KeyFileError(`there is no key file ${keyFile}: set DATA_KEY_FILE`);
      return openKeyFile(keyFile);
    };
    const counts = await readCurrent({ pools, openWrapping, now: Date.now, log: silent }, (resources) =>
      out.endsWith('.json') ? writeBundle(resources, anonymiser, out) : writeFolder(resources, anonymiser, out),
    );
    const total = [...counts.values()].reduce((sum, one) => sum + one, 0);
    const lines = [...counts].map(([type, count]) => `${String(count).padStart(9)} ${type}\n`);
    return `${lines.join('')}${String(total).padStart(9)} resources in ${out}\n`;
  } finally {
    await pools.end();
  }
}

function openPools({ databaseUrl }: Config, dataDir: string): Pools {
  const connection =
    databaseUrl === undefined ? connectionOfRunning(dataDir, 'app') : { connectionString: databaseUrl };
  return createPools({ connection, readConnections: 1, writeConnections: 1, transactionConnections: 1, log: silent });
}

type Counts = Map<string, number>;

/** One file for each type, one resource a line. https://hl7.org/fhir/R4/nd-json.html */
async function writeFolder(resources: CurrentResources, anonymiser: Anonymiser, out: string): Promise<Counts> {
  await mkdir(out, { mode: 0o700 });
  const counts: Counts = new Map();
  let file: FileHandle | undefined;
  try {
    for await (const { type, made } of anonymised(resources, anonymiser)) {
      if (!counts.has(type)) {
        await file?.close();
        file = await open(join(out, `${type}.ndjson`), 'wx', 0o600);
      }
      counts.set(type, (counts.get(type) ?? 0) + made.length);
      await file?.write(`${made.join('\n')}\n`);
    }
  } finally {
    await file?.close();
  }
  return counts;
}

async function writeBundle(resources: CurrentResources, anonymiser: Anonymiser, out: string): Promise<Counts> {
  const counts: Counts = new Map();
  const file = await open(out, 'wx', 0o600);
  try {
    await file.write('{"resourceType":"Bundle","type":"collection"');
    for await (const { type, made } of anonymised(resources, anonymiser)) {
      const begin = counts.size === 0 ? ',"entry":[\n' : ',\n';
      await file.write(begin + made.map((text) => `{"resource":${text}}`).join(',\n'));
      counts.set(type, (counts.get(type) ?? 0) + made.length);
    }
    await file.write(counts.size === 0 ? '}\n' : '\n]}\n');
  } finally {
    await file.close();
  }
  return counts;
}

async function* anonymised(resources: CurrentResources, anonymiser: Anonymiser) {
  for await (const { type, contents } of resources.pages()) {
    const parsed = contents.map((text) => parseJson(text) as Parameters<Anonymiser['anonymise']>[0]); // checked when stored
    const existing = await resources.existing(new Set(parsed.flatMap((one) => [...anonymiser.referencesOf(one)])));
    yield {
      type,
      made: parsed.map((one) => formatJson(anonymiser.anonymise(one, (reference) => existing.has(reference)))),
    };
  }
}
