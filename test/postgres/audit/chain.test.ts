import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'chai';
import { type Chainer, type ChainerOptions, createChainer } from '../../../src/postgres/audit/chainer.ts';
import { appendCheckpoint, readCheckpoints } from '../../../src/postgres/audit/checkpoint-file.ts';
import { adoptCluster } from '../../../src/postgres/audit/cluster.ts';
import { type Checkpoint, openSigned, type Signed, signStatement } from '../../../src/postgres/audit/signed.ts';
import { type Verdict, verifyAudit } from '../../../src/postgres/audit/verify.ts';
import { withClient } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';
import { type AuditedDatabase, doctor, makeCheckpointKey, openAuditedDatabase, patient } from './audited-database.ts';

describe('audit › the chain', () => {
  let db: AuditedDatabase;
  let chainer: Chainer;
  let elsewhere: Signed[];
  let breaks: number[];
  /** Every entry has a ms of its own. */
  let clock = Date.now();
  const now = (): number => ++clock;
  const open = (options: Partial<ChainerOptions> = {}): Chainer =>
    createChainer({
      pools: db.pools,
      macKeys: [db.macKey],
      checkpointKey: db.checkpointKey,
      emit: async (signed) => void elsewhere.push(signed),
      holder: 'one',
      now,
      log: silentLog,
      onBreak: (seq) => breaks.push(seq),
      ...options,
    });
  beforeEach(async () => {
    db = await openAuditedDatabase({ now });
    [elsewhere, breaks] = [[], []];
    chainer = open();
  });
  afterEach(() => db.stop());

  const write = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await db.store.create(doctor, patient(), db.store.newId());
  };
  /** Also waits until no transaction under way holds the horizon. */
  const link = async (count: number): Promise<void> => {
    for (let linked = 0; linked < count; ) linked += await chainer.step();
  };
  const verify = (options: { readonly from?: number; readonly to?: number } = {}): Promise<Verdict> =>
    withClient(db.database.connection('superuser'), (client) =>
      verifyAudit({
        client,
        macKeys: [db.macKey],
        cipher: db.cipher,
        checkpointKey: db.checkpointKey,
        elsewhere,
        ...options,
      }),
    );
  /** Ten entries; signed at 5 and at 10. */
  const makeChain = async (): Promise<void> => {
    await write(5);
    await link(5);
    expect(await chainer.checkpoint()).equal(true);
    await write(5);
    await link(5);
    expect(await chainer.checkpoint()).equal(true);
    expect(await verify(), 'before').deep.equal({ fault: undefined, links: 10, checkpoints: 2, purged: 0, waiting: 0 });
  };
  const entryOf = (seq: number): string =>
    `(e.at, e.id) = (select at, id from audit.entry order by xid, id offset ${seq - 1} limit 1)`;

  it('[AU-08] follows the commits: nothing is linked before it, a slow transaction is not skipped', async () => {
    let release = (): void => undefined;
    const slow = db.store.transaction(doctor, async (tx) => {
      await tx.write([{ kind: 'create', resource: patient('Slow'), id: db.store.newId() }]);
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    await sleep(100);
    await write(3);
    expect(await chainer.step(), 'the horizon stands at the slow one').equal(0);
    expect((await verify()).waiting).equal(3);
    release();
    await slow;
    await link(4);
    const verdict = await verify();
    expect(verdict).deep.include({ fault: undefined, links: 4, waiting: 0 });
    expect(breaks).deep.equal([]);
  });

  it('[AU-08] a write that is undone leaves no gap', async () => {
    await write(1);
    await db.store
      .transaction(doctor, async (tx) => {
        await tx.write([{ kind: 'create', resource: patient(), id: db.store.newId() }]);
        throw new Error('undone');
      })
      .catch(() => undefined);
    await write(1);
    await link(2);
    expect(await verify()).deep.include({ fault: undefined, links: 2 });
  });

  it('[AU-08] one process at a time holds the chain, and what a stale holder does is refused', async () => {
    await write(2);
    await link(2);
    const other = open({ holder: 'two' });
    await write(1);
    expect(await other.step(), 'the lease is held').equal(0);
    await db.asSuperuser("update audit.chain set leased_until = '-infinity'");
    expect(await other.step(), 'taken over').equal(1);
    await write(1);
    expect(await chainer.step(), 'the first has lost it, and finds out').equal(0);
    expect(await other.step()).equal(1);
    expect(await verify()).deep.include({ fault: undefined, links: 4 });
    expect(breaks).deep.equal([]);
  });

  it('[AU-08] goes on in another cluster, whose transactions have lower numbers', async () => {
    const adopt = (): Promise<boolean> => withClient(db.database.connection('owner'), adoptCluster);
    expect(await adopt(), 'the first start').equal(false);
    await write(3);
    await link(3);
    await write(1);
    // What a dump brings along: rows from a cluster that had come far.
    await db.asSuperuser(`update audit.entry set xid = ((xid::text::bigint + 5000000)::text)::xid8;
      update audit.link set xid = ((xid::text::bigint + 5000000)::text)::xid8;
      update audit.chain set xid = ((xid::text::bigint + 5000000)::text)::xid8, leased_until = '-infinity';
      update mortar.meta set value = '42' where name = 'audit-cluster'`);
    expect(await adopt(), 'loaded into this one').equal(true);
    expect(await adopt(), 'once').equal(false);
    chainer = open({ holder: 'here' });
    await write(3);
    for (let linked = 0; linked < 4; ) linked += await chainer.step();
    expect(await verify()).deep.include({ fault: undefined, links: 7, waiting: 0 });
    expect(breaks).deep.equal([]);
  });

  it('[AU-08] started, it links within two seconds, signs, and hands over when it stops', async () => {
    chainer = open({ pollMs: 50, checkpointEveryMs: 100 });
    chainer.start();
    await write(5);
    const deadline = performance.now() + 2000;
    while ((await verify()).links < 5) expect(performance.now(), 'lag').lessThan(deadline);
    await write(1);
    await chainer.stop();
    const verdict = await verify();
    expect(verdict).deep.include({ fault: undefined, links: 6, waiting: 0 });
    expect(verdict.checkpoints).greaterThan(0);
    const after = open({ holder: 'two' });
    await write(1);
    expect(await after.step(), 'the lease was given back').equal(1);
  });

  it('[AU-08] an entry that was changed before it was linked fails its MAC, and the chainer says so', async () => {
    await write(3);
    await db.asSuperuser("update audit.entry set address = '203.0.113.9' where id = (select max(id) from audit.entry)");
    await link(3);
    expect(breaks).deep.equal([3]);
    expect((await verify()).fault).deep.include({ seq: 3 });
  });

  it('[AU-08] a checkpoint goes to a second place as a line of its own, flushed, for its owner alone', async () => {
    const path = join(makeTempFolder(), 'audit-checkpoints.jsonl');
    const signed = signStatement<Checkpoint>(db.checkpointKey, {
      kind: 'checkpoint',
      shard: 0,
      seq: 1,
      hash: '00',
      count: 1,
      at: 5,
    });
    await appendCheckpoint(path, signed);
    await appendCheckpoint(path, signed);
    expect(statSync(path).mode & 0o777).equal(0o600);
    expect(readFileSync(path, 'utf8').split('\n')).length(3);
    expect(await readCheckpoints(path)).deep.equal([signed, signed]);
    expect(openSigned<Checkpoint>(db.checkpointKey, 'checkpoint', signed)).deep.include({ seq: 1, at: 5, key: 'test' });
    expect(openSigned<Checkpoint>(makeCheckpointKey(), 'checkpoint', signed), 'another key').equal(undefined);
    expect(await readCheckpoints(`${path}.none`)).deep.equal([]);
  });

  describe('[AU-09] verify-audit finds what a superuser did', () => {
    beforeEach(makeChain);

    const CASES: readonly (readonly [what: string, sql: string, seq: number])[] = [
      ['a changed byte', `update audit.entry e set purpose = 'TREAX' where ${entryOf(7)}`, 7],
      ['a changed time', `update audit.entry e set at = at + 1 where ${entryOf(4)}`, 4],
      ['a changed patient', `update audit.entry e set pat = pat + 1 where ${entryOf(6)}`, 6],
      ['a changed MAC', `update audit.entry e set mac = set_byte(mac, 0, get_byte(mac, 0) # 1) where ${entryOf(2)}`, 2],
      ['a deleted row', `delete from audit.entry e where ${entryOf(3)}`, 3],
      [
        'a deleted row whose mark was cut out: the first of its run',
        `delete from audit.entry e where ${entryOf(8)};
         update audit.link set count = count - 1, seq = seq - 1, marks = overlay(marks placing '' from 33 for 16) where seq = 10;
         update audit.chain set seq = seq - 1`,
        6,
      ],
      [
        'a row inserted behind the chain',
        `insert into audit.entry select at, id + 1000000, '1', rid, pat, agent, ver, shard, kind, outcome, type, ref, purpose, rule, operation, correlation, address, token, mac, pats, detail from audit.entry e where ${entryOf(5)}`,
        1,
      ],
      [
        'a row inserted between two',
        `insert into audit.entry select at, id + 1000000, xid, rid, pat, agent, ver, shard, kind, outcome, type, ref, purpose, rule, operation, correlation, address, token, mac, pats, detail from audit.entry e where ${entryOf(5)}`,
        6,
      ],
      [
        'a row inserted with a number that no transaction reaches',
        `insert into audit.entry select at, id + 1000000, '9000000000000000', rid, pat, agent, ver, shard, kind, outcome, type, ref, purpose, rule, operation, correlation, address, token, mac, pats, detail from audit.entry e where ${entryOf(10)}`,
        11,
      ],
      [
        'a row of another chain',
        `alter table audit.entry drop constraint entry_shard_check;
         insert into audit.entry select at, id + 1000000, xid, rid, pat, agent, ver, 1, kind, outcome, type, ref, purpose, rule, operation, correlation, address, token, mac, pats, detail from audit.entry e where ${entryOf(5)}`,
        1,
      ],
      [
        'two rows that changed places',
        `with two as (select at, id, xid, lead(xid) over w as after, lag(xid) over w as before, row_number() over w as n from audit.entry window w as (order by xid, id))
         update audit.entry e set xid = case two.n when 4 then two.after else two.before end from two where (e.at, e.id) = (two.at, two.id) and two.n in (4, 5)`,
        4,
      ],
      [
        'links that changed places',
        'update audit.link set seq = -5 where seq = 5; update audit.link set seq = 5 where seq = 10; update audit.link set seq = 10 where seq = -5',
        1,
      ],
      [
        'a truncated tail',
        `delete from audit.entry e using audit.link l where l.seq = 5 and (e.xid, e.id) > (l.xid, l.id); delete from audit.link where seq > 5;
         delete from audit.checkpoint where seq > 5; update audit.chain c set seq = 5, hash = (select hash from audit.link where seq = 5)`,
        6,
      ],
      ['links cut off', 'delete from audit.link where seq > 5', 6],
      ['the first links cut off', 'delete from audit.link where seq = 5', 1],
      [
        'a forged checkpoint',
        `update audit.checkpoint set content = replace(content, '"count":5', '"count":4') where seq = 5`,
        5,
      ],
      ['who acted was renamed', `update audit.agent set fhir_user = 'Practitioner/other'`, 1],
      ['who acted was deleted', 'delete from audit.agent', 1],
    ];
    for (const [what, sql, seq] of CASES)
      it(what, async () => {
        await db.asSuperuser(sql);
        const { fault } = await verify();
        expect(fault?.seq, fault?.problem).equal(seq);
      });

    it('a chain written anew from end to end, by whoever has the database but not the keys', async () => {
      const forger = makeCheckpointKey();
      await db.asSuperuser(`delete from audit.entry e where ${entryOf(3)}`);
      await db.asSuperuser(
        "delete from audit.link; delete from audit.checkpoint; update audit.chain set seq = 0, hash = decode(repeat('00', 32), 'hex'), xid = '0', id = 0, leased_until = '-infinity'",
      );
      const rewrite = open({ holder: 'forger', checkpointKey: forger });
      expect(await rewrite.step()).equal(9);
      expect((await verify()).fault?.seq, 'by the hash that was signed at 5').equal(5);
    });

    it('a key of another trail proves nothing', async () => {
      const verdict = await withClient(db.database.connection('superuser'), (client) =>
        verifyAudit({
          client,
          macKeys: [randomBytes(32)],
          cipher: db.cipher,
          checkpointKey: db.checkpointKey,
          elsewhere,
        }),
      );
      expect(verdict.fault?.seq).equal(1);
    });

    it('within a range of time, from a signed place to a signed place', async () => {
      const [first, second] = elsewhere.map((signed) => JSON.parse(signed.content) as Checkpoint) as [
        Checkpoint,
        Checkpoint,
      ];
      await db.asSuperuser(`update audit.entry e set purpose = 'X' where ${entryOf(2)}`);
      expect(await verify({ from: first.at })).deep.include({ fault: undefined, links: 5 });
      expect((await verify({ to: first.at })).fault?.seq).equal(2);
      expect((await verify({ from: first.at, to: second.at })).fault).equal(undefined);
      expect((await verify()).fault?.seq).equal(2);
    });
  });
});
