import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readConfig } from '../../../src/config.ts';
import { connectionOfRunning } from '../../../src/postgres/running-cluster.ts';
import { type RunningServer, startServer } from '../../../src/server.ts';
import { withClient } from '../../support/database.ts';
import { grepFolder } from '../../support/grep-folder.ts';
import { operatorToken, SERVER_SETTINGS, testLog } from '../../support/server.ts';
import { findFastParent, makeTempFolder } from '../../support/temp-folder.ts';

const PLANTED = 1000;
const PER_PATIENT = 8;

/** A word that occurs nowhere else, of letters only, as `prefix`…. */
const word = (prefix: string, n: number): string =>
  prefix +
  createHash('sha256')
    .update(`${prefix}${n}`)
    .digest('hex')
    .slice(0, 14)
    .replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)] as string);

interface Planted {
  readonly resource: { readonly resourceType: 'Patient' } & Record<string, unknown>;
  readonly words: readonly string[];
}

function plant(n: number): Planted {
  const words = ['Fam', 'Giv', 'Str', 'Cty', 'Ema', 'Sys', 'Idv', 'Div'].map((prefix) => word(prefix, n));
  const [family, given, street, city, email, system, value, narrative] = words;
  return {
    words,
    resource: {
      resourceType: 'Patient',
      text: { status: 'generated', div: `<div xmlns="http://www.w3.org/1999/xhtml">${narrative}</div>` },
      identifier: [{ system: `https://${system}.test/id`, value }],
      active: n % 2 === 0,
      name: [{ family, given: [given] }],
      telecom: [{ system: 'email', value: `${email}@mail.test` }],
      gender: 'female',
      birthDate: `19${String(10 + (n % 89)).padStart(2, '0')}-0${1 + (n % 9)}-1${n % 10}`,
      address: [{ line: [street], city, postalCode: 'SW1A 1AA' }],
    },
  };
}

/** Whatever looks like one of them: to look for each by itself takes a hundred times as long. */
const WORDS = /(?:fam|giv|str|cty|ema|sys|idv|div)[a-p]{14}|inclearonpurpose/gi;

/** Which of the words lie in any file below a folder, in any case. */
function grep(folder: string, words: readonly string[]): Map<string, string> {
  const wanted = new Set(words.map((each) => each.toLowerCase()));
  expect(words.join(' ').match(WORDS)).to.have.length(words.length);
  return new Map([...grepFolder(folder, WORDS)].filter(([match]) => wanted.has(match)));
}

