import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { openAuditKeys } from '../src/pki/audit-key.ts';
import { serviceCaller } from '../src/policy/service-caller.ts';
import { createChainer } from '../src/postgres/audit/chainer.ts';
import { appendCheckpoint } from '../src/postgres/audit/checkpoint-file.ts';
import { openAuditLog } from '../src/postgres/audit/log.ts';
import { createPools } from '../src/postgres/pools.ts';
import { createDatabase, type TestDatabase, withClient } from './support/database.ts';
import { silentLog } from './support/log.ts';
import { databaseUrl } from './support/server.ts';
import { makeTempFolder } from './support/temp-folder.ts';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe('verify-audit [AU-09]', () => {
  let database: TestDatabase;
  let dataDir: string;
  before(async () => {
    database = await createDatabase();
    dataDir = makeTempFolder();
    mkdirSync(join(dataDir, 'keys'));
    const { macKeys, cipher, checkpointKey } = openAuditKeys(join(dataDir, 'keys', 'audit.key'));
    const pools = createPools({
      connection: database.connection('app'),
      readConnections: 1,
      writeConnections: 1,
      transactionConnections: 1,
      log: silentLog,
    });
    const trail = await openAuditLog({ pools, macKey: macKeys[0], cipher, now: Date.now, log: silentLog });
    const chainer = createChainer({
      pools,
      macKeys,
      checkpointKey,
      emit: (signed) => appendCheckpoint(join(dataDir, 'audit-checkpoints.jsonl'), signed),
      holder: 'test',
      now: Date.now,
      log: silentLog,
    });
    for (let n = 0; n < 5; n++) await trail.record({ kind: 'start', caller: serviceCaller('test'), outcome: 0 });
    for (let linked = 0; linked < 5; ) linked += await chainer.step();
    await chainer.stop();
    await pools.end();
  });
  after(() => database.drop());

  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    new Promise((resolve) => {
      execFile(
        process.execPath,
        [join(import.meta.dirname, '../src/verify-audit.ts'), ...args],
        {
          cwd: dataDir,
          env: { PATH: process.env['PATH'], DATA_DIR: dataDir, DATABASE_URL: databaseUrl(database), ...env },
          timeout: 15_000,
        },
        (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
      );
    });

  it('says in one line that the trail is whole, and ends with 0', async () => {
    const { code, out, err } = await run([]);
    expect([code, err]).deep.equal([0, '']);
    expect(out).match(/^the audit trail is whole: 5 entries linked, 0 waiting, 1 signed checkpoints \(\d+\.\d s\)\n$/);
  });

  it('names the first bad place in one line, and ends with 1', async () => {
    const tamper = (sql: string) => withClient(database.connection('superuser'), (client) => client.query(sql));
    await tamper(
      "update audit.entry set rule = 'x' where (at, id) = (select at, id from audit.entry order by xid, id offset 2 limit 1)",
    );
    const { code, out } = await run([]);
    await tamper('update audit.entry set rule = null');
    expect([code, out]).deep.equal([
      1,
      'the audit trail is BROKEN at seq 3: its entry was changed, or was not made by us\n',
    ]);
    expect((await run([])).code, 'put back').equal(0);
  });

  for (const [what, args, env, wanted] of [
    ['an unknown option', ['--since', 'x'], {}, /verify-audit:.*--since/s],
    ['a wrong instant', ['--from', 'yesterday'], {}, /--from is a date/],
    ['no server', [], { DATABASE_URL: '' }, /no server runs on/],
    ['no key file', [], { DATA_DIR: '/nonexistent' }, /audit\.key cannot be read/],
    ['a database that does not answer', [], { DATABASE_URL: 'postgresql://u:p@127.0.0.1:1/x' }, /does not answer/],
  ] as const)
    it(`ends with 2 for ${what}, without a stack`, async () => {
      const { code, err } = await run(args, env);
      expect(code, err).equal(2);
      expect(err).match(wanted);
      expect(err).not.match(/\n\s+at /);
    });
});
