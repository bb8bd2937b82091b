/** `npm run verify-audit`: proves the audit trail, or names the first entry that is not what it was. SECURITY AU-09 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { endWithReader } from './command.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { readAuditKeys } from './pki/audit-key.ts';
import { KeyFileError } from './pki/secret-file.ts';
import { readCheckpoints } from './postgres/audit/checkpoint-file.ts';
import { type Verdict, verifyAudit } from './postgres/audit/verify.ts';
import { connectionOfRunning } from './postgres/running-cluster.ts';
import { StartError } from './postgres/start-error.ts';

const HELP = `npm run -s verify-audit -- [--from INSTANT] [--to INSTANT]

  --from INSTANT   from the last signed checkpoint before it, such as 2026-05-01T00:00:00Z
  --to INSTANT     up to the first signed checkpoint after it

One line says the verdict. Exit 0: the trail is whole. Exit 1: it is not. Exit 2: it could not be checked.
`;

class UsageError extends Error {}

endWithReader();
await main();

async function main(): Promise<void> {
  try {
    const { values } = parse();
    if (values.help) return void process.stdout.write(HELP);
    if (existsSync('.env')) process.loadEnvFile('.env');
    const started = performance.now();
    const verdict = await check(
      readConfig(process.env),
      readInstant('--from', values.from),
      readInstant('--to', values.to),
    );
    process.stdout.write(formatVerdict(verdict, performance.now() - started));
    process.exitCode = verdict.fault ? 1 : 0;
  } catch (error) {
    const known = [UsageError, ConfigError, KeyFileError, StartError].some((kind) => error instanceof kind);
    const code = (error as NodeJS.ErrnoException).code;
    if (!known && code === undefined) throw error;
    const reason = known ? (error as Error).message : `the database does not answer (${code})`;
    process.stderr.write(`verify-audit: ${reason}\n${error instanceof UsageError ? `\n${HELP}` : ''}`);
    process.exitCode = 2;
  }
}

function parse() {
  try {
    return parseArgs({
      options: {
        from: { type: 'string' },
        to: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readInstant(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)
    ? Date.parse(text)
    : Number.NaN;
  if (Number.isNaN(at)) throw new UsageError(`${name} is a date, or an instant with its offset: 2026-05-01T09:00:00Z`);
  return at;
}

async function check(config: Config, from: number | undefined, to: number | undefined): Promise<Verdict> {
  const dataDir = resolve(config.dataDir);
  const keys = readAuditKeys(join(dataDir, 'keys', 'audit.key'));
  // Before the database is looked at: every checkpoint of the file is then in it.
  const elsewhere = await readCheckpoints(join(dataDir, 'audit-checkpoints.jsonl'));
  const connection =
    config.databaseUrl === undefined
      ? connectionOfRunning(dataDir, 'reader')
      : { connectionString: config.databaseUrl };
  const client = new pg.Client({ ...connection, connectionTimeoutMillis: 10_000, application_name: 'verify-audit' });
  await client.connect();
  try {
    return await verifyAudit({
      client,
      ...keys,
      elsewhere,
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    });
  } finally {
    await client.end();
  }
}

function formatVerdict({ fault, links, checkpoints, purged, waiting }: Verdict, ms: number): string {
  if (fault) return `the audit trail is BROKEN at seq ${fault.seq}: ${fault.problem}\n`;
  const removed = purged > 0 ? `, ${purged} removed by retention` : '';
  return `the audit trail is whole: ${links} entries linked, ${waiting} waiting${removed}, ${checkpoints} signed checkpoints (${(ms / 1000).toFixed(1)} s)\n`;
}
