/** `npm run catalogue`: loads medicines into the catalogue of the server that runs on DATA_DIR. docs/prescribing.md */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { OperatorRequestError } from './auth/oauth/operator-client.ts';
import { parsed, runCommand, typedPath, UsageError } from './command.ts';
import { ask, isOperatorError, openServer } from './operator-cli.ts';
import { type CatalogueEntry, toMedicationKnowledge } from './workflow/prescribing/catalogue/entry.ts';
import { type FileFault, readInteractions, readMedicines } from './workflow/prescribing/catalogue/file.ts';

const STARTER = join(import.meta.dirname, '../fixtures/catalogue');
const HELP = `npm run -s catalogue -- load FILE [--interactions FILE]     medicines of a CSV file
npm run -s catalogue -- load --starter                      the starter: for trying out, not clinical advice
npm run -s catalogue -- check FILE                          says what is wrong with a file, and loads nothing

  --interactions FILE  pairs that interact; those of the starter unless given

docs/prescribing.md has the columns. A medicine is known by its name: loading it again replaces it.
`;
const BATCH = 200;
const FAULTS_SHOWN = 20;

class FileError extends Error {}

await runCommand('catalogue', HELP, run, (error) => isOperatorError(error) || error instanceof FileError);

async function run(): Promise<void> {
  const { values, positionals } = parsed(() =>
    parseArgs({
      allowPositionals: true,
      options: {
        starter: { type: 'boolean', default: false },
        interactions: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) return void process.stdout.write(HELP);
  const [command, file, ...more] = positionals;
  if (more.length > 0) throw new UsageError('there is a word too many');
  if (command !== 'load' && command !== 'check') throw new UsageError('say load or check');
  if ((file === undefined) === !values.starter) throw new UsageError('name a FILE, or say --starter');
  const pairs = wholeOf(values.interactions ?? join(STARTER, 'interactions.csv'), readInteractions);
  const medicines = wholeOf(file ?? join(STARTER, 'medicines.csv'), (text) => readMedicines(text, pairs));
  if (command === 'check') return void process.stdout.write(`${medicines.length} medicines, no fault\n`);
  process.stdout.write(
    `${await load(medicines)} medicines in the catalogue${values.starter ? ': starter data, not clinical advice' : ''}\n`,
  );
}

/** What the file holds; throws with its faults, each with its line. */
function wholeOf<T>(
  file: string,
  read: (text: string) => { readonly entries: readonly T[]; readonly faults: readonly FileFault[] },
): readonly T[] {
  const { entries, faults } = read(textOf(file));
  if (faults.length === 0) return entries;
  const lines = faults
    .slice(0, FAULTS_SHOWN)
    .map(({ line, column, text }) => `  line ${line}${column && `, ${column}`}: ${text}`);
  const rest = faults.length - lines.length;
  throw new FileError([`${file} was not loaded:`, ...lines, ...(rest > 0 ? [`  and ${rest} more`] : [])].join('\n'));
}

function textOf(file: string): string {
  try {
    return readFileSync(typedPath(file), 'utf8');
  } catch (cause) {
    throw new FileError(`${file} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
}

/** In transactions of some hundreds each; a batch that fails says so, and those before it stay. */
async function load(medicines: readonly CatalogueEntry[]): Promise<number> {
  for (let from = 0; from < medicines.length; from += BATCH) {
    const batch = medicines.slice(from, from + BATCH);
    const entry = batch.map((one) => ({
      resource: toMedicationKnowledge(one),
      request: { method: 'PUT', url: `MedicationKnowledge/${one.id}` },
    }));
    try {
      await ask(await openServer(), 'POST', '/fhir/R4', { resourceType: 'Bundle', type: 'transaction', entry });
    } catch (error) {
      if (!(error instanceof OperatorRequestError)) throw error;
      throw new OperatorRequestError(`${from} medicines are loaded, then ${error.message}`);
    }
  }
  return medicines.length;
}
