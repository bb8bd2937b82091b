import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startTestServer, type TestServer } from './support/server.ts';

const README = join(import.meta.dirname, '../README.md');
/** A command and the output that stands below it. */
const STEP = /```sh\n([^`]*)```\n\n```text\n([^`]*)```/g;

/** Ids given out by the server and instants differ from run to run. */
const normalise = (text: string): string =>
  text
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g, 'ID')
    .replace(/\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z/g, 'INSTANT')
    .replace(/\|\d{14}\+0000\|/g, '|INSTANT|')
    .replace(/\|[0-9a-f]{20}\|/g, '|CONTROL-ID|')
    .replace(/digest: \S+/g, 'digest');

describe('README', () => {
  let server: TestServer;
  before(async () => {
    server = await startTestServer();
    await server.loadDemo();
  });
  after(() => server.stop());

  it('the tour prints what it says it prints', async () => {
    const readme = readFileSync(README, 'utf8');
    let written = readme;
    for (const [whole, command = '', expected = ''] of readme.matchAll(STEP)) {
      const { stdout } = await promisify(execFile)('bash', ['-euc', command], {
        env: { ...process.env, FHIR: server.fhirBaseUrl, DATA_DIR: server.dataDir },
        cwd: join(README, '..'),
      });
      const printed = stdout.replaceAll(server.url, 'http://127.0.0.1:8080').replace(/\n*$/, '\n');
      if (process.env['UPDATE_README'] !== undefined)
        written = written.replace(whole, whole.slice(0, whole.lastIndexOf('```text\n') + 8) + printed + '```');
      else expect(normalise(printed), command).to.equal(normalise(expected));
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
