/** Refuses a database that is too old or that would lose what was acknowledged. SECURITY: RL-06. */
import type pg from 'pg';
import type { Log } from '../ports/log.ts';
import { StartError } from './start-error.ts';

/** The oldest PostgreSQL that the whole test suite runs against (`.ci/run`). */
const POSTGRES_MAJOR_MIN = 15;

export interface DatabaseFacts {
  readonly majorVersion: number;
  /** Settings under which a crash could lose or damage acknowledged writes; empty on a sound server. */
  readonly unsafeSettings: readonly string[];
}

/** Reads version and settings. Throws `unsuitable`, except for unsafe settings when these are `allowed`. */
export async function checkDatabase(
  client: pg.ClientBase,
  log: Log,
  options: { readonly allowUnsafe: boolean },
): Promise<DatabaseFacts> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    `select name, setting
       from pg_settings
      where name in ('server_version_num', 'server_version', 'server_encoding', 'fsync', 'synchronous_commit',
                     'full_page_writes', 'data_checksums')`,
  );
  const settings = new Map(rows.map((row) => [row.name, row.setting]));
  const majorVersion = Math.floor(Number(settings.get('server_version_num')) / 10_000);
  if (!(majorVersion >= POSTGRES_MAJOR_MIN))
    throw new StartError(
      'unsuitable',
      `the database is PostgreSQL ${settings.get('server_version')}; Mortar needs ${POSTGRES_MAJOR_MIN} or later`,
    );
  if (settings.get('server_encoding') !== 'UTF8')
    throw new StartError(
      'unsuitable',
      `the database's encoding is ${settings.get('server_encoding')}; Mortar needs one that was created with UTF8`,
    );
  const unsafeSettings = ['fsync', 'synchronous_commit', 'full_page_writes'].filter(
    (name) => settings.get(name) === 'off',
  );
  if (unsafeSettings.length > 0) refuseUnsafe(unsafeSettings, log, options.allowUnsafe);
  if (settings.get('data_checksums') === 'off')
    log.warn('the database has no data checksums: a damaged page would be served unnoticed (pg_checksums --enable)');
  return { majorVersion, unsafeSettings };
}

function refuseUnsafe(names: readonly string[], log: Log, allowed: boolean): void {
  const off = names.map((name) => `${name}=off`).join(', ');
  if (!allowed)
    throw new StartError(
      'unsuitable',
      `the database runs with ${off}: a crash would lose or damage writes that were acknowledged. ` +
        `Turn ${names.length === 1 ? 'it' : 'them'} on (ALTER SYSTEM SET …; restart).`,
    );
  log.warn(`UNSAFE DATABASE: ${off}. A crash loses or damages acknowledged writes; for throw-away data only.`);
}
