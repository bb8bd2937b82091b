import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { createCipher } from '../../../src/pki/key-file.ts';
import { createPools, type Pools } from '../../../src/postgres/pools.ts';
import { type ErasureList, openErasureList } from '../../../src/postgres/protection/erasure-list.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';
import { silentLog } from '../../support/log.ts';
import { makeTempFolder } from '../../support/temp-folder.ts';

describe('protection › list of erasures', () => {
  const cipher = createCipher([{ number: 1, key: randomBytes(32) }]);
  const databases: TestDatabase[] = [];
  const open: Pools[] = [];
  let path: string;
  beforeEach(() => {
    path = join(makeTempFolder(), 'data', 'erasures.jsonl');
    mkdirSync(dirname(path));
  });
  after(async () => {
    for (const pools of open) await pools.end();
    for (const database of databases) await database.drop();
  });

  /** Pools of a new database: a server that never saw the list. */
  async function newDatabase(): Promise<Pools> {
    const database = await createDatabase();
    databases.push(database);
    const pools = createPools({
      connection: database.connection('app'),
      readConnections: 1,
      writeConnections: 1,
      transactionConnections: 1,
      log: silentLog,
    });
    open.push(pools);
    return pools;
  }
  const openList = ({ writes }: Pools, with_ = cipher): Promise<ErasureList> =>
    openErasureList({ path, writes, cipher: with_ });
  const line = (list: ErasureList, id: string) => ({
    id,
    patient: list.hashOf(id).toString('hex'),
    at: 1,
    basis: 'objection',
  });

  it('[DP-04] outlives its database: another one takes over the key, and knows whom each line is of', async () => {
    const first = await openList(await newDatabase());
    first.append(line(first, 'a'));
    first.append(line(first, 'b'));
    const second = await openList(await newDatabase());
    expect(second.linesOf('a').map(({ id }) => id)).to.deep.equal(['a']);
    expect(second.linesOf('c')).to.deep.equal([]);
    expect(second.hashOf('a').equals(first.hashOf('a'))).to.equal(true);
  });

  it('[DP-04] of two databases with keys of their own each line keeps its own', async () => {
    const [one, other] = [await newDatabase(), await newDatabase()];
    const first = await openList(one);
    first.append(line(first, 'a'));
    const kept = readFileSync(path);
    writeFileSync(path, '');
    const second = await openList(other);
    second.append(line(second, 'b'));
    writeFileSync(path, Buffer.concat([kept, readFileSync(path)]));
    for (const pools of [one, other]) {
      const list = await openList(pools);
      expect(list.linesOf('a').map(({ id }) => id)).to.deep.equal(['a']);
      expect(list.linesOf('b').map(({ id }) => id)).to.deep.equal(['b']);
    }
  });

  it('[DP-04] half a line that a crash left is nothing, and goes with the next', async () => {
    const pools = await newDatabase();
    const list = await openList(pools);
    list.append(line(list, 'a'));
    appendFileSync(path, '{"id":"b","pat');
    const again = await openList(pools);
    expect(again.lines().map(({ id }) => id)).to.deep.equal(['a']);
    again.append(line(again, 'c'));
    expect((await openList(pools)).lines().map(({ id }) => id)).to.deep.equal(['a', 'c']);
  });

  for (const [title, text] of [
    ['a line that is none', 'nonsense\n'],
    ['a line without its key', '{"id":"a","patient":"00","at":1,"basis":"objection"}\n'],
  ] as const)
    it(`[DP-04] ${title} stops the start`, async () => {
      writeFileSync(path, text);
      const error = await openList(await newDatabase()).catch(({ message }: Error) => message);
      expect(error).to.match(/line 1 of the list of erasures .* cannot be read/);
    });

  it('[DP-04] with another message key it cannot be read, and that stops the start', async () => {
    const pools = await newDatabase();
    const list = await openList(pools);
    list.append(line(list, 'a'));
    const error = await openList(pools, createCipher([{ number: 2, key: randomBytes(32) }])).catch(
      ({ message }: Error) => message,
    );
    expect(error).to.contain('cannot be read');
  });
});
