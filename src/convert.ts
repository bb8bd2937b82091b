/** `npm run convert`: a translation from the command line, and nothing is stored. docs/gateway.md */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ConfigError, readConfig } from './config.ts';
import { type Converted, convert, findSource, type Mode, TARGETS, translations } from './mapping/convert.ts';
import { type Issue, textOf } from './standards/fhir/outcome.ts';

const HELP = `npm run -s convert -- --to KIND [options] FILE      FILE may be - for standard input

  --to KIND            ${TARGETS.join(', ')}; there is ${translations().join(', ')}
  --at INSTANT         the time the translation takes for now, such as 2026-05-01T09:00:00Z
  --header NAME=VALUE  what a request would say in its headers (EPS: NHSD-ASID …, or eps-form=national for an answer of
                       the Spine exactly as the national gateway puts it); may be repeated
  --prepare            what a prescriber signs, instead of the message
  --verify             check a signature
  --check              only check the message by the rules of its standard

The result goes to standard output, what was dropped or defaulted to standard error. Exit 1: it was refused, and the
result is an OperationOutcome. Exit 2: the command was wrong.
`;

class UsageError extends Error {}

main();

function main(): void {
  try {
    finish(run());
  } catch (error) {
    if (!(error instanceof UsageError) && !(error instanceof ConfigError)) throw error;
    process.stderr.write(`convert: ${error.message}\n\n${HELP}`);
    process.exitCode = 2;
  }
}

function run(): Converted | undefined {
  const { values, positionals } = parse();
  if (values.help) {
    process.stdout.write(HELP);
    return undefined;
  }
  const config = readConfig(process.env);
  const [file, ...more] = positionals;
  if (file === undefined || more.length > 0) throw new UsageError('name one FILE, or - for standard input');
  const to = TARGETS.find((target) => target === values.to);
  if (values.to !== undefined && !to) throw new UsageError(`--to is one of ${TARGETS.join(', ')}`);
  const content = readContent(file);
  const source = findSource(content);
  if (!source) throw new UsageError('the content is none of JSON, XML, HL7 v2 and NCPDP Telecommunication');
  const modes = (['prepare', 'verify', 'check'] as const).filter((mode) => values[mode]);
  if (modes.length > 1) throw new UsageError(`--${modes.join(' and --')} exclude each other`);
  const [mode] = modes as readonly Mode[];
  return convert({
    content,
    source,
    ...(to && { to }),
    ...(mode && { mode }),
    at: readInstant(values.at),
    headers: readHeaders(values.header),
    timeZone: config.messageTimeZone,
    epsToAsid: config.epsToAsid,
    newId: randomUUID,
  });
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        to: { type: 'string' },
        at: { type: 'string' },
        header: { type: 'string', multiple: true, default: [] },
        prepare: { type: 'boolean', default: false },
        verify: { type: 'boolean', default: false },
        check: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** npm moves to the folder of the project; the user's own is where FILE is. */
function readContent(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : resolve(process.env['INIT_CWD'] ?? '.', file));
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function readInstant(text: string | undefined): number {
  if (text === undefined) return Date.now();
  const at = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw new UsageError('--at is an instant with its offset, such as 2026-05-01T09:00:00Z');
  return at;
}

function readHeaders(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new UsageError('--header is written NAME=VALUE');
      return [text.slice(0, equals).toLowerCase(), text.slice(equals + 1)];
    }),
  );
}

function finish(result: Converted | undefined): void {
  if (!result) return;
  const { value, issues, outcome } = result;
  process.stdout.write(`${value ? value.text : JSON.stringify(outcome, undefined, 2)}\n`);
  for (const one of issues) process.stderr.write(`${formatIssue(one)}\n`);
  if (!value) process.exitCode = 1;
}

/** `warning value PID-7: …` */
function formatIssue(one: Issue): string {
  const place = one.expression?.length ? `${one.expression.join(', ')}: ` : '';
  return `${one.severity} ${one.code} ${place}${textOf(one)}`;
}
