/** `npm run token` and `npm run clients` as they are run: other processes, beside a server that answers. */
import { execFile } from 'node:child_process';
import { chmodSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ensureOperator, OperatorKeyError } from '../src/auth/oauth/operator.ts';
import { makeKey, type OAuthServer, requestWith, startOAuthServer } from './support/oauth-server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** In a folder without settings. */
const run = (program: string, args: readonly string[], dataDir: string): Promise<Run> =>
  new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', DATA_DIR: dataDir };
    execFile(
      process.execPath,
      [join(import.meta.dirname, `../src/${program}.ts`), ...args],
      { env, cwd: dataDir },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });

describe('token and clients, the commands', function () {
  this.timeout(180_000);
  let server: OAuthServer;
  before(async () => {
    server = await startOAuthServer();
    writePorts();
  });
  after(() => server.stop());

  const writePorts = (): void =>
    writeFileSync(join(server.dataDir, 'ports.json'), JSON.stringify({ url: server.url, fhir: server.fhirBaseUrl }));
  const callerOf = (token: string) => server.oauth.authenticate(requestWith({ authorization: `Bearer ${token}` }), 'c');
  // The commands live by the machine's clock, however long the tests before them took.
  const command = (program: string, args: readonly string[]): Promise<Run> => {
    server.store.clock.pass(Date.now() - server.store.clock.now());
    return run(program, args, server.dataDir);
  };
  const token = (...args: string[]): Promise<Run> => command('token', args);
  const clients = (...args: string[]): Promise<Run> => command('clients', args);

  it('prints a token alone, for the system unless told otherwise', async () => {
    const { code, out, err } = await token();
    expect({ code, err }).deep.equal({ code: 0, err: '' });
    expect(out).match(/^[A-Za-z0-9_-]{43}\n$/);
    const caller = await callerOf(out.trim());
    expect(caller).include({ kind: 'client', name: 'operator' });
    expect(caller.scopes).deep.equal([{ level: 'system', type: '*', letters: ['c', 'r', 'u', 'd', 's'] }]);
    expect(server.audit.map(({ kind, rule }) => `${kind} ${rule}`)).include('token operator');
  });

  it('acts for a person by name or e-mail, with scopes and a time as told', async () => {
    const { out } = await token('--user', 'ann@example.org', '--scope', 'user/Patient.r', '--ttl', '60');
    const caller = await callerOf(out.trim());
    expect(caller.user).include({ id: 'u1', practitionerId: 'pr1' });
    expect(caller.scopes).deep.equal([{ level: 'user', type: 'Patient', letters: ['r'] }]);
    server.store.clock.pass(60_000);
    expect(await server.call(out.trim())).equal(401);
    server.store.clock.pass(-60_000);
  });

  it('says in words what is wrong, with exit code 1', async () => {
    const empty = makeTempFolder();
    const cases: readonly [Promise<Run>, RegExp][] = [
      [run('token', [], empty), /ports\.json is not there: no server runs/],
      [token('--user', 'nobody'), /no such active user/],
      [token('--ttl', '90000'), /ttl is a number of seconds/],
      [token('--ttl', 'x'), /--ttl is a number/],
      [token('--scope', 'nonsense'), /none of the scopes/],
      [token('--scope', 'user/*.rs'), /need a person/],
      [token('--colour'), /Unknown option/],
    ];
    for (const [running, words] of cases) {
      const { code, out, err } = await running;
      expect({ code, out }).deep.equal({ code: 1, out: '' });
      expect(err).match(words);
      expect(err).not.match(/ {4}at /);
    }
  });

  it('says that the server does not answer, or that the key is missing or open to others', async () => {
    const dataDir = makeTempFolder();
    writeFileSync(join(dataDir, 'ports.json'), JSON.stringify({ url: 'http://127.0.0.1:1' }));
    expect((await run('token', [], dataDir)).err).match(/operator\.key cannot be read \(ENOENT\)/);
    ensureOperator({ dataDir });
    expect((await run('token', [], dataDir)).err).match(/does not answer at http:\/\/127\.0\.0\.1:1/);
    chmodSync(join(dataDir, 'operator.key'), 0o644);
    expect((await run('token', [], dataDir)).err).match(/can be read by other users: chmod 600/);
  });

  it('[KS-01] the key is made once, for its owner alone, and refused when others may read it', () => {
    const dataDir = makeTempFolder();
    const { jwks } = ensureOperator({ dataDir });
    const path = join(dataDir, 'operator.key');
    expect(statSync(path).mode & 0o777).equal(0o600);
    expect(jwks.keys[0]).include({ kty: 'EC', crv: 'P-256' }).and.not.have.property('d');
    expect(ensureOperator({ dataDir }).jwks).deep.equal(jwks);
    chmodSync(path, 0o640);
    expect(() => ensureOperator({ dataDir })).throw(OperatorKeyError, /chmod 600/);
    rmSync(path);
    writeFileSync(path, 'rubbish', { mode: 0o600 });
    expect(() => ensureOperator({ dataDir })).throw(OperatorKeyError, /holds no key/);
  });

  it('a key of another data folder gets nothing', async () => {
    const dataDir = makeTempFolder();
    ensureOperator({ dataDir });
    writeFileSync(join(dataDir, 'ports.json'), JSON.stringify({ url: server.url }));
    const { code, err } = await run('token', [], dataDir);
    expect(code).equal(1);
    expect(err).match(/client authentication failed/);
  });

  it('operator tokens can be off', async () => {
    const off = await startOAuthServer({ areOperatorTokensAllowed: false });
    try {
      off.store.clock.pass(Date.now() - off.store.clock.now());
      writeFileSync(join(off.dataDir, 'ports.json'), JSON.stringify({ url: off.url }));
      const { code, err } = await run('token', [], off.dataDir);
      expect(code).equal(1);
      expect(err).match(/OPERATOR_TOKENS=on/);
      expect(off.audit.map(({ rule, outcome }) => `${rule} ${outcome}`)).include('operator-off 4');
    } finally {
      await off.stop();
    }
  });

  it('the operator’s client gets nothing at the token endpoint', async () => {
    const { clients: all } = server.store;
    expect((await all.find('operator'))?.kind).equal('asymmetric');
    const key = await makeKey();
    const { signAssertion, assertionClaims, ASSERTION_TYPE } = await import('./support/oauth-server.ts');
    await all.put('operator', { ...(await all.find('operator'))!, jwks: { keys: [{ ...key.jwk }] } });
    const assertion = await signAssertion(
      key,
      assertionClaims('operator', `${server.url}/oauth2/token`, server.store.clock.now()),
    );
    const form = { client_assertion_type: ASSERTION_TYPE, client_assertion: assertion };
    const answer = await server.post('/oauth2/token', {
      grant_type: 'client_credentials',
      scope: 'system/*.cruds',
      ...form,
    });
    expect([answer.status, answer.body.error]).deep.equal([400, 'unauthorized_client']);
    const { jwks } = ensureOperator({ dataDir: server.dataDir });
    await all.put('operator', { ...(await all.find('operator'))!, jwks });
  });

  it('clients: adds each kind, lists them and disables one', async () => {
    const file = join(server.dataDir, 'keys.json');
    const key = await makeKey();
    writeFileSync(file, JSON.stringify({ keys: [key.jwk] }));
    const app = ['--name', 'App', '--scope', 'patient/*.rs', '--redirect', 'http://127.0.0.1:4567/cb'];
    const secret = await clients('add', ...app, '--secret', '--launch', 'http://127.0.0.1:4567/launch');
    expect(secret).include({ code: 0, err: '' });
    const { client_id, client_secret } = JSON.parse(secret.out);
    expect(await server.store.clients.isSecret(client_id, client_secret)).equal(true);
    const open = JSON.parse((await clients('add', ...app, '--public')).out);
    expect(Object.keys(open)).deep.equal(['client_id']);
    const keyed = JSON.parse((await clients('add', '--name', 'S', '--scope', 'system/*.rs', '--jwks', file)).out);
    expect(await server.store.clients.find(keyed.client_id)).include({ kind: 'asymmetric', isVerified: true });
    const listed = (await clients('list')).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(listed.map((one) => one.client_id)).include.members([client_id, open.client_id, keyed.client_id]);
    expect(await clients('disable', open.client_id)).include({ code: 0 });
    expect((await server.store.clients.find(open.client_id))?.isDisabled).equal(true);
    expect(server.audit.filter(({ kind }) => kind === 'client').map(({ rule }) => rule)).include.members([
      'added',
      'disabled',
    ]);
  });

  it('[SR-01] clients: invite prints a token that registers one app', async () => {
    const { out, err } = await clients('invite');
    expect(err).equal('');
    const { initial_access_token, expires_in } = JSON.parse(out);
    expect(expires_in).equal(604_800);
    expect(await server.store.clients.useInitialToken(initial_access_token)).equal(true);
  });

  it('[SO-03] clients: rotate-keys has new keys sign at once', async () => {
    const before = (await server.store.keys.published()).map(({ kid }) => kid);
    const { keys } = JSON.parse((await clients('rotate-keys')).out);
    expect(keys).length(2);
    for (const { kid } of keys) expect(before).not.include(kid);
    server.store.clock.pass(5_000);
    expect((await server.store.keys.published()).map(({ kid }) => kid)).have.members(
      keys.map(({ kid }: { kid: string }) => kid),
    );
  });

  it('clients: says in words what is wrong, with exit code 1', async () => {
    const cases: readonly [Promise<Run>, RegExp][] = [
      [clients('add', '--name', 'x'), /--scope are needed/],
      [clients('add', '--name', 'x', '--scope', 'nonsense'), /scope names nothing/],
      [clients('add', '--name', 'x', '--scope', 'openid', '--redirect', 'http://example.org'), /not https/],
      [clients('add', '--name', 'x', '--scope', 'openid', '--public', '--secret'), /exclude/],
      [clients('add', '--name', 'x', '--scope', 'openid', '--jwks', 'none.json'), /cannot be read/],
      [clients('disable', 'nobody'), /not found/],
      [clients('remove'), /add, list, disable, invite or rotate-keys/],
    ];
    for (const [running, words] of cases) {
      const { code, err } = await running;
      expect(err).match(words);
      expect(code).equal(1);
    }
  });
});
