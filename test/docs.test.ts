/** The commands that the pages of the gateway show are run: each must end well. README has a test of its own. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startTestServer, type TestServer } from './support/server.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
const COMMANDS = /```sh\n([^`]*)```/g;
const LINK = /\]\((?!https?:|#)([^)#]+)/g;

describe('docs', function () {
  this.timeout(120_000);
  let server: TestServer;
  before(async () => {
    server = await startTestServer({ env: { UNKNOWN_PARTNERS: 'accept' } });
  });
  after(() => server.stop());

  /** Pages name the address of `npm start`. */
  const atServer = (command: string): string =>
    command.replaceAll(/http:\/\/(?:localhost|127\.0\.0\.1):8080/g, server.url);

  for (const page of PAGES) {
    const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
    for (const [, command = ''] of text.matchAll(COMMANDS))
      it(`${page} › ${command.split('\n')[0]?.slice(0, 80)}`, async () => {
        const { stdout } = await promisify(execFile)('bash', ['-euc', atServer(command)], {
          cwd: ROOT,
          env: {
            ...process.env,
            FHIR: server.fhirBaseUrl,
            SERVER: server.url,
            MLLP: String(server.mllpPort),
            DATA_DIR: server.dataDir,
          },
        });
        expect(stdout).not.equal('');
      });
    it(`${page} › its links lead somewhere`, () => {
      for (const [, target = ''] of text.matchAll(LINK))
        expect(() => readdirSync(join(ROOT, 'docs', target)), target).satisfy((read: () => unknown) => {
          try {
            read();
            return true;
          } catch (error) {
            return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
          }
        });
    });
  }
});
