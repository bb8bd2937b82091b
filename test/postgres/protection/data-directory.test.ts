/** An erasure through a server with its own Postgres, stopped in the middle: what it leaves in tables and files. */

import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'chai';
import { readConfig } from '../../../src/config.ts';
import { connectionOfRunning } from '../../../src/postgres/running-cluster.ts';
import { type RunningServer, startServer } from '../../../src/server.ts';
import { withClient } from '../../support/database.ts';
import { grepFolder } from '../../support/grep-folder.ts';
import { operatorToken, SERVER_SETTINGS, testLog } from '../../support/server.ts';
import { findFastParent, makeTempFolder } from '../../support/temp-folder.ts';

/** The write-ahead log is not among them: docs/data-protection.md. */
const grep = (folder: string, pattern: RegExp): string[] => [
  ...grepFolder(folder, pattern, (path) => path.includes('pg_wal')).keys(),
];

describe('protection › the data directory', () => {
  let dataDir: string;
  let server: RunningServer;

  async function start(): Promise<void> {
    server = await startServer(
      readConfig({
        ...SERVER_SETTINGS,
        DATA_DIR: dataDir,
        SHUTDOWN_TIMEOUT_MS: '1000',
      }),
      testLog(),
    );
  }
  async function ask(method: string, path: string, body?: object, user?: string) {
    const token = await operatorToken(server, user === undefined ? {} : { user: `${user}@example.org` });
    const response = await fetch(`${server.url}/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': path.startsWith('fhir') ? 'application/fhir+json' : 'application/json',
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: JSON.parse(text) as Record<string, unknown>, text };
  }
  const superuser = <T>(text: string): Promise<T[]> =>
    withClient(connectionOfRunning(dataDir, 'superuser'), async (client) => (await client.query(text)).rows as T[]);

  before(async function () {
    this.timeout(120_000);
    dataDir = mkdtempSync(join(makeTempFolder(findFastParent()), 'data-'));
    const cache = join(makeTempFolder(), 'cache');
    mkdirSync(cache, { recursive: true });
    symlinkSync(cache, join(dataDir, 'cache'));
    await start();
  });
  after(() => server.stop());

  it('[DP-04] holds nothing of an erased record: no table at once, and no file after VACUUM FULL', async function () {
    this.timeout(400_000);
    for (const name of ['one', 'two'])
      await ask('POST', 'api/v2/admin/users', { name, email: `${name}@example.org`, roles: ['ADMIN'] });
    const put = async (path: string, body: object): Promise<void> => {
      const { status, text } = await ask('PUT', `fhir/R4/${path}`, {
        resourceType: path.split('/')[0],
        id: path.split('/')[1],
        ...body,
      });
      expect(status, text).to.be.oneOf([200, 201]);
    };
    const subject = { reference: 'Patient/erased-one' };
    // Enough of them that the planner's statistics hold values, and long texts that go to a table of their own.
    for (let n = 0; n < 30; n++)
      await put(`Observation/planted-${n}`, {
        status: 'final',
        code: { text: `Plantedcode${n}qz` },
        subject,
        note: [{ text: `Plantednote${n}qz `.repeat(n % 5 === 0 ? 1000 : 1) }],
      });
    for (const family of ['Plantedformerqz', 'Plantedfamilyqz'])
      await put('Patient/erased-one', {
        name: [{ family }],
        identifier: [{ system: 'urn:x', value: 'Plantedvalueqz' }],
      });
    await put('Patient/kept', { name: [{ family: 'Keptfamilyqz' }] });
    await put('Appointment/shared', {
      status: 'proposed',
      participant: [
        { actor: { ...subject, display: 'Plantedshareqz' }, status: 'accepted' },
        { actor: { reference: 'Patient/kept' }, status: 'accepted' },
      ],
    });
    await superuser('analyze');
    await superuser('checkpoint');
    const planted = /(planted[a-z]+\d*|keptfamily)qz/gi;
    expect(grep(dataDir, planted)).to.include.members(['plantedfamilyqz', 'plantedcode29qz', 'keptfamilyqz']);

    const proposal = { patient: 'erased-one', legalBasis: 'consent-withdrawn', reason: 'asked for in writing' };
    const { json, status, text } = await ask('POST', 'api/v2/erasures', proposal, 'one');
    expect(status, text).to.equal(201);
    expect((await ask('POST', `api/v2/erasures/${json['id']}/approve`, undefined, 'two')).status).to.equal(202);
    await server.stop(); // it has only begun
    await start();
    for (;;) {
      const [row] = await superuser<{ state: string }>('select state from protection.erasure');
      if (row?.state === 'done') break;
      await setTimeout(100);
    }
    await server.stop();
    await start();

    const tables = await superuser<{ name: string }>(
      `select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('fhir', 'mortar', 'auth', 'audit', 'protection') and c.relkind = 'r' and pg_relation_size(c.oid) > 0`,
    );
    let rows = '';
    for (const { name } of tables)
      rows += (await superuser<{ t: string }>(`select t::text as t from ${name} t`)).map(({ t }) => t).join('\n');
    rows += (
      await superuser<{ t: string }>(
        `select concat_ws(' ', most_common_vals::text, histogram_bounds::text) as t from pg_stats where schemaname in ('fhir', 'mortar', 'auth', 'protection')`,
      )
    )
      .map(({ t }) => t)
      .join('\n');
    expect(new Set(rows.toLowerCase().match(planted))).to.deep.equal(new Set(['keptfamilyqz']));

    for (const { name } of tables) await superuser(`vacuum full ${name}`);
    await superuser('vacuum full pg_statistic');
    await superuser('checkpoint');
    await server.stop(); // Postgres writes everything out before it ends
    expect(grep(dataDir, planted)).to.deep.equal(['keptfamilyqz']);
    await start();
    expect((await ask('GET', 'fhir/R4/Patient/kept')).status).to.equal(200);
    expect((await ask('GET', 'fhir/R4/Patient/erased-one')).status).to.equal(404);
  });
});
