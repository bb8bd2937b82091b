/** Statements of one shape that go as one: each is answered as if it were asked alone. */
import { expect } from 'chai';
import pg from 'pg';
import type { Row } from '../../../src/postgres/pools.ts';
import type { Run } from '../../../src/postgres/search/search-tools.ts';
import { createSharedRun, type Differences } from '../../../src/postgres/search/shared-run.ts';
import { createDatabase, type TestDatabase } from '../../support/database.ts';

const TEXTS = [
  'plain',
  '',
  'a "quoted" one',
  'back\\slash',
  "it's",
  '{1,2}',
  'NULL',
  'a,b',
  '$1',
  'asker.p1',
  'é 漢 🙂',
  '\n\t',
];

describe('statements that are asked together', () => {
  let database: TestDatabase;
  let client: pg.Client;
  let sent: string[] = [];
  const alone: Run = async (text, values) => {
    sent.push(text);
    const { rows } = await client.query({ text, values: [...values], rowMode: 'array' });
    return rows as Row[];
  };
  const known: Differences = new Map();
  before(async () => {
    database = await createDatabase();
    client = new pg.Client(database.connection('app'));
    await client.connect();
  });
  beforeEach(() => {
    sent = [];
  });
  after(async () => {
    await client.end();
    await database.drop();
  });

  /** Asks all in one tick, then each alone. */
  async function compare(text: string, all: readonly (readonly unknown[])[], statements: number): Promise<void> {
    const run = createSharedRun(alone, known);
    const together = await Promise.all(all.map((values) => run(text, values)));
    expect(sent.length, 'statements').to.equal(statements);
    const each = [];
    for (const values of all) each.push(await alone(text, values));
    expect(together).to.deep.equal(each);
  }

  it('texts of every kind, and nulls', () =>
    compare(
      'select $1::text, length($1::text), $2::text',
      [...TEXTS, null].map((text) => [text, 'same']),
      1,
    ));
  it('arrays: of texts, of numbers, empty ones, with nulls', () =>
    compare(
      'select $1::text[], $2::bigint[], cardinality($1::text[]), $3::float8[]',
      [
        [TEXTS, ['1', '-9223372036854775808'], [0.5, Number.POSITIVE_INFINITY]],
        [[], [], []],
        [[null, 'x'], [null], [null, -1e-300]],
      ],
      1,
    ));
  it('many rows, none, in their order, and a limit for each', () =>
    compare(
      'select i from generate_series(1, $1::int) i order by i desc limit $2::int',
      [
        [5, 3],
        [0, 3],
        [2, 3],
        [9, 3],
      ],
      1,
    ));
  it('more than nine parameters keep their places', () =>
    compare(
      `select ${Array.from({ length: 12 }, (_, i) => `$${i + 1}::int`).join(', ')}`,
      [1, 2, 3].map((n) => Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? n * 100 + i : i))),
      1,
    ));
  it('what is asked twice is asked once, and what is asked by one is as it was', async () => {
    await compare('select $1::int + 1', [[1], [1], [1]], 1);
    expect(sent[0]).to.equal('select $1::int + 1');
  });
  it('another shape is another statement', async () => {
    const run = createSharedRun(alone, known);
    const found = await Promise.all([
      run('select $1::int', [1]),
      run('select $1::text', ['a']),
      run('select $1::int', [2]),
    ]);
    expect(found).to.deep.equal([[[1]], [['a']], [[2]]]);
    expect(sent.length).to.equal(2);
  });
  it('of one that fails all who asked the same hear, and nobody else', async () => {
    const run = createSharedRun(alone, known);
    const settled = await Promise.allSettled([
      run('select 1 / $1::int', [1]),
      run('select 1 / $1::int', [0]),
      run('select $1::int', [7]),
    ]);
    expect(settled.map(({ status }) => status)).to.deep.equal(['rejected', 'rejected', 'fulfilled']);
  });
});
