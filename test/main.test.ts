import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { requestOperatorToken } from '../src/auth/oauth/operator-client.ts';
import { findProcess } from '../src/postgres/process-identity.ts';
import { createDatabase, withClient } from './support/database.ts';
import { databaseUrl } from './support/server.ts';
import { findFastParent, makeTempFolder } from './support/temp-folder.ts';

interface Program {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly errors: () => string;
  /** Resolves to the exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
}

const MAIN = join(import.meta.dirname, '../src/main.ts');
const cwd = makeTempFolder();
const programs = new Set<Program>();

function launch(env: Record<string, string>, args: readonly string[] = []): Program {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      PORT: '0',
      MLLP_PORT: '0',
      SPINE_PORT: '0',
      PAYER_PORT: '0',
      SPINE_STATE_PORT: '0',
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  const program: Program = { child, out: () => out, errors: () => errors, ended };
  programs.add(program);
  ended.finally(() => programs.delete(program));
  return program;
}

/** Waits for the welcome; fails with what the program said when it ends instead. */
async function ready(program: Program): Promise<string> {
  const over = program.ended.then((code) => {
    throw new Error(`ended with ${code}: ${program.errors()}`);
  });
  over.catch(() => {});
  while (!program.out().includes('Ctrl-C stops it')) await Promise.race([over, sleep(20)]);
  return /FHIR API\s+(\S+)/.exec(program.out())?.[1] ?? '';
}

/** The message of a start that does not succeed: one or a few lines, no stack, no JSON. */
async function refusal(env: Record<string, string>): Promise<{ code: number | string; message: string }> {
  const program = launch({ LOG_LEVEL: 'error', ...env });
  const code = await program.ended;
  const message = program.errors().trim();
  expect(message).match(/^mortar: /);
  expect(message).not.match(/^\s+at |node:internal|[{}]/m);
  return { code, message };
}

const makeDataDir = (): string => join(makeTempFolder(findFastParent()), 'data');

describe('main', function () {
  this.timeout(180_000);

  afterEach(async () => {
    for (const program of [...programs]) {
      program.child.kill('SIGTERM');
      await program.ended;
    }
  });

  describe('with an embedded Postgres', () => {
    const dataDir = makeDataDir();
    const ports = (): Record<string, unknown> => JSON.parse(readFileSync(join(dataDir, 'ports.json'), 'utf8'));
    const tokenNow = (): Promise<{ token: string }> => requestOperatorToken({ dataDir, ttlS: 600, now: Date.now });
    const postgresPid = (): number =>
      Number(readFileSync(join(dataDir, 'postgres/data/postmaster.pid'), 'utf8').split('\n')[0]);

    it('starts on a new folder and says where it is', async () => {
      const program = launch({ DATA_DIR: dataDir });
      const fhir = await ready(program);
      expect(ports()).include({ fhir, pid: program.child.pid });
      expect(fhir).match(/^http:\/\/127\.0\.0\.1:\d+\/fhir\/R4$/);
      expect(program.out()).contains(`curl -s ${fhir}/metadata`).contains('npm run -s token').contains(dataDir);
      expect((await fetch(new URL('/readyz', fhir))).status).equal(200);
      for (const line of program.errors().trim().split('\n')) expect(JSON.parse(line)).property('level');
    });

    it('[LG-16] shows the administrator’s link on the terminal and in a file, never in the log', async () => {
      const program = launch({ DATA_DIR: dataDir, LOG_LEVEL: 'debug' });
      const fhir = await ready(program);
      const [link = '', secret = ''] = /http\S+\/setup\/([\w-]{43})/.exec(program.out()) ?? [];
      const file = join(dataDir, 'setup-link');
      expect(readFileSync(file, 'utf8').trim()).equal(link);
      expect(statSync(file).mode & 0o077).equal(0);
      expect(secret).not.equal('');
      expect(program.errors()).not.contains(secret);
      expect((await fetch(link)).status).equal(200);
      expect((await fetch(new URL('/setup/wrong', fhir))).status).not.equal(200);
      expect(program.errors()).not.contains(secret);
    });

    it('starts again, and SIGTERM ends everything with code 0', async () => {
      const program = launch({ DATA_DIR: dataDir });
      await ready(program);
      const pid = postgresPid();
      expect(findProcess(pid)).not.equal(undefined);
      program.child.kill('SIGTERM');
      expect(await program.ended).equal(0);
      expect(findProcess(pid)).equal(undefined);
      expect(existsSync(join(dataDir, 'ports.json'))).equal(false);
    });

    it('a second Mortar on the folder is refused with exit code 4, and the first goes on', async () => {
      const first = launch({ DATA_DIR: dataDir });
      const fhir = await ready(first);
      const second = await refusal({ DATA_DIR: dataDir });
      expect(second.code).equal(4);
      expect(second.message).contains(`process ${first.child.pid}`);
      expect((await fetch(new URL('/readyz', fhir))).status).equal(200);
      expect(ports()).include({ pid: first.child.pid });
    });

    it('starts after kill -9, and a second signal exits at once, leaving a folder that starts', async () => {
      const killed = launch({ DATA_DIR: dataDir });
      await ready(killed);
      killed.child.kill('SIGKILL');
      expect(await killed.ended).equal('SIGKILL');
      const again = launch({ DATA_DIR: dataDir, SHUTDOWN_DELAY_MS: '10000' });
      await ready(again);
      again.child.kill('SIGINT');
      await sleep(100);
      again.child.kill('SIGINT');
      expect(await again.ended).equal(1);
      await ready(launch({ DATA_DIR: dataDir }));
    });

    it('[AU-06] what was answered before kill -9 is in the trail; verify-audit proves it while the server runs', async () => {
      const READS = 25;
      const killed = launch({ DATA_DIR: dataDir });
      await ready(killed);
      const { token } = await tokenNow();
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/fhir+json' };
      const fhir = String(ports()['fhir']);
      const stored = await fetch(`${fhir}/Basic/killed`, {
        method: 'PUT',
        headers,
        body: JSON.stringify({ resourceType: 'Basic', id: 'killed', code: { text: 'read before the end' } }),
      });
      expect(stored.status).equal(201);
      const postgres = postgresPid();
      const statuses = await Promise.all(
        Array.from({ length: READS }, async () => (await fetch(`${fhir}/Basic/killed`, { headers })).status),
      );
      killed.child.kill('SIGKILL');
      process.kill(postgres, 'SIGKILL');
      expect(statuses).deep.equal(Array(READS).fill(200));
      await killed.ended;

      const again = await ready(launch({ DATA_DIR: dataDir }));
      const trail = await fetch(`${again}/AuditEvent?entity=Basic/killed&action=R&_summary=count`, {
        headers: { Authorization: `Bearer ${(await tokenNow()).token}` },
      });
      expect(await trail.json()).property('total', READS);
      const proof = spawn(process.execPath, [join(import.meta.dirname, '../src/verify-audit.ts')], {
        cwd,
        env: { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [line] = await once(proof.stdout.setEncoding('utf8'), 'data');
      expect(line).match(/^the audit trail is whole: \d+ entries linked/);
      expect(await once(proof, 'close')).deep.equal([0, null]);
    });

    it('RL-45 › livez stays 200 while Postgres is down; readyz says so, and recovers', async () => {
      const program = launch({ DATA_DIR: dataDir });
      const fhir = await ready(program);
      const status = async (path: string): Promise<number> => (await fetch(new URL(path, fhir))).status;
      const pid = postgresPid();
      process.kill(pid, 'SIGSTOP'); // hangs, which is worse than being gone
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
      for (const child of children) process.kill(child, 'SIGSTOP');
      const started = performance.now();
      try {
        while ((await status('/readyz')) === 200 && performance.now() - started < 20_000) await sleep(100);
        expect(performance.now() - started).lessThan(20_000);
        expect(await status('/livez')).equal(200);
      } finally {
        for (const each of [pid, ...children]) process.kill(each, 'SIGCONT');
      }
      while ((await status('/readyz')) !== 200) await sleep(100);
    });

    it('ends with npm start, although npm signals only the shell between them', async function () {
      if (process.platform === 'win32') return this.skip();
      const env = {
        ...process.env,
        PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
        DATA_DIR: dataDir,
        PORT: '0',
        MLLP_PORT: '0',
        SPINE_PORT: '0',
        PAYER_PORT: '0',
        SPINE_STATE_PORT: '0',
      };
      const npm = spawn('npm', ['start'], {
        cwd: join(import.meta.dirname, '..'),
        env,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let out = '';
      npm.stdout.on('data', (chunk) => {
        out += String(chunk);
      });
      while (!out.includes('Ctrl-C stops it')) await sleep(20);
      const pid = postgresPid();
      npm.kill('SIGTERM');
      await once(npm, 'close');
      expect(findProcess(pid)).equal(undefined);
    });

    for (const [what, fault] of [
      ['exception', 'throw new Error("Zx9 fault")'],
      ['rejection', 'Promise.reject(new Error("Zx9 fault"))'],
    ] as const)
      it(`RL-42 › an uncaught ${what} is logged, stops everything, and ends with code 1`, async () => {
        const faulty = `data:text/javascript,process.on('SIGUSR2', () => { ${fault} })`;
        const program = launch({ DATA_DIR: dataDir, NODE_OPTIONS: `--import ${JSON.stringify(faulty)}` });
        await ready(program);
        const pid = postgresPid();
        program.child.kill('SIGUSR2');
        expect(await program.ended).equal(1);
        expect(program.errors()).contains('a fault outside any request').contains('Zx9 fault').contains('"stopped"');
        expect(findProcess(pid)).equal(undefined);
      });

    it('is told to stop while it starts: exit code 0 and nothing left', async () => {
      const program = launch({ DATA_DIR: makeDataDir() });
      while (!program.out().includes('starting')) await sleep(10);
      await sleep(300);
      program.child.kill('SIGTERM');
      expect(await program.ended).equal(0);
      expect(program.errors()).not.contains('"level":"error"');
    });
  });

  describe('refuses to start with one clear message', () => {
    it('2 › wrong settings, each of them named', async () => {
      const { code, message } = await refusal({ PORT: 'eighty', LOG_LEVEL: 'loud', DATA_DIR: makeDataDir() });
      expect(code).equal(2);
      expect(message).contains('PORT is "eighty"').contains('LOG_LEVEL is "loud"');
    });

    it('2 › an unknown flag', async () => {
      const program = launch({}, ['--demoo']);
      expect(await program.ended).equal(2);
      expect(program.errors()).contains('--demoo').contains('npm start');
    });

    it('warns of a misspelt setting', async () => {
      const program = launch({ LOGLEVEL: 'debug', PORT: 'x' });
      await program.ended;
      expect(program.errors()).contains('LOGLEVEL is not a setting').contains('did you mean LOG_LEVEL');
    });

    it('3 › a busy port, before Postgres is started', async () => {
      const busy = createServer().listen(0, '127.0.0.1');
      await once(busy, 'listening');
      const address = busy.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const dataDir = makeDataDir();
      const { code, message } = await refusal({ PORT: String(port), DATA_DIR: dataDir });
      busy.close();
      expect(code).equal(3);
      expect(message).contains(`port ${port}`).contains('PORT');
      expect(existsSync(join(dataDir, 'postgres'))).equal(false);
    });

    it('4 › a folder that cannot be written', async () => {
      const file = join(cwd, 'a-file');
      writeFileSync(file, '');
      const { code, message } = await refusal({ DATA_DIR: join(file, 'data') });
      expect(code).equal(4);
      expect(message).contains('DATA_DIR');
    });

    it('5 › a database that does not answer', async () => {
      const DATABASE_URL = 'postgresql://mortar:Zx9Secret@127.0.0.1:1/mortar';
      const { code, message } = await refusal({ DATABASE_URL, DATA_DIR: makeDataDir() });
      expect(code).equal(5);
      expect(message).contains('does not answer').not.contains('Zx9Secret');
    });

    it('6 › a database that would lose acknowledged writes', async function () {
      const database = await createDatabase();
      const unsafe = await withClient(database.connection('owner'), (client) => client.query('show fsync'));
      if (unsafe.rows[0]?.fsync !== 'off') return this.skip();
      const { code, message } = await refusal({ DATABASE_URL: databaseUrl(database), DATA_DIR: makeDataDir() });
      expect(code).equal(6);
      expect(message).contains('fsync=off');
    });

    it('7 › a database that a newer release has migrated', async () => {
      const database = await createDatabase();
      await withClient(database.connection('owner'), (client) =>
        client.query(`insert into migration.applied (name, batch, migration_time)
                      values ('9998-later', 9, now()), ('9999-latest', 9, now())`),
      );
      const env = { DATABASE_URL: databaseUrl(database), UNSAFE_DATABASE: 'allow', DATA_DIR: makeDataDir() };
      const { code, message } = await refusal(env);
      expect(code).equal(7);
      expect(message).contains('newer release').contains('9999-latest');
    });
  });

  it('prints its help', async () => {
    const program = launch({}, ['--help']);
    expect(await program.ended).equal(0);
    expect(program.out()).contains('--demo');
    expect(program.errors()).equal('');
  });

  it('reads .env in the working folder; the environment wins', async () => {
    writeFileSync(join(cwd, '.env'), 'SEARCH_HANDLING=odd\nLOG_LEVEL=loud\n');
    const { message } = await refusal({ LOG_LEVEL: 'info' });
    writeFileSync(join(cwd, '.env'), '');
    expect(message).contains('SEARCH_HANDLING is "odd"').not.contains('LOG_LEVEL');
  });
});
