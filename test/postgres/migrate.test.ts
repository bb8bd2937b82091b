import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkDatabase } from '../../src/postgres/check-database.ts';
import { prepareDatabase } from '../../src/postgres/migrate.ts';
import { StartError } from '../../src/postgres/start-error.ts';
import { createDatabase, hasRoles, type TestDatabase, withClient } from '../support/database.ts';
import { createMemoryLog, silentLog } from '../support/log.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

const FIRST = `
  export const up = (knex) => knex.raw('create schema fhir').then(() => knex.raw('create table fhir.one (a int)'));
  export const down = () => {};`;
const SECOND = `
  export const up = (knex) => knex.raw('create table fhir.two (a int)');
  export const down = () => {};`;
const FAILS_AFTER_CREATE = `
  export const up = async (knex) => { await knex.raw('create table fhir.three (a int)'); await knex.raw('selec 1'); };
  export const down = () => {};`;
const NO_TRANSACTION = `
  export const config = { transaction: false };
  export const up = async (knex) => { await knex.raw('create table fhir.four (a int)'); await knex.raw('selec 1'); };
  export const down = () => {};`;

/** A folder of migrations; each set has names of its own, as a module is loaded once. */
function migrationsOf(files: Readonly<Record<string, string>>): string {
  const folder = join(makeTempFolder(), 'migrations');
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.ts`), text);
  return folder;
}

describe('postgres › migrate', () => {
  let database: TestDatabase;
  const prepare = (migrationsDir: string, log = silentLog) =>
    prepareDatabase({ connection: database.connection('owner'), migrationsDir, log, allowUnsafe: true });
  const refusal = async (migrationsDir: string): Promise<StartError> => {
    try {
      await prepare(migrationsDir);
    } catch (error) {
      expect(error).instanceOf(StartError);
      return error as StartError;
    }
    throw new Error('expected a refusal');
  };
  const tables = (): Promise<string[]> =>
    withClient(database.connection('owner'), async (client) => {
      const { rows } = await client.query<{ name: string }>(
        `select tablename as name from pg_tables where schemaname = 'fhir' order by 1`,
      );
      return rows.map((row) => row.name);
    });

  beforeEach(async function () {
    this.timeout(180_000);
    database = await createDatabase({ empty: true });
  });
  afterEach(() => database.drop());

  it('runs the files in order, once', async () => {
    const folder = migrationsOf({ '0002-second': SECOND, '0001-first': FIRST });
    const first = await prepare(folder);
    expect(first.applied).deep.equal(['0001-first', '0002-second']);
    expect(first.schema).equal('0002-second');
    expect((await prepare(folder)).applied).deep.equal([]);
    expect(await tables()).deep.equal(['one', 'two']);
  });

  it('RL-62 › five starts at once migrate once', async () => {
    const folder = migrationsOf({ '0001-first': FIRST, '0002-second': SECOND });
    const results = await Promise.all([1, 2, 3, 4, 5].map(() => prepare(folder)));
    expect(results.flatMap((result) => result.applied)).deep.equal(['0001-first', '0002-second']);
  });

  it('RL-62 › a migration that fails leaves nothing, and the next start resumes', async () => {
    const folder = migrationsOf({ '0001-first': FIRST, '0003-fails': FAILS_AFTER_CREATE });
    const error = await refusal(folder);
    expect(error.trouble).equal('migration');
    expect(error.message).equal('migration 0003-fails failed: syntax error at or near "selec"');
    expect(await tables()).deep.equal(['one']);
    await withClient(database.connection('owner'), (client) =>
      client.query('update migration.applied_lock set is_locked = 1'),
    );
    const mended = migrationsOf({ '0001-first': FIRST, '0003-fails': SECOND });
    expect((await prepare(mended)).applied).deep.equal(['0003-fails']);
  });

  it('refuses to go on after a migration without a transaction stopped half way', async () => {
    const folder = migrationsOf({ '0001-first': FIRST, '0004-index': NO_TRANSACTION });
    expect((await refusal(folder)).message).contains('failed');
    const again = await refusal(folder);
    expect(again.trouble).equal('migration');
    expect(again.message).contains('0004-index stopped half way');
  });

  it('resumes such a migration when it says that it may be run again', async () => {
    const first = migrationsOf({ '0001-first': FIRST, '0004-index': NO_TRANSACTION });
    await refusal(first);
    const resumable = `export const resumable = true; export const config = { transaction: false };
      export const up = (knex) => knex.raw('create table if not exists fhir.four (a int)'); export const down = () => {};`;
    const folder = migrationsOf({ '0001-first': FIRST, '0004-index': resumable });
    expect((await prepare(folder)).applied).deep.equal(['0004-index']);
  });

  it('RL-63 › runs on a database one migration newer, and says so', async () => {
    await prepare(migrationsOf({ '0001-first': FIRST, '0002-second': SECOND }));
    const log = createMemoryLog();
    await prepare(migrationsOf({ '0001-first': FIRST }), log);
    expect(log.lines.map((line) => line.level)).include('warn');
  });

  it('RL-63 › refuses a database two migrations newer within 2 s', async () => {
    const third = SECOND.replace('two', 'three');
    await prepare(migrationsOf({ '0001-first': FIRST, '0002-second': SECOND, '0003-third': third }));
    const started = performance.now();
    const error = await refusal(migrationsOf({ '0001-first': FIRST }));
    expect(performance.now() - started).lessThan(30_000);
    expect(error.message).contains('newer release').contains('0002-second, 0003-third');
  });

  it("refuses another branch's database", async () => {
    await prepare(migrationsOf({ '0001-first': FIRST, '0002-second': SECOND }));
    expect((await refusal(migrationsOf({ '0001-first': FIRST, '0002-other': SECOND }))).message).contains('branch');
  });

  it('SU-08 › the app changes rows but makes nothing, the reader only reads', async function () {
    if (!hasRoles()) return this.skip();
    const whole = await createDatabase();
    const attempt = (role: 'app' | 'reader', sql: string): Promise<string> =>
      withClient(whole.connection(role), async (client) => {
        try {
          await client.query(sql);
          return 'done';
        } catch (error) {
          return (error as { code?: string }).code ?? 'failed';
        }
      });
    await withClient(whole.connection('owner'), async (client) => {
      await client.query('create schema if not exists fhir');
      await client.query('create table fhir.role_test (a int)');
    });
    const denied = '42501';
    expect(await attempt('app', 'insert into fhir.role_test values (1)')).equal('done');
    expect(await attempt('reader', 'select * from fhir.role_test')).equal('done');
    expect(await attempt('reader', 'insert into fhir.role_test values (1)')).equal(denied);
    for (const role of ['app', 'reader'] as const)
      for (const sql of [
        'create table fhir.x (a int)',
        'create schema x',
        'create temp table x (a int)',
        'create role x',
        'drop table fhir.role_test',
        'truncate fhir.role_test',
        'create table public.x (a int)',
      ])
        expect(await attempt(role, sql), `${role}: ${sql}`).oneOf([denied]);
    await whole.drop();
  });
});

describe('postgres › check-database', () => {
  const check = (settings: Readonly<Record<string, string>>, allowUnsafe = false) => {
    const rows = Object.entries({ server_version_num: '180004', server_encoding: 'UTF8', ...settings }).map(
      ([name, setting]) => ({ name, setting }),
    );
    const client = { query: async () => ({ rows }) };
    // Only `query` is used: a real server cannot be made too old.
    return checkDatabase(client as unknown as Parameters<typeof checkDatabase>[0], silentLog, { allowUnsafe });
  };
  const failure = async (settings: Readonly<Record<string, string>>): Promise<string> => {
    const error = await check(settings).catch((e: unknown) => e);
    expect(error).instanceOf(StartError);
    return (error as StartError).message;
  };

  it('refuses a PostgreSQL older than the tests run on', async () => {
    expect(await failure({ server_version_num: '140012', server_version: '14.12' }))
      .contains('14.12')
      .contains('15');
  });

  for (const name of ['fsync', 'synchronous_commit', 'full_page_writes'])
    it(`RL-06 › refuses ${name}=off`, async () => {
      expect(await failure({ [name]: 'off' })).contains(`${name}=off`);
      expect((await check({ [name]: 'off' }, true)).unsafeSettings).deep.equal([name]);
    });

  it('refuses another encoding than UTF8', async () => {
    expect(await failure({ server_encoding: 'SQL_ASCII' })).contains('SQL_ASCII');
  });
});
