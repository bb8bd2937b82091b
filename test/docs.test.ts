/**
 * The commands of the documents are run, page by page, against one server with demo data; what stands below a command is
 * what it prints. UPDATE_DOCS=1 writes it anew. README has a test of its own.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { findUnexplained, formatSecurity, readBearers, readRequirements } from '../docs/security-page.ts';
import { type ClaimServer, startClaimServer } from './support/claim-server.ts';
import { createTerminal, normalise, stepsOf } from './support/documents.ts';
import { type EpsGateway, startEpsGateway } from './support/eps-gateway.ts';
import { agreeInBrowser } from './support/person.ts';
import { databaseUrl, startTestServer, type TestServer } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

const ROOT = join(import.meta.dirname, '..');
const PAGES = readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md'));
const LINK = /\]\((?!https?:|#)([^)#]+)/g;
const HERE = /http:\/\/(?:localhost|127\.0\.0\.1):8080/g;
const DOCUMENTED = 'http://127.0.0.1:8080';
/** A folder of the project, where it is in a folder of its own. */
const CERTS = /(?<![\w./-])certs\//g;
const isUpdate = process.env['UPDATE_DOCS'] !== undefined;

async function freePort(): Promise<string> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo; // it listens on a port
  taken.close();
  return String(port);
}

describe('docs', function () {
  this.timeout(120_000);
  let server: TestServer;
  /** For the page that needs a Spine; with one, messages of other pages would be sent there. */
  let withSpine: EpsGateway | undefined;
  /** For the page that needs a payer. */
  let withPayer: ClaimServer | undefined;
  let demo = '';
  const rootBefore = readdirSync(ROOT).toSorted();
  const states = makeTempFolder();
  const pki = join(states, 'certs');
  let pkiPort = '';
  /** Of the partner that the page about HL7 v2 plays. */
  let feedPort = '';
  before(async () => {
    feedPort = await freePort();
    const targets = `mllp://127.0.0.1:${feedPort}`;
    server = await startTestServer({
      env: { UNKNOWN_PARTNERS: 'accept', PATIENT_MFA: 'optional', HL7V2_FEED_TARGETS: targets },
    });
    demo = await server.loadDemo();
  });
  after(async () => {
    await withSpine?.stop();
    await withPayer?.stop();
    await server.stop();
  });

  async function serverOf(page: string): Promise<Omit<TestServer, 'stop'>> {
    if (page === 'ncpdp-telecom.md') {
      withPayer ??= await startClaimServer();
      return withPayer.server;
    }
    if (page !== 'eps.md') return server;
    withSpine ??= await startEpsGateway();
    return withSpine.server;
  }

  /** Pages name the address of `npm start`, plain or as a part of another address. */
  const ofServer = (text: string): string =>
    text
      .replaceAll(CERTS, `${pki}/`)
      .replaceAll('8079', pkiPort)
      .replaceAll('2600', feedPort)
      .replaceAll(HERE, server.url)
      .replaceAll(encodeURIComponent(DOCUMENTED), encodeURIComponent(server.url));
  const asDocumented = (text: string): string =>
    text.replaceAll(server.url, DOCUMENTED).replaceAll(encodeURIComponent(server.url), encodeURIComponent(DOCUMENTED));

  const run = async (page: string, command: string, input?: string): Promise<string> => {
    const { fhirBaseUrl, mllpPort, dataDir, database } = await serverOf(page);
    // Free now; minutes ago says little.
    if (command.includes('8079')) pkiPort = await freePort();
    const terminal = createTerminal(
      {
        FHIR: fhirBaseUrl,
        MLLP: String(mllpPort),
        DATA_DIR: dataDir,
        DATABASE_URL: databaseUrl(database),
        UNSAFE_DATABASE: 'allow',
        PKI_DIR: pki,
      },
      join(states, page),
    );
    return asDocumented(await terminal(ofServer(command), input)).replaceAll(pki, 'certs');
  };

  /** Where the browser of the demo's patient ends who opens an address and agrees. */
  const callbackOf = (address: string): Promise<string> => {
    const [, email = '', password = ''] = /PATIENT\s+(\S+)\s+(\S+)/.exec(demo) ?? [];
    return agreeInBrowser(ofServer(address), { email, password });
  };

  for (const page of PAGES) {
    let before = '';
    const file = join(ROOT, 'docs', page);
    const text = readFileSync(file, 'utf8');
    let written = text;
    for (const [n, { command, output }] of stepsOf(text).entries())
      it(`${page} › ${command.split('\n')[0]?.slice(0, 80)}`, async () => {
        // What is read from the terminal is where the browser came to from the address that was printed before.
        const printed = await run(page, command, /^read /m.test(command) ? await callbackOf(before.trim()) : undefined);
        before = printed;
        if (output === undefined) return; // it has ended well
        if (isUpdate) {
          const { at, output: old = '' } = stepsOf(written)[n] ?? { at: 0 };
          written = written.slice(0, at) + printed + written.slice(at + old.length);
        } else expect(normalise(printed)).equal(normalise(output));
      });
    it(`${page} › its links lead somewhere`, () => {
      if (written !== text) writeFileSync(file, written);
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

  it('the commands leave nothing in the folder of the project', () => {
    expect(readdirSync(ROOT).toSorted()).deep.equal(rootBefore);
  });

  it('every security requirement is borne by a test, or is open for a reason that is given', () => {
    const requirements = readRequirements();
    expect(findUnexplained(requirements, readBearers())).deep.equal([]);
    const known = new Set(requirements.sections.flatMap((section) => Object.keys(section.requirements)));
    const named = [...requirements.open.flatMap(({ ids }) => ids), ...Object.keys(requirements.partly)];
    expect(named.filter((id) => !known.has(id))).deep.equal([]);
    expect(findUnexplained({ ...requirements, open: [] }, new Map())).deep.equal([...known]);
  });

  it('security.md says of each requirement whether it is tested, as it is now: npm run -s docs', () => {
    const open = (page: string): string[] =>
      [...page.matchAll(/^\| ([A-Z]{2}-\d{2}) .*\*\*open\*\*/gm)].map(([, id = '']) => id);
    expect(open(readFileSync(join(ROOT, 'docs/security.md'), 'utf8'))).deep.equal(open(formatSecurity()));
  });
});
