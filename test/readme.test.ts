import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { normalise, stepsOf } from './support/documents.ts';
import { startTestServer, type TestServer } from './support/server.ts';

const README = join(import.meta.dirname, '../README.md');
const run = (command: string, server: TestServer, auth = ''): Promise<{ readonly stdout: string }> =>
  promisify(execFile)('bash', ['-euc', command], {
    env: { ...process.env, FHIR: server.fhirBaseUrl, AUTH: auth, DATA_DIR: server.dataDir },
    cwd: join(README, '..'),
  });

describe('README', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ env: { SPINE_PORT: '0', SPINE_STATE_PORT: '0', PAYER_PORT: '0' } });
    await server.loadDemo();
  });
  after(() => server.stop());

  it('the tour prints what it says it prints', async () => {
    const readme = readFileSync(README, 'utf8');
    let written = readme;
    const [, start = ''] = /```sh\n(FHIR=[^`]*)```/.exec(readme) ?? [];
    const { stdout: auth } = await run(`${start.replace(/^FHIR=.*\n/, '')}printf '%s' "$AUTH"`, server);
    for (const [n, { command, output }] of stepsOf(readme).entries()) {
      if (output === undefined) continue;
      const { stdout } = await run(command, server, auth);
      const printed = stdout.replaceAll(server.url, 'http://127.0.0.1:8080').replace(/\n*$/, '\n');
      const { at, output: old = '' } = stepsOf(written)[n] ?? { at: 0 };
      if (process.env['UPDATE_README'] !== undefined)
        written = written.slice(0, at) + printed + written.slice(at + old.length);
      else expect(normalise(printed), command).to.equal(normalise(output));
    }
    if (written !== readme) writeFileSync(README, written);
  });

  it('every link to a file of the repository leads somewhere', () => {
    const readme = readFileSync(README, 'utf8');
    for (const [, target = ''] of readme.matchAll(/\]\((?!https?:)([^)#]+)/g))
      expect(() => readFileSync(join(README, '..', target)), target).to.satisfy((read: () => unknown) => {
        try {
          read();
          return true;
        } catch (error) {
          return (error as NodeJS.ErrnoException).code === 'EISDIR';
        }
      });
  });
});
