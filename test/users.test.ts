import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { ensureOperator } from '../src/auth/oauth/operator.ts';
import { openWorld, PASSWORD, type World } from './auth/people/world.ts';

const PROGRAM = join(import.meta.dirname, '../src/users.ts');

/** The program against the real doors of people; only the token that it asks for first is given without a look. */
describe('npm run users', function () {
  this.timeout(180_000);
  let world: World;
  let server: Server;
  before(async () => {
    world = await openWorld();
    ensureOperator(world);
    server = createServer((req, res) => {
      if (req.url !== '/oauth2/operator-token') return world.people.app(req, res);
      res.setHeader('Content-Type', 'application/json');
      res.end('{"access_token":"a token"}');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    writeFileSync(join(world.dataDir, 'ports.json'), JSON.stringify({ url }));
  });
  after(async () => {
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
    await world.stop();
  });

  const run = (...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> =>
    new Promise((resolve) => {
      const env = { ...process.env, DATA_DIR: world.dataDir };
      execFile(process.execPath, [PROGRAM, ...args], { env, cwd: world.dataDir }, (error, out, err) =>
        resolve({ code: Number(error?.code ?? 0), out, err }),
      );
    });

  it('add prints the user with the second factor, list shows it, disable ends it', async () => {
    const options = [
      '--patient',
      'p1',
      '--patient',
      'p2',
      '--organization',
      'o1',
      '--practitioner',
      'x',
      '--mfa',
      'totp',
    ];
    const added = await run(
      ...['add', '--name', 'Gwen Tolland', '--email', 'gwen@example.org', '--password', PASSWORD],
      ...['--role', 'STAFF', '--role', 'PATIENT', ...options],
    );
    expect(added.err).equal('');
    const user = JSON.parse(added.out);
    expect(user).have.all.keys('id', 'name', 'email', 'roles', 'totpSecret', 'recoveryCodes');
    expect(await world.identity.people.find(user.id)).deep.include({
      roles: ['PATIENT', 'STAFF'],
      patientIds: ['p1', 'p2'],
      organizationIds: ['o1'],
      practitionerId: 'x',
    });
    const listed = await run('list');
    expect(
      listed.out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).email),
    ).deep.equal(['gwen@example.org']);
    expect((await run('disable', user.id)).code).equal(0);
    expect((await world.identity.people.find(user.id))?.isDisabled).equal(true);
  });

  it('whoever reads the list may have had enough of it', async () => {
    const child = spawn(process.execPath, [PROGRAM, 'list'], {
      env: { ...process.env, DATA_DIR: world.dataDir },
      cwd: world.dataDir,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = await once(child, 'close');
    expect([code, said]).eql([0, '']);
  });

  it('without a password it prints a link', async () => {
    const { out } = await run('add', '--name', 'Otis', '--email', 'otis@example.org', '--role', 'OPS_MANAGER');
    expect(JSON.parse(out)).have.all.keys('id', 'name', 'email', 'roles', 'reset_link', 'reset_expires_at');
  });

  it('says what is wrong, with exit code 1', async () => {
    for (const [args, why] of [
      [[], /add, list or disable/],
      [['add', '--name', 'X'], /--name, --email and --role are needed/],
      [['disable'], /name the ID/],
      [['disable', 'nobody'], /no such user/],
      [['list', 'x'], /a word too many/],
      [['add', '--colour', 'blue'], /colour/],
      [['add', '--name', 'X', '--email', 'x@example.org', '--role', 'GOD'], /roles is a list of roles/],
      [['add', '--name', 'X', '--email', 'otis@example.org', '--role', 'STAFF'], /has this e-mail address/],
    ] as const) {
      const { code, out, err } = await run(...args);
      expect(code, args.join(' ')).equal(1);
      expect(err).match(why);
      expect(out).equal('');
    }
  });
});