describe('encryption › the data directory', () => {
  let dataDir: string;
  let server: RunningServer;
  let headers: Record<string, string>;

  const start = async (encrypted: string): Promise<void> => {
    server = await startServer(
      readConfig({
        ...SERVER_SETTINGS,
        DATA_DIR: dataDir,
        SHUTDOWN_TIMEOUT_MS: '1000',
        ENCRYPTED_ELEMENTS: encrypted,
      }),
      testLog(),
    );
    headers = {
      authorization: `Bearer ${await operatorToken(server)}`,
      'content-type': 'application/fhir+json',
    };
  };
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`${server.url}/fhir/R4/${path}`, {
      ...init,
      headers: { ...headers, ...init.headers },
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? undefined : JSON.parse(text),
      location: response.headers.get('location'),
    };
  };
  const plantAll = async (from: number): Promise<string[]> => {
    const words: string[] = [];
    for (let n = from; n < from + PLANTED / PER_PATIENT; n++) {
      const { resource, words: own } = plant(n);
      words.push(...own);
      if (n % 3 === 0) {
        const entry = [
          { resource, request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=${own[6]}` } },
          {
            resource: { resourceType: 'Bundle', type: 'collection', entry: [{ resource }] },
            request: { method: 'POST', url: 'Bundle' },
          },
        ];
        const { status } = await ask('', {
          method: 'POST',
          body: JSON.stringify({ resourceType: 'Bundle', type: 'transaction', entry }),
        });
        expect(status).to.equal(200);
        continue;
      }
      const made = await ask('Patient', { method: 'POST', body: JSON.stringify(resource) });
      expect(made.status, JSON.stringify(made.body)).to.equal(201);
      if (n % 3 === 1) {
        const changed = { ...made.body, active: !made.body.active };
        const { status, body } = await ask(`Patient/${made.body.id}`, { method: 'PUT', body: JSON.stringify(changed) });
        expect(status, JSON.stringify(body)).to.equal(200);
      }
    }
    return words;
  };

  before(async function () {
    this.timeout(120_000);
    const parent = makeTempFolder(findFastParent());
    dataDir = mkdtempSync(join(parent, 'data-'));
    const cache = join(makeTempFolder(), 'cache');
    mkdirSync(cache, { recursive: true });
    symlinkSync(cache, join(dataDir, 'cache'));
    await start('uk-protected');
  });
  after(() => server.stop());

  it('[KS-07] [KS-09] [KS-10] holds none of 1,000 values planted through the API, and finds what is in clear', async function () {
    this.timeout(120_000);
    const words = await plantAll(0);
    expect(words).to.have.length(PLANTED);
    const [first] = words;
    expect((await ask(`Patient?family=${first}`)).body.entry).to.have.length(1);
    const { body } = await ask('Observation', {
      method: 'POST',
      body: JSON.stringify({ resourceType: 'Observation', status: 'final', code: { text: 'InClearOnPurpose' } }),
    });
    expect(body.code.text).to.equal('InClearOnPurpose');
    const kept = await withClient(connectionOfRunning(dataDir, 'superuser'), async (client) => {
      const { rows: tables } = await client.query<{ name: string }>(
        `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('fhir', 'mortar', 'auth', 'audit') and c.relkind = 'r' and pg_relation_size(c.oid) > 0`,
      );
      let text = '';
      for (const { name } of tables) {
        const { rows } = await client.query<{ t: string }>(`select t::text as t from ${name} t`);
        text += rows.map(({ t }) => t).join('\n');
      }
      await client.query('checkpoint');
      return text;
    });
    expect(kept).to.contain('InClearOnPurpose');
    expect(words.filter((each) => kept.toLowerCase().includes(each.toLowerCase()))).to.deep.equal([]);
    await server.stop(); // Postgres writes everything out before it ends
    const found = grep(dataDir, [...words, 'InClearOnPurpose']);
    expect([...found.keys()], JSON.stringify([...found])).to.deep.equal(['inclearonpurpose']);

    // [KS-10] The key file is lost: the start says so, and makes nothing up.
    const key = join(dataDir, 'keys', 'data.key');
    renameSync(key, `${key}.away`);
    const refused = await start('uk-protected').catch((error: Error) => error.message);
    expect(refused).to.contain('is not the one that this database').and.to.contain('DATA_KEY_FILE');
    renameSync(`${key}.away`, key);
    await start('uk-protected');
    const again = await ask(`Patient?family=${first}`);
    expect(again.body.entry[0].resource.name[0].family).to.equal(first);
  });

  it('[KS-06] the command gives new data keys, and wraps them with a new line of the key file', async () => {
    const run = (command: string) =>
      promisify(execFile)(process.execPath, [join(import.meta.dirname, '../../../src/rotate-keys.ts'), command], {
        cwd: dataDir,
        env: { PATH: process.env['PATH'], DATA_DIR: dataDir },
      });
    expect((await run('data')).stdout).to.match(/^\d{3} data keys are old/);
    const key = join(dataDir, 'keys', 'data.key');
    const old = readFileSync(key, 'utf8');
    const line = `0badcafe ${randomBytes(32).toString('base64')}\n`;
    writeFileSync(key, line + old);
    expect((await run('wrapping')).stdout).to.match(/^\d{3} keys are wrapped/);
    await server.stop();
    writeFileSync(key, line);
    await start('uk-protected');
    const { body } = await ask('Patient?_count=1');
    expect(body.entry[0].resource.name[0].family).to.match(/^Fam/);
  });
});
