import { expect } from 'chai';
import { createChainer } from '../../../src/postgres/audit/chainer.ts';
import { ensureAuditPartitions, monthOf, parseMonth } from '../../../src/postgres/audit/partitions.ts';
import { type PurgedMonth, purgeAudit } from '../../../src/postgres/audit/retention.ts';
import { type Verdict, verifyAudit } from '../../../src/postgres/audit/verify.ts';
import { hasRoles, withClient } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { type AuditedDatabase, doctor, openAuditedDatabase, patient } from './audited-database.ts';

const JANUARY = Date.UTC(2021, 0, 10);
const FEBRUARY = Date.UTC(2021, 1, 10);
const MARCH = Date.UTC(2021, 2, 10);

describe('audit › retention', () => {
  let db: AuditedDatabase;
  let clock = JANUARY;
  beforeEach(async () => {
    clock = JANUARY;
    db = await openAuditedDatabase({ now: () => ++clock });
    const chainer = createChainer({
      pools: db.pools,
      macKeys: [db.macKey],
      checkpointKey: db.checkpointKey,
      emit: async () => undefined,
      holder: 'one',
      now: () => clock,
      log: silentLog,
    });
    // Clocks that differ: the months lie between one another in the chain.
    for (const at of [JANUARY, JANUARY, FEBRUARY, JANUARY, FEBRUARY, FEBRUARY, MARCH]) {
      clock = at + (clock % 1000);
      await db.store.create(doctor, patient(), db.store.newId());
    }
    for (let linked = 0; linked < 7; ) linked += await chainer.step();
    await chainer.checkpoint();
  });
  afterEach(() => db.stop());

  const purge = (now: number, isHeld?: (month: string) => boolean): Promise<readonly PurgedMonth[]> =>
    withClient(db.database.connection('owner'), (client) =>
      purgeAudit({ client, checkpointKey: db.checkpointKey, now, years: 8, ...(isHeld && { isHeld }) }),
    );
  const verify = (): Promise<Verdict> =>
    withClient(db.database.connection('superuser'), (client) =>
      verifyAudit({ client, macKeys: [db.macKey], cipher: db.cipher, checkpointKey: db.checkpointKey, elsewhere: [] }),
    );

  it('[AU-12] nothing goes before eight years after the end of its month', async () => {
    expect(await purge(Date.UTC(2029, 1, 1) - 1)).deep.equal([]);
    expect(await purge(Date.UTC(2029, 1, 1))).deep.equal([{ month: '202101', count: 3 }]);
  });

  it('[AU-11] the chain proves what is left, and by signed tombstones what went', async () => {
    expect(await verify()).deep.include({ fault: undefined, links: 7, purged: 0 });
    await purge(Date.UTC(2029, 1, 1));
    expect(await verify()).deep.include({ fault: undefined, links: 4, purged: 3, waiting: 0 });
    expect(await purge(Date.UTC(2029, 2, 1))).deep.equal([{ month: '202102', count: 3 }]);
    expect(await verify()).deep.include({ fault: undefined, links: 1, purged: 6 });
    const [left] = await db.asSuperuser<{ count: string }>('select count(*) from audit.entry');
    expect(left?.count).equal('1');
  });

  it('[AU-12] a legal hold stops it', async () => {
    expect(await purge(Date.UTC(2040, 0, 1), (month) => month === '202101')).deep.equal([
      { month: '202102', count: 3 },
      { month: '202103', count: 1 },
    ]);
    expect(await verify()).deep.include({ fault: undefined, links: 3, purged: 4 });
  });

  it('[AU-11] a month that was removed without a tombstone, or with a forged one, is found', async () => {
    await db.asSuperuser('drop table audit.link_202102, audit.entry_202102');
    expect((await verify()).fault?.seq).equal(3);
  });

  it('[AU-11] a forged tombstone is found', async () => {
    await purge(Date.UTC(2029, 1, 1));
    await db.asSuperuser(`update audit.tombstone set content = replace(content, '"count":3', '"count":2')`);
    expect((await verify()).fault).deep.include({ seq: 1 });
  });

  it('[AU-11] a month whose entries are not all linked stays', async () => {
    clock = JANUARY + 5000;
    await db.store.create(doctor, patient(), db.store.newId());
    expect(await purge(Date.UTC(2029, 1, 1))).deep.equal([]);
  });

  it('[AU-10] the application cannot remove a month', async function () {
    if (!hasRoles()) this.skip();
    const attempt = withClient(db.database.connection('app'), (client) =>
      purgeAudit({ client, checkpointKey: db.checkpointKey, now: Date.UTC(2040, 0, 1), years: 8 }),
    );
    expect(await attempt.catch((error: unknown) => error)).property('code', '42501');
  });

  it('months are made ahead, and again without harm; their names are read back', async () => {
    const names = async (): Promise<string[]> =>
      (
        await db.asSuperuser<{ name: string }>(
          "select c.relname as name from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'audit.entry'::regclass order by 1",
        )
      ).map(({ name }) => name);
    const first = await names();
    expect(first).deep.equal(['entry_202101', 'entry_202102', 'entry_202103', 'entry_other']);
    await withClient(db.database.connection('owner'), (client) =>
      ensureAuditPartitions((text) => client.query(text), FEBRUARY),
    );
    expect(await names()).deep.equal(['entry_202101', 'entry_202102', 'entry_202103', 'entry_202104', 'entry_other']);
    expect(parseMonth('202012')).deep.equal(monthOf(Date.UTC(2020, 11, 5)));
    expect(parseMonth('other')).equal(undefined);
  });
});
