/**
 * `npm run import:legacy`: prescriptions of the system before, into the server that runs on DATA_DIR, and how they stand
 * beside what they were. docs/prescribing.md "From the system before"
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { OperatorToken } from './auth/oauth/operator-client.ts';
import { parsed, runCommand, typedPath, UsageError } from './command.ts';
import { ask, isOperatorError, openServer } from './operator-cli.ts';
import type { Resource } from './ports/resource-store.ts';
import {
  type LegacyPerson,
  type LegacyPrescription,
  type LegacyRecord,
  readLegacyFile,
} from './workflow/prescribing/legacy/read.ts';
import {
  differencesOf,
  doctorOf,
  LEGACY_DOCTOR,
  LEGACY_PATIENT,
  patientOf,
  resourcesOf,
} from './workflow/prescribing/legacy/resources.ts';

const HELP = `npm run -s import:legacy -- FILE [--report FILE]     imports, and compares what is stored with the file
npm run -s import:legacy -- FILE --check             says what cannot be imported, and imports nothing

  --report FILE  what was refused and what differs, as JSON

FILE is a JSON array of prescriptions, or one a line. The same file again changes nothing.
`;
const SHOWN = 20;
/** Tokens live for a minute. */
const TOKEN_MS = 30_000;

class FileError extends Error {}

interface Report {
  readonly read: number;
  readonly imported: number;
  readonly refused: readonly { readonly number: number; readonly id?: string; readonly faults: readonly string[] }[];
  readonly different: readonly { readonly number: number; readonly id: string; readonly elements: readonly string[] }[];
}

await runCommand('import:legacy', HELP, run, (error) => isOperatorError(error) || error instanceof FileError);

async function run(): Promise<void> {
  const { values, positionals } = parsed(() =>
    parseArgs({
      allowPositionals: true,
      options: {
        report: { type: 'string' },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }),
  );
  if (values.help) return void process.stdout.write(HELP);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('name one FILE');
  const records = recordsOf(file);
  const report = values.check ? checked(records) : await imported(records);
  if (values.report !== undefined) writeFileSync(typedPath(values.report), `${JSON.stringify(report, null, 2)}\n`);
  print(report, values.check);
  if (report.refused.length + report.different.length > 0) process.exitCode = 1;
}

function recordsOf(file: string): readonly LegacyRecord[] {
  try {
    return readLegacyFile(readFileSync(typedPath(file), 'utf8'));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new FileError(`${file} cannot be read (${code ?? message})`, { cause });
  }
}

function refusedOf(records: readonly LegacyRecord[]): Report['refused'] {
  return records.flatMap(({ number, id, faults }) =>
    faults.length === 0 ? [] : [{ number, ...(id !== undefined && { id }), faults }],
  );
}

function checked(records: readonly LegacyRecord[]): Report {
  return { read: records.length, imported: 0, refused: refusedOf(records), different: [] };
}

/** One by one: a prescription is there whole or not at all, and one that is refused keeps no other. */
async function imported(records: readonly LegacyRecord[]): Promise<Report> {
  const server = createServer();
  const refused = [...refusedOf(records)];
  const different: Report['different'][number][] = [];
  let count = 0;
  for (const { number, value } of records) {
    if (!value) continue;
    try {
      const stored = await importOne(server, value);
      count++;
      const elements = differencesOf(value, stored);
      if (elements.length > 0) different.push({ number, id: value.id, elements });
    } catch (error) {
      if (!isOperatorError(error)) throw error;
      refused.push({ number, id: value.id, faults: [(error as Error).message] });
    }
  }
  return { read: records.length, imported: count, refused, different };
}

type Send = (method: string, path: string, body?: object) => Promise<Readonly<Record<string, unknown>>>;

interface LegacyServer {
  readonly send: Send;
  /** Ids of Patients and Practitioners, by where and how the system before knew them. */
  readonly ids: Map<string, string>;
}

function createServer(): LegacyServer {
  let opened: { readonly token: Promise<OperatorToken>; readonly at: number } | undefined;
  return {
    ids: new Map(),
    async send(method, path, body) {
      if (opened === undefined || Date.now() - opened.at > TOKEN_MS) opened = { token: openServer(), at: Date.now() };
      return ask(await opened.token, method, `/fhir/R4${path}`, body);
    },
  };
}

/** Resolves to what is stored then. */
async function importOne(server: LegacyServer, prescription: LegacyPrescription): Promise<readonly Resource[]> {
  const patientId = await personId(server, 'Patient', LEGACY_PATIENT, prescription.patient, patientOf);
  const doctorId = await personId(server, 'Practitioner', LEGACY_DOCTOR, prescription.doctor, doctorOf);
  const resources = resourcesOf(prescription, { patientId, doctorId });
  const at = resources.map(({ resourceType, id }) => `${resourceType}/${String(id)}`);
  const put = resources.map((resource, i) => ({ resource, request: { method: 'PUT', url: at[i] } }));
  await server.send('POST', '', { resourceType: 'Bundle', type: 'transaction', entry: put });
  const get = at.map((url) => ({ request: { method: 'GET', url } }));
  const { entry } = await server.send('POST', '', { resourceType: 'Bundle', type: 'batch', entry: get });
  return (entry as readonly { readonly resource?: Resource }[]).flatMap(({ resource }) => resource ?? []); // of the FHIR API
}

async function personId(
  { send, ids }: LegacyServer,
  type: string,
  system: string,
  person: LegacyPerson,
  make: (person: LegacyPerson) => Resource,
): Promise<string> {
  const key = `${system}|${person.id}`;
  const known = ids.get(key);
  if (known !== undefined) return known;
  const ifNoneExist = `identifier=${encodeURIComponent(`${system}|${person.id.replaceAll(/[\\$,|]/g, (c) => `\\${c}`)}`)}`;
  const entry = [{ resource: make(person), request: { method: 'POST', url: type, ifNoneExist } }];
  const answer = await send('POST', '', { resourceType: 'Bundle', type: 'transaction', entry });
  const [made] = answer['entry'] as readonly { readonly response: { readonly location: string } }[]; // of the FHIR API
  const [, id = ''] = new RegExp(`${type}/([^/]+)`).exec(made?.response.location ?? '') ?? [];
  ids.set(key, id);
  return id;
}

function print({ read, imported: count, refused, different }: Report, isCheck: boolean): void {
  const lines = [
    ...refused.map(
      ({ number, id, faults }) => `  ${number}${id === undefined ? '' : ` (${id})`}: ${faults.join('; ')}`,
    ),
    ...different.map(({ number, id, elements }) => `  ${number} (${id}) differs in ${elements.join(', ')}`),
  ];
  const rest = lines.length - SHOWN;
  const done = isCheck ? 'nothing imported' : `${count} imported, ${different.length} differ from the file`;
  process.stdout.write(
    [
      `${read} prescriptions: ${done}, ${refused.length} refused`,
      ...lines.slice(0, SHOWN),
      ...(rest > 0 ? [`  and ${rest} more: --report FILE names all`] : []),
      '',
    ].join('\n'),
  );
}
